// From a message to the sessions that get it: one copy for each session with matching subscriptions, and one for the
// chosen member of each shared subscription. Then, once for all of them, to the store.

import type { Core } from '../core.ts';
import type { Route } from '../routing/router.ts';
import type { Session } from '../session/session.ts';
import type { Subscriber } from '../session/subscriber.ts';
import type { RoutedMessage } from './routed-message.ts';
import { SHARED_RECEIVERS_MIN, SHARED_REFERENCE_BYTES_MIN } from './sizes.ts';

/** Delivers a message to everybody who wants it; returns how many copies that are. */
export function routeMessage(core: Core, message: RoutedMessage, publisher: Session | undefined): number {
  return routeAlong(core, core.router.route(message.topic), message, publisher);
}

/** The same with a route that is known already and current. */
export function routeAlong(
  core: Core,
  route: Route<Subscriber>,
  message: RoutedMessage,
  publisher: Session | undefined,
): number {
  const { targets, groups } = route;
  let copies = targets.length;
  if (copies > SHARED_RECEIVERS_MIN) message.referenceBytesMin = SHARED_REFERENCE_BYTES_MIN;
  for (let i = 0; i < targets.length; i++) {
    const target = targets[i]!;
    if (target.subscriber === publisher) {
      const own = target.forOwnMessages; // [MQTT-3.8.3-3]
      if (own !== undefined) own.subscriber.deliver(message, own, undefined);
      else copies--;
    } else {
      target.subscriber.deliver(message, target, undefined);
    }
  }
  for (let i = 0; i < groups.length; i++) {
    const group = groups[i]!;
    const chosen = group.pick(message.publisherId, message.topic);
    if (chosen === undefined) continue;
    chosen.subscriber.deliver(message, chosen, group);
    copies++;
  }
  message.store(core.store);
  if (copies === 0) core.metrics.publishUnmatched++;
  return copies;
}
