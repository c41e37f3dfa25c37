// Bans: list, add, lift.

import { isIP, SocketAddress } from 'node:net';
import type { OpenAPIHono } from '@hono/zod-openapi';
import { plainAddress } from '../../authz/addresses.ts';
import type { Server } from '../../server.ts';
import { ApiError, declare, newRouter, z } from '../api.ts';

const kindSchema = z.enum(['address', 'client', 'user']);
const banSchema = z
  .object({
    kind: kindSchema,
    value: z.string(),
    reason: z.string(),
    until: z.string().optional().describe('ISO 8601; absent when it does not end.'),
  })
  .openapi('Ban');

/** A hundred years. A ban whose end is no date could not be listed any more, nor the others beside it. */
const secondsMax = 100 * 365 * 86_400;

const tag = 'Bans';
const listRoute = declare(
  { method: 'get', path: '/bans', summary: 'Addresses, clients and users that are banned', tag },
  z.object({ bans: z.array(banSchema) }),
);
const addRoute = declare(
  {
    method: 'post',
    path: '/bans',
    summary: 'Ban an address, client or user',
    tag,
    request: {
      body: {
        required: true,
        content: {
          'application/json': {
            schema: z.strictObject({
              kind: kindSchema,
              value: z.string().min(1),
              reason: z.string().default('banned by the administrator'),
              seconds: z
                .number()
                .positive()
                .max(secondsMax)
                .optional()
                .describe('For how long. Default: until the server stops.'),
            }),
          },
        },
      },
    },
  },
  z.object({ disconnected: z.number().describe('Clients that were disconnected.') }),
);
const removeRoute = declare(
  {
    method: 'delete',
    path: '/bans',
    summary: 'Lift a ban',
    tag,
    request: { query: z.strictObject({ kind: kindSchema, value: z.string() }) },
  },
  z.object({ lifted: z.boolean() }),
);

/**
 * An address as connections are known by: `::1` can be written in many ways, and a network would match none of them. Names
 * of transports without addresses stay.
 */
function addressOf(text: string): string {
  if (isIP(text) === 0 && /[.:/]/.test(text))
    throw new ApiError(400, 'TOBYMQ_REQUEST_INVALID', `"${text}" is not an address`);
  if (isIP(text) !== 6 || text.includes('%')) return text;
  return plainAddress(new SocketAddress({ address: text, family: 'ipv6' }).address);
}

export function banRoutes(server: Server): OpenAPIHono {
  const { throttle, broker } = server;
  const routes = newRouter();
  routes.openapi(listRoute, (context) => {
    const bans = throttle.bans().map(({ kind, value, reason, until }) => ({
      kind,
      value,
      reason,
      until: Number.isFinite(until) ? new Date(until).toISOString() : undefined,
    }));
    return context.json({ bans }, 200);
  });
  routes.openapi(addRoute, (context) => {
    const { kind, value: given, reason, seconds } = context.req.valid('json');
    const value = kind === 'address' ? addressOf(given) : given;
    throttle.add({
      kind,
      value,
      reason,
      until: seconds === undefined ? Number.POSITIVE_INFINITY : Date.now() + seconds * 1000,
    });
    let disconnected = 0;
    for (const client of [...broker.clients()]) {
      const own =
        kind === 'address' ? client.remoteAddress : kind === 'client' ? client.clientId : client.username;
      if (own === value && broker.kick(client.clientId, { reason })) disconnected++;
    }
    return context.json({ disconnected }, 200);
  });
  routes.openapi(removeRoute, (context) => {
    const { kind, value: given } = context.req.valid('query');
    const value = kind === 'address' ? addressOf(given) : given;
    if (!throttle.remove(kind, value))
      throw new ApiError(404, 'TOBYMQ_BAN_UNKNOWN', `there is no ban of the ${kind} "${value}"`);
    return context.json({ lifted: true }, 200);
  });
  return routes;
}
