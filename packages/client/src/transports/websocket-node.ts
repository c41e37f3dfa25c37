// WebSocket in Node by its HTTP client: an upgrade request, then frames on the raw socket. Node's own `WebSocket` is
// missing in Node 20 and cannot set headers or TLS options, and a package for it would be the only dependency.

import { createHash, randomBytes } from 'node:crypto';
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { Socket } from 'node:net';
import { ClientError } from '../errors.ts';
import { hostOf, networkFault, socketPipe, tlsSettings } from './tcp.ts';
import type { BytePipe, TransportTarget } from './transport.ts';
import { clientFrame, FrameParser, Opcode } from './websocket-frames.ts';

const acceptSuffix = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** `ws://host:80/path` and `wss://host:443/path` */
export function openWebSocket(target: TransportTarget): Promise<BytePipe> {
  const { url, signal } = target;
  const isSecure = url.protocol === 'wss:';
  const key = randomBytes(16).toString('base64');
  return new Promise((resolve, reject) => {
    const fail = (what: string, cause?: unknown): void => {
      signal.removeEventListener('abort', onAbort);
      request.destroy();
      reject(new ClientError('TOBYMQ_TRANSPORT_FAILED', `${url.host}${url.pathname}: ${what}`, { cause }));
    };
    const onAbort = (): void => {
      request.destroy();
      reject(signal.reason);
    };
    const request = (isSecure ? requestHttps : requestHttp)({
      host: hostOf(url),
      port: Number(url.port || (isSecure ? 443 : 80)),
      path: url.pathname + url.search,
      agent: false,
      ...(isSecure ? tlsSettings(target) : {}),
      headers: {
        ...target.headers,
        Connection: 'Upgrade',
        Upgrade: 'websocket',
        'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': key,
        'Sec-WebSocket-Protocol': target.subprotocol, // [MQTT-6.0.0-3]
      },
    });
    request.on('error', (error) => fail(networkFault(error), error));
    request.on('response', (response: IncomingMessage) => {
      fail(
        `the server answered ${response.statusCode} ${response.statusMessage} instead of upgrading to WebSocket`,
      );
    });
    request.on('upgrade', (response: IncomingMessage, socket: Socket, head: Uint8Array) => {
      const expected = createHash('sha1')
        .update(key + acceptSuffix)
        .digest('base64');
      if (response.headers['sec-websocket-accept'] !== expected) {
        socket.destroy();
        return fail('the answer to the WebSocket handshake has a wrong Sec-WebSocket-Accept');
      }
      if (response.headers['sec-websocket-protocol'] !== target.subprotocol) {
        socket.destroy();
        return fail(`the server did not choose the WebSocket subprotocol ${target.subprotocol}`);
      }
      signal.removeEventListener('abort', onAbort);
      resolve(webSocketPipe(socket, head));
    });
    signal.addEventListener('abort', onAbort);
    request.end();
  });
}

function webSocketPipe(socket: Socket, head: Uint8Array): BytePipe {
  const under = socketPipe(socket);
  let violation: Error | undefined;
  let isClosing = false;
  const sendFrame = (opcode: number, payload: Uint8Array): boolean =>
    under.send(clientFrame(opcode, payload, randomBytes(4).readUInt32BE()));
  const pipe: BytePipe = {
    send: (bytes) => sendFrame(Opcode.Binary, bytes),
    close: (error) => {
      if (error === undefined && !isClosing) {
        isClosing = true;
        sendFrame(Opcode.Close, Uint8Array.of(0x03, 0xe8));
      }
      under.close(error);
    },
    unsentBytes: () => under.unsentBytes?.() ?? 0,
    onData: () => {},
    onDrain: () => {},
    onClose: () => {},
  };
  const parser = new FrameParser({
    onPayload: (bytes) => pipe.onData(bytes),
    onPing: (payload) => void sendFrame(Opcode.Pong, payload),
    onClose: (payload) => {
      if (!isClosing) sendFrame(Opcode.Close, payload);
      isClosing = true;
      under.close();
    },
    onViolation: (what) => {
      violation = new ClientError(
        'TOBYMQ_PROTOCOL_VIOLATION',
        `the server broke the WebSocket protocol: ${what}`,
      );
      under.close(violation);
    },
  });
  under.onData = (chunk) => parser.feed(chunk);
  under.onDrain = () => pipe.onDrain();
  under.onClose = (error) => pipe.onClose(violation ?? error);
  if (head.length > 0) socket.unshift(head);
  return pipe;
}
