// The WebSocket handshake of a listener: path, origin and subprotocol are checked before the upgrade, because a refusal
// after it would look to the client like a connection that broke.

import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import type { ListenerConfig } from '../config/schema-listener.ts';
import { refuseUpgrade, type UpgradeHandler } from './http-host.ts';

const subprotocols = ['mqtt', 'mqttv3.1'];
/** A frame may hold the largest packet and some small ones beside it. */
const frameReserveBytes = 64 * 1024;

export interface WebSocketOptions {
  /** `*` is any path. */
  readonly path: string;
  readonly origins: ListenerConfig['origins'];
  readonly compression: boolean;
  readonly packetSize: number;
  /** Why there is no room for another connection, if so. */
  readonly crowding: () => string | undefined;
}

export type Accepted = (socket: WebSocket, request: IncomingMessage) => void;
export type Refused = (request: IncomingMessage, reason: string) => void;

/** The handler of upgrades for one listener. */
export function webSocketUpgrade(
  options: WebSocketOptions,
  accepted: Accepted,
  refused: Refused,
): UpgradeHandler {
  const server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: options.compression,
    maxPayload: options.packetSize + frameReserveBytes,
    // [MQTT-6.0.0-4]
    handleProtocols: (offered) => subprotocols.find((name) => offered.has(name)) ?? false,
  });
  return (request, socket, head) => {
    if (options.path !== '*' && pathOf(request) !== options.path) return false;
    const fault = objection(request, options);
    if (fault) {
      refused(request, fault.reason);
      refuseUpgrade(socket, fault.status, fault.name, fault.reason);
      return true;
    }
    server.handleUpgrade(request, socket as Socket, head, (webSocket) => accepted(webSocket, request));
    return true;
  };
}

/** Undefined for what is no URL, such as `//`: anybody can send that. */
function pathOf({ url = '/' }: IncomingMessage): string | undefined {
  const base = 'http://localhost';
  return URL.canParse(url, base) ? new URL(url, base).pathname : undefined;
}

function objection(
  { headers }: IncomingMessage,
  { origins, crowding }: WebSocketOptions,
): { status: number; name: string; reason: string } | undefined {
  const { origin } = headers;
  if (origins.length > 0 && (origin === undefined || !origins.includes(origin))) {
    return { status: 403, name: 'Forbidden', reason: `the origin ${origin ?? '(none)'} is not allowed` };
  }
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
  // [MQTT-6.0.0-3]
  if (!offered.some((name) => subprotocols.includes(name))) {
    return {
      status: 400,
      name: 'Bad Request',
      reason: 'the subprotocol "mqtt" must be offered (Sec-WebSocket-Protocol: mqtt)',
    };
  }
  const full = crowding();
  return full === undefined ? undefined : { status: 503, name: 'Service Unavailable', reason: full };
}
