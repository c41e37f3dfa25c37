// A message on its way through the broker: from the bytes of a PUBLISH, from the store, or from the program itself, to
// the outboxes of its receivers.
//
// One object serves all messages, one after the other, because routing is synchronous: no object is built for a QoS 0
// message. It refers to the incoming packet in place. Only who has to keep the message (a queue, the retained tree)
// asks for `stored()`, which copies it once, whoever else asks.
//
// The bytes of an outgoing PUBLISH depend on the protocol version, QoS, RETAIN, DUP and subscription identifiers.
// Each such form is encoded at most once per message, into a buffer of its own that is used again for the next message.

import type { QoS } from '@tobymq/codec';
import type { QueueTarget, Store, StoredMessage } from '../store/store.ts';
import { encodeForm, PublishForm } from './encode-publish.ts';
import { remainingExpiry } from './message-expiry.ts';
import type { Loan } from './packet-memory.ts';
import { REFERENCE_BYTES_MIN } from './sizes.ts';

const NO_BYTES = new Uint8Array(0);

export class RoutedMessage {
  topic = '';
  qos: QoS = 0;
  /** The RETAIN flag that the publisher set. */
  retain = false;
  /** The payload and the forwardable properties stand in these; what is not owned is overwritten later. */
  payloadBytes: Uint8Array = NO_BYTES;
  payloadStart = 0;
  payloadEnd = 0;
  propertiesBytes: Uint8Array = NO_BYTES;
  propertiesStart = 0;
  propertiesEnd = 0;
  ownsPayload = false;
  /** The payload's memory is used again when it has been written. */
  loan: Loan | undefined = undefined;
  /** Remaining Message Expiry Interval in seconds; -1 when it never expires. */
  expiryInterval = -1;
  expiresAt = 0;
  publishedAt = 0;
  /** Client id of the publisher, for No Local and shared groups. */
  publisherId = '';
  /** The queues of persistent sessions that this message goes into; written to the store once for all of them. */
  storeTargets: QueueTarget[] = [];
  /** Whether it was written to a durable place, so that its acknowledgement has to wait. */
  isWritten = false;
  /** From this size on the payload is written by reference. */
  referenceBytesMin = REFERENCE_BYTES_MIN;
  /** Gives ids to messages that are kept. */
  readonly #nextId: () => number;
  #stored: StoredMessage | undefined = undefined;
  #topicBytes: Uint8Array | undefined = undefined;
  #stamp = 0;
  readonly #forms: (PublishForm | undefined)[] = new Array<undefined>(32).fill(undefined);
  /** The last form with subscription identifiers: a fan-out mostly has the same ones for everybody. */
  readonly #formWithIds = new PublishForm();
  #formIds: readonly number[] = [];
  #formIdsKey = -1;

  constructor(nextId: () => number) {
    this.#nextId = nextId;
  }

  /** Begins a message; the caller sets the fields that apply. */
  begin(topic: string, topicBytes: Uint8Array | undefined, qos: QoS, retain: boolean): void {
    this.topic = topic;
    this.#topicBytes = topicBytes;
    this.qos = qos;
    this.retain = retain;
    this.isWritten = false;
    this.referenceBytesMin = REFERENCE_BYTES_MIN;
    this.#stored = undefined;
    this.loan = undefined;
    this.#stamp++;
    this.#formIdsKey = -1;
    this.expiryInterval = -1;
    this.expiresAt = 0;
  }

  /** Takes a message that is kept already. */
  load(stored: StoredMessage, nowMs: number): void {
    this.begin(stored.topic, undefined, stored.qos, stored.retain);
    this.#stored = stored;
    this.payloadBytes = stored.payload;
    this.payloadStart = 0;
    this.payloadEnd = stored.payload.length;
    this.ownsPayload = true;
    const properties = stored.properties ?? NO_BYTES;
    this.propertiesBytes = properties;
    this.propertiesStart = 0;
    this.propertiesEnd = properties.length;
    this.expiresAt = stored.expiresAt;
    this.expiryInterval = remainingExpiry(stored, nowMs);
    this.publishedAt = stored.publishedAt;
    this.publisherId = stored.publisher;
  }

  get payloadSize(): number {
    return this.payloadEnd - this.payloadStart;
  }

  /** What it counts for where it is kept, as `keptBytes` of what is stored. */
  get keptBytes(): number {
    return this.topic.length + this.payloadSize + this.propertiesEnd - this.propertiesStart;
  }

  get topicBytes(): Uint8Array {
    this.#topicBytes ??= Buffer.from(this.topic);
    return this.#topicBytes;
  }

  /** The payload as bytes that may be kept. */
  ownedPayload(): Uint8Array {
    this.loan?.keep();
    return this.payloadToWrite();
  }

  /** The payload as bytes that do not change before the loan, if there is one, is released. */
  payloadToWrite(): Uint8Array {
    if (!this.ownsPayload) {
      this.payloadBytes = copyOf(this.payloadBytes, this.payloadStart, this.payloadEnd, this.retain);
      this.payloadEnd -= this.payloadStart;
      this.payloadStart = 0;
      this.ownsPayload = true;
    }
    if (this.payloadStart === 0 && this.payloadEnd === this.payloadBytes.length) return this.payloadBytes;
    return this.payloadBytes.subarray(this.payloadStart, this.payloadEnd);
  }

  /** The message as an object that can be kept; the same one for everybody who asks. */
  stored(): StoredMessage {
    this.#stored ??= {
      id: this.#nextId(),
      topic: this.topic,
      payload: this.ownedPayload(),
      qos: this.qos,
      retain: this.retain,
      properties:
        this.propertiesEnd > this.propertiesStart
          ? copyOf(this.propertiesBytes, this.propertiesStart, this.propertiesEnd, this.retain)
          : undefined,
      expiresAt: this.expiresAt,
      publishedAt: this.publishedAt,
      publisher: this.publisherId,
    };
    return this.#stored;
  }

  /** Writes the message to the queues that were collected in `storeTargets`. */
  store(store: Store): void {
    if (this.storeTargets.length === 0) return;
    store.enqueue(this.stored(), this.storeTargets);
    this.storeTargets = [];
  }

  /** The PUBLISH in one form, encoded or reused. */
  form(isV5: boolean, qos: QoS, retain: boolean, dup: boolean, ids: readonly number[]): PublishForm {
    const key = (isV5 ? 16 : 0) | (dup ? 8 : 0) | (qos << 1) | (retain ? 1 : 0);
    if (isV5 && ids.length > 0) {
      if (this.#formIdsKey !== key || this.#formIds !== ids) {
        this.#formIdsKey = key;
        this.#formIds = ids;
        encodeForm(this.#formWithIds, this, this.topicBytes, isV5, qos, retain, dup, ids, 0);
      }
      return this.#formWithIds;
    }
    let form = this.#forms[key];
    if (form === undefined) {
      form = new PublishForm();
      this.#forms[key] = form;
    }
    if (form.stamp !== this.#stamp) {
      form.stamp = this.#stamp;
      encodeForm(form, this, this.topicBytes, isV5, qos, retain, dup, NO_IDS, 0);
    }
    return form;
  }

  /** Declares that the incoming packet itself is the form for these flags: a QoS 0 message is mostly passed on as it came. */
  setFrame(
    isV5: boolean,
    retain: boolean,
    bytes: Uint8Array,
    start: number,
    end: number,
    isInPlace: boolean,
  ): void {
    const key = (isV5 ? 16 : 0) | (retain ? 1 : 0);
    let form = this.#forms[key];
    if (form === undefined) {
      form = new PublishForm();
      this.#forms[key] = form;
    }
    form.stamp = this.#stamp;
    form.bytes = bytes;
    form.start = start;
    form.end = end;
    form.packetIdOffset = 0;
    form.isFrame = isInPlace;
    form.isPayloadApart = false;
    form.size = end - start;
  }
}

const NO_IDS: readonly number[] = [];

/**
 * Node cuts small buffers out of larger ones. One that is kept for long would keep the memory of all its neighbours; and an
 * array of up to 64 bytes stands on the heap, without a buffer.
 */
function copyOf(bytes: Uint8Array, start: number, end: number, isKeptLong: boolean): Uint8Array {
  const size = end - start;
  const copy = isKeptLong ? Buffer.alloc(size) : Buffer.allocUnsafe(size);
  copy.set(bytes.subarray(start, end));
  return copy;
}
