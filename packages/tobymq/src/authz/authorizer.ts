// What a listener's clients may do. Two kinds of rules answer the same three questions: ours (rules.ts) and those of a
// Mosquitto ACL file (mosquitto-acl.ts).

import type { QoS } from '@tobymq/codec';
import type { Identity } from '../auth/authenticator.ts';
import type { Subject } from './topic-pattern.ts';

/** The client that a rule is asked about. */
export interface Actor extends Subject {
  readonly remoteAddress: string;
  readonly identity: Identity | undefined;
}

/** An answer with the rule that decided, for the log and for `explain`. */
export interface Verdict {
  readonly allow: boolean;
  /** `rule 3 of rules.yaml (line 12)`, `no rule allows it`. */
  readonly rule: string;
  /** Subscribe only: a rule grants no more than this. */
  readonly qosMax?: QoS | undefined;
  /** The answer depends on QoS or retain, and so may not be kept for the topic. */
  readonly isFleeting?: boolean | undefined;
}

export interface Authorizer {
  publish(actor: Actor, topic: string, qos: QoS, retain: boolean): Verdict;
  subscribe(actor: Actor, filter: string, qos: QoS): Verdict;
  /** May a message of this topic be delivered to the client? */
  receive(actor: Actor, topic: string): Verdict;
  /** May whoever comes in by this name do everything? */
  isSuperuser?(username: string): boolean;
}
