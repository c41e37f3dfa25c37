// One message on its way to one session: queued, sent, or released.

import type { QoS } from '@tobymq/codec';
import type { StoredMessage } from '../store/store.ts';
import type { SubscriberGroup } from './subscriber.ts';

export class Delivery {
  readonly message: StoredMessage;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly subscriptionIds: readonly number[];
  /** The shared subscription that chose this session, which chooses again if the session ends. */
  readonly group: SubscriberGroup | undefined;
  packetId = 0;
  /** QoS 2: PUBREC was received; PUBREL goes out instead of PUBLISH from now on. [MQTT-4.3.3-6] */
  isReleased = false;
  /** The store has no copy of it: it was sent, but its batch could not be written. */
  isUnstored = false;
  /** Whether its PUBLISH went out on the present connection and takes a place in the window. */
  isOpen = false;
  /** It was taken out of the queue; a commit that fails later must not take it out again. */
  isDone = false;

  constructor(
    message: StoredMessage,
    qos: QoS,
    retain: boolean,
    subscriptionIds: readonly number[],
    group: SubscriberGroup | undefined,
  ) {
    this.message = message;
    this.qos = qos;
    this.retain = retain;
    this.subscriptionIds = subscriptionIds;
    this.group = group;
  }

  /** True for the shared stand-ins below. */
  get isMarker(): boolean {
    return this.message.id === 0;
  }
}

const nothing: StoredMessage = {
  id: 0,
  topic: '',
  payload: new Uint8Array(0),
  qos: 0,
  retain: false,
  properties: undefined,
  expiresAt: 0,
  publishedAt: 0,
  publisher: '',
};

function marker(qos: QoS, isReleased: boolean): Delivery {
  const delivery = new Delivery(nothing, qos, false, [], undefined);
  delivery.isReleased = isReleased;
  delivery.isOpen = true;
  return Object.freeze(delivery);
}

// A session that ends with its connection never sends anything again, so what it has sent need not be kept: only its
// packet id is taken. These stand for all such deliveries and save the object and the copy of the message.
export const SENT_QOS1: Delivery = marker(1, false);
export const SENT_QOS2: Delivery = marker(2, false);
export const RELEASED_QOS2: Delivery = marker(2, true);
