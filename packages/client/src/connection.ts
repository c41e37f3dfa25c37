// One network connection from CONNECT to its end: handshake, decoding, keep-alive, and the outbox. It knows nothing of
// sessions or subscriptions; what it decodes it hands to its owner, synchronously and in order, so that a message in
// the same segment as CONNACK finds the session in place.

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
  ReasonCode,
} from '@tobymq/codec';
import { AuthExchange, type AuthHost } from './auth-exchange.ts';
import { asClientError, ClientError, causedBy, protocolError, violation } from './errors.ts';
import { KeepAlive, type KeepAliveTarget, type Traffic } from './keep-alive.ts';
import type { Settings } from './options.ts';
import { Outbox } from './outbox.ts';
import { isClientDisconnectCode, reasonOfReturnCode, serverError } from './reason-names.ts';
import { limitsOf, type ServerLimits } from './server-limits.ts';
import { redact, type TraceEvent } from './trace.ts';
import type { BytePipe } from './transports/transport.ts';

/** What a connection tells its owner. */
export interface ConnectionOwner {
  /** Counts the bytes of all connections. */
  readonly traffic: Traffic;
  /** The server accepted us. */
  onAccepted(connack: Connack): void;
  /** PUBLISH, its acknowledgements, SUBACK, UNSUBACK. */
  onPacket(packet: Packet): void;
  /** The transport has room again. */
  onWritable(): void;
  /** It is over; called once. */
  onClosed(error: ClientError): void;
  /** What the bytes written so far have to wait for. */
  gate(): Promise<void> | undefined;
}

export class Connection implements AuthHost, KeepAliveTarget {
  readonly version: ProtocolVersion;
  readonly traffic: Traffic;
  readonly outbox: Outbox;
  readonly authentication: AuthExchange;
  limits: ServerLimits;
  isClosed = false;
  /** Resolves when the transport is gone too, after what was written has been sent. */
  readonly gone: Promise<void>;
  readonly #pipe: BytePipe;
  readonly #settings: Settings;
  readonly #trace: ((event: TraceEvent) => void) | undefined;
  readonly #connect: ConnectInput;
  readonly #owner: ConnectionOwner;
  readonly #reader: FrameReader;
  /** From CONNACK on. */
  #keepAlive: KeepAlive | undefined;
  /** Input waits for the authentication method. */
  #isPaused = false;

  /** Sends CONNECT at once. [MQTT-3.1.0-1] */
  constructor(pipe: BytePipe, connect: ConnectInput, settings: Settings, owner: ConnectionOwner) {
    this.version = connect.protocolVersion ?? 5;
    this.traffic = owner.traffic;
    this.limits = limitsOf(undefined, this.version);
    this.#pipe = pipe;
    this.#connect = connect;
    this.#settings = settings;
    this.#trace = settings.trace;
    this.#owner = owner;
    this.#reader = new FrameReader(settings.maximumPacketSize);
    this.authentication = new AuthExchange(this.version === 5 ? settings.auth : undefined, this);
    this.outbox = new Outbox(pipe, settings.platform.defer, owner);
    pipe.onData = (chunk) => {
      if (this.isClosed) return;
      this.traffic.received += chunk.length;
      this.#reader.feed(chunk);
      this.#read();
    };
    pipe.onDrain = () => {
      this.outbox.isCongested = false;
      if (!this.isClosed) owner.onWritable();
    };
    this.gone = new Promise((resolve) => {
      pipe.onClose = (cause) => {
        resolve();
        const why = cause ?? new Error('the server closed the connection');
        this.#finish(asClientError(why, 'TOBYMQ_CONNECTION_LOST'));
      };
    });
    this.send(connect);
    this.outbox.flush();
  }

  /** Adds a packet to the outbox. */
  send(packet: PacketInput, size?: number): void {
    if (this.isClosed) return;
    this.#trace?.({ direction: 'sent', packet: redact(packet) });
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
    this.send({ type, packetId, reasonCode: this.version < 5 ? 0 : reasonCode });
  }

  /** Says goodbye and closes. Nothing is sent afterwards. [MQTT-3.14.4-1] [MQTT-3.14.4-2] */
  disconnect(reasonCode: number, error: ClientError, sessionExpiryInterval?: number): void {
    if (this.isClosed) return;
    const packet: PacketInput = {
      type: PacketType.Disconnect,
      reasonCode: isClientDisconnectCode(reasonCode) ? reasonCode : ReasonCode.ProtocolError,
      properties: sessionExpiryInterval === undefined ? undefined : { sessionExpiryInterval },
    };
    // Before 5.0 DISCONNECT means "all is well", which a failure is not.
    const isSaid = this.version === 5 || reasonCode === 0;
    if (isSaid && encodedSize(packet, this.version) <= this.limits.maximumPacketSize) this.send(packet);
    void this.outbox.finish().then(() => this.#pipe.close());
    this.#finish(error);
  }

  /** Drops the connection without a word. */
  destroy(error: ClientError): void {
    this.outbox.close();
    this.#pipe.close(error);
    this.#finish(error);
  }

  get unsentBytes(): number {
    return this.#pipe.unsentBytes?.() ?? 0;
  }

  /** Checks that the connection lives, because something outside suggests that it may not. */
  probe(): void {
    this.#keepAlive?.probe();
  }

  ping(): void {
    this.send({ type: PacketType.Pingreq });
    this.outbox.flush();
  }

  onDead(): void {
    const what = `the server did not answer a ping within ${this.#settings.pingTimeoutMs} ms`;
    this.destroy(new ClientError('TOBYMQ_KEEP_ALIVE_TIMEOUT', what));
  }

  pauseReading(): void {
    this.#isPaused = true;
  }

  resumeReading(): void {
    this.#isPaused = false;
    this.#read();
  }

  #finish(error: ClientError): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#keepAlive?.stop();
    this.authentication.end(error);
    this.#owner.onClosed(error);
  }

  /** Handles the packets that are complete. */
  #read(): void {
    try {
      while (!this.isClosed && !this.#isPaused && this.#reader.next()) this.#onFrame(this.#reader);
    } catch (cause) {
      const error = errorOf(cause);
      this.disconnect(error.reasonCode ?? ReasonCode.ImplementationSpecificError, error);
    }
    // What the handlers of these packets have sent leaves with one write, without waiting for the end of the turn.
    this.outbox.flush();
  }

  #onFrame(reader: FrameReader): void {
    const { header, bytes, body, end } = reader;
    // Messages refer to their bytes, which the reader must not overwrite.
    reader.detach();
    const packet = decodePacket(bytes, header, body, end, this.version, 'client');
    this.#trace?.({ direction: 'received', packet: redact(packet) });
    this.#onPacket(packet, this.#keepAlive !== undefined);
  }

  #onPacket(packet: Packet, isAccepted: boolean): void {
    if (packet.type === PacketType.Auth) {
      this.authentication.onAuth(packet.reasonCode, packet.properties);
    } else if (packet.type === PacketType.Disconnect) {
      const { reasonCode, properties } = packet;
      this.outbox.close();
      // [MQTT-4.13.2-1]
      this.#pipe.close();
      this.#finish(serverError('TOBYMQ_DISCONNECTED', 'ended the connection', reasonCode, properties));
    } else if ((packet.type === PacketType.Connack) === isAccepted) {
      // [MQTT-3.2.0-1] [MQTT-3.2.0-2]
      const what = isAccepted ? 'a second CONNACK came' : 'CONNACK did not come first';
      throw protocolError(what);
    } else if (packet.type === PacketType.Connack) {
      this.#onConnack(packet);
    } else if (packet.type !== PacketType.Pingresp) {
      this.#checkProblemInformation(packet);
      this.#owner.onPacket(packet);
    }
  }

  /** [MQTT-3.1.2-29] */
  #checkProblemInformation(packet: Packet): void {
    if (this.#settings.requestProblemInformation || packet.type === PacketType.Publish) return;
    const { properties = {} } = packet as { readonly properties?: object };
    if ('reasonString' in properties || 'userProperties' in properties)
      throw protocolError('problem information came although we asked for none');
  }

  #onConnack(connack: Connack): void {
    const { reasonCode, properties } = connack;
    if (reasonCode !== 0) {
      const code = this.version === 5 ? reasonCode : reasonOfReturnCode(reasonCode);
      // [MQTT-3.2.2-7]
      this.destroy(serverError('TOBYMQ_CONNECT_REFUSED', 'refused the connection', code, properties));
      return;
    }
    // [MQTT-3.2.2-4] A new session cannot be an old one.
    if (connack.sessionPresent && this.#connect.cleanStart)
      throw protocolError('CONNACK says Session Present after Clean Start');
    this.authentication.onConnack(properties, () => {
      this.limits = limitsOf(properties, this.version);
      const { clock, pingTimeoutMs, keepAliveSeconds } = this.#settings;
      // [MQTT-3.1.2-21]
      const seconds = properties?.serverKeepAlive ?? keepAliveSeconds;
      this.#keepAlive = new KeepAlive(clock, seconds, pingTimeoutMs, this);
      this.#owner.onAccepted(connack);
    });
  }
}

/** What the handling of a packet has thrown. */
function errorOf(cause: unknown): ClientError {
  if (cause instanceof ClientError) return cause;
  return cause instanceof CodecError
    ? violation(cause.reasonCode, cause.message)
    : causedBy(cause, 'TOBYMQ_CONNECTION_LOST', 'a packet could not be handled');
}
