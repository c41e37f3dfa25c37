// The other end of benchmarks/brokers/inside.mjs: asks a running Node broker about itself.

import { connect } from 'node:net';
import { join } from 'node:path';

export function controlPath(folder) {
  return join(folder, 'control.sock');
}

/** Sends one request and answers with the reply, or undefined when the broker has no such socket. */
export function askBroker(broker, request) {
  if (broker.folder === undefined) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    let reply = '';
    const socket = connect(controlPath(broker.folder), () => socket.write(`${request}\n`));
    socket.on('data', (data) => (reply += data));
    socket.on('error', () => resolve(undefined));
    socket.on('end', () => resolve(reply));
  });
}

/** Delays of the broker's event loop in milliseconds since this was last asked; undefined for brokers not on Node. */
export async function eventLoopDelay(broker) {
  const reply = await askBroker(broker, 'delay');
  return reply === undefined ? undefined : JSON.parse(reply);
}
