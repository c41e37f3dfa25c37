// Takes the connections of a server before Node makes a socket of each. The socket with its two streams costs more than
// everything else that happens to a short connection (37 of 88 µs, the kernel's part included), and 2 kB while it is open.
//
// What is used of Node here is not documented. Nothing is guessed: connections are sockets where anything that is needed
// is not there, or where handles are written to in a way that is not known (direct-write.ts). Then everything works as it
// does without this file, and costs more.

import type { Server } from 'node:net';
import { canWriteDirectly, type WriteHandle } from './direct-write.ts';

/** The connection below a socket of Node, TCP or Unix. */
export interface ConnectionHandle extends WriteHandle {
  /** Called when something was read, when the peer has ended, and when reading failed. */
  onread: (this: ConnectionHandle, ...rest: never[]) => void;
  /** What was read so far. */
  readonly bytesRead: number;
  /** Whether Node has begun to read. */
  reading: boolean;
  readStart(): number;
  readStop(): number;
  /** Lets everything be read into one buffer. */
  useUserBuffer(buffer: Uint8Array): void;
  close(onClosed: (this: ConnectionHandle) => void): void;
  /** TCP only. */
  setNoDelay?(isOn: boolean): number;
  /** TCP only. Fills in what is known of the peer; not 0 if it is gone. */
  getpeername?(found: { address: string; family: string; port: number }): number;
}

type Accept = (this: unknown, error: number, handle: ConnectionHandle | undefined) => void;

const METHODS = ['readStart', 'readStop', 'useUserBuffer', 'close', 'writeBuffer', 'writev'] as const;

/**
 * Hands connections that a listening server accepts to `take` instead of making sockets of them, as far as this version
 * of Node allows it. If `take` returns false, the connection becomes a socket all the same.
 *
 * @example
 * acceptDirectly(server, (handle) => {
 *   const from = peerOf(handle);
 *   if (from === undefined) return false;
 *   const { address: remoteAddress, port: remotePort } = from;
 *   const origin = { remoteAddress, remotePort, listener: 'tcp:1883', peer: { transport: 'tcp' } };
 *   broker.attach(new DirectStream(handle, origin));
 *   return true;
 * });
 */
export function acceptDirectly(server: Server, take: (handle: ConnectionHandle) => boolean): void {
  const listening = (server as unknown as { readonly _handle?: { onconnection?: Accept } })._handle;
  const ordinary = listening?.onconnection;
  if (listening === undefined || typeof ordinary !== 'function') return;
  let canTake: boolean | undefined;
  listening.onconnection = function onConnection(error, handle) {
    if (!error && handle !== undefined) {
      canTake ??= isComplete(handle) && canWriteDirectly();
      if (canTake && take(handle)) return;
    }
    ordinary.call(this, error, handle);
  };
}

function isComplete(handle: ConnectionHandle): boolean {
  return (
    METHODS.every((name) => typeof handle[name] === 'function') &&
    typeof handle.bytesRead === 'number' &&
    typeof handle.writeQueueSize === 'number' &&
    'onread' in handle
  );
}

/** What getpeername() fills in. Used again, because setting properties that are there is what costs it least. */
const peerName = { address: '', family: '', port: 0 };

/** Where a TCP connection comes from; undefined if the peer is gone. */
export function peerOf(
  handle: ConnectionHandle,
): { readonly address: string; readonly port: number } | undefined {
  return handle.getpeername?.(peerName) === 0
    ? { address: peerName.address, port: peerName.port }
    : undefined;
}
