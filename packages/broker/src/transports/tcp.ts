// Listens on a TCP port and hands each connection to the broker.

import { createServer, type Server, type Socket } from 'node:net';
import { BrokerError } from '../errors.ts';
import type { ByteStream } from './byte-stream.ts';
import { TcpStream } from './tcp-stream.ts';

/** An open listener. */
export interface Listener {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  /** Stops accepting; connections that are open stay open. */
  close(): Promise<void>;
}

export interface TcpOptions {
  readonly port: number;
  readonly host: string;
  readonly name: string | undefined;
}

export function listenTcp(options: TcpOptions, accept: (stream: ByteStream) => void): Promise<Listener> {
  let name = options.name ?? `tcp:${options.port}`;
  const onConnection = (socket: Socket): void => {
    const { remoteAddress, remotePort } = socket;
    // The peer was gone before it was accepted.
    if (remoteAddress === undefined) {
      socket.destroy();
      return;
    }
    accept(
      new TcpStream(socket, {
        remoteAddress,
        remotePort: remotePort ?? 0,
        listener: name,
        peer: { transport: 'tcp' },
      }),
    );
  };
  // allowHalfOpen: a client that has closed its side may still read what we send.
  const server = createServer({ noDelay: true, allowHalfOpen: true }, onConnection);
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      const message = `cannot listen on ${options.host} port ${options.port}: ${error.message}`;
      reject(new BrokerError('TOBYMQ_LISTEN_FAILED', message, { cause: error }));
    });
    server.listen({ port: options.port, host: options.host, backlog: 4096 }, () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : options.port;
      if (options.name === undefined) name = `tcp:${port}`;
      resolve({ name, address: options.host, port, close: () => closeServer(server) });
    });
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    // close() waits for the connections too, which the broker ends itself; nobody has to wait for that here.
    server.close();
    resolve();
  });
}
