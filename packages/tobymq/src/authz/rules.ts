// Our rules: the first that fits decides, and what no rule speaks of is denied.
//
// A SUBSCRIBE fits a rule if the rule's filter covers all of what the client asks for. A rule that denies only a part of
// it does not fit then, but is asked again for each message: who may read `#` but not `secret/#` gets everything else.

import type { QoS } from '@tobymq/codec';
import type { RuleConfig } from '../config/schema-access.ts';
import { AddressSet } from './addresses.ts';
import type { Actor, Authorizer, Verdict } from './authorizer.ts';
import { TopicPattern } from './topic-pattern.ts';

type Action = 'publish' | 'subscribe';

/** A rule with where it stands, for answers that a person can follow. */
export interface PlacedRule {
  readonly rule: RuleConfig;
  readonly place: string;
}

interface Rule {
  readonly allow: boolean;
  readonly actions: ReadonlySet<Action>;
  readonly topics: readonly TopicPattern[];
  readonly users: ReadonlySet<string> | undefined;
  readonly clients: readonly string[] | undefined;
  readonly roles: readonly string[] | undefined;
  readonly addresses: AddressSet | undefined;
  readonly qos: QoS | undefined;
  readonly retain: boolean | undefined;
  readonly place: string;
}

export interface RuleSet {
  readonly rules: readonly PlacedRule[];
  readonly roles: Readonly<Record<string, readonly string[]>>;
  readonly superusers: readonly string[];
}

export class RuleAuthorizer implements Authorizer {
  readonly #rules: readonly Rule[];
  readonly #rolesByUser = new Map<string, Set<string>>();
  readonly #superusers: ReadonlySet<string>;

  constructor({ rules, roles, superusers }: RuleSet) {
    this.#rules = rules.map(prepare);
    this.#superusers = new Set(superusers);
    for (const [role, users] of Object.entries(roles)) {
      for (const user of users) {
        const own = this.#rolesByUser.get(user) ?? new Set<string>();
        own.add(role);
        this.#rolesByUser.set(user, own);
      }
    }
  }

  publish(actor: Actor, topic: string, qos: QoS, retain: boolean): Verdict {
    const early = this.#withoutRules(actor);
    if (early) return early;
    let isFleeting = false;
    const { grants } = actor.identity ?? {};
    for (const rule of this.#rules) {
      if (!rule.actions.has('publish') || !this.#concerns(rule, actor)) continue;
      if (!rule.topics.some((pattern) => pattern.matches(topic, actor))) continue;
      if (!rule.allow) return { allow: false, rule: rule.place, isFleeting };
      if (rule.qos !== undefined || rule.retain === false) isFleeting = true;
      if (rule.qos !== undefined && qos > rule.qos)
        return { allow: false, rule: `${rule.place}: no more than QoS ${rule.qos}`, isFleeting };
      if (rule.retain === false && retain)
        return { allow: false, rule: `${rule.place}: not retained`, isFleeting };
      if (!grants) return { allow: true, rule: rule.place, isFleeting };
      break;
    }
    if (grants?.publish.some((filter) => new TopicPattern(filter).matches(topic, actor))) {
      return { allow: true, rule: 'granted at login', isFleeting };
    }
    return { allow: false, rule: grants ? 'not granted at login' : 'no rule allows it', isFleeting };
  }

  subscribe(actor: Actor, filter: string, _qos: QoS): Verdict {
    const early = this.#withoutRules(actor);
    if (early) return early;
    const { grants } = actor.identity ?? {};
    for (const rule of this.#rules) {
      if (!rule.actions.has('subscribe') || !this.#concerns(rule, actor)) continue;
      if (!rule.topics.some((pattern) => pattern.covers(filter, actor))) continue;
      if (!rule.allow) return { allow: false, rule: rule.place };
      if (!grants) return { allow: true, rule: rule.place, qosMax: rule.qos };
      break;
    }
    if (grants?.subscribe.some((own) => new TopicPattern(own).covers(filter, actor)))
      return { allow: true, rule: 'granted at login' };
    return { allow: false, rule: grants ? 'not granted at login' : 'no rule allows it' };
  }

  receive(actor: Actor, topic: string): Verdict {
    const early = this.#withoutRules(actor);
    if (early) return early;
    const { grants } = actor.identity ?? {};
    for (const rule of this.#rules) {
      if (!rule.actions.has('subscribe') || !this.#concerns(rule, actor)) continue;
      if (!rule.topics.some((pattern) => pattern.matches(topic, actor))) continue;
      if (!rule.allow || !grants) return { allow: rule.allow, rule: rule.place };
      break;
    }
    if (grants?.subscribe.some((own) => new TopicPattern(own).matches(topic, actor))) {
      return { allow: true, rule: 'granted at login' };
    }
    return { allow: false, rule: grants ? 'not granted at login' : 'no rule allows it' };
  }

  isSuperuser(username: string): boolean {
    return this.#superusers.has(username);
  }

  #withoutRules({ username, identity }: Actor): Verdict | undefined {
    if (identity?.superuser || (username !== undefined && this.isSuperuser(username))) {
      return { allow: true, rule: 'superuser' };
    }
    if (this.#rules.length === 0 && !identity?.grants) return { allow: true, rule: 'there are no rules' };
    return undefined;
  }

  #concerns(rule: Rule, { clientId, username, remoteAddress, identity }: Actor): boolean {
    if (rule.users && !rule.users.has(username ?? '') && !(username !== undefined && rule.users.has('*')))
      return false;
    if (rule.clients && !rule.clients.some((client) => fits(client, clientId))) return false;
    if (rule.addresses && !rule.addresses.has(remoteAddress)) return false;
    if (!rule.roles) return true;
    const own = username === undefined ? undefined : this.#rolesByUser.get(username);
    return rule.roles.some((role) => own?.has(role) || identity?.roles?.includes(role));
  }
}

function prepare({ rule, place }: PlacedRule): Rule {
  const given = rule.allow ?? rule.deny ?? 'all';
  const actions =
    given === 'all' ? (['publish', 'subscribe'] as const) : typeof given === 'string' ? [given] : given;
  return {
    allow: rule.allow !== undefined,
    actions: new Set(actions),
    topics: rule.topics.map((topic) => new TopicPattern(topic)),
    users: rule.users && new Set(rule.users),
    clients: rule.clients,
    roles: rule.roles,
    addresses: rule.addresses && new AddressSet(rule.addresses),
    qos: rule.qos,
    retain: rule.retain,
    place,
  };
}

function fits(pattern: string, clientId: string): boolean {
  return pattern.endsWith('*') ? clientId.startsWith(pattern.slice(0, -1)) : pattern === clientId;
}
