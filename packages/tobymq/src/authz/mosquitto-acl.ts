// What the rules of a Mosquitto ACL file mean: the rules that deny are asked first, then those of the user, then the
// patterns; what none speaks of is denied. A SUBSCRIBE always succeeds, and what may not be read is not delivered.

import { matches, type QoS } from '@tobymq/codec';
import type { Acl, AclRule } from '../mosquitto/acl-file.ts';
import type { Actor, Authorizer, Verdict } from './authorizer.ts';
import { leadsToDollar } from './topic-pattern.ts';

type Wanted = 'read' | 'write';

export class MosquittoAcl implements Authorizer {
  readonly #acl: Acl;
  readonly #patterns: readonly AclRule[];
  readonly #users = new Map<string | undefined, readonly AclRule[]>();

  constructor(acl: Acl) {
    this.#acl = acl;
    this.#patterns = deniesFirst(acl.patterns);
    for (const [name, rules] of acl.users) this.#users.set(name, deniesFirst(rules));
  }

  publish(actor: Actor, topic: string, _qos: QoS, _retain: boolean): Verdict {
    return this.#decide(actor, topic, 'write');
  }

  subscribe(): Verdict {
    return { allow: true, rule: 'an ACL file is checked at delivery' };
  }

  receive(actor: Actor, topic: string): Verdict {
    return this.#decide(actor, topic, 'read');
  }

  #decide({ clientId, username }: Actor, topic: string, wanted: Wanted): Verdict {
    for (const rule of this.#users.get(username) ?? []) {
      const verdict = this.#apply(rule, rule.filter, topic, wanted);
      if (verdict) return verdict;
    }
    if (this.#patterns.length > 0) {
      if (/[+#]/.test(clientId) || (username !== undefined && /[+#]/.test(username))) {
        return {
          allow: false,
          rule: `${this.#acl.path}: names with + or # are denied where there are patterns`,
        };
      }
      for (const rule of this.#patterns) {
        const filter = fillIn(rule.filter, clientId, username);
        const verdict = filter === undefined ? undefined : this.#apply(rule, filter, topic, wanted);
        if (verdict) return verdict;
      }
    }
    return { allow: false, rule: `${this.#acl.path}: no rule allows it` };
  }

  #apply(rule: AclRule, filter: string, topic: string, wanted: Wanted): Verdict | undefined {
    if (!matches(filter, topic)) return undefined;
    const place = `${this.#acl.path}:${rule.line}`;
    if (rule.access === 'deny') return { allow: false, rule: place };
    return rule.access === 'readwrite' || rule.access === wanted ? { allow: true, rule: place } : undefined;
  }
}

function deniesFirst(rules: readonly AclRule[]): readonly AclRule[] {
  const denies = (rule: AclRule): boolean => rule.access === 'deny';
  return [...rules.filter(denies), ...rules.filter((rule) => !denies(rule))];
}

/**
 * `%c` and `%u` should stand for a whole level. Mosquitto 2.0 also fills them in within one, and a rule that denies must
 * not be lost on the way here.
 */
function fillIn(filter: string, clientId: string, username: string | undefined): string | undefined {
  if (username === undefined && filter.includes('%u')) return undefined;
  const filled = filter.replace(/%[cu]/g, (name) => (name === '%c' ? clientId : (username ?? '')));
  return leadsToDollar(filled, filter) ? undefined : filled;
}
