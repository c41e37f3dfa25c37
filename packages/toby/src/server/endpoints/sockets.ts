// `create-socket` and `remove-socket`: short-lived bots for devices that a bot brings along. They get an id and a secret
// from the server and are removed for good at their first disconnect. `persist` is part of the protocol of the existing
// clients; sockets are never persistent, so its value changes nothing.

import { randomBytes } from 'node:crypto';
import type { EndpointHandler } from '../context.ts';
import { Refusal } from '../refusal.ts';
import { generateSecret } from '../secrets.ts';
import { textField } from '../validate.ts';

export const createSocket: EndpointHandler = async (context, bot, fields) => {
  const { persist } = fields;
  if (persist !== undefined && persist !== null && typeof persist !== 'boolean') {
    throw new Refusal(400, 'persist has to be true or false');
  }
  if (context.accounts.childCount(bot.id) >= context.limits.socketsPerBot) {
    throw new Refusal(429, `a bot has at most ${context.limits.socketsPerBot} sockets`);
  }
  const id = `${bot.id.slice(0, 40)}~${randomBytes(8).toString('hex')}`;
  const secret = generateSecret();
  await context.accounts.create(
    {
      id,
      kind: 'socket',
      owner: bot.id,
      createdAt: context.now(),
      follows: [],
      hookHash: undefined,
      permissions: undefined,
    },
    () => context.hasher.hash(secret),
  );
  context.awaitSocket(id);
  return { id, sk: secret };
};

export const removeSocket: EndpointHandler = async (context, bot, fields) => {
  const id = textField(fields, 'id');
  const record = context.accounts.require(id);
  if (record.kind !== 'socket' || record.owner !== bot.id) {
    throw new Refusal(403, `"${id}" is not a socket of ${bot.id}`);
  }
  await context.accounts.remove(id);
  await context.expel(id, 'the socket was removed by its owner');
  return { status: 200 };
};
