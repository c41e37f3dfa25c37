// One network connection from CONNECT to its end: handshake, decoding, keep-alive, and the outbox. It knows nothing of
// sessions or subscriptions; what it decodes it hands to its owner, synchronously and in order, so that a message in
// the same segment as CONNACK finds the session in place.
//
// PUBLISH and the short PUBACK take a path without packet objects; everything else is decoded by the codec in full.

import {
  CodecError,
  type Connack,
  type ConnectInput,
  decodePacket,
  encodedSize,
  FrameReader,
  type Packet,
  type PacketInput,
  PacketType,
  type ProtocolVersion,
  PublishReader,
  ReasonCode,
} from '@tobymq/codec';
import type { EnhancedAuth } from './auth.ts';
import { AuthExchange, type AuthHost } from './auth-exchange.ts';
import type { Clock } from './clock.ts';
import { ClientError, hex, messageOf, violation } from './errors.ts';
import { KeepAlive } from './keep-alive.ts';
import { Outbox } from './outbox.ts';
import { isClientDisconnectCode, reasonName, reasonOfReturnCode } from './reason-names.ts';
import { limitsOf, type ServerLimits } from './server-limits.ts';
import { redact, type TraceEvent } from './trace.ts';
import type { BytePipe } from './transports/transport.ts';

/** What a connection tells its owner. */
export interface ConnectionOwner {
  /** The server accepted us. */
  onAccepted(connack: Connack): void;
  /** `publish` and `bytes` are valid during the call; `isStable` says whether the bytes may be kept beyond it. */
  onPublish(publish: PublishReader, bytes: Uint8Array, isStable: boolean): void;
  onPuback(packetId: number, reasonCode: number, reason: string | undefined): void;
  /** PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK. */
  onPacket(packet: Packet): void;
  /** The transport has room again. */
  onWritable(): void;
  /** It is over; called once. */
  onClosed(error: ClientError): void;
  /** What the bytes written so far have to wait for. */
  gate(): Promise<void> | undefined;
}

export interface ConnectionSettings {
  readonly clock: Clock;
  readonly defer: (callback: () => void) => void;
  readonly maximumPacketSize: number;
  readonly pingTimeoutMs: number;
  readonly requestProblemInformation: boolean;
  readonly auth: EnhancedAuth | undefined;
  readonly trace: ((event: TraceEvent) => void) | undefined;
}

export class Connection implements AuthHost {
  readonly version: ProtocolVersion;
  readonly outbox: Outbox;
  readonly authentication: AuthExchange;
  limits: ServerLimits;
  bytesReceived = 0;
  /** Resolves when the transport is gone too, after what was written has been sent. */
  readonly gone: Promise<void>;
  readonly #pipe: BytePipe;
  readonly #settings: ConnectionSettings;
  readonly #connect: ConnectInput;
  readonly #owner: ConnectionOwner;
  readonly #reader: FrameReader;
  readonly #publish = new PublishReader();
  #keepAlive: KeepAlive | undefined;
  #isAccepted = false;
  #isClosed = false;
  #hasReceived = false;
  #chunk: Uint8Array | undefined;
  /** Input that waits, in order, for the authentication method; `undefined` while there is nothing to wait for. */
  #heldChunks: Uint8Array[] | undefined;

  /** Sends CONNECT at once. [MQTT-3.1.0-1] */
  constructor(pipe: BytePipe, connect: ConnectInput, settings: ConnectionSettings, owner: ConnectionOwner) {
    this.version = connect.protocolVersion ?? 5;
    this.limits = limitsOf(undefined, this.version);
    this.#pipe = pipe;
    this.#connect = connect;
    this.#settings = settings;
    this.#owner = owner;
    this.#reader = new FrameReader(settings.maximumPacketSize);
    this.authentication = new AuthExchange(settings.auth, this);
    this.outbox = new Outbox(pipe, settings.defer, () => owner.gate());
    pipe.onData = (chunk) => this.#onData(chunk);
    pipe.onDrain = () => {
      this.outbox.isCongested = false;
      if (!this.#isClosed) owner.onWritable();
    };
    let onGone = (): void => {};
    this.gone = new Promise((resolve) => {
      onGone = resolve;
    });
    pipe.onClose = (cause) => {
      onGone();
      const what = cause === undefined ? 'the server closed the connection' : messageOf(cause);
      this.#finish(
        cause instanceof ClientError ? cause : new ClientError('TOBYMQ_CONNECTION_LOST', what, { cause }),
      );
    };
    this.send(connect);
    this.outbox.flush();
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Adds a packet to the outbox. */
  send(packet: PacketInput, size?: number): void {
    this.#settings.trace?.({ direction: 'sent', packet: redact(packet) });
    this.outbox.write(packet, this.version, size);
  }

  /** Adds PUBACK, PUBREC, PUBREL or PUBCOMP. */
  sendAck(
    type:
      | typeof PacketType.Puback
      | typeof PacketType.Pubrec
      | typeof PacketType.Pubrel
      | typeof PacketType.Pubcomp,
    packetId: number,
    reasonCode: number,
  ): void {
    if (this.#settings.trace === undefined && (reasonCode === 0 || this.version < 5)) {
      this.outbox.writeShortAck((type << 4) | (type === PacketType.Pubrel ? 2 : 0), packetId);
    } else {
      this.send({ type, packetId, reasonCode: this.version < 5 ? 0 : reasonCode });
    }
  }

  /** Says goodbye and closes. Nothing is sent afterwards. [MQTT-3.14.4-1] [MQTT-3.14.4-2] */
  disconnect(reasonCode: number, error: ClientError, sessionExpiryInterval?: number): void {
    if (this.#isClosed) return;
    const properties = sessionExpiryInterval === undefined ? undefined : { sessionExpiryInterval };
    const code = isClientDisconnectCode(reasonCode) ? reasonCode : ReasonCode.ProtocolError;
    const packet: PacketInput = { type: PacketType.Disconnect, reasonCode: code, properties };
    // Before 5.0 DISCONNECT means "all is well", which a failure is not.
    if (this.version === 5 || reasonCode === 0) {
      if (encodedSize(packet, this.version) <= this.limits.maximumPacketSize) this.send(packet);
    }
    void this.outbox.finish().then(() => this.#pipe.close());
    this.#finish(error);
  }

  /** Drops the connection without a word. */
  destroy(error: ClientError): void {
    this.outbox.close();
    this.#pipe.close(error);
    this.#finish(error);
  }

  /** Checks that the connection lives, because something outside suggests that it may not. */
  probe(): void {
    this.#keepAlive?.probe();
  }

  /** Internal: input waits, in order, until `resumeReading`. */
  pauseReading(): void {
    this.#heldChunks ??= [];
  }

  resumeReading(): void {
    const chunks = this.#heldChunks ?? [];
    this.#heldChunks = undefined;
    this.#read(undefined);
    for (const chunk of chunks) this.#onData(chunk);
  }

  #finish(error: ClientError): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#keepAlive?.stop();
    this.authentication.end(error);
    this.#owner.onClosed(error);
  }

  #onData(chunk: Uint8Array): void {
    if (this.#isClosed) return;
    this.#hasReceived = true;
    this.bytesReceived += chunk.length;
    if (this.#heldChunks !== undefined) {
      this.#heldChunks.push(chunk);
      return;
    }
    this.#chunk = chunk;
    this.#read(chunk);
  }

  #read(fed: Uint8Array | undefined): void {
    const reader = this.#reader;
    try {
      if (fed !== undefined) reader.feed(fed);
      while (!this.#isClosed && this.#heldChunks === undefined && reader.next()) {
        this.#onFrame(reader, reader.bytes === this.#chunk);
      }
    } catch (error) {
      this.#onViolation(error);
    }
    // What the handlers of these packets have sent leaves with one write, without waiting for the end of the turn.
    this.outbox.flush();
  }

  #onFrame(reader: FrameReader, isStable: boolean): void {
    const { header, bytes, body, end } = reader;
    const { trace } = this.#settings;
    if (trace !== undefined) {
      const packet = decodePacket(bytes, header, body, end, this.version, 'client');
      trace({ direction: 'received', packet: redact(packet) });
    }
    if (header >> 4 === PacketType.Publish && this.#isAccepted) {
      this.#publish.read(bytes, header, body, end, this.version, false);
      this.#owner.onPublish(this.#publish, bytes, isStable);
    } else if (header === 0x40 && end - body === 2 && this.#isAccepted) {
      this.#owner.onPuback((bytes[body]! << 8) | bytes[body + 1]!, 0, undefined);
    } else {
      this.#onPacket(decodePacket(bytes, header, body, end, this.version, 'client'));
    }
  }

  #onPacket(packet: Packet): void {
    if (packet.type === PacketType.Auth) {
      this.authentication.onAuth(packet.reasonCode, packet.properties);
      return;
    }
    if (packet.type === PacketType.Disconnect) {
      this.#onDisconnect(packet.reasonCode, packet.properties);
      return;
    }
    if (packet.type === PacketType.Connack) {
      this.#onConnack(packet);
      return;
    }
    // [MQTT-3.2.0-1]
    if (!this.#isAccepted)
      throw violation(ReasonCode.ProtocolError, `packet type ${packet.type} came before CONNACK`);
    if (packet.type === PacketType.Pingresp) return;
    this.#checkProblemInformation(packet);
    if (packet.type === PacketType.Puback) {
      this.#owner.onPuback(packet.packetId, packet.reasonCode, packet.properties?.reasonString);
    } else {
      this.#owner.onPacket(packet);
    }
  }

  /** [MQTT-3.1.2-29] */
  #checkProblemInformation(packet: Packet): void {
    if (this.#settings.requestProblemInformation || !('properties' in packet)) return;
    const properties = packet.properties as { reasonString?: unknown; userProperties?: unknown } | undefined;
    if (properties?.reasonString !== undefined || properties?.userProperties !== undefined) {
      throw violation(ReasonCode.ProtocolError, 'problem information came although we asked for none');
    }
  }

  #onConnack(connack: Connack): void {
    // [MQTT-3.2.0-2]
    if (this.#isAccepted) throw violation(ReasonCode.ProtocolError, 'a second CONNACK came');
    const { reasonCode, properties } = connack;
    if (reasonCode !== 0) {
      const explanation = properties?.reasonString === undefined ? '' : `: ${properties.reasonString}`;
      const code5 = this.version === 5 ? reasonCode : reasonOfReturnCode(reasonCode);
      // [MQTT-3.2.2-7]
      this.destroy(
        new ClientError(
          'TOBYMQ_CONNECT_REFUSED',
          `the server refused the connection with ${hex(reasonCode)} ${reasonName(code5)}${explanation}`,
          {
            reasonCode: code5,
            serverReference: properties?.serverReference,
          },
        ),
      );
      return;
    }
    // [MQTT-3.2.2-4] A new session cannot be an old one.
    if (connack.sessionPresent && this.#connect.cleanStart !== false) {
      throw violation(ReasonCode.ProtocolError, 'CONNACK says Session Present after Clean Start');
    }
    this.authentication.onConnack(properties, () => this.#accept(connack));
  }

  #accept(connack: Connack): void {
    this.#isAccepted = true;
    this.limits = limitsOf(connack.properties, this.version);
    const seconds = connack.properties?.serverKeepAlive ?? this.#connect.keepAlive ?? 0; // [MQTT-3.1.2-21]
    this.#keepAlive = new KeepAlive(this.#settings.clock, seconds, this.#settings.pingTimeoutMs, {
      takeSent: () => {
        const { hasSent } = this.outbox;
        this.outbox.hasSent = false;
        return hasSent;
      },
      takeReceived: () => {
        const hasReceived = this.#hasReceived;
        this.#hasReceived = false;
        return hasReceived;
      },
      sendPing: () => {
        this.send({ type: PacketType.Pingreq });
        this.outbox.flush();
      },
      onDead: () =>
        this.destroy(
          new ClientError(
            'TOBYMQ_KEEP_ALIVE_TIMEOUT',
            `nothing came from the server within ${this.#settings.pingTimeoutMs} ms after a ping`,
          ),
        ),
    });
    this.#owner.onAccepted(connack);
  }

  #onDisconnect(
    reasonCode: number,
    properties:
      | { readonly reasonString?: string | undefined; readonly serverReference?: string | undefined }
      | undefined,
  ): void {
    const explanation = properties?.reasonString === undefined ? '' : `: ${properties.reasonString}`;
    this.outbox.close();
    // [MQTT-4.13.2-1]
    this.#pipe.close();
    this.#finish(
      new ClientError(
        'TOBYMQ_DISCONNECTED',
        `the server ended the connection with ${hex(reasonCode)} ${reasonName(reasonCode)}${explanation}`,
        {
          reasonCode,
          serverReference: properties?.serverReference,
        },
      ),
    );
  }

  #onViolation(cause: unknown): void {
    if (this.#isClosed) return;
    const error =
      cause instanceof ClientError
        ? cause
        : cause instanceof CodecError
          ? new ClientError('TOBYMQ_PROTOCOL_VIOLATION', `the server broke the protocol: ${cause.message}`, {
              reasonCode: cause.reasonCode,
              cause,
            })
          : new ClientError('TOBYMQ_CONNECTION_LOST', `a packet could not be handled: ${messageOf(cause)}`, {
              cause,
            });
    this.disconnect(error.reasonCode ?? ReasonCode.ImplementationSpecificError, error);
  }
}
