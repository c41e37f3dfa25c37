// Acknowledgements for the messages that the server sends. A message of QoS 1 or 2 is acknowledged when the
// application is done with it, in the order in which the messages came, whatever the order in which they are done.
//
// What the application still has in hand when the connection is lost stays known by its packet identifier: the server
// sends such a message again, and the repetition must not reach the application a second time.

import { type Packet, PacketType, ReasonCode } from '@tobymq/codec';
import type { Connection } from './connection.ts';
import { violation } from './errors.ts';
import type { Journal } from './journal.ts';

/** The open end of one received message. */
export class Receipt {
  readonly packetId: number;
  readonly qos: 1 | 2;
  readonly #incoming: Incoming;
  /** How many consumers still have it. */
  holders = 1;
  isDone = false;
  isAbandoned = false;
  reasonCode = 0;
  /** The connection on which it came last. */
  epoch: number;

  constructor(incoming: Incoming, packetId: number, qos: 1 | 2, epoch: number) {
    this.#incoming = incoming;
    this.packetId = packetId;
    this.qos = qos;
    this.epoch = epoch;
  }

  /** One consumer is done with it. With a reason code of 0x80 and above the server learns that it was refused. */
  done(reasonCode: number): void {
    if (reasonCode > this.reasonCode) this.reasonCode = reasonCode;
    if (--this.holders === 0) this.#incoming.complete(this);
  }

  /** It will not be acknowledged on this connection; the server sends it again on the next. */
  abandon(): void {
    this.#incoming.abandon(this);
  }
}

export class Incoming {
  readonly #receiveMaximum: number;
  /** By packet identifier: in the hands of the application. */
  readonly #inHand = new Map<number, Receipt>();
  /** QoS 2: PUBREC was sent, PUBREL has not come. */
  readonly #received = new Set<number>();
  /** In the order of arrival on this connection; those before `#head` are acknowledged. */
  #order: Receipt[] = [];
  #head = 0;
  #epoch = 0;
  #openCount = 0;
  #connection: Connection | undefined;
  #hasReportedStall = false;
  #journal: Journal | undefined;
  /** Messages whose handler failed on this connection; each takes a place in the window until the next one. */
  abandonedCount = 0;

  constructor(receiveMaximum: number) {
    this.#receiveMaximum = receiveMaximum;
  }

  /** How many messages the server has open towards us. */
  get openCount(): number {
    return this.#openCount;
  }

  /** Takes over the identifiers that an earlier process has received and not seen released. */
  restore(received: readonly number[], journal: Journal): void {
    this.#journal = journal;
    for (const id of received) this.#received.add(id);
  }

  begin(connection: Connection, isResumed: boolean): void {
    this.#connection = connection;
    this.#epoch++;
    this.#order = [];
    this.#head = 0;
    this.#openCount = 0;
    this.abandonedCount = 0;
    if (isResumed) return;
    for (const packetId of this.#received) this.#journal?.add({ op: 'forgotten', packetId });
    this.#received.clear();
    this.#inHand.clear();
  }

  end(): void {
    this.#connection = undefined;
  }

  /** Notes an arrived message; `undefined` if it is a repetition that the application must not see. */
  arrive(packetId: number, qos: 1 | 2, dup: boolean): Receipt | undefined {
    if (this.#received.has(packetId)) {
      // [MQTT-4.3.3-10]
      this.#connection?.sendAck(PacketType.Pubrec, packetId, 0);
      return undefined;
    }
    const known = this.#inHand.get(packetId);
    if (known !== undefined && known.epoch === this.#epoch) {
      if (known.qos === 2 && qos === 2) return undefined;
      throw violation(
        ReasonCode.ProtocolError,
        `packet identifier ${packetId} came again before it was acknowledged`,
      );
    }
    // [MQTT-3.3.4-9]
    if (this.#openCount >= this.#receiveMaximum) {
      throw violation(
        ReasonCode.ReceiveMaximumExceeded,
        `more than ${this.#receiveMaximum} messages are open`,
      );
    }
    this.#openCount++;
    const isRepetition = known !== undefined && !known.isAbandoned && known.qos === qos && (dup || qos === 2);
    const receipt = isRepetition ? known : new Receipt(this, packetId, qos, this.#epoch);
    receipt.epoch = this.#epoch;
    this.#inHand.set(packetId, receipt);
    this.#order.push(receipt);
    if (!isRepetition) return receipt;
    this.#acknowledge();
    return undefined;
  }

  complete(receipt: Receipt): void {
    receipt.isDone = true;
    if (this.#inHand.get(receipt.packetId) !== receipt) return;
    if (this.#connection !== undefined && receipt.epoch === this.#epoch) {
      this.#acknowledge();
    } else if (receipt.qos === 2 && receipt.reasonCode < 0x80) {
      this.#inHand.delete(receipt.packetId);
      this.#own(receipt.packetId);
    }
  }

  abandon(receipt: Receipt): void {
    if (receipt.isDone) return;
    receipt.isAbandoned = true;
    if (receipt.epoch === this.#epoch) this.abandonedCount++;
    this.#acknowledge();
  }

  /** Acknowledges from the oldest on, as far as the application is done. [MQTT-4.6.0-2] [MQTT-4.6.0-3] */
  #acknowledge(): void {
    const order = this.#order;
    let receipt = order[this.#head];
    while (receipt !== undefined && (receipt.isDone || receipt.isAbandoned)) {
      this.#head++;
      if (receipt.isDone) this.#answer(receipt);
      receipt = order[this.#head];
    }
    if (this.#head === order.length) {
      order.length = 0;
      this.#head = 0;
    } else if (this.#head > 1024) {
      this.#order = order.slice(this.#head);
      this.#head = 0;
    }
  }

  #answer({ packetId, qos, reasonCode }: Receipt): void {
    this.#inHand.delete(packetId);
    this.#hasReportedStall = false;
    if (qos === 1) {
      this.#openCount--;
      this.#connection?.sendAck(PacketType.Puback, packetId, reasonCode);
      return;
    }
    if (reasonCode < 0x80) this.#own(packetId);
    else this.#openCount--;
    this.#connection?.sendAck(PacketType.Pubrec, packetId, reasonCode);
  }

  /** QoS 2: the message is ours; until PUBREL its identifier means this message. */
  #own(packetId: number): void {
    this.#received.add(packetId);
    this.#journal?.add({ op: 'received', packetId });
  }

  onPubrel(packet: Packet & { readonly type: typeof PacketType.Pubrel }): void {
    const { packetId } = packet;
    const isKnown = this.#received.delete(packetId);
    if (isKnown) {
      this.#journal?.add({ op: 'forgotten', packetId });
      if (this.#openCount > 0) this.#openCount--;
    }
    // [MQTT-4.3.3-11]
    this.#connection?.sendAck(
      PacketType.Pubcomp,
      packetId,
      isKnown ? 0 : ReasonCode.PacketIdentifierNotFound,
    );
  }

  /** True once for each time that the window has become full of messages that nobody will acknowledge soon. */
  takeStall(unclaimedCount: number): boolean {
    if (this.#hasReportedStall || this.#openCount < this.#receiveMaximum) return false;
    if (unclaimedCount === 0 && this.abandonedCount === 0) return false;
    this.#hasReportedStall = true;
    return true;
  }
}
