// The WebSocket step: the upgrade request, and what the answers to it mean.

import { randomBytes } from 'node:crypto';
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { FaultFound, fault, ok } from './finding.ts';
import { type Patient, tlsOptions } from './patient.ts';

export type UpgradeAnswer =
  | { readonly kind: 'upgraded'; readonly subprotocol: string | undefined }
  | { readonly kind: 'http'; readonly status: number; readonly server: string | undefined }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string };

/** Where MQTT servers have their WebSocket. */
const USUAL_PATHS = ['/mqtt', '/', '/ws'] as const;

export async function examineWebSocket(patient: Patient): Promise<void> {
  const { url, tell } = patient;
  const path = url.pathname + url.search;
  const answer = await upgrade(patient, path);
  if (answer.kind === 'failed') {
    // A timeout is the server's silence; all else is an answer that is no HTTP, which MQTT servers end at once.
    const name = answer.code === 'ETIMEDOUT' ? 'SILENT_SERVER' : 'WEBSOCKET_ON_MQTT_PORT';
    throw new FaultFound(
      fault('WebSocket', name, `no answer in HTTP to the upgrade request (${answer.message})`),
    );
  }
  if (answer.kind === 'http') {
    const works = await workingPath(patient, path);
    const server = answer.server === undefined ? '' : ` of ${answer.server}`;
    const text = `${path}: HTTP status ${answer.status}${server} instead of an upgrade`;
    if (works !== undefined) {
      throw new FaultFound(fault('WebSocket', 'WEBSOCKET_PATH_WRONG', text, `The path ${works} works.`));
    }
    const isPathProblem = answer.status === 404 && path !== '/mqtt';
    throw new FaultFound(fault('WebSocket', isPathProblem ? 'WEBSOCKET_PATH_WRONG' : 'HTTP_SERVER', text));
  }
  if (answer.subprotocol !== 'mqtt') {
    throw new FaultFound(
      fault(
        'WebSocket',
        'WEBSOCKET_SUBPROTOCOL',
        `the subprotocol of ${path} is ${answer.subprotocol ?? 'none'}`,
      ),
    );
  }
  tell(ok('WebSocket', `${path} is upgraded to the subprotocol mqtt`));
}

async function workingPath(patient: Patient, except: string): Promise<string | undefined> {
  for (const path of USUAL_PATHS) {
    if (path === except) continue;
    const answer = await upgrade(patient, path);
    if (answer.kind === 'upgraded' && answer.subprotocol === 'mqtt') return path;
  }
  return undefined;
}

/** Asks for an upgrade and closes again. */
export function upgrade(patient: Patient, path: string): Promise<UpgradeAnswer> {
  const { host, port, isSecure, options, timeoutMs } = patient;
  return new Promise((resolve) => {
    const request = (isSecure ? requestHttps : requestHttp)({
      ...(isSecure ? tlsOptions(patient) : {}),
      host,
      port,
      path,
      agent: false,
      timeout: timeoutMs,
      headers: {
        ...options.headers,
        Connection: 'Upgrade',
        Upgrade: 'websocket',
        'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
        'Sec-WebSocket-Protocol': 'mqtt',
      },
    });
    request.on('timeout', () => {
      resolve({ kind: 'failed', code: 'ETIMEDOUT', message: `nothing within ${timeoutMs} ms` });
      request.destroy();
    });
    request.on('error', (error: NodeJS.ErrnoException) => {
      resolve({ kind: 'failed', code: error.code ?? '', message: error.message });
    });
    request.on('response', (response: IncomingMessage) => {
      const { statusCode: status = 0, headers } = response;
      resolve({ kind: 'http', status, server: headers.server?.toString() });
      request.destroy();
    });
    request.on('upgrade', (response: IncomingMessage, socket) => {
      resolve({ kind: 'upgraded', subprotocol: response.headers['sec-websocket-protocol'] });
      socket.destroy();
    });
    request.end();
  });
}
