// What the client needs of Node: the transports by the built-in modules.

import { openTcp, openTls, openUnix } from './tcp.ts';
import type { Platform } from './transport.ts';
import { openWebSocket } from './websocket-node.ts';

export const nodePlatform: Platform = {
  transports: {
    'mqtt:': openTcp,
    'tcp:': openTcp,
    'mqtts:': openTls,
    'tls:': openTls,
    'ssl:': openTls,
    'unix:': openUnix,
    'ws:': openWebSocket,
    'wss:': openWebSocket,
  },
  defer: setImmediate,
  // Node has no events for this; the back-off and the keep-alive find out by themselves.
  watchNetwork: () => () => {},
};
