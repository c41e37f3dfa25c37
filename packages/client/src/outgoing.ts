// Our messages towards the server: the queue, the exchanges that are open, and what happens to both when a connection
// begins. The order of sending is the order of the calls, across QoS levels and across connections.
//
// A QoS 0 message on a connection with room goes straight into the outbox and costs neither an entry nor a promise of
// its own. All others become an `OutgoingMessage`, which is open from its first PUBLISH until PUBACK or PUBCOMP.

import { type Packet, PacketType, type Puback, type QoS, ReasonCode } from '@tobymq/codec';
import type { Clock, Timer } from './clock.ts';
import type { Connection } from './connection.ts';
import { ClientError, hex, violation } from './errors.ts';
import type { Journal } from './journal.ts';
import type { Settings } from './options.ts';
import { type OutgoingFields, OutgoingMessage } from './outgoing-message.ts';
import type { PacketIds } from './packet-ids.ts';
import { PublishSender, sendable } from './publish-sender.ts';
import { MessageQueue } from './queue.ts';
import { reasonName } from './reason-names.ts';
import { messageLimit } from './server-limits.ts';
import type { RestoredMessage } from './store/session-store.ts';

export class Outgoing {
  readonly #settings: Settings;
  readonly #clock: Clock;
  readonly #ids: PacketIds;
  readonly #queue: MessageQueue;
  /** By packet identifier; a Map keeps the order of first sending, which is the order of redelivery. [MQTT-4.6.0-1] */
  readonly #open = new Map<number, OutgoingMessage>();
  /** Open messages that this connection has not seen yet. */
  #redelivery: OutgoingMessage[] = [];
  #connection: Connection | undefined;
  readonly #sender: PublishSender;
  /** How many more QoS 1 and 2 messages may be sent. [MQTT-4.9.0-1] */
  #quota = 0;
  #nextKey = 1;
  #expiryTimer: Timer | undefined;
  #expiryDue = Number.POSITIVE_INFINITY;
  #isPumping = false;
  #isDone = false;
  #journal: Journal | undefined;
  droppedCount = 0;
  #idleWaiters: (() => void)[] = [];

  constructor(settings: Settings, ids: PacketIds) {
    this.#settings = settings;
    this.#clock = settings.clock;
    this.#ids = ids;
    this.#sender = new PublishSender(settings.clock, settings.outgoingTopicAliases);
    this.#queue = new MessageQueue(settings.offline.maxMessages, settings.offline.maxBytes);
  }

  get sentCount(): number {
    return this.#sender.count;
  }

  get queuedCount(): number {
    return this.#queue.length;
  }

  get queuedBytes(): number {
    return this.#queue.bytes;
  }

  get openCount(): number {
    return this.#open.size;
  }

  /** Takes over what an earlier process left in the store. What was published while it opened is younger, and is stored now. */
  restore(messages: readonly RestoredMessage[], journal: Journal): void {
    this.#journal = journal;
    const early = this.#queue.removeWhere(() => true);
    for (const { message, packetId, isReleased } of messages) {
      const outgoing = new OutgoingMessage(message, message.key);
      outgoing.isRestored = true;
      this.#nextKey = Math.max(this.#nextKey, message.key + 1);
      if (packetId === 0) {
        this.#queue.push(outgoing);
      } else {
        outgoing.packetId = packetId;
        outgoing.isSent = true;
        outgoing.isReleased = isReleased;
        this.#ids.mark(packetId);
        this.#open.set(packetId, outgoing);
      }
    }
    for (const message of early) {
      message.key = this.#nextKey++;
      if (message.qos > 0) journal.add({ op: 'publish', message });
      this.#queue.push(message);
    }
  }

  /**
   * Sends a QoS 0 message at once if that is possible without overtaking another. Otherwise the caller has to `add` it.
   */
  trySendNow(fields: OutgoingFields): boolean {
    const connection = this.#connection;
    if (connection === undefined || connection.outbox.isCongested || this.#queue.length > 0) return false;
    if (this.#redelivery.length > 0) return false;
    const limit = messageLimit(fields, connection.limits);
    if (limit !== undefined) throw limit;
    this.#sender.write(connection, sendable(fields, 0, false));
    return true;
  }

  /** Takes a message; it leaves as soon as the connection, the quota and its turn allow. `isFirst` puts it before all that wait. */
  add(fields: OutgoingFields, isFirst = false): OutgoingMessage {
    const message = new OutgoingMessage(fields, this.#nextKey++);
    const connection = this.#connection;
    if (connection !== undefined) {
      const limit = messageLimit(fields, connection.limits);
      if (limit !== undefined) throw limit;
    } else if (fields.qos === 0 && !this.#settings.offline.qos0) {
      throw new ClientError(
        'TOBYMQ_CONNECTION_LOST',
        `the QoS 0 message for ${fields.topic} was not sent: there is no connection`,
      );
    }
    this.#makeRoom(message);
    if (message.isSettled) return message;
    if (message.qos > 0) this.#journal?.add({ op: 'publish', message });
    if (isFirst) this.#queue.unshift([message]);
    else this.#queue.push(message);
    this.pump();
    if (message.packetId === 0 && !message.isSettled) this.#expireAt(message.expiresAt);
    return message;
  }

  #makeRoom(message: OutgoingMessage): void {
    const full = (what: string): ClientError => {
      this.droppedCount++;
      const { length, bytes } = this.#queue;
      return new ClientError(
        what === '' ? 'TOBYMQ_QUEUE_FULL' : 'TOBYMQ_EVICTED',
        `the queue is full (${length} messages, ${bytes} bytes)${what}`,
        { topic: message.topic },
      );
    };
    while (!this.#queue.hasRoomFor(message.size)) {
      if (this.#settings.offline.whenFull === 'drop-oldest' && this.#queue.length > 0) {
        this.#end(this.#queue.shift()!, full(': the oldest message was dropped'));
      } else if (this.#settings.offline.whenFull === 'drop-newest') {
        message.settle(full(': the newest message was dropped'));
        return;
      } else {
        throw full('');
      }
    }
  }

  /** Gives up a message for its caller: removed if it only waits, left alone if it is on its way. */
  cancel(message: OutgoingMessage, error: ClientError): void {
    if (message.packetId === 0 && !message.isSettled) {
      this.#queue.removeWhere((waiting) => waiting === message);
      this.#end(message, error);
    } else {
      message.settle(error);
    }
  }

  /** A connection was accepted: what was open is repeated if the server still knows us, and then the queue goes on. */
  begin(connection: Connection, isResumed: boolean): void {
    this.#connection = connection;
    this.#sender.begin(connection);
    this.#quota = Math.min(connection.limits.receiveMaximum, this.#settings.sendMaximum);
    for (const message of this.#open.values()) message.isOnWire = false;
    if (isResumed) this.#redelivery = [...this.#open.values()];
    else this.#dropSession();
  }

  end(): void {
    this.#connection = undefined;
    this.#redelivery = [];
    this.#quota = 0;
  }

  /** The server knows nothing of our open exchanges any more. [MQTT-3.2.2-5] */
  #dropSession(): void {
    const again: OutgoingMessage[] = [];
    for (const message of this.#open.values()) {
      this.#ids.free(message.packetId);
      if (message.isReleased) {
        // PUBREC came: the server took the message over, and only its bookkeeping is gone.
        this.#end(message, undefined);
      } else if (message.qos === 2) {
        this.#end(
          message,
          new ClientError(
            'TOBYMQ_SESSION_LOST',
            `the server lost the session; the QoS 2 message for ${message.topic} may or may not have been delivered`,
            { topic: message.topic },
          ),
        );
      } else {
        // QoS 1 allows a repetition, so the message starts again as a new one.
        message.packetId = 0;
        message.isSent = false;
        this.#journal?.add({ op: 'unsent', key: message.key });
        again.push(message);
      }
    }
    this.#open.clear();
    this.#queue.unshift(again);
  }

  /** Sends what may be sent: first the redelivery, then the queue. */
  pump(): void {
    // A message that cannot be sent ends at once and would start this loop again from within.
    if (this.#connection === undefined || this.#isPumping) return;
    this.#isPumping = true;
    this.#sendWaiting(this.#connection);
    this.#isPumping = false;
    this.#announceIdle();
  }

  #sendWaiting(connection: Connection): void {
    while (this.#redelivery.length > 0 && !connection.outbox.isCongested) {
      const message = this.#redelivery[0]!;
      if (!message.isReleased && this.#quota === 0) return;
      this.#redelivery.shift();
      if (message.isReleased) connection.sendAck(PacketType.Pubrel, message.packetId, 0);
      else this.#sendOpen(connection, message);
    }
    while (!connection.outbox.isCongested) {
      const message = this.#queue.peek();
      if (message === undefined) return;
      if (message.qos > 0 && this.#quota === 0) return; // [MQTT-3.3.4-7]
      if (!this.#sendFirst(connection, message)) return;
    }
  }

  /** Sends the head of the queue for the first time; false if no packet identifier is free. */
  #sendFirst(connection: Connection, message: OutgoingMessage): boolean {
    const limit = messageLimit(message, connection.limits);
    const isExpired =
      message.expiresAt !== Number.POSITIVE_INFINITY && message.expiresAt <= this.#clock.now();
    if (limit === undefined && !isExpired && message.qos > 0) {
      const id = this.#ids.take();
      if (id === 0) return false;
      message.packetId = id;
    }
    this.#queue.shift();
    if (limit !== undefined) {
      this.#drop(message, limit);
    } else if (isExpired) {
      this.#expire(message);
    } else if (message.qos === 0) {
      try {
        this.#sender.write(connection, message);
        message.settle(undefined);
      } catch (error) {
        this.#drop(message, error as ClientError);
      }
    } else {
      this.#open.set(message.packetId, message);
      this.#journal?.add({ op: 'sent', key: message.key, packetId: message.packetId });
      this.#sendOpen(connection, message);
    }
    return true;
  }

  #sendOpen(connection: Connection, message: OutgoingMessage): void {
    try {
      message.dup = message.isSent; // [MQTT-3.3.1-1]
      this.#sender.write(connection, message);
      message.isSent = true;
      message.isOnWire = true;
      this.#quota--;
    } catch (error) {
      // Too large for this server: only the local end of the exchange is left.
      this.droppedCount++;
      this.#close(message, error as ClientError);
    }
  }

  #onPuback({ packetId, reasonCode, properties }: Puback): void {
    const message = this.#open.get(packetId);
    // [MQTT-2.2.1-6] An answer to nothing changes nothing.
    if (message === undefined) return;
    if (message.qos !== 1)
      throw violation(ReasonCode.ProtocolError, `PUBACK for QoS 2 packet identifier ${packetId}`);
    this.#close(message, refusal(message, reasonCode, properties?.reasonString), reasonCode);
  }

  onPacket(packet: Packet): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    if (packet.type === PacketType.Puback) {
      this.#onPuback(packet);
    } else if (packet.type === PacketType.Pubrec) {
      const { packetId, reasonCode } = packet;
      const message = this.#open.get(packetId);
      if (message?.qos !== 2) {
        connection.sendAck(PacketType.Pubrel, packetId, ReasonCode.PacketIdentifierNotFound);
      } else if (reasonCode >= 0x80) {
        // [MQTT-4.4.0-2]
        this.#close(message, refusal(message, reasonCode, packet.properties?.reasonString), reasonCode);
      } else {
        if (!message.isReleased) this.#journal?.add({ op: 'released', key: message.key });
        message.isReleased = true;
        connection.sendAck(PacketType.Pubrel, packetId, 0); // [MQTT-4.3.3-4] [MQTT-4.6.0-4]
      }
    } else if (packet.type === PacketType.Pubcomp) {
      const message = this.#open.get(packet.packetId);
      if (message?.qos === 2) this.#close(message, undefined, 0);
    }
  }

  /** Ends an open exchange: its identifier and its place in the window are free again. */
  #close(message: OutgoingMessage, error: ClientError | undefined, reasonCode = 0): void {
    this.#open.delete(message.packetId);
    this.#ids.free(message.packetId);
    if (message.isOnWire) this.#quota++;
    this.#end(message, error, reasonCode);
    if (this.#queue.length > 0 || this.#redelivery.length > 0) this.pump();
    else this.#announceIdle();
  }

  #end(message: OutgoingMessage, error: ClientError | undefined, reasonCode = 0): void {
    if (message.qos > 0) this.#journal?.add({ op: 'done', key: message.key });
    message.settle(error, reasonCode);
    // Nobody waits for a message of an earlier process, so its failure is reported here.
    if (error !== undefined && message.isRestored) this.#settings.onError(error);
  }

  #drop(message: OutgoingMessage, error: ClientError): void {
    this.droppedCount++;
    this.#end(message, error);
  }

  #expire(message: OutgoingMessage): void {
    const { topic } = message;
    const what = `the message for ${topic} expired before it could be sent`;
    this.#drop(message, new ClientError('TOBYMQ_EXPIRED', what, { topic }));
  }

  /** One timer for the message that expires first. */
  #expireAt(due: number): void {
    if (due >= this.#expiryDue || this.#isDone) return;
    this.#expiryDue = due;
    this.#clock.clearTimeout(this.#expiryTimer);
    this.#expiryTimer = this.#clock.setTimeout(
      () => {
        const now = this.#clock.now();
        this.#expiryDue = Number.POSITIVE_INFINITY;
        for (const message of this.#queue.removeWhere((waiting) => waiting.expiresAt <= now))
          this.#expire(message);
        let earliest = Number.POSITIVE_INFINITY;
        for (const message of this.#queue) earliest = Math.min(earliest, message.expiresAt);
        this.#expireAt(earliest);
      },
      Math.max(0, due - this.#clock.now()),
    );
  }

  /** Resolves when nothing waits and nothing is open. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#idleWaiters.push(resolve);
      this.#announceIdle();
    });
  }

  #announceIdle(): void {
    if (this.#idleWaiters.length === 0 || this.#queue.length > 0 || this.#open.size > 0) return;
    for (const resolve of this.#idleWaiters.splice(0)) resolve();
  }

  /** The end of the client: every promise settles. What a store holds stays there for the next process. */
  failAll(error: ClientError): void {
    this.#isDone = true;
    this.#clock.clearTimeout(this.#expiryTimer);
    for (const message of this.#open.values()) message.settle(error);
    for (const message of this.#queue.removeWhere(() => true)) message.settle(error);
    for (const resolve of this.#idleWaiters.splice(0)) resolve();
  }
}

function refusal(
  message: { topic: string; qos: QoS },
  reasonCode: number,
  reason: string | undefined,
): ClientError | undefined {
  if (reasonCode < 0x80) return undefined;
  const explanation = reason === undefined ? '' : `: ${reason}`;
  return new ClientError(
    'TOBYMQ_PUBLISH_REFUSED',
    `the server refused the message for ${message.topic} with ${hex(reasonCode)} ${reasonName(reasonCode)}${explanation}`,
    {
      reasonCode,
      topic: message.topic,
    },
  );
}
