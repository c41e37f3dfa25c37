// What the client needs of a browser: WebSockets, turns of the event loop that a background tab does not slow down, and
// the news of the network.

import type { Platform } from './transport.ts';
import { openBrowserWebSocket } from './websocket-browser.ts';

const pending: (() => void)[] = [];
let channel: MessageChannel | undefined;

/** A turn of the event loop without the delay that browsers put on timers, which in a background tab is a second. */
function defer(callback: () => void): void {
  if (channel === undefined) {
    channel = new MessageChannel();
    channel.port1.onmessage = () => {
      for (const each of pending.splice(0)) each();
    };
  }
  pending.push(callback);
  if (pending.length === 1) channel.port2.postMessage(0);
}

/** The network comes and goes; a tab that is shown again may have slept. */
function watchNetwork(onChange: (isOnline: boolean) => void): () => void {
  const scope: EventTarget = globalThis;
  const notify = (): void => onChange(navigator.onLine !== false);
  const events = ['online', 'offline', 'visibilitychange', 'pageshow'];
  for (const event of events) scope.addEventListener(event, notify);
  return () => {
    for (const event of events) scope.removeEventListener(event, notify);
  };
}

export const browserPlatform: Platform = {
  transports: { 'ws:': openBrowserWebSocket, 'wss:': openBrowserWebSocket },
  defer,
  watchNetwork,
};
