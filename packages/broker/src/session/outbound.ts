// What a session that is connected has to deliver: messages in flight by packet id, and the head of the queue.
//
//     queue (window) ──next──▶ in flight ──acknowledged──▶ gone
//        ▲ refilled from the store when it runs low, if more waits there
//
// It exists only while there is something in it; a session that sleeps has none.

import { keptBytes } from '../delivery/sizes.ts';
import type { Delivery } from './delivery.ts';

/** Packet ids are two bytes, and 0 is none. */
const PACKET_IDS = 65_535;

export class Outbound {
  /** By packet id, in the order of sending, which is the order of sending again. [MQTT-4.6.0-1] */
  readonly inflight = new Map<number, Delivery>();
  /** Deliveries of an earlier connection that wait for a place in the window to be sent again. */
  resend: Delivery[] = [];
  /** How many PUBLISH packets of this connection are not acknowledged; never above the client's Receive Maximum. */
  openCount = 0;
  /** Messages are being read from the store; what arrives meanwhile has to wait behind them. */
  isLoading = false;
  /** The id of the last message that was read from the store or put into the window. */
  lastId = 0;
  #queue: Delivery[] = [];
  #head = 0;
  #queueBytes = 0;
  #lastPacketId = 0;

  /** How many deliveries wait in memory. */
  get length(): number {
    return this.#queue.length - this.#head;
  }

  get queueBytes(): number {
    return this.#queueBytes;
  }

  push(delivery: Delivery): void {
    this.#queue.push(delivery);
    this.#queueBytes += keptBytes(delivery.message);
  }

  peek(): Delivery | undefined {
    return this.#queue[this.#head];
  }

  shift(): Delivery | undefined {
    const delivery = this.#queue[this.#head];
    if (delivery === undefined) return undefined;
    this.#head++;
    this.#queueBytes -= keptBytes(delivery.message);
    if (this.#head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
    } else if (this.#head > 1_024 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    return delivery;
  }

  /** Takes a delivery out of the middle of the queue; false if it is not there. */
  remove(delivery: Delivery): boolean {
    const index = this.#queue.indexOf(delivery, this.#head);
    if (index === -1) return false;
    this.#queue.splice(index, 1);
    this.#queueBytes -= keptBytes(delivery.message);
    return true;
  }

  /** Everything that waits in memory, in order. */
  waiting(): readonly Delivery[] {
    return this.#queue.slice(this.#head);
  }

  /**
   * Whether one more message of QoS 1 or 2 may be sent. Packet ids can run out although the window is open, because what
   * was released on earlier connections takes no place in it. [N58]
   */
  hasPlace(window: number): boolean {
    return this.openCount < window && this.inflight.size < PACKET_IDS;
  }

  /** A packet id that is not in use, never 0; there has to be one. [MQTT-2.2.1-4] */
  takePacketId(): number {
    do {
      this.#lastPacketId = this.#lastPacketId === PACKET_IDS ? 1 : this.#lastPacketId + 1;
    } while (this.inflight.has(this.#lastPacketId));
    return this.#lastPacketId;
  }
}
