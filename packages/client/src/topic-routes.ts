// From the topic of a PUBLISH to those who get the message. Devices send on the same topics again and again, so the
// answer is kept: a topic that was seen before costs no matching.

import { matches, type Publish, ReasonCode } from '@tobymq/codec';
import { protocolError, violation } from './errors.ts';
import { type FilterEntry, matchFilterOf } from './filters.ts';
import type { Subscription } from './subscription.ts';

/** A subscription that a topic is for, and the first of its filters that matches. */
export interface RouteTarget {
  readonly subscription: Subscription<unknown, unknown>;
  readonly entry: FilterEntry;
}

export interface TopicRoute {
  readonly topic: string;
  readonly targets: readonly RouteTarget[];
  /** The subscription identifiers of all filters that match. */
  readonly identifiers: readonly number[];
  /** It matches only a filter that was just given up. */
  readonly isUnwanted: boolean;
}

const routesMax = 4096;

export class TopicRoutes {
  readonly #entries: ReadonlyMap<string, FilterEntry>;
  readonly #leaving: ReadonlySet<string>;
  readonly #aliasMaximum: number;
  readonly #byName = new Map<string, TopicRoute>();
  /** The server's topic aliases on this connection. [MQTT-3.3.2-7] */
  #aliases: string[] = [];

  constructor(entries: ReadonlyMap<string, FilterEntry>, leaving: ReadonlySet<string>, aliasMaximum: number) {
    this.#entries = entries;
    this.#leaving = leaving;
    this.#aliasMaximum = aliasMaximum;
  }

  /** A new connection knows no aliases. */
  begin(): void {
    this.#aliases = [];
  }

  /** Subscriptions have changed. */
  clear(): void {
    this.#byName.clear();
  }

  /** The route of a PUBLISH, whose topic may be an alias. */
  of({ topic, properties }: Publish): TopicRoute {
    const alias = properties?.topicAlias ?? 0;
    // [MQTT-3.3.2-11]
    if (alias > this.#aliasMaximum) {
      throw violation(
        ReasonCode.TopicAliasInvalid,
        `topic alias ${alias} is above our maximum of ${this.#aliasMaximum}`,
      );
    }
    if (topic !== '') {
      this.#aliases[alias] = topic;
      return this.byName(topic);
    }
    const meant = this.#aliases[alias];
    if (meant === undefined) throw protocolError(`topic alias ${alias} was never set`);
    return this.byName(meant);
  }

  byName(topic: string): TopicRoute {
    let route = this.#byName.get(topic);
    if (route === undefined) {
      route = this.#compute(topic);
      if (this.#byName.size >= routesMax) this.clear();
      this.#byName.set(topic, route);
    }
    return route;
  }

  #compute(topic: string): TopicRoute {
    const targets: RouteTarget[] = [];
    const identifiers: number[] = [];
    for (const entry of this.#entries.values()) {
      if (!matches(entry.matchFilter, topic)) continue;
      identifiers.push(entry.identifier);
      for (const subscription of entry.subscriptions) {
        // A subscription with several matching filters gets the message once.
        if (!targets.some((target) => target.subscription === subscription))
          targets.push({ subscription, entry });
      }
    }
    const isUnwanted =
      targets.length === 0 && [...this.#leaving].some((filter) => matches(matchFilterOf(filter), topic));
    return { topic, targets, identifiers, isUnwanted };
  }
}
