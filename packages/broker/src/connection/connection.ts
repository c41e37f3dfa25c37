// One client connection: takes bytes, cuts them into packets, hands each to the handler of its type, and ends in an
// orderly way. It knows the protocol's states and no subscriptions.
//
//     new ──CONNECT──▶ connecting ──CONNACK──▶ connected ──▶ closing ──▶ closed
//
// `closing` means: our last packet was written and our side of the stream is closed, but what the client still sends is
// read and thrown away for a moment, because a reset would take away the DISCONNECT that says why.

import { CodecError, PacketType, type QoS } from '@tobymq/codec';
import type { Core } from '../core.ts';
import type { RoutedMessage } from '../delivery/routed-message.ts';
import type { ClientInfo } from '../extension.ts';
import { dispatch } from '../handlers/dispatch.ts';
import type { EnhancedAuthentication } from '../handlers/enhanced-authentication.ts';
import { fittingCode, tellable } from '../handlers/reason-codes.ts';
import { refuseBadConnect, refuseStranger } from '../handlers/refuse.ts';
import type { ListenerState } from '../listener-state.ts';
import { countByCode } from '../metrics.ts';
import { pump } from '../session/queue.ts';
import type { Session } from '../session/session.ts';
import type { SessionLink } from '../session/session-link.ts';
import type { ByteStream, ByteStreamHandler } from '../transports/byte-stream.ts';
import { Acknowledgements, type Gated } from './acknowledgements.ts';
import { type CloseReason, KEEP_ALIVE_TIMEOUT, serverClose } from './close.ts';
import { type EndOfCredentials, limitCredentials } from './credentials.ts';
import { problemOfFirstBytes } from './first-bytes.ts';
import { GatedAcknowledgement } from './gated-acknowledgement.ts';
import { SilenceTimer, type Watched } from './keep-alive.ts';
import { leave } from './leave.ts';
import { PacketReader } from './packet-reader.ts';
import type { RateLimit } from './rate-limit.ts';
import { type AcknowledgementType, Sender } from './sender.ts';
import { TopicCache } from './topic-cache.ts';

export type ConnectionState = 'new' | 'connecting' | 'connected' | 'closing' | 'closed';

/** Why reading is suspended; reading goes on when none is left. */
export const Pause = {
  /** An extension has not answered yet. */
  Answer: 1,
  /** Too much of this client waits to be stored. */
  Store: 2,
  /** The client exceeds its rate. */
  Rate: 4,
  /** The client does not read what it is sent, so it may not ask for more. */
  Outbox: 8,
  /** The time for packets in this turn of the event loop is spent. */
  Turn: 16,
  /** CONNACK waits for the store; also after the authenticator has answered late, which ends its own pause only then. */
  Connack: 32,
} as const;

/** Acknowledgements, and bytes of their messages, that may wait for the store before the client is slowed down. */
const GATED_MAX = 2_000;
const GATED_BYTES_MAX = 8 * 1024 * 1024;
/** What may wait for a client that goes on sending without reading. */
const OUTBOX_PAUSE_BYTES = 1024 * 1024;
/** What is read and thrown away of a client after our DISCONNECT. */
const LINGER_BYTES_MAX = 4 * 1024 * 1024;

export class Connection implements SessionLink, ByteStreamHandler, Watched {
  readonly core: Core;
  readonly stream: ByteStream;
  readonly listener: ListenerState;
  readonly sender: Sender;
  /** Counts connections; marks which packet ids came by this one. */
  readonly serial: number;
  state: ConnectionState = 'new';
  session: Session | undefined = undefined;
  client: ClientInfo | undefined = undefined;
  keepAlive = 0;
  /** How many QoS 1 and 2 messages of the client are not acknowledged. */
  receiveCount = 0;
  /** How many of ours may be. */
  window = 1;
  /** The Session Expiry Interval of CONNECT, which DISCONNECT may not raise from 0. */
  requestedExpiry = 0;
  /** The method of enhanced authentication, and what handles its packets. */
  authentication: EnhancedAuthentication | undefined = undefined;
  endOfCredentials: EndOfCredentials | undefined = undefined;
  rateLimit: RateLimit | undefined = undefined;
  readonly topics = new TopicCache();
  lastSeenMs: number;
  closeReason: CloseReason | undefined = undefined;
  readonly #reader: PacketReader;
  readonly #silence: SilenceTimer;
  #acknowledgements: Acknowledgements | undefined = undefined;
  #paused = 0;
  #discardedBytes = 0;
  #isProcessing = false;

  constructor(core: Core, stream: ByteStream, listener: ListenerState, serial: number) {
    this.core = core;
    this.stream = stream;
    this.listener = listener;
    this.serial = serial;
    this.sender = new Sender(core, stream);
    this.#reader = new PacketReader(core.limits.connectBytesMax, core.packetMemory);
    this.lastSeenMs = core.clock.now();
    this.#silence = new SilenceTimer(this, core.wheel);
    const timeoutMs = listener.settings.connectTimeoutMs || core.limits.connectTimeoutMs;
    if (timeoutMs > 0) this.#silence.allow(timeoutMs, this.lastSeenMs); // [N16]
    stream.start(this);
  }

  get isCongested(): boolean {
    return this.sender.outbox.isBlocked;
  }

  /** A client that does not read is silent by its own fault. */
  get isPaused(): boolean {
    return (this.#paused & ~Pause.Outbox) !== 0;
  }

  get bufferedBytes(): number {
    return this.sender.outbox.pendingBytes + this.stream.bufferedBytes;
  }

  onData(chunk: Uint8Array): void {
    this.core.metrics.bytesReceived += chunk.length;
    if (this.state === 'closing') {
      this.#discardedBytes += chunk.length;
      if (this.#discardedBytes > LINGER_BYTES_MAX) this.stream.destroy();
      return;
    }
    // A socket that has not connected has one deadline, however many bytes it drips. [N16]
    if (this.state !== 'new') this.lastSeenMs = this.core.clock.now();
    else if (this.#isStranger(chunk)) return;
    const { flusher, metrics } = this.core;
    const packetsBefore = metrics.packetsReceived;
    flusher.readBegins();
    this.#reader.feed(chunk);
    if (this.#paused === 0 && !this.#isProcessing) this.#process();
    // The chunk's memory is used again, and what is left of it stays for a later turn.
    if (this.#paused !== 0 || this.#isProcessing) this.#reader.keepRest();
    flusher.readEnds(metrics.packetsReceived - packetsBefore);
  }

  onDrain(): void {
    this.lastSeenMs = this.core.clock.now();
    this.sender.outbox.drained();
    if (this.sender.outbox.isBlocked) return;
    this.resume(Pause.Outbox);
    if (this.session !== undefined && this.session.link === this) pump(this.session);
  }

  onEnd(): void {
    this.close({ reasonCode: 0x80, reason: 'the client closed its connection', initiator: 'network' });
  }

  onClose(error: Error | undefined): void {
    const reason =
      error === undefined ? 'the client closed its connection' : `network error: ${error.message}`;
    this.close({ reasonCode: 0x80, reason, initiator: 'network' });
    this.state = 'closed';
    this.core.wheel.cancel(this.#silence);
    this.sender.outbox.clear();
    this.listener.closed(this);
  }

  /** The keep-alive, the time for CONNECT, or the time after our DISCONNECT is over. */
  silent(): void {
    if (this.state === 'closing' || this.state === 'closed') {
      this.stream.destroy();
    } else if (this.state === 'connected') {
      this.core.metrics.keepAliveTimeouts++;
      this.close(KEEP_ALIVE_TIMEOUT); // [MQTT-3.1.2-22]
    } else {
      refuseStranger(
        this,
        0x80,
        this.state === 'new' ? 'no CONNECT in time' : 'no answer to CONNECT in time',
      );
    }
  }

  /** CONNECT was accepted: from now on the limits of the listener and the client's keep-alive count. */
  opened(keepAlive: number, maximumPacketSize: number): void {
    this.state = 'connected';
    this.lastSeenMs = this.core.clock.now();
    this.keepAlive = keepAlive;
    this.#reader.maxPacketSize = maximumPacketSize;
    if (keepAlive > 0) this.#silence.allow(keepAlive * 1500, this.lastSeenMs);
    else this.core.wheel.cancel(this.#silence);
  }

  /** The clock was set: silence is measured from now on, and credentials end when they say. */
  clockWasSet(nowMs: number): void {
    if (this.state !== 'closing') this.lastSeenMs = nowMs;
    this.#silence.renew(nowMs);
    limitCredentials(this, this.endOfCredentials?.expiresAt);
  }

  sendPublish(
    message: RoutedMessage,
    qos: QoS,
    retain: boolean,
    dup: boolean,
    packetId: number,
    ids: readonly number[],
  ): boolean {
    return this.sender.publish(message, qos, retain, dup, packetId, ids);
  }

  sendPubrel(packetId: number): void {
    this.acknowledge(PacketType.Pubrel, packetId, 0, false);
  }

  sendPubrelWhenStored(packetId: number): void {
    this.acknowledge(PacketType.Pubrel, packetId, 0, true);
  }

  /** Sends an acknowledgement, in its turn: after what waits for the store before it, and after the store if it must. */
  acknowledge(
    type: AcknowledgementType,
    packetId: number,
    reasonCode: number,
    isWritten: boolean,
    bytes = 0,
  ): void {
    if (!this.mustWait(isWritten)) {
      if (type === PacketType.Puback) this.receiveCount--;
      this.sender.acknowledge(type, packetId, reasonCode);
      return;
    }
    this.gate(new GatedAcknowledgement(this, type, packetId, reasonCode, bytes), isWritten);
  }

  /** Sends a negative acknowledgement, in its turn. */
  refuse(
    type: typeof PacketType.Puback | typeof PacketType.Pubrec,
    packetId: number,
    reasonCode: number,
    reason: string | undefined,
  ): void {
    const send = () => this.sender.acknowledge(type, packetId, reasonCode, reason);
    if (this.mustWait(false)) this.gate({ batch: 0, bytes: 0, send, refuse: () => true }, false);
    else send();
  }

  /** Whether an answer has to wait: for the store, or for the answers before it. */
  mustWait(isWritten: boolean): boolean {
    return (isWritten && this.core.store.durable) || (this.#acknowledgements?.length ?? 0) > 0;
  }

  gate(gated: Gated, isWritten: boolean): void {
    this.#acknowledgements ??= new Acknowledgements(
      this.core,
      () => this.#eased(),
      (error) => this.#fail(error),
    );
    const acknowledgements = this.#acknowledgements;
    acknowledgements.add(gated, isWritten && this.core.store.durable);
    if (acknowledgements.length > GATED_MAX || acknowledgements.bytes > GATED_BYTES_MAX)
      this.pause(Pause.Store);
  }

  pause(reason: number): void {
    if (this.#paused === 0) {
      this.stream.pause();
      this.core.metrics.publishersPausedNow++;
    }
    this.#paused |= reason;
  }

  resume(reason: number): void {
    if ((this.#paused & reason) === 0) return;
    this.#paused &= ~reason;
    if (this.#paused !== 0) return;
    this.core.metrics.publishersPausedNow--;
    if (this.state === 'closing' || this.state === 'closed') {
      this.stream.resume();
      return;
    }
    this.lastSeenMs = this.core.clock.now();
    if (!this.#isProcessing) this.#process();
    if (this.#paused === 0) this.stream.resume();
  }

  /** The next turn has come. */
  goOn(): void {
    this.resume(Pause.Turn);
  }

  /** Ends the connection. What the session does then, and what the client is told, depends on the reason. */
  close(reason: CloseReason): void {
    if (this.state === 'closing' || this.state === 'closed') return;
    const wasConnected = this.state === 'connected';
    // Before CONNACK the client has not come in, and neither it nor extensions hear that it goes. [MQTT-3.14.0-1]
    const wasWelcomed = wasConnected && this.session?.pending !== this;
    this.state = 'closing';
    this.closeReason = reason;
    const outbox = this.sender.outbox;
    if (reason.initiator === 'server')
      countByCode(this.core.metrics.disconnectsByReasonCode, reason.reasonCode);
    // What waits for a client that does not read will never be read; only the reason may still get through.
    if (outbox.isBlocked) outbox.clear();
    if (wasWelcomed && reason.initiator === 'server') this.#sendDisconnect(reason);
    outbox.flush();
    this.#acknowledgements?.close();
    leave(this, wasConnected, wasWelcomed, reason);
    this.#endPause();
    this.stream.resume();
    this.stream.end(reason.initiator !== 'server');
    this.#silence.allow(this.core.limits.lingerMs, this.core.clock.now());
    this.lastSeenMs = 0;
  }

  /** Refuses at its first byte what is not going to be CONNECT. */
  #isStranger(chunk: Uint8Array): boolean {
    const problem = this.#reader.buffered === 0 ? problemOfFirstBytes(chunk) : undefined;
    if (problem !== undefined) refuseStranger(this, 0x82, problem);
    return problem !== undefined;
  }

  /** Whatever reading was suspended for may never come now, and what the client still sends is thrown away. */
  #endPause(): void {
    if (this.#paused === 0) return;
    this.#paused = 0;
    this.core.metrics.publishersPausedNow--;
  }

  /** Only 5.0 has it. */
  #sendDisconnect(reason: CloseReason): void {
    if (!this.sender.isV5) return;
    const { serverReference } = reason;
    const reasonCode = fittingCode('disconnect', reason.reasonCode);
    const reasonString = tellable(reason.reason);
    this.sender.packet({
      type: PacketType.Disconnect,
      reasonCode,
      properties: { reasonString, serverReference },
    });
  }

  #process(): void {
    const reader = this.#reader;
    const { turn, metrics } = this.core;
    let isEmpty = false;
    this.#isProcessing = true;
    try {
      while (this.#paused === 0) {
        if (!reader.next()) {
          isEmpty = true;
          break;
        }
        metrics.packetsReceived++;
        const answer = dispatch(this, reader);
        if (answer !== undefined) this.#waitFor(answer);
        if (this.state === 'closing' || turn.isSpent()) break;
      }
    } catch (error) {
      this.#fail(error);
    }
    this.core.flusher.endRuns();
    if (isEmpty) reader.forgetKept();
    this.#isProcessing = false;
    // Also the beginning of a packet counts: a large one comes in many reads, and all of them may come in one turn.
    if (turn.isSpent() && reader.buffered > 0 && this.state !== 'closing') this.#holdUp();
    if (this.sender.outbox.isBlocked && this.sender.outbox.pendingBytes > OUTBOX_PAUSE_BYTES) {
      this.pause(Pause.Outbox);
    }
  }

  /** Handles no more packets in this turn. */
  #holdUp(): void {
    this.pause(Pause.Turn);
    this.core.turn.holdUp(this);
  }

  /** Stops reading until a handler has finished; nobody else waits for it. */
  #waitFor(answer: Promise<void>): void {
    this.pause(Pause.Answer);
    answer.then(
      () => this.resume(Pause.Answer),
      (error: unknown) => {
        this.#fail(error);
        this.resume(Pause.Answer);
      },
    );
  }

  #eased(): void {
    const acknowledgements = this.#acknowledgements;
    if (acknowledgements === undefined) return;
    if (acknowledgements.length * 2 < GATED_MAX && acknowledgements.bytes * 2 < GATED_BYTES_MAX) {
      this.resume(Pause.Store);
    }
  }

  #fail(error: unknown): void {
    if (error instanceof CodecError) {
      this.core.metrics.malformedPackets++;
      if (this.state === 'new') refuseBadConnect(this, error);
      else if (this.state === 'connecting') refuseStranger(this, error.reasonCode, error.message);
      this.close(serverClose(error.reasonCode, error.message)); // [MQTT-4.13.1-1]
      return;
    }
    // A fault of ours. It costs this connection and nobody else.
    this.core.logger.log('error', 'internal-error', { clientId: this.client?.clientId, error });
    this.close(serverClose(0x80, 'internal error'));
  }
}
