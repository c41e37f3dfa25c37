// Moves deliveries of a connected session along: sends again what an earlier connection left open, then what waits in
// memory, and reads the next part of the queue from the store before memory runs out of it.

import { serverClose } from '../connection/close.ts';
import { hasExpired } from '../delivery/message-expiry.ts';
import { DeliveryState, type StoredDelivery } from '../store/store.ts';
import { Delivery } from './delivery.ts';
import { Outbound } from './outbound.ts';
import type { Session } from './session.ts';
import type { SessionLink } from './session-link.ts';

/** Starts reading the queue of a session that was just taken over by a connection. */
export function beginLoading(session: Session): void {
  const outbound = new Outbound();
  session.outbound = outbound;
  void refill(session, outbound);
}

/** Sends as much as the client's window allows. */
export function pump(session: Session): void {
  const { link, outbound } = session;
  if (link === undefined || outbound === undefined) return;
  const now = session.core.clock.now();
  while (!link.isCongested) {
    const again = outbound.resend[0];
    if (again !== undefined) {
      if (outbound.openCount >= link.window) return;
      outbound.resend.shift();
      sendAgain(session, outbound, link, again, now);
      continue;
    }
    const next = outbound.peek();
    if (next === undefined || (next.qos > 0 && !outbound.hasPlace(link.window))) break;
    outbound.shift();
    sendNext(session, outbound, link, next, now);
  }
  const { queueWindowMessages, queueWindowBytes } = session.core.limits;
  const isLow = outbound.length * 2 < queueWindowMessages && outbound.queueBytes * 2 <= queueWindowBytes;
  if (!outbound.isLoading && isLow && session.behind > 0) void refill(session, outbound);
}

function sendAgain(
  session: Session,
  outbound: Outbound,
  link: SessionLink,
  delivery: Delivery,
  now: number,
): void {
  if (outbound.inflight.get(delivery.packetId) !== delivery) return;
  const message = session.core.borrowMessage();
  message.load(delivery.message, now);
  // Sent before, so it does not expire any more. [MQTT-4.3.3-7], [MQTT-3.3.1-1]
  const { qos, retain, packetId, subscriptionIds } = delivery;
  const wasSent = link.sendPublish(message, qos, retain, true, packetId, subscriptionIds);
  session.core.returnMessage(message);
  if (wasSent) {
    delivery.isOpen = true;
    outbound.openCount++;
  } else {
    outbound.inflight.delete(packetId);
    session.release(delivery);
  }
}

function sendNext(
  session: Session,
  outbound: Outbound,
  link: SessionLink,
  delivery: Delivery,
  now: number,
): void {
  const core = session.core;
  const stored = delivery.message;
  // [MQTT-3.3.2-5]
  if (hasExpired(stored, now)) {
    session.release(delivery);
    session.drop('expired', stored.topic);
    return;
  }
  const packetId = delivery.qos > 0 ? outbound.takePacketId() : 0;
  const waits = delivery.qos === 2 && session.isPersistent && core.store.durable;
  if (!waits) {
    const message = core.borrowMessage();
    message.load(stored, now);
    const { qos, retain, subscriptionIds } = delivery;
    const wasSent = link.sendPublish(message, qos, retain, false, packetId, subscriptionIds);
    core.returnMessage(message);
    if (!wasSent || qos === 0) {
      session.release(delivery);
      return;
    }
  }
  delivery.packetId = packetId;
  delivery.isOpen = true;
  outbound.inflight.set(packetId, delivery);
  outbound.openCount++;
  if (session.isPersistent) {
    core.store.markSent(session.key, stored.id, packetId);
    core.gate.touch();
    if (waits) core.gate.sendWhenStored(session, delivery, link);
  }
}

/** A QoS 2 message whose packet id is durable now goes out, if its connection is still the one. */
export function sendStored(session: Session, delivery: Delivery, link: SessionLink): void {
  if (session.link !== link || session.outbound?.inflight.get(delivery.packetId) !== delivery) return;
  const { core } = session;
  const message = core.borrowMessage();
  message.load(delivery.message, core.clock.now());
  const { qos, retain, packetId, subscriptionIds } = delivery;
  const wasSent = link.sendPublish(message, qos, retain, false, packetId, subscriptionIds);
  core.returnMessage(message);
  // A message that the client cannot take counts as delivered. [MQTT-3.1.2-25]
  if (!wasSent) session.receive(packetId, 0x80);
}

/** Reads the next part of the queue behind what is in memory. */
async function refill(session: Session, outbound: Outbound): Promise<void> {
  const { core, key } = session;
  outbound.isLoading = true;
  let read: readonly StoredDelivery[];
  try {
    const { queueWindowMessages, queueWindowBytes } = core.limits;
    read = await core.store.readQueue(key, outbound.lastId, queueWindowMessages, queueWindowBytes);
  } catch (error) {
    core.logger.log('error', 'store-failed', { clientId: session.clientId, operation: 'readQueue', error });
    session.link?.close(serverClose(0x80, 'the queue cannot be read from the store'));
    return;
  }
  // Another connection may have taken over meanwhile, or the session has ended.
  if (session.outbound !== outbound || session.link === undefined) return;
  for (const item of read) take(outbound, session.link, item);
  outbound.isLoading = false;
  if (read.length === 0 && session.behind > 0) {
    // The store knows better how much there is.
    session.queuedMessages = outbound.inflight.size + outbound.length;
  }
  pump(session);
}

function take(outbound: Outbound, link: SessionLink, item: StoredDelivery): void {
  const delivery = new Delivery(item.message, item.qos, item.retain, item.subscriptionIds, undefined);
  outbound.lastId = item.message.id;
  if (item.state === DeliveryState.Queued) {
    outbound.push(delivery);
    return;
  }
  delivery.packetId = item.packetId;
  outbound.inflight.set(item.packetId, delivery);
  if (item.state === DeliveryState.Released) {
    delivery.isReleased = true;
    link.sendPubrel(item.packetId); // [MQTT-4.4.0-1]
  } else {
    outbound.resend.push(delivery);
  }
}
