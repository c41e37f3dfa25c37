// Listens on a TCP port and hands each connection to the broker.

import { createServer, type Server, type Socket } from 'node:net';
import { BrokerError } from '../errors.ts';
import type { ByteStream } from './byte-stream.ts';
import { acceptDirectly, type ConnectionHandle, peerOf } from './direct-accept.ts';
import { DirectStream } from './direct-stream.ts';
import { NodeStream, type StreamOrigin } from './node-stream.ts';

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

/** `refused` hears of connections that could not be accepted, mostly because there are too many open files. */
export function listenTcp(
  options: TcpOptions,
  accept: (stream: ByteStream) => void,
  refused: (listener: string, reason: string) => void,
): Promise<Listener> {
  let name = options.name ?? `tcp:${options.port}`;
  const origin = (remoteAddress: string, remotePort: number): StreamOrigin => ({
    remoteAddress,
    remotePort,
    listener: name,
    peer: { transport: 'tcp' },
  });
  const onConnection = (socket: Socket): void => {
    const { remoteAddress, remotePort } = socket;
    // The peer was gone before it was accepted.
    if (remoteAddress === undefined) socket.destroy();
    else accept(new NodeStream(socket, origin(remoteAddress, remotePort ?? 0)));
  };
  const onHandle = (handle: ConnectionHandle): boolean => {
    const peer = peerOf(handle);
    if (peer === undefined) return false;
    handle.setNoDelay?.(true);
    accept(new DirectStream(handle, origin(peer.address, peer.port)));
    return true;
  };
  // allowHalfOpen: a client that has closed its side may still read what we send.
  const server = createServer({ noDelay: true, allowHalfOpen: true }, onConnection);
  return new Promise((resolve, reject) => {
    const onListenError = (error: Error): void => {
      const message = `cannot listen on ${options.host} port ${options.port}: ${error.message}`;
      reject(new BrokerError('TOBYMQ_LISTEN_FAILED', message, { cause: error }));
    };
    server.once('error', onListenError);
    server.listen({ port: options.port, host: options.host, backlog: 4096 }, () => {
      server.off('error', onListenError);
      // From now on each error is one connection that could not be accepted; without a listener it would end the process.
      server.on('error', (error) => refused(name, error.message));
      acceptDirectly(server, onHandle);
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
