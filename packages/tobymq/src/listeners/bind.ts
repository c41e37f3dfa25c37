// Opens sockets that listen, and says in one line why one cannot be opened.

import { once } from 'node:events';
import { chmodSync, existsSync, lstatSync, unlinkSync } from 'node:fs';
import { type AddressInfo, connect, type ListenOptions, type Server } from 'node:net';
import { dirname } from 'node:path';
import { ConfigError } from '../config/errors.ts';
import { endpoint } from './addresses.ts';

const backlog = 4096;

/** Opens a TCP port and answers with the port that was taken (of interest with port 0). */
export async function bindTcp(
  server: Server,
  host: string,
  port: number,
  ipv6Only: boolean,
): Promise<number> {
  await listen(server, { host, port, ipv6Only, backlog }, (error) => tcpFault(error, host, port));
  return (server.address() as AddressInfo).port;
}

/** Takes over a socket that systemd has opened. */
export async function bindDescriptor(server: Server, fd: number): Promise<string> {
  await listen(
    server,
    { fd } as ListenOptions,
    (error) => `cannot listen on the socket from systemd: ${error.message}`,
  );
  const address = server.address();
  if (typeof address === 'string' || address === null) return address ?? `fd ${fd}`;
  return endpoint(address.address, address.port);
}

/** Opens a Unix socket. A socket file that a server left behind when it was killed is replaced. */
export async function bindUnix(server: Server, path: string, mode: number | undefined): Promise<void> {
  await removeStale(path);
  await listen(server, { path, backlog }, (error) => unixFault(error, path));
  if (mode !== undefined) chmodSync(path, mode);
}

async function listen(
  server: Server,
  options: ListenOptions,
  explain: (error: NodeJS.ErrnoException) => string,
): Promise<void> {
  server.listen(options);
  try {
    await once(server, 'listening');
  } catch (error) {
    throw new ListenError(explain(error as NodeJS.ErrnoException), error);
  }
}

/** A listener cannot be opened. */
export class ListenError extends ConfigError {
  readonly systemCode: string | undefined;

  constructor(message: string, cause: unknown) {
    super([{ file: undefined, line: undefined, key: undefined, message }]);
    this.cause = cause;
    this.systemCode = (cause as NodeJS.ErrnoException | undefined)?.code;
  }
}

function tcpFault(error: NodeJS.ErrnoException, host: string, port: number): string {
  const place = endpoint(host, port);
  switch (error.code) {
    case 'EADDRINUSE':
      return `cannot listen on ${place}: another program uses the port; stop it, or choose another port`;
    case 'EACCES':
      return `cannot listen on ${place}: not permitted; ports below 1024 need root or the capability CAP_NET_BIND_SERVICE`;
    case 'EADDRNOTAVAIL':
      return `cannot listen on ${place}: this machine does not have the address ${host}`;
    case 'ENOTFOUND':
      return `cannot listen on ${place}: the name ${host} cannot be resolved`;
    default:
      return `cannot listen on ${place}: ${error.message}`;
  }
}

function unixFault(error: NodeJS.ErrnoException, path: string): string {
  // The operating system says "not permitted" here, too.
  if (!existsSync(dirname(path))) return `cannot listen on ${path}: there is no such folder`;
  switch (error.code) {
    case 'EADDRINUSE':
      return `cannot listen on ${path}: a file of this name exists and is not a socket; remove it, or choose another path`;
    case 'EACCES':
      return `cannot listen on ${path}: not permitted to write there`;
    default:
      return `cannot listen on ${path}: ${error.message}`;
  }
}

async function removeStale(path: string): Promise<void> {
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSocket()) return;
  const socket = connect(path);
  const isAlive = await once(socket, 'connect').then(
    () => true,
    () => false,
  );
  socket.destroy();
  if (isAlive)
    throw new ListenError(
      `cannot listen on ${path}: another program listens there; stop it, or choose another path`,
      undefined,
    );
  unlinkSync(path);
}
