// The table of endpoints: name in the topic → what answers it.

import type { Endpoint } from '../../protocol.ts';
import type { EndpointHandler } from '../context.ts';
import { createBot, removeBot } from './bots.ts';
import { follow, unfollow } from './follow.ts';
import { hooksOff, hooksOn } from './hooks.ts';
import { info } from './info.ts';
import { permit } from './permit.ts';
import { send } from './send.ts';
import { createSocket, removeSocket } from './sockets.ts';

export const HANDLERS: Readonly<Record<Endpoint, EndpointHandler>> = {
  send,
  info,
  follow,
  unfollow,
  'create-bot': createBot,
  'remove-bot': removeBot,
  'create-socket': createSocket,
  'remove-socket': removeSocket,
  'hooks-on': hooksOn,
  'hooks-off': hooksOff,
  permit,
};
