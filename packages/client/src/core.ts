// The parts of the client put together: what comes from the connection goes to the outgoing exchanges, the incoming
// acknowledgements and the subscriptions; what the application wants goes the other way. The public `Client` is a thin
// layer on top of this, and so is the entry for programs written for MQTT.js.

import {
  type Connack,
  type ConnectInput,
  type Packet,
  PacketType,
  type ProtocolVersion,
  type PublishReader,
} from '@tobymq/codec';
import { connectPacket, type SessionMemory } from './connect-packet.ts';
import { Connection, type ConnectionOwner } from './connection.ts';
import { milliseconds } from './duration.ts';
import { ClientError, messageOf } from './errors.ts';
import { Incoming, type Receipt } from './incoming.ts';
import { Journal } from './journal.ts';
import { defaults } from './limits.ts';
import { Message } from './message.ts';
import { neverExpires, type Settings } from './options.ts';
import { Outgoing } from './outgoing.ts';
import {
  type OutgoingFields,
  type OutgoingMessage,
  type PublishOptions,
  type PublishResult,
  success,
} from './outgoing-message.ts';
import { PacketIds } from './packet-ids.ts';
import type { Subscription, SubscriptionOwner } from './subscription.ts';
import { Subscriptions } from './subscriptions.ts';
import { type Attempt, type AttemptHooks, type SupervisedClient, Supervisor } from './supervisor.ts';
import type { BytePipe } from './transports/transport.ts';

/** Most publishes of QoS 0 need no promise of their own. */
const accepted: Promise<PublishResult> = Promise.resolve(success);

/** An event of the connection that other parts of the client wait for. */
export interface CoreListener {
  /** After CONNACK, before anything else is sent but the subscriptions. */
  onConnected?(isResumed: boolean): void;
  /** The connection is lost. */
  onDisconnected?(error: ClientError): void;
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
  clientId: string;
  /** What the last CONNACK said. */
  connack: Connack | undefined;
  #journal: Journal | undefined;
  /** When the server's session of ours ends; 0 before the first connection. */
  #sessionEndsAt = 0;
  #end: ClientError | undefined;
  #closing: Promise<void> | undefined;
  receivedCount = 0;
  droppedCount = 0;
  #bytesSent = 0;
  #bytesReceived = 0;
  #connection: Connection | undefined;

  constructor(settings: Settings) {
    this.settings = settings;
    this.clientId = settings.clientId;
    const ids = new PacketIds();
    this.outgoing = new Outgoing(settings, ids);
    this.incoming = new Incoming(settings.receiveMaximum);
    this.subscriptions = new Subscriptions(ids, settings.topicAliasMaximum, settings.unclaimed, (error) =>
      this.report(error),
    );
    const { birth } = settings;
    if (birth !== undefined) this.listeners.add({ onConnected: () => this.#announce(birth, true) });
    this.supervisor = new Supervisor(settings, this);
  }

  /** Sends a problem that belongs to no call to the application. */
  report(error: ClientError): void {
    try {
      this.settings.onError(error);
    } catch (failure) {
      // The last resort: a failing error handler must neither hide the error nor break the connection.
      console.error(error, failure);
    }
  }

  countDropped(): void {
    this.droppedCount++;
  }

  get bytes(): { readonly sent: number; readonly received: number } {
    return {
      sent: this.#bytesSent + (this.#connection?.outbox.bytesSent ?? 0),
      received: this.#bytesReceived + (this.#connection?.bytesReceived ?? 0),
    };
  }

  async restore(): Promise<void> {
    const { store, platform } = this.settings;
    if (store === undefined) return;
    const stored = await store.open(this.clientId);
    this.#journal = new Journal(
      store,
      () => platform.defer(() => void this.#journal?.commit()),
      (error) => this.#stop(error),
    );
    this.outgoing.restore(stored.messages, this.#journal);
    this.incoming.restore(stored.received, this.#journal);
  }

  async open(attempt: Attempt, hooks: AttemptHooks): Promise<void> {
    const { settings } = this;
    const { signal, url } = attempt;
    const packet = await connectPacket(settings, attempt, this.clientId, this.#sessionMemory());
    // The functions above may have taken longer than this attempt lasts.
    signal.throwIfAborted();
    const openTransport = settings.transport ?? settings.platform.transports[url.protocol]!;
    const pipe = await openTransport({
      url,
      tls: settings.tls,
      headers: settings.headers,
      subprotocol: attempt.version === 3 ? 'mqttv3.1' : 'mqtt',
      signal,
    });
    if (signal.aborted) {
      pipe.onClose = () => {};
      pipe.close(signal.reason as ClientError);
      throw signal.reason;
    }
    this.#connect(pipe, packet, hooks);
  }

  #sessionMemory(): SessionMemory {
    if (this.#sessionEndsAt === 0) return 'none';
    return this.settings.clock.now() > this.#sessionEndsAt ? 'expired' : 'alive';
  }

  /** From the loss of its connection on a 5.0 session lives as long as was agreed; the server's word counts. */
  #noteSessionEnd(version: ProtocolVersion): void {
    if (this.#sessionEndsAt === 0 || version < 5) return;
    const seconds = this.connack?.properties?.sessionExpiryInterval ?? this.settings.sessionExpirySeconds;
    if (seconds < neverExpires) this.#sessionEndsAt = this.settings.clock.now() + seconds * 1000;
  }

  #connect(pipe: BytePipe, packet: ConnectInput, hooks: AttemptHooks): void {
    const owner: ConnectionOwner = {
      onAccepted: (connack) => this.#onAccepted(connection, connack, hooks),
      onPublish: (publish, bytes, isStable) => this.#onPublish(publish, bytes, isStable),
      onPuback: (packetId, reasonCode, reason) => this.outgoing.onPuback(packetId, reasonCode, reason),
      onPacket: (received) => this.#onPacket(received),
      onWritable: () => this.outgoing.pump(),
      onClosed: (error) => {
        this.#onClosed(connection, error);
        hooks.onClosed(error);
      },
      gate: () => this.#journal?.commit(),
    };
    const { clock, platform, maximumPacketSize, pingTimeoutMs, requestProblemInformation, auth, trace } =
      this.settings;
    const connection: Connection = new Connection(
      pipe,
      packet,
      {
        clock,
        defer: platform.defer,
        maximumPacketSize,
        pingTimeoutMs,
        requestProblemInformation,
        auth: packet.protocolVersion === 5 ? auth : undefined,
        trace,
      },
      owner,
    );
    this.#connection = connection;
    hooks.onOpened(connection);
  }

  #onAccepted(connection: Connection, connack: Connack, hooks: AttemptHooks): void {
    this.#sessionEndsAt = Number.POSITIVE_INFINITY;
    this.connack = connack;
    // [MQTT-3.2.2-16] The name that the server gave us stays ours.
    this.clientId = connack.properties?.assignedClientIdentifier ?? this.clientId;
    const isResumed = connack.sessionPresent;
    this.incoming.begin(connection, isResumed);
    this.outgoing.begin(connection, isResumed);
    this.subscriptions.begin(connection, isResumed);
    hooks.onAccepted(isResumed);
    for (const listener of this.listeners) listener.onConnected?.(isResumed);
    this.outgoing.pump();
  }

  #onClosed(connection: Connection, error: ClientError): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    this.#noteSessionEnd(connection.version);
    this.#bytesSent += connection.outbox.bytesSent;
    this.#bytesReceived += connection.bytesReceived;
    this.outgoing.end();
    this.incoming.end();
    this.subscriptions.end();
    for (const listener of this.listeners) listener.onDisconnected?.(error);
  }

  #onPublish(publish: PublishReader, bytes: Uint8Array, isStable: boolean): void {
    const { qos, dup, retain, packetId, payloadStart, payloadEnd } = publish;
    const route = this.subscriptions.routes.of(publish, bytes);
    let receipt: Receipt | undefined;
    if (qos !== 0) {
      receipt = this.incoming.arrive(packetId, qos, dup);
      if (receipt === undefined) return;
    }
    this.receivedCount++;
    const payload = isStable
      ? new Uint8Array(bytes.buffer, bytes.byteOffset + payloadStart, payloadEnd - payloadStart)
      : bytes.slice(payloadStart, payloadEnd);
    // Subscription identifiers matter only if several filters match, the other properties only to the reader.
    const needsIdentifiers = publish.subscriptionIdentifierCount > 0 && route.identifiers.length > 1;
    const properties =
      publish.forwardedPropertiesSize > 0 || needsIdentifiers
        ? publish.decodeProperties(isStable ? bytes : bytes.slice(0, payloadStart))
        : undefined;
    this.subscriptions.deliver(
      route,
      properties?.subscriptionIdentifiers,
      receipt,
      (part) => new Message(route.topic, payload, qos, retain, dup, properties, part),
    );
    if (receipt !== undefined && this.incoming.takeStall(this.subscriptions.unclaimedCount))
      this.#reportStall();
  }

  #reportStall(): void {
    this.report(
      new ClientError(
        'TOBYMQ_RECEIVE_STALLED',
        `the receive window of ${this.settings.receiveMaximum} messages is full: ${this.subscriptions.unclaimedCount} match no subscription, ` +
          `${this.incoming.abandonedCount} belong to failed handlers; the server sends no more of QoS 1 and 2`,
      ),
    );
  }

  #onPacket(packet: Packet): void {
    if (packet.type === PacketType.Pubrel) this.incoming.onPubrel(packet);
    else if (packet.type === PacketType.Suback || packet.type === PacketType.Unsuback)
      this.subscriptions.onPacket(packet);
    else this.outgoing.onPacket(packet);
  }

  /** Publishes; the promise settles as `Client.publish` says. */
  publish(fields: OutgoingFields, options: PublishOptions | undefined): Promise<PublishResult> {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    const signal = options?.signal;
    if (signal?.aborted) return Promise.reject(abortError(signal, fields.topic));
    let message: OutgoingMessage;
    try {
      if (fields.qos === 0 && this.outgoing.trySendNow(fields)) return accepted;
      message = this.outgoing.add(fields);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#outcome(message, options);
  }

  #outcome(message: OutgoingMessage, options: PublishOptions | undefined): Promise<PublishResult> {
    if (message.isSettled) return message.error === undefined ? accepted : Promise.reject(message.error);
    if (options?.signal !== undefined || options?.timeout !== undefined) this.#limit(message, options);
    return new Promise((resolve, reject) => {
      message.resolve = resolve;
      message.reject = reject;
    });
  }

  /** Lets the signal and the timeout end the call. */
  #limit(message: OutgoingMessage, { signal, timeout }: PublishOptions): void {
    const { clock } = this.settings;
    const { topic } = message;
    const onAbort = (): void => this.outgoing.cancel(message, abortError(signal!, topic));
    const onTimeout = (): void => {
      const what = `the message for ${topic} was not acknowledged in ${timeout}`;
      this.outgoing.cancel(message, new ClientError('TOBYMQ_TIMEOUT', what, { topic }));
    };
    const timer =
      timeout === undefined ? undefined : clock.setTimeout(onTimeout, milliseconds(timeout, 'timeout'));
    signal?.addEventListener('abort', onAbort);
    message.onSettled = () => {
      clock.clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
  }

  /** Why the client cannot be used any more, if so. */
  get endReason(): ClientError | undefined {
    return this.#end;
  }

  leave(subscription: Subscription<unknown, unknown>): Promise<void> {
    return this.subscriptions.remove(subscription);
  }

  /** Ends the client; see `Client.close`. */
  close(drainMs: number | undefined, reasonCode: number): Promise<void> {
    this.#closing ??= this.#close(drainMs, reasonCode);
    return this.#closing;
  }

  /** Publishes birth or farewell. Nobody waits for its promise, so a failure is reported. */
  async #announce(make: () => OutgoingFields, isFirst: boolean): Promise<void> {
    try {
      const message = this.outgoing.add(make(), isFirst);
      await this.#outcome(message, undefined);
    } catch (cause) {
      if (cause === this.#end) return;
      this.report(
        cause instanceof ClientError ? cause : new ClientError('TOBYMQ_OPTION_INVALID', messageOf(cause)),
      );
    }
  }

  async #close(drainMs: number | undefined, reasonCode: number): Promise<void> {
    if (drainMs !== undefined && this.#end === undefined) {
      await this.#within(drainMs, this.outgoing.idle(), this.supervisor.finished);
    }
    const { farewell } = this.settings;
    // With a reason code the server publishes the will; without a connection it does so anyway.
    if (farewell !== undefined && reasonCode === 0 && this.supervisor.connection !== undefined) {
      await this.#within(defaults.farewellMs, this.#announce(farewell, false), this.supervisor.finished);
    }
    const connection = this.#connection;
    this.#stop(new ClientError('TOBYMQ_CLOSED', 'the client was closed'), reasonCode);
    await this.supervisor.finished;
    await this.#journal?.close();
    // A network that is dead must not hold up the end.
    if (connection !== undefined) await this.#within(defaults.farewellMs, connection.gone);
  }

  /** Waits for the first of the promises, but no longer than this. */
  async #within(ms: number, ...promises: Promise<void>[]): Promise<void> {
    const { clock } = this.settings;
    let timer: unknown;
    const timeout = new Promise<void>((resolve) => {
      timer = clock.setTimeout(resolve, ms);
    });
    await Promise.race([...promises, timeout]);
    clock.clearTimeout(timer);
  }

  #stop(error: ClientError, reasonCode = 0): void {
    this.#end ??= error;
    this.supervisor.stop(error, (connection) => {
      if (error.code === 'TOBYMQ_STORE_FAILED') return connection.destroy(error);
      // A session that nobody wants to keep ends with this connection.
      const endsSession = connection.version === 5 && !this.settings.keepSession;
      connection.disconnect(reasonCode, error, endsSession ? 0 : undefined);
    });
  }

  onEnd(error: ClientError, isFailure: boolean): void {
    this.#end = error;
    this.outgoing.failAll(error);
    this.subscriptions.failAll(isFailure ? error : undefined);
    for (const listener of this.listeners) listener.onEnd?.(error);
    this.listeners.clear();
    void this.#journal?.close();
  }
}

/** The error of a call that its signal ended. */
export function abortError(signal: AbortSignal, topic?: string): ClientError {
  return new ClientError('TOBYMQ_ABORTED', `the call was aborted: ${messageOf(signal.reason)}`, {
    cause: signal.reason,
    topic,
  });
}
