// The decoder of one connection: a byte stream in, packets out. It joins the frame reader, which finds the packets,
// with decodePacket(), which reads them, and knows the two things that a single packet does not tell: the version of
// the connection and whether a CONNECT has come already.

import { forbidPresent } from './cursor.ts';
import { decodePacket, type Role, readProtocolVersion } from './decode-packet.ts';
import { invalid } from './errors.ts';
import { FrameReader } from './frame-reader.ts';
import { allocate, NO_BYTES } from './memory.ts';
import { packetName } from './packet-names.ts';
import type { Packet, ProtocolVersion, Puback } from './packets.ts';

export interface DecoderOptions {
  /** The side that receives: a server gets CONNECT, SUBSCRIBE and so on, a client CONNACK, SUBACK and so on. */
  readonly role: Role;
  /** The version of the connection. A server's decoder takes it from the CONNECT if it is left out. Default for a client: 4. */
  readonly version?: ProtocolVersion | undefined;
  /** The largest packet accepted, counting all its bytes. Default: what the protocol allows, 268,435,460. */
  readonly maxPacketSize?: number | undefined;
  /** False for a client that said so in its CONNECT: the server must then not send reason strings and user properties. */
  readonly requestProblemInformation?: boolean | undefined;
  /**
   * True if the memory of the chunks is never written to again. Payloads are then views of the chunks; otherwise a
   * chunk that has payloads is copied once. Default: false.
   */
  readonly ownsChunks?: boolean | undefined;
}

/**
 * Decodes the packets of one connection. Payloads and other binary fields may be kept. After an error the decoder
 * throws the same error again for ever: there is no way back into step with the stream.
 *
 * @example
 * const decoder = new Decoder({ role: 'server' });
 * socket.on('data', (chunk) => {
 *   decoder.feed(chunk);
 *   for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) handle(packet);
 * });
 */
export class Decoder {
  declare readonly role: Role;
  /** The version of the connection; `undefined` in a server's decoder until it has seen the CONNECT's. */
  declare version: ProtocolVersion | undefined;
  declare requestProblemInformation: boolean;
  readonly #ownsChunks: boolean;
  readonly #frames: FrameReader;
  #hasPacket = false;
  #error: unknown;
  // The memory that the frames stand in, and the memory that their payloads are views of.
  #source: Uint8Array = NO_BYTES;
  #kept: Uint8Array = NO_BYTES;

  constructor({ role, version, maxPacketSize, requestProblemInformation, ownsChunks }: DecoderOptions) {
    this.role = role;
    this.version = version ?? (role === 'client' ? 4 : undefined);
    this.requestProblemInformation = requestProblemInformation ?? true;
    this.#ownsChunks = ownsChunks ?? false;
    this.#frames = new FrameReader(maxPacketSize);
  }

  /** The largest packet accepted, counting all its bytes. May be changed between packets. */
  get maxPacketSize(): number {
    return this.#frames.maxPacketSize;
  }

  set maxPacketSize(size: number) {
    this.#frames.maxPacketSize = size;
  }

  /** How many received bytes wait here because their packet is not complete or was not asked for. */
  get buffered(): number {
    return this.#frames.buffered;
  }

  /** Takes the next bytes of the stream. Call next() until there is no packet before the chunk's memory is reused. */
  feed(chunk: Uint8Array): void {
    this.#source = NO_BYTES;
    this.#frames.feed(chunk);
  }

  /** Copies what is left of the chunk, for a caller that stops in the middle of it and reuses its memory. */
  keepRest(): void {
    this.feed(NO_BYTES);
  }

  /**
   * The next packet, or `undefined` if more bytes are needed. Throws a CodecError when the turn comes to bad bytes, so
   * that the packets before them are not lost.
   */
  next(): Packet | undefined {
    if (this.#error !== undefined) throw this.#error;
    try {
      if (!this.#frames.next()) {
        this.#source = NO_BYTES;
        this.#kept = NO_BYTES;
        return undefined;
      }
      return this.#decode();
    } catch (error) {
      this.#error = error;
      throw error;
    }
  }

  /**
   * Takes the next bytes and gives all packets that are complete with them. Throws at the first bad bytes, and the
   * packets before them in this chunk are then not given: for a connection use feed() and next().
   */
  push(chunk: Uint8Array): Packet[] {
    const packets: Packet[] = [];
    this.feed(chunk);
    for (let packet = this.next(); packet !== undefined; packet = this.next()) packets.push(packet);
    return packets;
  }

  #decode(): Packet {
    const frames = this.#frames;
    const type = frames.header >> 4;
    // [MQTT-3.1.0-2]: no second CONNECT. [MQTT-3.1.0-1]: CONNECT is the first packet, unless the caller knows the version,
    // so that the CONNECT went another way.
    const isBad = (type === 1) === this.#hasPacket && (this.#hasPacket || this.version === undefined);
    if (isBad && this.role === 'server') throw invalid(0x82, `${packetName(type)} is out of turn`);
    this.#hasPacket = true;
    const version = this.version ?? readProtocolVersion(frames.bytes, frames.body, frames.end);
    // Set before the CONNECT is decoded, so that a bad one can be answered in its version.
    this.version = version;
    const bytes = (BINARY >> type) & 1 ? this.#keep() : frames.bytes;
    const packet = decodePacket(bytes, frames.header, frames.body, frames.end, version, this.role);
    if (!this.requestProblemInformation) refuseProblemInformation(packet);
    return packet;
  }

  /** Memory with the current frame at the same offsets, that nobody will write to again. */
  #keep(): Uint8Array {
    const bytes = this.#frames.bytes;
    if (this.#frames.isAssembled) {
      this.#frames.detach();
      return bytes;
    }
    if (this.#ownsChunks) return bytes;
    if (this.#source === bytes) return this.#kept;
    this.#source = bytes;
    this.#kept = allocate(bytes.length);
    this.#kept.set(bytes);
    return this.#kept;
  }
}

/** The types that can have a payload or a binary field, as bits: CONNECT, CONNACK, PUBLISH, AUTH. */
const BINARY = 0b1000_0000_0000_1110;
/** The types whose reason string and user properties a client can decline, as bits: acknowledgements but CONNACK, AUTH. */
const DECLINABLE = 0b1000_1010_1111_0000;

/** [MQTT-3.1.2-29] */
function refuseProblemInformation(packet: Packet): void {
  if (((DECLINABLE >> packet.type) & 1) === 0) return;
  const { reasonString, userProperties } = (packet as Puback).properties ?? {};
  // The packet has just been read, so the error tells its name.
  forbidPresent('reasonString', reasonString);
  forbidPresent('userProperties', userProperties);
}
