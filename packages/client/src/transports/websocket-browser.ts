// The browser's WebSocket as a byte pipe. It has no event for "room again", so the amount that waits is looked at
// while it is too large.

import { ClientError } from '../errors.ts';
import type { BytePipe, TransportTarget } from './transport.ts';

const highWaterMark = 256 * 1024;
const pollMs = 20;

/** `ws://host/path` and `wss://host/path` */
export function openBrowserWebSocket(target: TransportTarget): Promise<BytePipe> {
  const { signal } = target;
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(target.url, target.subprotocol); // [MQTT-6.0.0-3]
    socket.binaryType = 'arraybuffer';
    let isPolling = false;
    const pipe: BytePipe = {
      send: (bytes) => {
        // The browser copies the bytes; the cast only says that they are not in shared memory.
        socket.send(bytes as Uint8Array<ArrayBuffer>);
        if (socket.bufferedAmount < highWaterMark) return true;
        if (!isPolling) poll();
        return false;
      },
      close: () => socket.close(),
      unsentBytes: () => socket.bufferedAmount,
      onData: () => {},
      onDrain: () => {},
      onClose: () => {},
    };
    const poll = (): void => {
      isPolling = socket.bufferedAmount >= highWaterMark && socket.readyState === WebSocket.OPEN;
      if (isPolling) setTimeout(poll, pollMs);
      else pipe.onDrain();
    };
    signal.addEventListener('abort', () => socket.close());
    socket.onopen = () => resolve(pipe);
    socket.onmessage = (event: MessageEvent<ArrayBuffer | string>) => {
      // [MQTT-6.0.0-1] Anything but binary frames closes the connection.
      if (typeof event.data === 'string') socket.close();
      else pipe.onData(new Uint8Array(event.data));
    };
    socket.onclose = (event) => {
      const what = `${target.url.host}: the WebSocket was closed with code ${event.code}`;
      const error = new ClientError('TOBYMQ_TRANSPORT_FAILED', what);
      reject(error);
      pipe.onClose(event.wasClean ? undefined : error);
    };
  });
}
