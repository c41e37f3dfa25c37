// A bot as the oldest clients have it: a bare MQTT connection of any version, and JSON in both directions.

import { decode, type MqttVersion, packet, packetType, RawPeer } from '@tobymq/testkit';
import type { BotMessage, Json } from '../src/protocol.ts';

export interface RawBotOptions {
  readonly version?: MqttVersion;
  readonly clean?: boolean;
  /** Subscribe to the inbox after connecting; true unless said otherwise. */
  readonly listen?: boolean;
}

export class RawBot {
  readonly id: string;
  readonly peer: RawPeer;
  readonly version: MqttVersion;
  /** What arrived and nobody has asked for yet. */
  readonly unread: BotMessage[] = [];
  readonly #watchers = new Set<() => void>();
  #packetId = 0;

  constructor(id: string, peer: RawPeer, version: MqttVersion) {
    this.id = id;
    this.peer = peer;
    this.version = version;
  }

  /** From CONNACK on. */
  #start(): void {
    this.#receive().catch(() => undefined); // It ends with the connection.
  }

  static async connect(
    port: number,
    id: string,
    secret: string,
    options: RawBotOptions = {},
  ): Promise<RawBot> {
    const { version = 4, clean = true, listen = true } = options;
    const peer = await RawPeer.connect({ port });
    const bot = new RawBot(id, peer, version);
    peer.send(packet.connect({ version, clientId: id, clean, username: id, password: secret }));
    const { reason } = decode.connack(await peer.expect(packetType.CONNACK), version);
    if (reason !== 0) throw new Error(`CONNACK ${reason}`);
    bot.#start();
    if (listen) await bot.subscribe(`client/${id}`);
    return bot;
  }

  async subscribe(filter: string): Promise<number> {
    const id = this.#nextId();
    this.peer.send(packet.subscribe({ version: this.version, id, filters: [[filter, 1]] }));
    const suback = await this.peer.take(packetType.SUBACK);
    return suback.body.at(-1) as number;
  }

  /** Publishes text to `server/<as>/<endpoint>`. */
  ask(endpoint: string, fields: object | string, as = this.id): void {
    const payload = typeof fields === 'string' ? fields : JSON.stringify(fields);
    this.peer.send(packet.publish({ version: this.version, topic: `server/${as}/${endpoint}`, payload }));
  }

  /** The next message that the predicate accepts; others stay unread. */
  message(predicate: (message: BotMessage) => boolean): Promise<BotMessage> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`${this.id} waited 5 s for a message; unread: ${JSON.stringify(this.unread)}`));
      }, 5000);
      const look = (): void => {
        const index = this.unread.findIndex(predicate);
        if (index === -1) return;
        clearTimeout(timer);
        this.#watchers.delete(look);
        resolve(this.unread.splice(index, 1)[0] as BotMessage);
      };
      this.#watchers.add(look);
      look();
    });
  }

  /** Asks and returns the payload of the server's answer. */
  async request(endpoint: string, fields: object = {}): Promise<Json> {
    const ack = `ack-${this.#nextId()}`;
    this.ask(endpoint, { ...fields, ack });
    return (await this.message(({ from, tags }) => from === 'server' && tags[0] === ack)).payload;
  }

  /** The next message of another bot or a hook. */
  received(): Promise<BotMessage> {
    return this.message(({ from }) => from !== 'server');
  }

  close(): void {
    this.peer.destroy();
  }

  /** Acknowledges each message as it comes, as every real client does; otherwise the window would fill up. */
  async #receive(): Promise<void> {
    for (;;) {
      const frame = await this.peer.take(packetType.PUBLISH, { timeout: 60_000 });
      const { id, payload } = decode.publish(frame, this.version);
      if (id !== 0) this.peer.send(packet.puback({ version: this.version, id }));
      this.unread.push(JSON.parse(payload.toString()) as BotMessage);
      for (const look of [...this.#watchers]) look();
    }
  }

  #nextId(): number {
    this.#packetId++;
    return this.#packetId;
  }
}
