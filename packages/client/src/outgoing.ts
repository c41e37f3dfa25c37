// Our messages towards the server: the queue, the exchanges that are open, and what happens to both when a connection
// begins. The order of sending is the order of the calls, across QoS levels and across connections.
//
// A QoS 0 message on a connection with room goes straight into the outbox and costs neither an entry nor a promise of
// its own. All others wait in the queue for their turn; those of QoS 1 and 2 are open from their first PUBLISH until
// PUBACK or PUBCOMP.

import { PacketType, type Puback, type Pubcomp, type Pubrec, ReasonCode } from '@tobymq/codec';
import { abortError, type CallLimits, limitCall } from './call-limits.ts';
import type { Connection } from './connection.ts';
import { type ClientError, messageError, protocolError } from './errors.ts';
import type { Journal } from './journal.ts';
import type { Settings } from './options.ts';
import { never, newMessage, type OutgoingMessage, type PublishResult, settle } from './outgoing-message.ts';
import type { PacketIds } from './packet-ids.ts';
import { PublishSender } from './publish-sender.ts';
import { Queue } from './queue.ts';
import { serverError } from './reason-names.ts';
import { checkMessage } from './server-limits.ts';
import type { RestoredMessage } from './store/session-store.ts';

/** Most publishes of QoS 0 need no promise of their own. */
const accepted: Promise<PublishResult> = Promise.resolve({ reasonCode: 0 });

export class Outgoing {
  readonly #settings: Settings;
  readonly #ids: PacketIds;
  readonly sender: PublishSender;
  readonly queue = new Queue<OutgoingMessage>(sizeOf);
  /** By packet identifier; a Map keeps the order of first sending, which is the order of redelivery. [MQTT-4.6.0-1] */
  readonly open: Map<number, OutgoingMessage>;
  /** Open messages that this connection has not seen yet. */
  readonly #repeats = new Queue<OutgoingMessage>();
  #connection: Connection | undefined;
  /** How many more QoS 1 and 2 messages may be sent. [MQTT-4.9.0-1] */
  #quota = 0;
  #nextKey = 1;
  #journal: Journal | undefined;
  #onIdle = (): void => {};
  droppedCount = 0;

  constructor(settings: Settings, ids: PacketIds) {
    this.#settings = settings;
    this.#ids = ids;
    this.open = ids.exchanges();
    this.sender = new PublishSender(settings);
  }

  /** Takes over what an earlier process left in the store. What was published while it opened is younger, and is stored now. */
  restore(restored: readonly RestoredMessage[], journal: Journal): void {
    this.#journal = journal;
    const early = this.queue.items;
    this.queue.items = [];
    for (const { message: stored, packetId, isReleased } of restored) {
      const { key } = stored;
      const isSent = packetId > 0;
      const message = { ...newMessage(stored), key, packetId, dup: isSent, isReleased, isRestored: true };
      this.#nextKey = key + 1;
      if (isSent) this.open.set(packetId, message);
      else this.queue.push(message);
    }
    for (const message of early) this.#enqueue(message);
  }

  /** Publishes a message; the promise settles as `Client.publish` says. Throws what is known to be wrong at once. */
  publish(message: OutgoingMessage, limits: CallLimits = {}): Promise<PublishResult> {
    const { topic, qos, expiresAt } = message;
    const connection = this.#connection;
    if (limits.signal?.aborted) throw abortError(limits.signal, topic);
    if (connection !== undefined) {
      checkMessage(message, connection.limits);
      if (qos === 0 && !connection.outbox.isCongested && this.queue.length + this.#repeats.length === 0) {
        this.sender.write(connection, message);
        return accepted;
      }
    } else if (qos === 0 && !this.#settings.offline.qos0) {
      throw messageError('TOBYMQ_CONNECTION_LOST', topic, 'has QoS 0 and there is no connection');
    }
    if (!message.isFirst) this.#makeRoom(message);
    const outcome = new Promise<PublishResult>((resolve, reject) => {
      message.onSettled = (error, reasonCode) =>
        error === undefined ? resolve({ reasonCode }) : reject(error);
    });
    // Most messages have neither, and what they do not need would be a tenth of their time.
    if ((limits.signal ?? limits.timeout) !== undefined || expiresAt !== never) this.#limit(message, limits);
    this.#enqueue(message);
    this.pump();
    return outcome;
  }

  #enqueue(message: OutgoingMessage): void {
    const { queue } = this;
    message.key = this.#nextKey++;
    if (message.qos > 0) this.#journal?.add({ op: 'publish', message });
    queue.push(message);
    // Behind those of its kind: a farewell must not overtake a birth.
    if (message.isFirst)
      queue.items = [...queue.items.filter(isFirst), ...queue.items.filter((other) => !isFirst(other))];
  }

  #makeRoom(message: OutgoingMessage): void {
    const { queue } = this;
    const { maxMessages, maxBytes, whenFull } = this.#settings.offline;
    while (queue.length >= maxMessages || queue.bytes + sizeOf(message) > maxBytes) {
      // One that would not fit into an empty queue pushes nothing out.
      const isDroppingOldest = whenFull === 'drop-oldest' && sizeOf(message) <= maxBytes;
      const oldest = isDroppingOldest ? this.#takeOldest() : undefined;
      const isEvicted = oldest !== undefined || whenFull === 'drop-newest';
      const error = messageError(
        isEvicted ? 'TOBYMQ_EVICTED' : 'TOBYMQ_QUEUE_FULL',
        (oldest ?? message).topic,
        `has no place in the queue of ${queue.length} messages and ${queue.bytes} bytes`,
      );
      this.droppedCount++;
      if (oldest === undefined) throw error;
      this.#finish(oldest, error);
    }
  }

  /** Takes the oldest one out of the queue; a birth or a farewell stays. */
  #takeOldest(): OutgoingMessage | undefined {
    const { queue } = this;
    const oldest = queue.first?.isFirst ? queue.items.find((message) => !message.isFirst) : queue.first;
    if (oldest !== undefined) queue.remove(oldest);
    return oldest;
  }

  /** Lets the signal and the timeout of the call end a message, and its expiry as long as it waits. */
  #limit(message: OutgoingMessage, limits: CallLimits): void {
    const { topic, expiresAt, onSettled } = message;
    const { clock } = this.#settings;
    const what = `the message for ${topic} was not acknowledged`;
    const forgetLimits = limitCall(clock, limits, what, topic, (error) => this.#cancel(message, error));
    const expiryTimer =
      expiresAt === never
        ? undefined
        : clock.setTimeout(() => this.#expire(message), Math.max(0, expiresAt - clock.now()));
    message.onSettled = (...outcome) => {
      forgetLimits();
      clock.clearTimeout(expiryTimer);
      onSettled?.(...outcome);
    };
  }

  /** Ends a message whose time is over, if it still waits. */
  #expire(message: OutgoingMessage): void {
    // A timer may come early, because none runs for longer than some weeks; then sending will tell.
    if (message.packetId > 0 || !this.#isExpired(message)) return;
    this.droppedCount++;
    this.#cancel(message, expired(message));
  }

  #isExpired({ expiresAt }: OutgoingMessage): boolean {
    return expiresAt !== never && expiresAt <= this.#settings.clock.now();
  }

  /** Ends a message for its caller: it is not sent if it only waits, and left alone if it is on its way. */
  #cancel(message: OutgoingMessage, error: ClientError): void {
    if (message.packetId === 0) {
      this.queue.remove(message);
      this.#finish(message, error);
    } else {
      settle(message, error);
    }
  }

  /** A connection was accepted: what was open is repeated if the server still knows us, and then the queue goes on. */
  begin(connection: Connection, isResumed: boolean): void {
    this.#connection = connection;
    this.sender.begin(connection);
    this.#quota = Math.min(connection.limits.receiveMaximum, this.#settings.sendMaximum);
    const open = [...this.open.values()];
    for (const message of open) message.isOnWire = false;
    if (isResumed) this.#repeats.items = open;
    else this.#startAgain(open);
  }

  end(): void {
    this.#connection = undefined;
    this.#repeats.items = [];
  }

  /** The server knows nothing of our open exchanges any more. [MQTT-3.2.2-5] */
  #startAgain(open: readonly OutgoingMessage[]): void {
    // QoS 1 allows a repetition, so the message starts again as a new one.
    const again = open.filter((message) => message.qos === 1);
    this.queue.items = [...again, ...this.queue.items];
    for (const message of again) {
      this.open.delete(message.packetId);
      message.packetId = 0;
      message.dup = false;
      this.#journal?.add({ op: 'unsent', key: message.key });
    }
    for (const message of this.open.values()) {
      const what = 'may or may not have been delivered: the server lost the session';
      const error = messageError('TOBYMQ_SESSION_LOST', message.topic, what);
      // After PUBREC the server has the message, and only its bookkeeping is gone.
      this.#finish(message, message.isReleased ? undefined : error);
    }
  }

  /** Sends what may be sent. */
  pump(): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    while (!connection.outbox.isCongested && this.#sendNext(connection));
  }

  /** Sends the next repetition or, after those, the head of the queue; false if that has to wait. */
  #sendNext(connection: Connection): boolean {
    const queue = this.#repeats.length > 0 ? this.#repeats : this.queue;
    const message = queue.first;
    if (message === undefined) return false;
    if (message.isReleased) {
      connection.sendAck(PacketType.Pubrel, message.packetId, 0);
    } else if (message.qos > 0) {
      if (this.#quota === 0) return false; // [MQTT-3.3.4-7]
      if (message.packetId === 0 && !this.#openExchange(message)) return false;
    }
    queue.shift();
    if (!message.isReleased) this.#send(connection, message);
    return true;
  }

  /** Gives a message its packet identifier; false if none is free. */
  #openExchange(message: OutgoingMessage): boolean {
    const packetId = this.#ids.take();
    if (packetId === 0) return false;
    message.packetId = packetId;
    this.open.set(packetId, message);
    this.#journal?.add({ op: 'sent', key: message.key, packetId });
    return true;
  }

  #send(connection: Connection, message: OutgoingMessage): void {
    try {
      if (!message.dup && this.#isExpired(message)) throw expired(message);
      checkMessage(message, connection.limits);
      this.sender.write(connection, message);
    } catch (error) {
      // If it was sent before, only the local end of its exchange is left.
      this.droppedCount++;
      this.#finish(message, error as ClientError);
      return;
    }
    if (message.qos === 0) {
      this.#finish(message);
    } else {
      message.dup = true;
      message.isOnWire = true;
      this.#quota--;
    }
  }

  onPacket({ type, packetId, reasonCode, properties }: Puback | Pubrec | Pubcomp): void {
    const message = this.open.get(packetId);
    if (message?.qos !== (type === PacketType.Puback ? 1 : 2)) {
      // [MQTT-2.2.1-6] An answer to nothing changes nothing.
      if (type === PacketType.Pubrec)
        this.#connection?.sendAck(PacketType.Pubrel, packetId, ReasonCode.PacketIdentifierNotFound);
      else if (type === PacketType.Puback && message !== undefined)
        throw protocolError(`PUBACK for QoS 2 packet identifier ${packetId}`);
    } else if (type === PacketType.Pubrec && reasonCode < 0x80) {
      if (!message.isReleased) this.#journal?.add({ op: 'released', key: message.key });
      message.isReleased = true;
      this.#connection?.sendAck(PacketType.Pubrel, packetId, 0); // [MQTT-4.3.3-4] [MQTT-4.6.0-4]
    } else {
      const { topic } = message;
      const isRefused = type !== PacketType.Pubcomp && reasonCode >= 0x80; // [MQTT-4.4.0-2]
      const what = `refused the message for ${topic}`;
      const error = isRefused
        ? serverError('TOBYMQ_PUBLISH_REFUSED', what, reasonCode, properties, topic)
        : undefined;
      this.#finish(message, error, type === PacketType.Puback ? reasonCode : 0);
      this.pump();
    }
  }

  /** Ends a message, and its exchange: the identifier and its place in the window are free again. */
  #finish(message: OutgoingMessage, error?: ClientError, reasonCode = 0): void {
    this.open.delete(message.packetId);
    if (message.isOnWire) this.#quota++;
    if (message.qos > 0) this.#journal?.add({ op: 'done', key: message.key });
    settle(message, error, reasonCode);
    // Nobody waits for a message of an earlier process, so its failure is reported here.
    if (error !== undefined && message.isRestored) this.#settings.onError(error);
    this.#lookIdle();
  }

  /** Resolves when nothing waits and nothing is open. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#onIdle = resolve;
      this.#lookIdle();
    });
  }

  #lookIdle(): void {
    if (this.queue.length + this.open.size === 0) this.#onIdle();
  }

  /** The end of the client: every promise settles. What a store holds stays there for the next process. */
  failAll(error: ClientError): void {
    for (const message of [...this.open.values(), ...this.queue.items]) settle(message, error);
    this.queue.items = [];
  }
}

function expired({ topic }: OutgoingMessage): ClientError {
  return messageError('TOBYMQ_EXPIRED', topic, 'expired before it could be sent');
}

function isFirst(message: OutgoingMessage): boolean {
  return message.isFirst;
}

/** About how much memory a message takes while it waits. */
function sizeOf({ payload, topic }: OutgoingMessage): number {
  return payload.length + topic.length + 64;
}
