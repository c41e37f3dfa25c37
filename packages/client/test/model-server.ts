// A server for random tests: correct in what it does to a session, and as unreliable as it is told to be. It lives in
// the same process behind byte pipes of its own, so that a test decides what happens next and nothing depends on time.

import { Decoder, encode, type Packet, type PacketInput, PacketType, type Publish } from '@tobymq/codec';
import type { BytePipe } from '../src/node.ts';

/** How an attempt to connect goes. */
export type Fate =
  | 'accept'
  | 'refuse'
  | 'silent'
  | 'hang'
  | 'unreachable'
  | 'close'
  | 'garbage'
  | 'forget session';

export class ModelServer {
  /** How the next attempt goes. */
  fate: () => Fate = () => 'accept';
  /** Payloads of the messages that were taken over, in order. */
  readonly delivered: string[] = [];
  #hasSession = false;
  /** QoS 2 identifiers that were taken over and not released. */
  #received = new Set<number>();
  /** Our messages that the client has not finished, by identifier. */
  #open = new Map<number, { readonly packet: PacketInput & { qos: 1 | 2 }; isReleased: boolean }>();
  #nextId = 1;
  #connection: ModelConnection | undefined;

  get connection(): ModelConnection | undefined {
    return this.#connection;
  }

  get openCount(): number {
    return this.#open.size;
  }

  /** The `transport` option of a client. */
  readonly open = (): Promise<BytePipe> => {
    const fate = this.fate();
    if (fate === 'unreachable') return Promise.reject(new Error('ECONNREFUSED'));
    if (fate === 'hang') return new Promise(() => {});
    const connection = new ModelConnection(this, fate);
    return Promise.resolve(connection.pipe);
  };

  /** Sends a message to the client, now or when it is back. */
  publish(payload: string, qos: 1 | 2): void {
    const packetId = this.#nextId++;
    const packet = {
      type: PacketType.Publish,
      topic: 'down',
      payload: Buffer.from(payload),
      qos,
      packetId,
    } as const;
    this.#open.set(packetId, { packet, isReleased: false });
    this.#connection?.send(packet);
  }

  onConnect(connection: ModelConnection, cleanStart: boolean, forgets: boolean): void {
    this.#connection?.drop();
    this.#connection = connection;
    if (cleanStart || forgets) {
      this.#hasSession = false;
      this.#received.clear();
      this.#open.clear();
    }
    connection.send({
      type: PacketType.Connack,
      sessionPresent: this.#hasSession,
      reasonCode: 0,
      properties: { receiveMaximum: 3 },
    });
    for (const { packet, isReleased } of this.#open.values()) {
      if (isReleased) connection.send({ type: PacketType.Pubrel, packetId: (packet as Publish).packetId });
      else connection.send({ ...packet, dup: true } as PacketInput);
    }
  }

  /**
   * What was sent has arrived. Only now a forgotten session is a new one: if the client never heard that it was
   * forgotten, no client could tell the difference.
   */
  onDelivered(connection: ModelConnection): void {
    if (this.#connection === connection) this.#hasSession = true;
  }

  onGone(connection: ModelConnection): void {
    if (this.#connection === connection) this.#connection = undefined;
  }

  onPacket(connection: ModelConnection, packet: Packet): void {
    switch (packet.type) {
      case PacketType.Publish: {
        const { qos, packetId } = packet;
        if (qos === 2 && this.#received.has(packetId)) connection.send({ type: PacketType.Pubrec, packetId });
        else {
          this.delivered.push(Buffer.from(packet.payload).toString());
          if (qos === 1) connection.send({ type: PacketType.Puback, packetId });
          if (qos === 2) {
            this.#received.add(packetId);
            connection.send({ type: PacketType.Pubrec, packetId });
          }
        }
        break;
      }
      case PacketType.Pubrel:
        this.#received.delete(packet.packetId);
        connection.send({ type: PacketType.Pubcomp, packetId: packet.packetId });
        break;
      case PacketType.Puback:
      case PacketType.Pubcomp:
        this.#open.delete(packet.packetId);
        break;
      case PacketType.Pubrec: {
        const open = this.#open.get(packet.packetId);
        if (open !== undefined) open.isReleased = true;
        connection.send({ type: PacketType.Pubrel, packetId: packet.packetId });
        break;
      }
      case PacketType.Subscribe:
        connection.send({
          type: PacketType.Suback,
          packetId: packet.packetId,
          reasonCodes: packet.subscriptions.map(({ qos }) => qos),
        });
        break;
      case PacketType.Unsubscribe:
        connection.send({
          type: PacketType.Unsuback,
          packetId: packet.packetId,
          reasonCodes: packet.filters.map(() => 0),
        });
        break;
      case PacketType.Pingreq:
        connection.send({ type: PacketType.Pingresp });
        break;
      case PacketType.Disconnect:
        connection.drop();
        break;
    }
  }
}

/** One connection. What was written is handed over when the test says so, whole or cut short. */
export class ModelConnection {
  readonly pipe: BytePipe;
  readonly #server: ModelServer;
  readonly #fate: Fate;
  readonly #decoder = new Decoder({ role: 'server' });
  #toClient: Uint8Array[] = [];
  #toServer: Uint8Array[] = [];
  #isOver = false;
  /** The client does not listen any more. */
  #isLeft = false;
  /** The server takes nothing in and answers nothing, without closing. */
  isFrozen = false;

  constructor(server: ModelServer, fate: Fate) {
    this.#server = server;
    this.#fate = fate;
    this.pipe = {
      send: (bytes) => {
        this.#toServer.push(bytes);
        setImmediate(() => this.#deliver());
        return true;
      },
      close: () => {
        this.#isLeft = true;
        setImmediate(() => this.drop());
      },
      onData: () => {},
      onDrain: () => {},
      onClose: () => {},
    };
  }

  send(packet: PacketInput): void {
    this.#toClient.push(encode(packet, 5));
    setImmediate(() => this.#deliver());
  }

  /** Cuts the connection; what was under way is lost. */
  drop(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#server.onGone(this);
    setImmediate(() => this.pipe.onClose());
  }

  garbage(): void {
    this.pipe.onData(Uint8Array.of(0, 0));
  }

  #deliver(): void {
    if (this.#isOver || this.isFrozen) return;
    for (const bytes of this.#toServer.splice(0)) {
      this.#decoder.feed(bytes);
      for (
        let packet = this.#decoder.next();
        packet !== undefined && !this.#isOver;
        packet = this.#decoder.next()
      ) {
        if (packet.type === PacketType.Connect) this.#onConnect(packet.cleanStart);
        else this.#server.onPacket(this, packet);
      }
    }
    for (const bytes of this.#toClient.splice(0)) {
      if (this.#isOver || this.#isLeft) return;
      this.pipe.onData(bytes);
      this.#server.onDelivered(this);
    }
  }

  #onConnect(cleanStart: boolean): void {
    switch (this.#fate) {
      case 'refuse':
        this.send({ type: PacketType.Connack, reasonCode: 0x88 });
        break;
      case 'close':
        this.drop();
        break;
      case 'garbage':
        this.garbage();
        break;
      case 'silent':
        break;
      default:
        this.#server.onConnect(this, cleanStart, this.#fate === 'forget session');
    }
  }
}
