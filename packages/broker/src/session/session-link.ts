// What a session sees of the connection that serves it: a way to send deliveries. It knows no bytes and no sockets.

import type { QoS } from '@tobymq/codec';
import type { CloseReason } from '../connection/close.ts';
import type { RoutedMessage } from '../delivery/routed-message.ts';

export interface SessionLink {
  /** How many QoS 1 and 2 messages may be unacknowledged at once. [MQTT-3.3.4-9] */
  readonly window: number;
  /** The client does not read: QoS 1 and 2 messages had better wait in the queue. */
  readonly isCongested: boolean;
  /**
   * Sends a PUBLISH. False means that it is not to be sent to this client at all: it is larger than the client takes,
   * or the client may not read it. Such a message counts as delivered. [MQTT-3.1.2-25]
   */
  sendPublish(
    message: RoutedMessage,
    qos: QoS,
    retain: boolean,
    dup: boolean,
    packetId: number,
    subscriptionIds: readonly number[],
  ): boolean;
  sendPubrel(packetId: number): void;
  /** Sends the PUBREL when everything that was written to the store until now is durable. */
  sendPubrelWhenStored(packetId: number): void;
  close(reason: CloseReason): void;
}
