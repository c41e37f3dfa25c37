// What a scenario works with: connections to the server under test, names that no other case uses, the two judgements
// "this arrives, and nothing else" and "this is refused", and a server of its own where it needs special settings.
// At the end everything is closed, what the case left on the server is removed, and the audit looks at every packet.

import { setTimeout as delay } from 'node:timers/promises';
import { decode, type Message } from '../decode.ts';
import { describeFrame, type Frame, packetType } from '../frames.ts';
import { type MqttVersion, packet, type RawConnect, type RawProperties } from '../packet.ts';
import { property, type RawProperty } from '../properties.ts';
import { type RawBytes, RawPeer } from '../raw-peer.ts';
import { RawWebSocket } from '../raw-websocket.ts';
import { auditConnection } from './audit.ts';
import type { Feature } from './case.ts';
import { ConformanceFailure, NeedsSettings, ok, oneOf } from './check.ts';
import { Client } from './client.ts';
import type { ServerFactory, ServerSettings } from './settings.ts';

/** The server under test as the probe found it. */
export interface Target {
  readonly host: string;
  readonly port: number;
  /** Port of an MQTT over WebSocket listener, if there is one, and its path. */
  readonly webSocket?: { readonly port: number; readonly path: string };
}

export interface ContextOptions {
  readonly target: Target;
  readonly version: MqttVersion;
  readonly features: ReadonlySet<Feature>;
  /** Demand the choices that TobyMQ documents wherever the standard leaves one. */
  readonly strict: boolean;
  readonly withServer?: ServerFactory | undefined;
}

export interface ConnectOptions extends Omit<RawConnect, 'version' | 'properties'> {
  readonly version?: MqttVersion;
  readonly clientId?: string;
  /** Session Expiry Interval in seconds (5.0 only). */
  readonly expiry?: number;
  readonly properties?: readonly RawProperty[];
}

/** How a refused packet or CONNECT has to end. */
export interface Refusal {
  /** Acceptable reason codes of DISCONNECT or CONNACK in 5.0. */
  readonly codes: readonly number[];
  /** Acceptable CONNACK return codes before 5.0; none means that no CONNACK may come. */
  readonly returnCodes?: readonly number[];
  /** The standard names no reaction: a foreign server may also ignore the packet. */
  readonly advisory?: boolean;
  /** Not even our own choice is to close: always accept that the server carries on. */
  readonly optional?: boolean;
  /** Packet types that may come before the close. */
  readonly besides?: readonly number[];
}

const runTag = Math.floor(Date.now() % 46_656_000)
  .toString(36)
  .padStart(5, '0');
let counter = 0;

export class Context {
  readonly target: Target;
  readonly version: MqttVersion;
  readonly strict: boolean;
  readonly features: ReadonlySet<Feature>;
  readonly #withServer: ServerFactory | undefined;
  readonly #prefix: string;
  readonly #connections: { peer: RawPeer; version: MqttVersion }[] = [];
  readonly #sessions = new Set<string>();
  readonly #retained = new Set<string>();
  readonly #closers: (() => Promise<void>)[] = [];
  #publisher: Client | undefined;
  #isFinished = false;

  constructor(options: ContextOptions) {
    this.target = options.target;
    this.version = options.version;
    this.strict = options.strict;
    this.features = options.features;
    this.#withServer = options.withServer;
    counter += 1;
    this.#prefix = `conformance/${runTag}${counter.toString(36)}`;
  }

  has(feature: Feature): boolean {
    return this.features.has(feature);
  }

  /** Whether {@link withServer} can be used. */
  get canConfigure(): boolean {
    return this.#withServer !== undefined;
  }

  /** A topic that belongs to this case alone. */
  topic(name: string): string {
    return `${this.#prefix}/${name}`;
  }

  /** A ClientID that nobody used before, of at most 23 letters and digits. */
  clientId(): string {
    counter += 1;
    return `cf${runTag}${counter.toString(36)}`;
  }

  sleep(milliseconds: number): Promise<void> {
    return delay(milliseconds);
  }

  /** Lets work go on beside the case, which awaits it later; if the case fails before that, its failure counts. */
  aside<T>(work: Promise<T>): Promise<T> {
    work.catch(() => {});
    return work;
  }

  /** A bare connection. */
  async open(
    options: { readonly allowHalfOpen?: boolean; readonly version?: MqttVersion } = {},
  ): Promise<RawPeer> {
    const { host, port } = this.target;
    const { version = this.version, ...peerOptions } = options;
    const peer = await RawPeer.connect({ host, port, ...peerOptions });
    this.#connections.push({ peer, version });
    if (this.#isFinished) {
      // Another branch of the case has failed meanwhile; nobody would close this connection any more.
      peer.destroy();
      throw new ConformanceFailure('the case is over');
    }
    return peer;
  }

  /** A bare connection over WebSocket; the target has to have a listener for it. */
  async openWebSocket(
    protocols: readonly string[] = ['mqtt'],
  ): Promise<{ peer: RawPeer; socket: RawWebSocket }> {
    const { host, webSocket } = this.target;
    ok(webSocket !== undefined, 'the target has no WebSocket listener');
    const socket = await RawWebSocket.connect({ host, ...webSocket, protocols });
    const peer = new RawPeer(socket);
    this.#connections.push({ peer, version: this.version });
    return { peer, socket };
  }

  /** CONNECT bytes as {@link connect} would send them. */
  connectBytes(options: ConnectOptions = {}): Buffer {
    const { expiry, version = this.version, clientId = this.clientId(), properties = [], ...rest } = options;
    const all: RawProperty[] = [...properties];
    if (version === 5 && expiry !== undefined) {
      all.push([property.sessionExpiryInterval, expiry]);
    }
    if (options.will?.retain) {
      this.#retained.add(options.will.topic.toString());
    }
    return packet.connect({ ...rest, version, clientId, ...(version === 5 && { properties: all }) });
  }

  /** A connected client with a clean session, unless the options say otherwise. */
  async connect(options: ConnectOptions = {}): Promise<Client> {
    const version = options.version ?? this.version;
    const clientId = options.clientId ?? this.clientId();
    const peer = await this.open({ version });
    peer.send(this.connectBytes({ ...options, clientId }));
    if (options.clean === false || options.expiry) {
      this.#sessions.add(clientId);
    }
    const connack = decode.connack(await peer.expect(packetType.CONNACK), version);
    if (connack.reason !== 0) {
      throw new ConformanceFailure(`a correct CONNECT was refused with 0x${connack.reason.toString(16)}`);
    }
    return new Client(peer, version, clientId, connack, (topic) => this.#retained.add(topic));
  }

  /** Connects to a session that outlives its connection: Clean Start or Clean Session 0, five minutes in 5.0. */
  connectSession(clientId: string, options: ConnectOptions = {}): Promise<Client> {
    return this.connect({ clean: false, expiry: 300, ...options, clientId });
  }

  /** Removes whatever session a ClientID has. */
  async discardSession(clientId: string): Promise<void> {
    const client = await this.connect({ clientId });
    await client.disconnect();
  }

  /** A client of this case that publishes, connected once. */
  async publisher(): Promise<Client> {
    this.#publisher ??= await this.connect();
    return this.#publisher;
  }

  /**
   * Everything that the subscriber receives until a marker message of the same publisher comes through, acknowledged
   * unless told otherwise. This is how a case shows that something did not arrive, without waiting for time to pass.
   */
  async collect(
    subscriber: Client,
    options: { readonly from?: Client; readonly qos?: number; readonly ack?: boolean } = {},
  ): Promise<Message[]> {
    const { from = await this.publisher(), qos = this.#markerQos(), ack = true } = options;
    counter += 1;
    // Outside the topics of the case, so that its wildcard filters do not match the marker a second time.
    const marker = `marker/${runTag}/${counter}`;
    await subscriber.subscribe(marker, qos);
    await from.publish(marker, 'marker', { qos });
    const messages: Message[] = [];
    for (;;) {
      const message = await subscriber.message({ ack: false });
      if (ack || message.topic === marker) {
        await subscriber.acknowledge(message);
      }
      if (message.topic === marker) {
        break;
      }
      messages.push(message);
    }
    await subscriber.unsubscribe(marker);
    // What another connection of the server still had in hand gets a moment to show up.
    await delay(25);
    const publishes = subscriber.peer.unread.filter((frame) => frame.type === packetType.PUBLISH);
    const isOurs = (frame: Frame): boolean =>
      decode.publish(frame, subscriber.version).topic.startsWith(this.#prefix);
    const late = publishes.find(isOurs);
    ok(late === undefined, `a message came after the marker: ${late && describeFrame(late)}`);
    return messages;
  }

  /** The highest there is: a server may store a QoS 2 message before it sends it, and let QoS 1 go ahead meanwhile. */
  #markerQos(): number {
    if (this.has('qos2')) return 2;
    return this.has('qos1') ? 1 : 0;
  }

  /** Topics and payloads of {@link collect} in one list, for short comparisons. */
  async collectTexts(
    subscriber: Client,
    options: { readonly from?: Client; readonly qos?: number; readonly ack?: boolean } = {},
  ): Promise<string[]> {
    const messages = await this.collect(subscriber, options);
    return messages.map((message) => message.payload.toString());
  }

  /** Waits for the close that answers a packet of an accepted client, and judges what came before it. */
  refused(client: Client, refusal: Refusal): Promise<readonly Frame[]> {
    return this.#judgeRefusal(client.peer, client.version, true, refusal);
  }

  /** Connects, sends the bytes, and expects them to be refused. */
  async refusesPacket(
    bytes: RawBytes,
    refusal: Refusal,
    connect: ConnectOptions = {},
  ): Promise<readonly Frame[]> {
    const client = await this.connect(connect);
    client.send(bytes);
    return naming(bytes, this.refused(client, refusal));
  }

  /** Opens a bare connection, sends the bytes, and expects to be refused before any CONNACK of success. */
  async refusesConnect(bytes: RawBytes, refusal: Refusal): Promise<readonly Frame[]> {
    const peer = await this.open();
    peer.send(bytes);
    return naming(bytes, this.#judgeRefusal(peer, this.version, false, refusal));
  }

  /** A server with special settings, and a context for it. Throws where the host cannot start one. */
  async withServer(settings: ServerSettings): Promise<Context> {
    if (this.#withServer === undefined) {
      throw new NeedsSettings('needs a server with special settings');
    }
    const { close, host, port } = await this.#withServer(settings);
    const context = new Context({
      target: { host, port },
      version: this.version,
      features: this.features,
      strict: this.strict,
    });
    this.#closers.push(async () => {
      await context.finish();
      await close();
    });
    return context;
  }

  /** Looks at everything that was received, cleans up on the server and closes. */
  async finish(): Promise<void> {
    try {
      for (const { peer, version } of this.#connections) {
        auditConnection(peer.history, version);
      }
      await this.#cleanUp();
    } finally {
      this.#isFinished = true;
      for (const { peer } of this.#connections) {
        peer.destroy();
      }
      for (const close of this.#closers) {
        await close();
      }
    }
  }

  async #cleanUp(): Promise<void> {
    for (const { peer } of this.#connections) {
      peer.destroy();
    }
    if (this.#retained.size === 0 && this.#sessions.size === 0) {
      return;
    }
    // Refusals do not matter here: a case may have used topics and ClientIDs that the server does not accept.
    try {
      const cleaner = this.#retained.size > 0 ? await this.connect() : undefined;
      for (const topic of this.#retained) {
        cleaner?.send(packet.publish({ version: this.version, topic, retain: true }));
      }
      await cleaner?.ping();
      for (const clientId of this.#sessions) {
        await this.discardSession(clientId);
      }
    } catch {
      return;
    }
  }

  async #judgeRefusal(
    peer: RawPeer,
    version: MqttVersion,
    accepted: boolean,
    refusal: Refusal,
  ): Promise<readonly Frame[]> {
    const { codes, returnCodes = [], besides = [] } = refusal;
    const firstUnread = peer.history.length - peer.unread.length;
    const mayIgnore = refusal.optional || (refusal.advisory && !this.strict);
    if (mayIgnore && accepted) {
      peer.send('c000');
      const answer = await Promise.race([
        peer.expectClose().then(() => 'closed'),
        peer.take(packetType.PINGRESP).then(
          () => 'alive',
          () => 'closed',
        ),
      ]);
      if (answer === 'alive') {
        return [];
      }
    }
    await peer.expectClose();
    const frames = peer.history.slice(firstUnread);
    const last = frames.at(-1);
    const goodbye = accepted ? packetType.DISCONNECT : packetType.CONNACK;
    const rest = last?.type === goodbye ? frames.slice(0, -1) : frames;
    if (last?.type === goodbye) {
      const code = accepted ? decode.reason(last, version).reason : decode.connack(last, version).reason;
      const isV5Form = version === 5 && (accepted || last.body.length > 2);
      ok(isV5Form || !accepted, `MQTT 3 knows no DISCONNECT from the server: ${describeFrame(last)}`);
      if (refusal.advisory && !this.strict) {
        ok(code >= (isV5Form ? 0x80 : 1), `expected a failure code, got ${describeFrame(last)}`);
      } else {
        oneOf(code, isV5Form ? codes : returnCodes, `code of ${describeFrame(last)}`);
      }
    } else if (this.strict && accepted && version === 5) {
      throw new ConformanceFailure(
        `expected DISCONNECT ${codes.map((code) => `0x${code.toString(16)}`).join(' or ')} before the close`,
      );
    }
    for (const frame of rest) {
      ok(besides.includes(frame.type), `expected nothing but the close, got ${describeFrame(frame)}`);
    }
    return rest;
  }
}

/** Adds the bytes that were sent to the message of a failure. */
async function naming<T>(bytes: RawBytes, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const sent = typeof bytes === 'string' ? bytes : Buffer.from(bytes).subarray(0, 80).toString('hex');
    throw new ConformanceFailure(`sent ${sent}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** User Properties, Session Expiry and the like in one place: properties if the version has them. */
export function v5Properties(
  version: MqttVersion,
  properties: readonly RawProperty[],
): { properties?: RawProperties } {
  return version === 5 ? { properties } : {};
}
