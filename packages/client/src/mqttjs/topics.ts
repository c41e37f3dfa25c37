// What a client for MQTT.js programs is subscribed to. Each filter is a subscription of its own with the same handler,
// and is remembered for the next life of the client.

import type { Core } from '../core.ts';
import type { ClientError } from '../errors.ts';
import { type AnySubscription, fullFilters } from '../filters.ts';
import type { Message } from '../message.ts';
import { type FilterResult, Subscription } from '../subscription.ts';
import type { ISubscriptionGrant, ISubscriptionMap } from './events.ts';
import { type IClientSubscribeOptions, subscribeOptions } from './options.ts';

type Plain = Readonly<Record<string, string>>;

/** Handlers at work at the same time, for listeners that return promises. */
const concurrencyMax = 1000;

/** What became of one call of `subscribe()`. */
export interface SubscribeOutcome {
  readonly granted: ISubscriptionGrant[];
  /** The refusal of the first filter that was refused. */
  readonly error: ClientError | undefined;
}

export class Topics {
  readonly #handle: (message: Message) => unknown;
  readonly #known = new Map<string, { subscription: Subscription; options: IClientSubscribeOptions }>();

  constructor(handle: (message: Message) => unknown) {
    this.#handle = handle;
  }

  /** A life begins: what was subscribed to, and whatever else the server sends. */
  begin(core: Core): void {
    const options = { ack: 'manual', concurrency: concurrencyMax } as const;
    const rest = new Subscription<Uint8Array, Plain>(core, [], undefined, this.#handle, options);
    core.subscriptions.add(rest as AnySubscription, {});
    for (const [filter, { options: request }] of this.#known) void this.#add(core, filter, request);
  }

  async subscribe(
    core: Core,
    topic: string | readonly string[] | ISubscriptionMap,
    options: IClientSubscribeOptions,
    isVersion5: boolean,
  ): Promise<SubscribeOutcome> {
    const requests = requestsOf(topic, options);
    // All are checked before the first is sent.
    for (const [filter, request] of requests) fullFilters([filter], subscribeOptions(request));
    const results = await Promise.all(requests.map(([filter, request]) => this.#add(core, filter, request)));
    return {
      granted: results.map(({ filter, reasonCode }, i) => {
        const { nl = false, rap = false, rh = 0 } = requests[i]![1];
        const qos = (reasonCode < 0x80 ? reasonCode : 128) as ISubscriptionGrant['qos'];
        return isVersion5 ? { topic: filter, qos, nl, rap, rh } : { topic: filter, qos };
      }),
      error: results.find((result) => result.error !== undefined)?.error,
    };
  }

  async #add(core: Core, filter: string, options: IClientSubscribeOptions): Promise<FilterResult> {
    const own = { ...subscribeOptions(options), ack: 'manual', concurrency: concurrencyMax } as const;
    const subscription = new Subscription<Uint8Array, Plain>(core, [filter], undefined, this.#handle, own);
    const before = this.#known.get(filter);
    this.#known.set(filter, { subscription, options });
    if (core.endReason !== undefined)
      return { filter, reasonCode: 128, isGranted: false, error: core.endReason };
    core.subscriptions.add(subscription as AnySubscription, own);
    // The new one is there already, so nothing is sent for the end of the old one.
    if (before !== undefined && !before.subscription.isEnded) await before.subscription.unsubscribe();
    try {
      const [result] = await subscription.ready;
      return result!;
    } catch (cause) {
      const error = cause as ClientError;
      // The end of the client is no refusal: the next life subscribes again.
      if (core.endReason === undefined && this.#known.get(filter)?.subscription === subscription)
        this.#known.delete(filter);
      return { filter, reasonCode: error.reasonCode ?? 128, isGranted: false, error };
    }
  }

  async unsubscribe(core: Core, filters: readonly string[]): Promise<undefined> {
    fullFilters(filters, {});
    await Promise.all(
      filters.map((filter) => {
        const known = this.#known.get(filter);
        this.#known.delete(filter);
        // An earlier process may have subscribed to it.
        return known === undefined ? core.subscriptions.giveUp([filter]) : known.subscription.unsubscribe();
      }),
    );
  }
}

function requestsOf(
  topic: string | readonly string[] | ISubscriptionMap,
  options: IClientSubscribeOptions,
): (readonly [filter: string, options: IClientSubscribeOptions])[] {
  if (typeof topic === 'string') return [[topic, options]];
  if (Array.isArray(topic)) return (topic as readonly string[]).map((filter) => [filter, options]);
  return (
    Object.entries(topic as ISubscriptionMap)
      // Among the filters there may be the option `resubscribe`.
      .filter(([, own]) => typeof own === 'object')
      .map(([filter, own]) => [filter, { ...options, ...own }])
  );
}
