// Whoever can stand in the routing table: a client's session, or a subscription of the program itself.

import type { RoutedMessage } from '../delivery/routed-message.ts';
import type { SharedGroup } from '../routing/shared-group.ts';
import type { Target } from '../routing/subscription.ts';

export type SubscriberTarget = Target<Subscriber>;
export type SubscriberGroup = SharedGroup<Subscriber>;

export abstract class Subscriber {
  /** The client id; empty for subscriptions of the program itself. */
  abstract readonly clientId: string;
  /** Whether it can take a message now; shared subscriptions pass over those that cannot. */
  abstract get isOnline(): boolean;
  /** Takes one copy of a message. `group` is the shared subscription that it came by, if it did. */
  abstract deliver(
    message: RoutedMessage,
    target: SubscriberTarget,
    group: SubscriberGroup | undefined,
  ): void;
}
