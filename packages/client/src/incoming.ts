// Acknowledgements for the messages that the server sends. A message of QoS 1 or 2 is acknowledged when the
// application is done with it, in the order in which the messages came, whatever the order in which they are done.
//
// What the application still has in hand when the connection is lost stays known by its packet identifier: the server
// sends such a message again, and the repetition must not reach the application a second time.

import { PacketType, type Publish, type Pubrel, ReasonCode } from '@tobymq/codec';
import type { Connection } from './connection.ts';
import { ClientError, protocolError, violation } from './errors.ts';
import type { Journal } from './journal.ts';
import type { Settings } from './options.ts';
import { Queue } from './queue.ts';

/** The open end of one received message. */
export class Receipt {
  readonly packetId: number;
  readonly qos: number;
  readonly #incoming: Incoming;
  /** How many consumers still have it. */
  holders = 1;
  isAbandoned = false;
  reasonCode = 0;
  /** The one on which it came last. */
  connection: Connection | undefined;

  constructor(incoming: Incoming, { packetId, qos }: Publish) {
    this.#incoming = incoming;
    this.packetId = packetId;
    this.qos = qos;
  }

  /** One consumer is done with it. With a reason code of 0x80 and above the server learns that it was refused. */
  done(reasonCode: number): void {
    this.reasonCode = Math.max(reasonCode, this.reasonCode);
    if (--this.holders === 0) this.#incoming.complete(this);
  }

  /** It will not be acknowledged on this connection; the server sends it again on the next. */
  abandon(): void {
    this.#incoming.abandon(this);
  }
}

export class Incoming {
  readonly #settings: Settings;
  /** By packet identifier: in the hands of the application. */
  readonly #inHand = new Map<number, Receipt>();
  /** QoS 2: PUBREC was sent, PUBREL has not come. */
  readonly #received = new Set<number>();
  /** What came on this connection and is not acknowledged, in the order of arrival. */
  readonly #order = new Queue<Receipt>();
  #connection: Connection | undefined;
  #journal: Journal | undefined;
  #hasReportedStall = false;
  /** Messages whose handler failed on this connection; each takes a place in the window until the next one. */
  #abandonedCount = 0;
  /** How many messages the server has open towards us. */
  openCount = 0;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** Takes over the identifiers that an earlier process has received and not seen released. */
  restore(received: readonly number[], journal: Journal): void {
    this.#journal = journal;
    for (const id of received) this.#received.add(id);
  }

  begin(connection: Connection, isResumed: boolean): void {
    this.#connection = connection;
    this.#order.items = [];
    this.#abandonedCount = 0;
    this.openCount = 0;
    if (isResumed) return;
    for (const packetId of this.#received) this.#release(packetId);
    this.#inHand.clear();
  }

  end(): void {
    this.#connection = undefined;
  }

  /** Notes an arrived message; `undefined` if it is a repetition that the application must not see. */
  arrive(publish: Publish): Receipt | undefined {
    const { packetId, qos, dup } = publish;
    const { receiveMaximum } = this.#settings;
    if (this.#received.has(packetId)) {
      // [MQTT-4.3.3-10]
      this.#connection?.sendAck(PacketType.Pubrec, packetId, 0);
      return undefined;
    }
    const known = this.#inHand.get(packetId);
    const isSame = known?.qos === qos;
    if (known !== undefined && known.connection === this.#connection) {
      if (isSame && qos === 2) return undefined;
      throw protocolError(`packet identifier ${packetId} came again before it was acknowledged`);
    }
    // [MQTT-3.3.4-9] Before 5.0 the server was told of no maximum.
    if (this.openCount >= receiveMaximum && this.#connection?.version === 5)
      throw violation(ReasonCode.ReceiveMaximumExceeded, `more than ${receiveMaximum} messages are open`);
    this.openCount++;
    const isRepetition = isSame && !known.isAbandoned && (dup || qos === 2);
    const receipt = isRepetition ? known : new Receipt(this, publish);
    receipt.connection = this.#connection;
    this.#inHand.set(packetId, receipt);
    this.#order.push(receipt);
    if (!isRepetition) return receipt;
    this.#acknowledge();
    return undefined;
  }

  /** The application is done with a message. */
  complete(receipt: Receipt): void {
    const { packetId, qos, reasonCode, connection } = receipt;
    if (connection === this.#connection) {
      this.#acknowledge();
    } else if (qos === 2 && reasonCode < 0x80 && this.#inHand.get(packetId) === receipt) {
      this.#inHand.delete(packetId);
      this.#own(packetId);
    }
  }

  abandon(receipt: Receipt): void {
    receipt.isAbandoned = true;
    if (receipt.connection === this.#connection) this.#abandonedCount++;
    this.#acknowledge();
  }

  /** Acknowledges from the oldest on, as far as the application is done. [MQTT-4.6.0-2] [MQTT-4.6.0-3] */
  #acknowledge(): void {
    for (let receipt = this.#order.first; receipt !== undefined; receipt = this.#order.first) {
      if (receipt.holders === 0) this.#answer(receipt);
      else if (!receipt.isAbandoned) return;
      this.#order.shift();
    }
  }

  #answer({ packetId, qos, reasonCode }: Receipt): void {
    this.#inHand.delete(packetId);
    this.#hasReportedStall = false;
    if (qos === 2 && reasonCode < 0x80) this.#own(packetId);
    else this.#close();
    this.#connection?.sendAck(qos === 1 ? PacketType.Puback : PacketType.Pubrec, packetId, reasonCode);
  }

  /** The server may send one more. It counts the end of a message of an earlier connection too, but not below none. [N58] */
  #close(): void {
    if (this.openCount > 0) this.openCount--;
  }

  /** QoS 2: the message is ours; until PUBREL its identifier means this message. */
  #own(packetId: number): void {
    this.#received.add(packetId);
    this.#journal?.add({ op: 'received', packetId });
  }

  /** The identifier means a new message from now on; false if it meant none. */
  #release(packetId: number): boolean {
    const isKnown = this.#received.delete(packetId);
    if (isKnown) this.#journal?.add({ op: 'forgotten', packetId });
    return isKnown;
  }

  onPubrel({ packetId }: Pubrel): void {
    const isKnown = this.#release(packetId);
    if (isKnown) this.#close();
    // [MQTT-4.3.3-11]
    const reasonCode = isKnown ? 0 : ReasonCode.PacketIdentifierNotFound;
    this.#connection?.sendAck(PacketType.Pubcomp, packetId, reasonCode);
  }

  /** Reports once, each time that the window has become full of messages that nobody will acknowledge soon. */
  reportStall(unclaimedCount: number): void {
    const { receiveMaximum, onError } = this.#settings;
    const isFull = this.openCount >= receiveMaximum;
    if (this.#hasReportedStall || !isFull || unclaimedCount + this.#abandonedCount === 0) return;
    this.#hasReportedStall = true;
    const counts = `${unclaimedCount} match no subscription, ${this.#abandonedCount} belong to failed handlers`;
    const what = `the receive window of ${receiveMaximum} messages is full, so the server sends no more: ${counts}`;
    onError(new ClientError('TOBYMQ_RECEIVE_STALLED', what));
  }
}
