// The lowest steps: the address of the host, and a TCP connection to it.

import { lookup } from 'node:dns/promises';
import { connect, type Socket } from 'node:net';
import { FaultFound, fault, ok, warning } from './finding.ts';
import type { Patient } from './patient.ts';

/** Ports that MQTT servers use; looked at when the given one is closed. */
const USUAL_PORTS = [1883, 8883, 8080, 8083, 8084, 9001, 18083] as const;
const LOOK_MS = 1000;

export async function examineNetwork(patient: Patient): Promise<void> {
  if (patient.isUnix) return examineSocketFile(patient);
  const addresses = await resolve(patient);
  const failures: NodeJS.ErrnoException[] = [];
  let reached: string | undefined;
  for (const address of addresses) {
    const startedAt = performance.now();
    try {
      const socket = await openTcp(address, patient.port, patient.timeoutMs);
      socket.destroy();
      reached = `${display(address, patient.port)} accepts after ${(performance.now() - startedAt).toFixed(1)} ms`;
      break;
    } catch (error) {
      failures.push(error as NodeJS.ErrnoException);
    }
  }
  if (reached === undefined) throw new FaultFound(await explain(patient, failures));
  // Clients that try only the first address, or that wait long before the second, suffer from this.
  if (failures.length > 0) {
    patient.tell(
      warning(
        'TCP',
        `${failures.length} of ${addresses.length} addresses do not accept: ${failures[0]?.message}`,
      ),
    );
  }
  patient.tell(ok('TCP', reached));
}

async function resolve({ host, tell }: Patient): Promise<string[]> {
  try {
    const addresses = (await lookup(host, { all: true })).map(({ address }) => address);
    tell(ok('address', addresses.includes(host) ? host : `${host} is ${addresses.join(', ')}`));
    return addresses;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new FaultFound(fault('address', 'HOST_UNKNOWN', `${host} does not resolve (${code})`));
  }
}

async function explain(
  { host, port, timeoutMs }: Patient,
  failures: readonly NodeJS.ErrnoException[],
): Promise<ReturnType<typeof fault>> {
  const codes = [...new Set(failures.map(({ code }) => code))].join(', ');
  if (!failures.some(({ code }) => code === 'ECONNREFUSED')) {
    return fault(
      'TCP',
      'HOST_UNREACHABLE',
      `${display(host, port)} does not answer within ${timeoutMs} ms (${codes})`,
    );
  }
  const open = await openPorts(host, port);
  const hint = open.length === 0 ? undefined : `On this host open: ${open.join(', ')}.`;
  return fault('TCP', 'PORT_CLOSED', `${display(host, port)} refuses the connection (${codes})`, hint);
}

async function openPorts(host: string, except: number): Promise<number[]> {
  const found = await Promise.all(
    USUAL_PORTS.filter((port) => port !== except).map((port) =>
      openTcp(host, port, LOOK_MS).then(
        (socket) => {
          socket.destroy();
          return port;
        },
        () => undefined,
      ),
    ),
  );
  return found.filter((port) => port !== undefined);
}

async function examineSocketFile({ url, timeoutMs, tell }: Patient): Promise<void> {
  const path = decodeURIComponent(url.pathname);
  try {
    (await open(connect({ path }), timeoutMs)).destroy();
    tell(ok('address', `${path} accepts`));
  } catch (error) {
    throw new FaultFound(fault('address', 'SOCKET_MISSING', `${path}: ${(error as Error).message}`));
  }
}

/** A connected socket, or the error of the network. */
export function openTcp(host: string, port: number, timeoutMs: number): Promise<Socket> {
  return open(connect({ host, port }), timeoutMs);
}

function open(socket: Socket, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve_, reject) => {
    const timer = setTimeout(() => {
      socket.destroy();
      reject(Object.assign(new Error(`no answer within ${timeoutMs} ms`), { code: 'ETIMEDOUT' }));
    }, timeoutMs);
    socket.once('connect', () => {
      clearTimeout(timer);
      // What becomes of it later is the business of its user; an error nobody listens to would end the process.
      socket.on('error', () => {});
      resolve_(socket);
    });
    socket.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
  });
}

function display(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
