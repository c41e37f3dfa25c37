// The server itself: what it is, its counters and limits, its log, reload and backup.

import type { OpenAPIHono } from '@hono/zod-openapi';
import { ConfigError } from '../../config/errors.ts';
import type { Server } from '../../server.ts';
import { ApiError, declare, newRouter, z } from '../api.ts';

const tag = 'Server';
const levelSchema = z.enum(['error', 'warn', 'info', 'debug', 'trace']);
const logSchema = z.object({ level: levelSchema, clients: z.array(z.string()) }).openapi('Log');
const numbers = z.record(z.string(), z.number());
const jsonBody = <S extends z.ZodType>(schema: S) => ({
  content: { 'application/json': { schema } },
  required: true,
});

const infoSchema = z
  .object({
    version: z.string(),
    startedAt: z.string(),
    pid: z.number(),
    node: z.string(),
    data: z.string().optional(),
    listeners: z.array(
      z.object({
        name: z.string(),
        type: z.string(),
        addresses: z.array(z.string()),
        connections: z.number(),
      }),
    ),
  })
  .openapi('Server');

const infoRoute = declare({ method: 'get', path: '/info', summary: 'What runs here', tag }, infoSchema);
const metricsRoute = declare(
  { method: 'get', path: '/metrics', summary: 'The counters', tag },
  z.object({
    counters: numbers,
    dropped: numbers,
    refusedByReasonCode: numbers,
    disconnectsByReasonCode: numbers,
    totals: numbers,
  }),
);
const limitsRoute = declare(
  { method: 'get', path: '/limits', summary: 'The limits that are in force; null is no limit', tag },
  z.object({ limits: z.record(z.string(), z.unknown()) }),
);
const dropsRoute = declare(
  { method: 'get', path: '/drops', summary: 'Messages that were not delivered, by reason', tag },
  z.object({ dropped: numbers }),
);
const getLogRoute = declare({ method: 'get', path: '/log', summary: 'What is logged', tag }, logSchema);
const putLogRoute = declare(
  {
    method: 'put',
    path: '/log',
    summary: 'Change what is logged, until the next reload',
    tag,
    request: { body: jsonBody(logSchema.partial().strict()) },
  },
  logSchema,
);
const reloadRoute = declare(
  { method: 'post', path: '/reload', summary: 'Take the changed configuration and files', tag },
  z.object({
    added: z.array(z.string()),
    removed: z.array(z.string()),
    disconnected: z.number(),
    needRestart: z.array(z.string()),
  }),
);
const backupRoute = declare(
  {
    method: 'post',
    path: '/backup',
    summary: 'Copy the store to a file of the server, while it runs',
    tag,
    request: { body: jsonBody(z.strictObject({ path: z.string().min(1) })) },
  },
  z.object({ path: z.string() }),
);

export function operationRoutes(server: Server): OpenAPIHono {
  const { broker, log } = server;
  const routes = newRouter();
  routes.openapi(infoRoute, (context) => {
    const { connectionsByListener } = server.readGauges();
    const { config } = server;
    return context.json(
      {
        version: server.version,
        startedAt: new Date(server.startedAt).toISOString(),
        pid: process.pid,
        node: process.version,
        data: config.store.type === 'sqlite' ? config.data : undefined,
        listeners: server.listeners.map(({ listener: { name, type }, addresses }) => ({
          name,
          type,
          addresses: addresses.map(({ text }) => text),
          connections: connectionsByListener.get(name) ?? 0,
        })),
      },
      200,
    );
  });
  routes.openapi(metricsRoute, (context) => {
    const { metrics } = broker;
    const counters: Record<string, number> = {};
    for (const [name, value] of Object.entries(metrics))
      if (typeof value === 'number') counters[name] = value;
    return context.json(
      {
        counters,
        dropped: { ...metrics.dropped },
        refusedByReasonCode: Object.fromEntries(metrics.refusedByReasonCode),
        disconnectsByReasonCode: Object.fromEntries(metrics.disconnectsByReasonCode),
        totals: { ...broker.totals() },
      },
      200,
    );
  });
  routes.openapi(limitsRoute, (context) => context.json({ limits: { ...server.config.limits } }, 200));
  routes.openapi(dropsRoute, (context) => context.json({ dropped: { ...broker.metrics.dropped } }, 200));
  routes.openapi(getLogRoute, (context) =>
    context.json({ level: log.level, clients: [...log.clients] }, 200),
  );
  routes.openapi(putLogRoute, (context) => {
    log.adjust(context.req.valid('json'));
    return context.json({ level: log.level, clients: [...log.clients] }, 200);
  });
  routes.openapi(reloadRoute, async (context) => {
    try {
      const { added, removed, disconnected, needRestart } = await server.reload();
      return context.json(
        { added: [...added], removed: [...removed], disconnected, needRestart: [...needRestart] },
        200,
      );
    } catch (error) {
      if (error instanceof ConfigError) throw new ApiError(422, error.code, error.message);
      throw error;
    }
  });
  routes.openapi(backupRoute, async (context) => {
    const { path } = context.req.valid('json');
    const { store } = server;
    if (!store?.durable)
      throw new ApiError(409, 'TOBYMQ_NOT_DURABLE', 'the store is in memory; there is nothing to back up');
    try {
      await store.backup(path);
    } catch (error) {
      throw new ApiError(
        422,
        'TOBYMQ_BACKUP_FAILED',
        `the backup could not be written: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
    return context.json({ path }, 200);
  });
  return routes;
}
