// Sessions, connected or not: list, look at one with its subscriptions and queue, end one.

import type { OpenAPIHono } from '@hono/zod-openapi';
import type { SessionInfo } from '@tobymq/broker';
import type { Server } from '../../server.ts';
import { ApiError, clientIdParameter, declare, newRouter, page, pageQuery, z } from '../api.ts';

const never = 0xffff_ffff;

const subscriptionSchema = z
  .object({
    filter: z.string(),
    qos: z.number(),
    noLocal: z.boolean(),
    retainAsPublished: z.boolean(),
    retainHandling: z.number(),
    subscriptionId: z.number().describe('0 when there is none.'),
  })
  .openapi('Subscription');

const sessionSchema = z
  .object({
    clientId: z.string(),
    username: z.string().optional(),
    protocolVersion: z.number(),
    isConnected: z.boolean(),
    createdAt: z.string(),
    disconnectedAt: z.string().optional(),
    expiryInterval: z.number().optional().describe('Seconds; absent when the session never expires.'),
    expiresAt: z.string().optional(),
    queuedMessages: z.number(),
    queuedBytes: z.number(),
    inFlight: z.number(),
    hasWill: z.boolean(),
    subscriptions: z.array(subscriptionSchema),
  })
  .openapi('Session');

const tag = 'Sessions';
const listRoute = declare(
  {
    method: 'get',
    path: '/sessions',
    summary: 'Sessions, connected or not',
    tag,
    request: { query: pageQuery },
  },
  z.object({ sessions: z.array(sessionSchema), more: z.boolean() }),
);
const getRoute = declare(
  {
    method: 'get',
    path: '/sessions/{id}',
    summary: 'One session',
    tag,
    request: { params: clientIdParameter },
  },
  sessionSchema,
);
const endRoute = declare(
  {
    method: 'delete',
    path: '/sessions/{id}',
    summary: 'End a session, with its queue and subscriptions',
    tag,
    request: { params: clientIdParameter },
  },
  z.object({ ended: z.boolean() }),
);

export function sessionRoutes(server: Server): OpenAPIHono {
  const { broker } = server;
  const routes = newRouter();
  const unknown = (id: string): ApiError =>
    new ApiError(404, 'TOBYMQ_SESSION_UNKNOWN', `there is no session "${id}"`);
  routes.openapi(listRoute, (context) => {
    const query = context.req.valid('query');
    const wanted = ({ clientId, username }: SessionInfo): boolean =>
      query.search === undefined ||
      clientId.includes(query.search) ||
      (username?.includes(query.search) ?? false);
    const { items, more } = page(broker.sessions(), query, wanted);
    return context.json({ sessions: items.map(write), more }, 200);
  });
  routes.openapi(getRoute, (context) => {
    const { id } = context.req.valid('param');
    const session = broker.session(id);
    if (!session) throw unknown(id);
    return context.json(write(session), 200);
  });
  routes.openapi(endRoute, async (context) => {
    const { id } = context.req.valid('param');
    if (!broker.session(id)) throw unknown(id);
    broker.kick(id, { endSession: true });
    server.log.log('info', 'session-removed', { clientId: id });
    await broker.flush();
    return context.json({ ended: true }, 200);
  });
  return routes;
}

function write(session: SessionInfo): z.infer<typeof sessionSchema> {
  const date = (time: number | undefined): string | undefined =>
    time ? new Date(time).toISOString() : undefined;
  return {
    ...session,
    createdAt: new Date(session.createdAt).toISOString(),
    disconnectedAt: date(session.disconnectedAt),
    expiryInterval: session.expiryInterval === never ? undefined : session.expiryInterval,
    expiresAt: date(session.expiresAt),
    subscriptions: [...session.subscriptions],
  };
}
