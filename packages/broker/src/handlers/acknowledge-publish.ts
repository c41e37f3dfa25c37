// What the publisher of a message is answered, when it was routed and when it was not.

import { PacketType, type QoS } from '@tobymq/codec';
import type { Connection } from '../connection/connection.ts';
import type { Decision } from '../hooks.ts';
import type { Session } from '../session/session.ts';
import { fittingCode, tellable } from './reason-codes.ts';

/**
 * Acknowledges a message that was routed. If it is `forwarded` to other brokers, that is when they have it too, and it is
 * refused if they cannot take it; reading from this client waits meanwhile, which keeps its messages in order.
 */
export function acknowledgePublish(
  connection: Connection,
  qos: QoS,
  packetId: number,
  copies: number,
  isWritten: boolean,
  bytes: number,
  forwarded: Promise<void> | undefined,
): Promise<void> | undefined {
  if (forwarded === undefined) {
    acknowledge(connection, qos, packetId, copies, isWritten, bytes);
    return undefined;
  }
  return forwarded.then(
    () => {
      if (connection.state === 'connected') {
        acknowledge(connection, qos, packetId, copies, isWritten, bytes);
      }
    },
    () => {
      // 3.x has no refusal: without an acknowledgement the client sends it again on its next connection.
      if (connection.state !== 'connected' || !connection.sender.isV5) return;
      answerRefused(connection, qos, packetId, 0x97, 'other servers could not take it');
    },
  );
}

/** PUBACK or PUBREC; says 0x10 when nobody is subscribed, as Mosquitto does. [N34] */
function acknowledge(
  connection: Connection,
  qos: QoS,
  packetId: number,
  copies: number,
  isWritten: boolean,
  bytes: number,
): void {
  // With a bus somebody may be subscribed at another broker, which is not known here.
  const reasonCode = copies === 0 && connection.core.bus === undefined ? 0x10 : 0;
  if (qos === 1) {
    connection.acknowledge(PacketType.Puback, packetId, reasonCode, isWritten, bytes); // [MQTT-4.3.2-4]
    return;
  }
  const { core, session } = connection;
  if (session === undefined) return;
  session.inbound ??= new Map();
  session.inbound.set(packetId, connection.serial); // [MQTT-4.3.3-8]
  if (session.isPersistent) {
    core.store.putInbound(session.key, packetId);
    isWritten = true;
  }
  // Then the packet id is free again and means a new message next time, on whatever connection. [MQTT-4.3.3-9]
  if (isWritten) core.gate.undoOnFailure(() => forgetInbound(session, packetId));
  connection.acknowledge(PacketType.Pubrec, packetId, reasonCode, isWritten, bytes);
}

function forgetInbound(session: Session, packetId: number): void {
  session.inbound?.delete(packetId);
  if (session.isPersistent) session.core.store.deleteInbound(session.key, packetId);
}

/** A message that may not be published: 5.0 is told; for 3.x it is acknowledged and dropped, as in Mosquitto. */
export function refusePublish(
  connection: Connection,
  topic: string,
  qos: QoS,
  packetId: number,
  decision: Pick<Decision, 'reasonCode' | 'reason'>,
): void {
  const { core, client } = connection;
  core.metrics.publishRefusedNotAuthorized++;
  core.dropped('not-authorized', topic, client?.clientId ?? '');
  core.logger.log('warn', 'publish-refused', {
    clientId: client?.clientId,
    topic,
    qos,
    reason: decision.reason,
  });
  answerRefused(connection, qos, packetId, decision.reasonCode, decision.reason);
}

/** Acknowledges a message that goes nowhere. */
export function answerRefused(
  connection: Connection,
  qos: QoS,
  packetId: number,
  reasonCode: number,
  reason: string | undefined,
): void {
  if (qos === 0) return;
  if (connection.sender.isV5 && reasonCode >= 0x80) {
    // The packet id is free again. [MQTT-4.3.3-9]
    connection.receiveCount--;
    const code = fittingCode('publish', reasonCode);
    connection.refuse(qos === 1 ? PacketType.Puback : PacketType.Pubrec, packetId, code, tellable(reason));
    return;
  }
  acknowledge(connection, qos, packetId, 1, false, 0);
}
