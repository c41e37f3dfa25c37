// The parts of the client put together: what comes from the connection goes to the outgoing exchanges, the incoming
// acknowledgements and the subscriptions; what the application wants goes the other way. The public `Client` is a thin
// layer on top of this, and so is the entry for programs written for MQTT.js.

import {
  type Connack,
  type Packet,
  PacketType,
  type ProtocolVersion,
  type Puback,
  type Pubcomp,
  type Publish,
  type Pubrec,
} from '@tobymq/codec';
import type { CallLimits } from './call-limits.ts';
import { within } from './clock.ts';
import { connectPacket } from './connect-packet.ts';
import { Connection } from './connection.ts';
import { asClientError, ClientError, causedBy } from './errors.ts';
import { Incoming, type Receipt } from './incoming.ts';
import { Journal } from './journal.ts';
import { farewellMs, storeCloseMs } from './limits.ts';
import { neverExpires, type Settings } from './options.ts';
import { Outgoing } from './outgoing.ts';
import type { OutgoingMessage, PublishResult } from './outgoing-message.ts';
import { PacketIds } from './packet-ids.ts';
import type { SubscriptionOwner } from './subscription.ts';
import { Subscriptions } from './subscriptions.ts';
import { type Attempt, type SupervisedClient, Supervisor } from './supervisor.ts';

/** An event of the connection that other parts of the client wait for. */
export interface CoreListener {
  /** After CONNACK, before anything else is sent but the subscriptions. */
  onConnected?(isResumed: boolean): void;
  /** The client has ended. */
  onEnd?(error: ClientError): void;
}

export class Core implements SupervisedClient, SubscriptionOwner {
  readonly settings: Settings;
  readonly supervisor: Supervisor;
  readonly outgoing: Outgoing;
  readonly incoming: Incoming;
  readonly subscriptions: Subscriptions;
  readonly listeners = new Set<CoreListener>();
  /** Sends a problem that belongs to no call to the application. */
  readonly report: (error: ClientError) => void;
  /** Bytes of all connections. */
  readonly traffic = { sent: 0, received: 0 };
  receivedCount = 0;
  droppedCount = 0;
  clientId: string;
  connection: Connection | undefined;
  /** What the last CONNACK said. */
  connack: Connack | undefined;
  /** Why the client cannot be used any more, if so. */
  endReason: ClientError | undefined;
  #journal: Journal | undefined;
  /** When the server's session of ours ends; 0 before the first connection. */
  #sessionEndsAt = 0;
  #closing: Promise<void> | undefined;

  constructor(settings: Settings) {
    this.settings = settings;
    this.report = settings.onError;
    this.clientId = settings.clientId;
    const ids = new PacketIds(settings.clock.random());
    this.outgoing = new Outgoing(settings, ids);
    this.incoming = new Incoming(settings);
    this.subscriptions = new Subscriptions(ids, settings);
    this.supervisor = new Supervisor(settings, this);
  }

  async restore(): Promise<void> {
    const { store, platform } = this.settings;
    if (store === undefined) return;
    try {
      const stored = await store.open(this.clientId);
      if (this.endReason !== undefined) return await store.close();
      this.#journal = new Journal(store, platform.defer, (error) => this.#stop(error));
      this.outgoing.restore(stored.messages, this.#journal);
      this.incoming.restore(stored.received, this.#journal);
    } catch (cause) {
      throw causedBy(cause, 'TOBYMQ_STORE_FAILED', 'the session store cannot be opened');
    }
  }

  async connect(attempt: Attempt): Promise<ClientError> {
    const { settings } = this;
    const { signal, url, version } = attempt;
    const packet = await connectPacket(settings, attempt, this.clientId, this.#isCleanStart(version));
    // The functions among the options may have taken longer than this attempt lasts.
    signal.throwIfAborted();
    const open = settings.transport ?? settings.platform.transports[url.protocol]!;
    const pipe = await open({
      url,
      tls: settings.tls,
      headers: settings.headers,
      subprotocol: version === 3 ? 'mqttv3.1' : 'mqtt',
      signal,
    });
    if (signal.aborted) {
      pipe.onClose = () => {};
      pipe.close(signal.reason as ClientError);
    }
    signal.throwIfAborted();
    return new Promise((resolve) => {
      const connection: Connection = new Connection(pipe, packet, settings, {
        traffic: this.traffic,
        onAccepted: (connack) => this.#onAccepted(connection, connack, attempt),
        onPacket: (received) => this.#onPacket(received),
        onWritable: () => this.outgoing.pump(),
        onClosed: (error) => {
          this.#onClosed();
          resolve(error);
        },
        gate: () => this.#journal?.commit(),
      });
      signal.addEventListener('abort', () => connection.destroy(signal.reason));
    });
  }

  /** Whether a connection has to begin a new session. */
  #isCleanStart(version: ProtocolVersion): boolean {
    const { clock, keepSession, sessionExpirySeconds, startFresh } = this.settings;
    if (this.#sessionEndsAt === 0) return startFresh;
    // Within this process a 5.0 session is resumed; before 5.0 that would leave sessions of nobody at the server.
    const isKept = version === 5 ? sessionExpirySeconds > 0 : keepSession;
    return !isKept || clock.now() > this.#sessionEndsAt;
  }

  #onAccepted(connection: Connection, connack: Connack, attempt: Attempt): void {
    const isResumed = connack.sessionPresent;
    this.connection = connection;
    this.connack = connack;
    this.#sessionEndsAt = Number.POSITIVE_INFINITY;
    // [MQTT-3.2.2-16] The name that the server gave us stays ours.
    this.clientId = connack.properties?.assignedClientIdentifier ?? this.clientId;
    this.incoming.begin(connection, isResumed);
    this.outgoing.begin(connection, isResumed);
    this.subscriptions.begin(connection, isResumed);
    attempt.onAccepted(isResumed);
    const { birth } = this.settings;
    if (birth !== undefined) void this.#announce(birth);
    for (const listener of this.listeners) listener.onConnected?.(isResumed);
    this.outgoing.pump();
  }

  #onClosed(): void {
    const { connection } = this;
    if (connection === undefined) return;
    this.connection = undefined;
    // From the loss of its connection on a 5.0 session lives as long as was agreed; the server's word counts.
    const seconds = this.connack?.properties?.sessionExpiryInterval ?? this.settings.sessionExpirySeconds;
    if (connection.version === 5 && seconds < neverExpires)
      this.#sessionEndsAt = this.settings.clock.now() + seconds * 1000;
    this.outgoing.end();
    this.incoming.end();
    this.subscriptions.end();
  }

  #onPublish(publish: Publish): void {
    const route = this.subscriptions.routes.of(publish);
    let receipt: Receipt | undefined;
    if (publish.qos !== 0) {
      receipt = this.incoming.arrive(publish);
      if (receipt === undefined) return;
    }
    this.receivedCount++;
    this.subscriptions.deliver(route, publish, receipt);
    if (receipt !== undefined) this.incoming.reportStall(this.subscriptions.unclaimedCount);
  }

  #onPacket(packet: Packet): void {
    if (packet.type === PacketType.Publish) this.#onPublish(packet);
    else if (packet.type === PacketType.Pubrel) this.incoming.onPubrel(packet);
    else if (packet.type === PacketType.Suback || packet.type === PacketType.Unsuback)
      this.subscriptions.onPacket(packet);
    else this.outgoing.onPacket(packet as Puback | Pubrec | Pubcomp);
  }

  /** Publishes; see `Outgoing.publish`. */
  publish(message: OutgoingMessage, limits?: CallLimits): Promise<PublishResult> {
    if (this.endReason !== undefined) throw this.endReason;
    return this.outgoing.publish(message, limits);
  }

  /**
   * Publishes birth or farewell before whatever waits, however much that is: what others are told of us has to be true
   * now. Nobody waits for its promise, so a failure is reported.
   */
  async #announce(make: () => OutgoingMessage): Promise<void> {
    try {
      const message = make();
      message.isFirst = true;
      await this.outgoing.publish(message);
    } catch (cause) {
      if (cause !== this.endReason) this.report(asClientError(cause, 'TOBYMQ_OPTION_INVALID'));
    }
  }

  /** Ends the client; see `Client.close`. */
  close(drainMs: number, reasonCode: number): Promise<void> {
    this.#closing ??= this.#close(drainMs, reasonCode);
    return this.#closing;
  }

  async #close(drainMs: number, reasonCode: number): Promise<void> {
    const { clock, farewell } = this.settings;
    const { finished } = this.supervisor;
    if (drainMs > 0 && this.endReason === undefined)
      await within(clock, drainMs, this.outgoing.idle(), finished);
    // With a reason code the server publishes the will; without a connection it does so anyway.
    if (farewell !== undefined && reasonCode === 0 && this.connection !== undefined)
      await within(clock, farewellMs, this.#announce(farewell), finished);
    const { connection } = this;
    this.#stop(new ClientError('TOBYMQ_CLOSED', 'the client was closed'), reasonCode);
    await finished;
    // A network that is dead must not hold up the end.
    if (connection !== undefined) await within(clock, farewellMs, connection.gone);
  }

  #stop(error: ClientError, reasonCode = 0): void {
    const { connection, settings } = this;
    this.endReason ??= error;
    this.supervisor.stop();
    if (error.code === 'TOBYMQ_STORE_FAILED') connection?.destroy(error);
    // A session that nobody wants to keep ends with this connection.
    else
      connection?.disconnect(
        reasonCode,
        error,
        connection.version === 5 && !settings.keepSession ? 0 : undefined,
      );
  }

  onEnd(error: ClientError, isFailure: boolean): Promise<void> | undefined {
    this.endReason = error;
    this.outgoing.failAll(error);
    this.subscriptions.failAll(isFailure ? error : undefined);
    for (const listener of this.listeners) listener.onEnd?.(error);
    this.listeners.clear();
    // A store that is dead must not hold up the end either.
    return this.#journal && within(this.settings.clock, storeCloseMs, this.#journal.close());
  }
}
