// From the topic bytes of a PUBLISH to those who get the message. Devices send on the same topics again and again, so
// the answer is kept: a topic that was seen before costs a comparison of its bytes, no string and no matching.

import { matches, type PublishReader, parseSharedFilter, ReasonCode, readTopic } from '@tobymq/codec';
import { violation } from './errors.ts';
import type { FilterEntry } from './filters.ts';
import type { Subscription } from './subscription.ts';

/** A subscription that a topic is for, and the first of its filters that matches. */
export interface RouteTarget {
  readonly subscription: Subscription<unknown, unknown>;
  readonly entry: FilterEntry;
}

export interface TopicRoute {
  readonly topic: string;
  readonly bytes: Uint8Array;
  readonly targets: readonly RouteTarget[];
  /** The subscription identifiers of all filters that match. */
  readonly identifiers: readonly number[];
  /** It matches only a filter that was just given up. */
  readonly isUnwanted: boolean;
}

/** A power of two; a collision costs a string and a look into the map. */
const slotCount = 256;
const routesMax = 4096;
const noBytes = new Uint8Array(0);

export class TopicRoutes {
  readonly #entries: ReadonlyMap<string, FilterEntry>;
  readonly #leaving: ReadonlySet<string>;
  readonly #aliasMaximum: number;
  readonly #byName = new Map<string, TopicRoute>();
  #slots: (TopicRoute | undefined)[] = new Array(slotCount).fill(undefined);
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
    this.#slots.fill(undefined);
  }

  /** The route of a PUBLISH, whose topic may be an alias. */
  of(publish: PublishReader, bytes: Uint8Array): TopicRoute {
    const { topicStart: start, topicEnd: end, topicAlias: alias } = publish;
    if (alias > 0) {
      // [MQTT-3.3.2-11]
      if (alias > this.#aliasMaximum) {
        throw violation(
          ReasonCode.TopicAliasInvalid,
          `topic alias ${alias} is above our maximum of ${this.#aliasMaximum}`,
        );
      }
      if (start === end) {
        const topic = this.#aliases[alias];
        if (topic === undefined)
          throw violation(ReasonCode.ProtocolError, `topic alias ${alias} was never set`);
        return this.byName(topic);
      }
    }
    const route = this.#bySlot(bytes, start, end);
    if (alias > 0) this.#aliases[alias] = route.topic;
    return route;
  }

  #bySlot(bytes: Uint8Array, start: number, end: number): TopicRoute {
    const length = end - start;
    // Topics of one device differ at the end, devices in the middle.
    const slot =
      (length * 31 + bytes[end - 1]! * 7 + bytes[start + (length >> 1)]! * 13 + bytes[end - 2]!) &
      (slotCount - 1);
    const known = this.#slots[slot];
    if (known !== undefined && isSame(known.bytes, bytes, start, length)) return known;
    const topic = readTopic(bytes, start, end);
    let route = this.byName(topic);
    if (route.bytes.length === 0) {
      route = { ...route, bytes: bytes.slice(start, end) };
      this.#byName.set(topic, route);
    }
    this.#slots[slot] = route;
    return route;
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
    let isUnwanted = false;
    if (targets.length === 0) {
      for (const filter of this.#leaving)
        isUnwanted ||= matches(parseSharedFilter(filter)?.filter ?? filter, topic);
    }
    return { topic, bytes: noBytes, targets, identifiers, isUnwanted };
  }
}

function isSame(known: Uint8Array, bytes: Uint8Array, start: number, length: number): boolean {
  if (known.length !== length) return false;
  for (let i = 0; i < length; i++) if (known[i] !== bytes[start + i]) return false;
  return true;
}
