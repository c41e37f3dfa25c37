// A broker and the reference side by side: every action is done to both, and then what the clients have received is held
// against what the reference says.

import type { ProtocolVersion, QoS } from '@tobymq/codec';
import { expect } from 'vitest';
import type { Broker } from '../../src/broker.ts';
import { type Acknowledging, ModelClient } from './client.ts';
import { judge } from './judge.ts';
import { fullFilter, type ModelSubscription, type ModelWill, Reference } from './reference.ts';

/** The clients that there can be. A client keeps its version, since older ones cannot say what 5.0 knows of a session. */
export const VERSIONS: readonly ProtocolVersion[] = [5, 5, 5, 4, 3];

export interface ConnectAction {
  readonly kind: 'connect';
  readonly client: number;
  readonly cleanStart: boolean;
  readonly isPersistent: boolean;
  readonly acknowledging: Acknowledging;
  readonly receiveMaximum: number;
  readonly topicAliasMaximum: number;
  readonly will:
    | { readonly topic: string; readonly qos: QoS; readonly retain: boolean; readonly isDelayed: boolean }
    | undefined;
}

export type Action =
  | ConnectAction
  | {
      readonly kind: 'disconnect';
      readonly client: number;
      readonly how: 'normal' | 'with-will' | 'cut';
      /** DISCONNECT says that the session is to end with the connection. */
      readonly isSessionEnded: boolean;
    }
  | ({ readonly kind: 'subscribe'; readonly client: number } & ModelSubscription)
  | {
      readonly kind: 'unsubscribe';
      readonly client: number;
      readonly filter: string;
      readonly shareName: string;
    }
  | {
      readonly kind: 'publish';
      /** -1 is the program itself. */
      readonly client: number;
      readonly topic: string;
      readonly qos: QoS;
      readonly retain: boolean;
      readonly isEmpty: boolean;
      readonly isRepeated: boolean;
    }
  /** The broker stops, and another one starts with the same store. */
  | { readonly kind: 'restart'; readonly client: number }
  | {
      /** Several messages without waiting for one to be acknowledged before the next. */
      readonly kind: 'burst';
      readonly client: number;
      readonly messages: readonly { readonly topic: string; readonly qos: QoS; readonly retain: boolean }[];
    };

export class World {
  readonly reference = new Reference();
  readonly #start: () => Promise<Broker>;
  #broker: Broker;
  readonly #clients = new Map<string, ModelClient>();
  #messageCount = 0;

  /** `start` starts a broker with the same store each time. */
  static async begin(start: () => Promise<Broker>): Promise<World> {
    return new World(start, await start());
  }

  private constructor(start: () => Promise<Broker>, broker: Broker) {
    this.#start = start;
    this.#broker = broker;
  }

  async run(actions: readonly Action[]): Promise<void> {
    for (const action of actions) {
      await this.#do(action);
      await this.check();
    }
  }

  async end(): Promise<void> {
    await this.#broker.stop({ deadlineMs: 0 });
  }

  /** Brings everybody back, so that whatever waits somewhere comes to light. */
  async finish(): Promise<void> {
    for (const [client, version] of VERSIONS.entries()) {
      const isPersistent = true;
      if (!this.reference.sessions.get(`c${client}`)?.isPersistent) continue;
      await this.#connect({ ...QUIET, client, isPersistent }, version);
      await this.check();
    }
    const missing = this.reference.choices.filter((choice) => choice.isRequired);
    expect(missing, 'messages of shared subscriptions that nobody got').toEqual([]);
  }

  async #do(action: Action): Promise<void> {
    const { client } = action;
    const version = VERSIONS[client] ?? 5;
    if (action.kind === 'connect') {
      await this.#connect(action, version);
      return;
    }
    if (action.kind === 'restart') {
      await this.#restart();
      return;
    }
    if (action.kind === 'publish' && client === -1) {
      await this.#publishInternally(action);
      return;
    }
    const clientId = `c${client}`;
    const connected = this.#clients.get(clientId);
    if (connected === undefined) return;
    switch (action.kind) {
      case 'disconnect': {
        this.#clients.delete(clientId);
        const { how } = action;
        const isWillWanted = how === 'cut' || (how === 'with-will' && version === 5);
        const isSessionEnded = how !== 'cut' && version === 5 && action.isSessionEnded;
        this.reference.disconnect(clientId, isWillWanted, isSessionEnded);
        if (how === 'cut') await connected.cut();
        else await connected.disconnect(isWillWanted ? 4 : 0, isSessionEnded ? 0 : undefined);
        return;
      }
      case 'subscribe': {
        const { shareName, filter, qos } = action;
        // 3.x has no options, and No Local on a shared subscription is a protocol error. [MQTT-3.8.3-4]
        const subscription: ModelSubscription =
          version === 5
            ? { ...action, noLocal: action.noLocal && shareName === '' }
            : { filter, shareName, qos, noLocal: false, retainAsPublished: false, retainHandling: 0, id: 0 };
        const { noLocal, retainAsPublished, retainHandling, id } = subscription;
        this.reference.subscribe(clientId, subscription);
        const wire = { filter: fullFilter(subscription), qos, noLocal, retainAsPublished, retainHandling };
        expect(await connected.subscribe(wire, id === 0 ? undefined : id)).toEqual([qos]);
        return;
      }
      case 'unsubscribe': {
        const filter = fullFilter(action);
        const existed = this.reference.unsubscribe(clientId, filter);
        const codes = await connected.unsubscribe(filter);
        if (version === 5) expect(codes).toEqual([existed ? 0 : 0x11]);
        return;
      }
      case 'burst': {
        const publishes = action.messages.map((message) =>
          this.#publish(connected, clientId, { ...message, isEmpty: false, isRepeated: false }),
        );
        await Promise.all(publishes);
        return;
      }
      case 'publish':
        await this.#publish(connected, clientId, action);
    }
  }

  async #publish(
    client: ModelClient,
    clientId: string,
    publish: Omit<Action & { kind: 'publish' }, 'kind' | 'client'>,
  ): Promise<void> {
    const { topic, qos, retain, isEmpty, isRepeated } = publish;
    const message = { topic, qos, retain, payload: isEmpty ? '' : this.#nextPayload(), publisher: clientId };
    const copies = this.reference.publish(message);
    const payload = Buffer.from(message.payload);
    const reasonCode = await client.publish({ topic, qos, retain, payload }, isRepeated);
    if (client.version === 5 && qos > 0) expect(reasonCode).toBe(copies === 0 ? 0x10 : 0);
  }

  async #connect(action: ConnectAction, version: ProtocolVersion): Promise<void> {
    const clientId = `c${action.client}`;
    const earlier = this.#clients.get(clientId);
    // 3.x says both with one bit: Clean Session.
    const isPersistent = version === 5 ? action.isPersistent : !action.cleanStart;
    const receiveMaximum = version === 5 && action.acknowledging === 'all' ? action.receiveMaximum : 65_535;
    const will: ModelWill | undefined = action.will && {
      ...action.will,
      isDelayed: action.will.isDelayed && version === 5,
      payload: this.#nextPayload(),
      publisher: clientId,
    };
    const isPresent = this.reference.connect(clientId, action.cleanStart, isPersistent, will);
    const client = new ModelClient(this.#broker.connect(), version, action.acknowledging, receiveMaximum);
    this.#clients.set(clientId, client);
    const connack = await client.connect({
      clientId,
      protocolVersion: version,
      cleanStart: action.cleanStart,
      keepAlive: 0,
      will: will && {
        topic: will.topic,
        qos: will.qos,
        retain: will.retain,
        payload: Buffer.from(will.payload),
        properties: will.isDelayed ? { willDelayInterval: 100_000 } : undefined,
      },
      properties:
        version === 5
          ? {
              sessionExpiryInterval: isPersistent ? 1_000_000 : 0,
              receiveMaximum,
              topicAliasMaximum: action.topicAliasMaximum,
            }
          : undefined,
    });
    expect(connack.reasonCode).toBe(0);
    if (version !== 3) expect(connack.sessionPresent).toBe(isPresent); // [MQTT-3.2.2-2], [MQTT-3.2.2-3]
    if (earlier === undefined) return;
    await earlier.closed();
    if (earlier.version === 5) expect(earlier.disconnectCode).toBe(0x8e); // [MQTT-3.1.4-3]
  }

  async #restart(): Promise<void> {
    const sessions = [...this.reference.sessions.values()];
    // Whether a Will is published when it is the server that ends is left open.
    if (sessions.some((session) => session.isOnline && session.will !== undefined)) return;
    this.reference.shutDown();
    await this.#broker.stop();
    for (const client of this.#clients.values()) {
      await client.closed();
      if (client.version === 5) expect(client.disconnectCode).toBe(0x8b);
    }
    this.#clients.clear();
    this.#broker = await this.#start();
  }

  async #publishInternally(action: Action & { kind: 'publish' }): Promise<void> {
    const { topic, qos, retain } = action;
    const payload = action.isEmpty ? '' : this.#nextPayload();
    const copies = this.reference.publish({ topic, payload, qos, retain, publisher: '' });
    expect(await this.#broker.publish({ topic, payload, qos, retain })).toEqual({ matched: copies });
  }

  #nextPayload(): string {
    return String(++this.#messageCount);
  }

  /** Lets everything come to rest, and compares. */
  async check(): Promise<void> {
    await this.#settle();
    const gone = [...this.#clients].filter(([, client]) => !client.isOpen);
    expect(
      gone.map(([clientId, { disconnectCode }]) => `${clientId} was disconnected with ${disconnectCode}`),
    ).toEqual([]);
    judge(this.reference, this.#clients);
    const retained = [...this.#broker.retained()].map(({ topic, payload }) => [
      topic,
      Buffer.from(payload).toString(),
    ]);
    const expected = [...this.reference.retained.values()]
      .filter(({ topic }) => !topic.startsWith('$')) // retained('#') does not see them
      .map(({ topic, payload }) => [topic, payload]);
    expect(retained.sort(), 'retained messages').toEqual(expected.sort());
    const sessions = [...this.#broker.sessions()].map((session) => session.clientId).sort();
    expect(sessions).toEqual([...this.reference.sessions.keys()].sort());
  }

  /** Pings until two rounds in a row bring nothing new to anybody. */
  async #settle(): Promise<void> {
    let quietRounds = 0;
    let last = -1;
    while (quietRounds < 2) {
      for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve));
      await this.#broker.flush();
      let count = 0;
      for (const client of this.#clients.values()) {
        if (client.isOpen) await client.ping();
        count += client.packetCount;
      }
      quietRounds = count === last ? quietRounds + 1 : 0;
      last = count;
    }
  }
}

const QUIET: ConnectAction = {
  kind: 'connect',
  client: 0,
  cleanStart: false,
  isPersistent: true,
  acknowledging: 'all',
  receiveMaximum: 65_535,
  topicAliasMaximum: 0,
  will: undefined,
};
