// What really listens on a port, found out by speaking to it: asked when it does not answer as its address promises.

import { connect as connectTls } from 'node:tls';
import { openTcp } from './network.ts';
import type { Patient } from './patient.ts';
import { upgrade } from './upgrade.ts';

export type Kind =
  | 'tls'
  | 'mqtt'
  | 'websocket'
  | 'http'
  /** It says something, but none of these. */
  | 'other'
  /** It says nothing. */
  | 'mute';

const PROBE_MS_MAX = 1500;

/** MQTT 3.1.1, Clean Session, client id "d": what every server understands. */
const CONNECT = Buffer.from('100d00044d5154540402003c000164', 'hex');

export async function identify(patient: Patient): Promise<Kind> {
  if (patient.isUnix) return 'mute';
  const { host, port } = patient;
  const probeMs = Math.min(PROBE_MS_MAX, patient.timeoutMs);
  const request = Buffer.from(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  const [isTls, http, mqtt] = await Promise.all([
    speaksTls(host, port, probeMs),
    converse(host, port, request, probeMs),
    converse(host, port, CONNECT, probeMs),
  ]);
  if (isTls) return 'tls';
  if (http.toString('latin1').startsWith('HTTP/')) {
    const path = patient.isWebSocket ? patient.url.pathname : '/mqtt';
    const answer = await upgrade({ ...patient, isSecure: false }, path);
    return answer.kind === 'upgraded' ? 'websocket' : 'http';
  }
  if (mqtt.length === 0) return 'mute';
  return mqtt[0] === 0x20 && mqtt[1] === 0x02 ? 'mqtt' : 'other';
}

/** A completed handshake, or an alert of one, is TLS. */
function speaksTls(host: string, port: number, probeMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectTls({ host, port, rejectUnauthorized: false });
    const finish = (isTls: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(isTls);
    };
    const timer = setTimeout(finish, probeMs, false);
    socket.once('secureConnect', () => finish(true));
    socket.once('error', (error: NodeJS.ErrnoException) => finish(/ALERT/.test(error.code ?? '')));
    socket.once('close', () => finish(false));
  });
}

/** Sends bytes and answers with the first that come back; nothing if nothing comes. */
async function converse(host: string, port: number, bytes: Uint8Array, probeMs: number): Promise<Buffer> {
  const socket = await openTcp(host, port, probeMs).catch(() => undefined);
  if (socket === undefined) return Buffer.alloc(0);
  return new Promise((resolve) => {
    const finish = (answer: Buffer): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(finish, probeMs, Buffer.alloc(0));
    socket.once('data', finish);
    socket.once('close', () => finish(Buffer.alloc(0)));
    socket.write(bytes);
  });
}
