// A scripted server: listens on a port of its own, hands every connection to the test as a RawPeer and answers
// nothing by itself. With it a test plays a correct, a slow or a hostile server towards a client.

import { once } from 'node:events';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { type ConnectRequest, decode } from './decode.ts';
import { packetType } from './frames.ts';
import { type MqttVersion, packet, type RawConnack } from './packet.ts';
import { RawPeer, type WaitOptions } from './raw-peer.ts';

export interface RawServerOptions {
  readonly host?: string;
  readonly port?: number;
  readonly tls?: TlsOptions;
}

/** A connection whose CONNECT was read and answered. */
export interface AcceptedClient {
  readonly peer: RawPeer;
  readonly connect: ConnectRequest;
  readonly version: MqttVersion;
}

/**
 * A server that does only what the test says.
 *
 * @example
 * const server = await RawServer.listen();
 * const client = connectSomehow(server.port);
 * const { peer, connect } = await server.acceptClient();
 * peer.send(packet.publish({ topic: 'a', payload: 'x' }));
 * await server.close();
 */
export class RawServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #arrived: RawPeer[] = [];
  readonly #waiting: ((peer: RawPeer) => void)[] = [];

  private constructor(server: Server) {
    this.#server = server;
  }

  static async listen(options: RawServerOptions = {}): Promise<RawServer> {
    const { host = '127.0.0.1', port = 0, tls } = options;
    const server = tls === undefined ? createTcpServer() : createTlsServer(tls);
    const rawServer = new RawServer(server);
    server.on(tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) =>
      rawServer.#arrive(socket),
    );
    // A handshake that fails is the client's finding; the server only has to survive it.
    server.on('tlsClientError', () => {});
    server.listen(port, host);
    await once(server, 'listening');
    return rawServer;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** How many connections were accepted and not yet handed out. */
  get backlog(): number {
    return this.#arrived.length;
  }

  /** The next connection, in the order of arrival. */
  accept(options: WaitOptions = {}): Promise<RawPeer> {
    const peer = this.#arrived.shift();
    if (peer !== undefined) {
      return Promise.resolve(peer);
    }
    const { timeout = 5000 } = options;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(take), 1);
        reject(new Error(`no connection within ${timeout} ms`));
      }, timeout);
      const take = (arrived: RawPeer): void => {
        clearTimeout(timer);
        resolve(arrived);
      };
      this.#waiting.push(take);
    });
  }

  /** The next connection with its CONNECT read and a CONNACK sent (reason 0 unless said otherwise). */
  async acceptClient(connack: RawConnack = {}, options: WaitOptions = {}): Promise<AcceptedClient> {
    const peer = await this.accept(options);
    const connect = decode.connect(await peer.expect(packetType.CONNECT, options));
    const version: MqttVersion = connect.level === 5 ? 5 : connect.level === 3 ? 3 : 4;
    peer.send(packet.connack({ version, ...connack }));
    return { peer, connect, version };
  }

  /** Stops listening; new connections are refused, existing ones stay. */
  async stopListening(): Promise<void> {
    if (this.#server.listening) {
      this.#server.close();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Drops every connection and stops listening. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) {
      socket.destroy();
    }
    if (this.#server.listening) {
      this.#server.close();
      await once(this.#server, 'close');
    }
  }

  #arrive(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.setNoDelay(true);
    const peer = new RawPeer(socket);
    const take = this.#waiting.shift();
    if (take === undefined) {
      this.#arrived.push(peer);
    } else {
      take(peer);
    }
  }
}
