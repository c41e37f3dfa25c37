// TCP, TLS and Unix sockets of Node as byte pipes. `noDelay` is always on: a client that waits for an answer would
// otherwise pay the delayed acknowledgement of the other side, about 40 ms per round.

import { connect as connectTcp, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { ClientError, invalidOption, messageOf } from '../errors.ts';
import type { BytePipe, TransportTarget } from './transport.ts';

/** A connected stream socket as a pipe. */
export function socketPipe(socket: Socket): BytePipe {
  let failure: Error | undefined;
  const pipe: BytePipe = {
    send: (bytes) => !socket.destroyed && socket.write(bytes),
    close: (error) => {
      if (error !== undefined) {
        socket.destroy();
        return;
      }
      // The other side closes after DISCONNECT; if it does not, it gets a moment and then the socket goes anyway, whatever
      // still comes from there. What has not left yet has its time as long as it moves.
      socket.end();
      let left = Number.POSITIVE_INFINITY;
      const timer = setInterval(() => {
        const before = left;
        left = unsentBytes(socket) + socket.writableLength;
        if (left === 0 || left === before) socket.destroy();
      }, 1_000);
      socket.once('close', () => clearInterval(timer));
    },
    unsentBytes: () => unsentBytes(socket),
    onData: () => {},
    onDrain: () => {},
    onClose: () => {},
  };
  socket.setNoDelay(true);
  // A turn later, so that whoever awaits the pipe has assigned the handlers.
  setImmediate(() => socket.on('data', (chunk: Uint8Array) => pipe.onData(chunk)));
  socket.on('drain', () => pipe.onDrain());
  socket.on('error', (error) => {
    failure = error;
  });
  socket.on('close', () => setImmediate(() => pipe.onClose(failure)));
  return pipe;
}

/** Node's own part of a socket; that of TLS stands on that of TCP. */
interface Handle {
  readonly writeQueueSize?: number;
  readonly _parent?: Handle;
}

/**
 * What the system has not taken of the present write. Node itself counts whole writes only, of which one may be a message
 * of 100 MB; so this looks where the timeout of a socket looks, and finds 0 if that is gone one day.
 */
function unsentBytes(socket: Socket): number {
  const { _handle: handle } = socket as { readonly _handle?: Handle | null };
  return (handle?._parent ?? handle)?.writeQueueSize ?? 0;
}

function openSocket(socket: Socket, readyEvent: string, target: TransportTarget): Promise<BytePipe> {
  return new Promise((resolve, reject) => {
    const { signal } = target;
    const onAbort = (): void => {
      socket.destroy();
      reject(signal.reason);
    };
    const onError = (error: Error): void => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      reject(
        new ClientError(
          'TOBYMQ_TRANSPORT_FAILED',
          `${target.url.host || target.url.pathname}: ${networkFault(error)}`,
          {
            cause: error,
          },
        ),
      );
    };
    socket.once('error', onError);
    socket.once(readyEvent, () => {
      signal.removeEventListener('abort', onAbort);
      socket.off('error', onError);
      resolve(socketPipe(socket));
    });
    signal.addEventListener('abort', onAbort);
  });
}

/** Why a server cannot be reached, where Node's message is empty or OpenSSL's. */
export function networkFault(error: Error): string {
  // A name with several addresses, as localhost mostly has, fails once for each of them.
  if (error instanceof AggregateError) return error.errors.map(messageOf).join(', ');
  // OpenSSL takes the answer of a server without TLS for a version of TLS.
  return /:wrong version number:/.test(error.message)
    ? 'the server speaks no TLS on this port'
    : error.message;
}

/** The host of a URL as sockets want it: IPv6 without brackets. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '') || 'localhost';
}

/** `mqtt://host:1883` */
export function openTcp(target: TransportTarget): Promise<BytePipe> {
  const port = Number(target.url.port || 1883);
  return openSocket(connectTcp({ host: hostOf(target.url), port }), 'connect', target);
}

/** `mqtts://host:8883` */
export function openTls(target: TransportTarget): Promise<BytePipe> {
  const port = Number(target.url.port || 8883);
  const socket = connectTls({ host: hostOf(target.url), port, ...tlsSettings(target) });
  return openSocket(socket, 'secureConnect', target);
}

/** `unix:///run/tobymq.sock` */
export function openUnix(target: TransportTarget): Promise<BytePipe> {
  return openSocket(connectTcp({ path: pathOf(target.url) }), 'connect', target);
}

function pathOf({ pathname }: URL): string {
  try {
    return decodeURIComponent(pathname);
  } catch {
    throw invalidOption(
      `the path ${pathname} in url has a % that begins no escape: a plain % is written %25`,
    );
  }
}

/** The application's TLS options in Node's words, with SNI for host names (an address must not be sent by SNI). */
export function tlsSettings(target: TransportTarget): ConnectionOptions {
  const { alpnProtocols, ...rest } = target.tls ?? {};
  const host = hostOf(target.url);
  const isAddress = /^[\d.]+$|:/.test(host);
  return {
    ...(isAddress ? {} : { servername: host }),
    ...(rest as ConnectionOptions),
    ...(alpnProtocols === undefined ? {} : { ALPNProtocols: [...alpnProtocols] }),
  };
}
