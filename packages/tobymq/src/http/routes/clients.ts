// Connected clients: list, look at one, disconnect one.

import type { OpenAPIHono } from '@hono/zod-openapi';
import type { ConnectedClient } from '@tobymq/broker';
import type { Server } from '../../server.ts';
import { ApiError, clientIdParameter, declare, newRouter, page, pageQuery, z } from '../api.ts';

const clientSchema = z
  .object({
    clientId: z.string(),
    username: z.string().optional(),
    protocolVersion: z.number().describe('3, 4 (3.1.1) or 5.'),
    address: z.string(),
    port: z.number(),
    listener: z.string(),
    transport: z.string(),
    connectedAt: z.string().describe('ISO 8601.'),
    lastSeenAt: z.string(),
    keepAlive: z.number().describe('Seconds.'),
    bufferedBytes: z.number().describe('Bytes that wait to be read by the client.'),
    unacknowledged: z.number(),
    isBlocked: z.boolean().describe('The client does not read what it is sent.'),
  })
  .openapi('Client');

const tag = 'Clients';
const listRoute = declare(
  { method: 'get', path: '/clients', summary: 'Connected clients', tag, request: { query: pageQuery } },
  z.object({ clients: z.array(clientSchema), more: z.boolean() }),
);
const getRoute = declare(
  {
    method: 'get',
    path: '/clients/{id}',
    summary: 'One connected client',
    tag,
    request: { params: clientIdParameter },
  },
  clientSchema,
);
const kickRoute = declare(
  {
    method: 'delete',
    path: '/clients/{id}',
    summary: 'Disconnect a client',
    tag,
    request: {
      params: clientIdParameter,
      query: z.strictObject({
        reason: z.string().optional().describe('What the client is told (5.0).'),
        endSession: z.enum(['true', 'false']).default('false').describe('End its session as well.'),
      }),
    },
  },
  z.object({ disconnected: z.boolean() }),
);

export function clientRoutes(server: Server): OpenAPIHono {
  const { broker } = server;
  const routes = newRouter();
  routes.openapi(listRoute, (context) => {
    const query = context.req.valid('query');
    const wanted = ({ clientId, username }: ConnectedClient): boolean =>
      query.search === undefined ||
      clientId.includes(query.search) ||
      (username?.includes(query.search) ?? false);
    const { items, more } = page(broker.clients(), query, wanted);
    return context.json({ clients: items.map(write), more }, 200);
  });
  routes.openapi(getRoute, (context) => {
    const { id } = context.req.valid('param');
    const client = broker.client(id);
    if (!client) throw new ApiError(404, 'TOBYMQ_CLIENT_UNKNOWN', `no client "${id}" is connected`);
    return context.json(write(client), 200);
  });
  routes.openapi(kickRoute, async (context) => {
    const { id } = context.req.valid('param');
    const { reason, endSession } = context.req.valid('query');
    const isGone = broker.kick(id, { reason, endSession: endSession === 'true' });
    if (!isGone) throw new ApiError(404, 'TOBYMQ_CLIENT_UNKNOWN', `no client "${id}" is connected`);
    server.log.log('info', 'client-kicked', { clientId: id, reason });
    if (endSession === 'true') await broker.flush();
    return context.json({ disconnected: true }, 200);
  });
  return routes;
}

function write(client: ConnectedClient): z.infer<typeof clientSchema> {
  return {
    clientId: client.clientId,
    username: client.username,
    protocolVersion: client.protocolVersion,
    address: client.remoteAddress,
    port: client.remotePort,
    listener: client.listener,
    transport: client.peer.transport,
    connectedAt: new Date(client.connectedAt).toISOString(),
    lastSeenAt: new Date(client.lastSeenAt).toISOString(),
    keepAlive: client.keepAlive,
    bufferedBytes: client.bufferedBytes,
    unacknowledged: client.unacknowledged,
    isBlocked: client.isBlocked,
  };
}
