// The HTTP side of the server: health checks and metrics for machines, and the management API below `/api/v1`, which
// wants a token.

import { isUtf8 } from 'node:buffer';
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import type { HttpBindings } from '@hono/node-server';
import type { OpenAPIHono } from '@hono/zod-openapi';
import { BrokerError } from '@tobymq/broker';
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { prometheusText } from '../metrics/prometheus.ts';
import type { Server } from '../server.ts';
import { ApiError, newRouter } from './api.ts';
import { banRoutes } from './routes/bans.ts';
import { clientRoutes } from './routes/clients.ts';
import { messageRoutes } from './routes/messages.ts';
import { operationRoutes } from './routes/operations.ts';
import { sessionRoutes } from './routes/sessions.ts';
import type { ServedHttp } from './service.ts';

/** What the broker cannot do now, and perhaps later. */
const unavailable: ReadonlySet<string> = new Set(['TOBYMQ_NOT_STORED', 'TOBYMQ_BROKER_STOPPED']);

export function createApp(
  server: Server,
  { token, metricsToken }: Pick<ServedHttp, 'token' | 'metricsToken'>,
  addressOfSocket: (socket: Socket) => string,
): OpenAPIHono {
  const addressOf = ({ env }: Context): string => addressOfSocket((env as HttpBindings).incoming.socket);
  const app = newRouter();
  app.onError((error, context) => {
    if (error instanceof ApiError) {
      const { status, code, message } = error;
      if (status === 401) {
        const isMissing = context.req.header('authorization') === undefined;
        const reason = isMissing ? 'the token is missing' : 'the token is wrong';
        server.requestRefused({
          via: 'api',
          status,
          reason,
          address: addressOf(context),
          path: context.req.path,
        });
      }
      return context.json({ error: message, code }, status);
    }
    // The store, or the stop, has its own line in the log.
    if (error instanceof BrokerError && unavailable.has(error.code))
      return context.json({ error: error.message, code: error.code }, 503);
    // Such as a body that is no JSON, or does not say that it is.
    if (error instanceof HTTPException) {
      const wanted = 'send the body as JSON, with the header "Content-Type: application/json"';
      const message = error.status === 415 ? wanted : error.message;
      return context.json({ error: message, code: 'TOBYMQ_REQUEST_INVALID' }, error.status);
    }
    server.log.log('error', 'api-failed', { path: context.req.path, error });
    return context.json(
      { error: 'the server could not answer; its log says why', code: 'TOBYMQ_INTERNAL' },
      500,
    );
  });
  app.notFound((context) =>
    context.json({ error: `there is nothing at ${context.req.path}`, code: 'TOBYMQ_NOT_FOUND' }, 404),
  );

  app.use('*', async (context, next) => {
    const response = server.tobyHttp?.(context.req.raw, addressOf(context));
    if (response === undefined) await next();
    return response;
  });
  app.get('/health', (context) => context.json({ status: 'ok' }));
  app.get('/ready', (context) => context.json({ ready: server.isReady }, server.isReady ? 200 : 503));
  app.get('/metrics', (context) => {
    if (metricsToken !== undefined) demandToken(context.req.header('authorization'), metricsToken);
    const text = prometheusText(server.broker, server.readGauges());
    return context.body(text, 200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
  });

  app.doc31('/api/openapi.json', {
    openapi: '3.1.0',
    info: { title: 'TobyMQ', version: server.version, description: 'Management of a TobyMQ server.' },
  });
  app.openAPIRegistry.registerComponent('securitySchemes', 'token', { type: 'http', scheme: 'bearer' });
  app.use('/api/v1/*', async (context, next) => {
    demandToken(context.req.header('authorization'), token);
    const body = await context.req.arrayBuffer().catch(() => {
      throw new ApiError(400, 'TOBYMQ_REQUEST_INVALID', 'the body has no end');
    });
    demandUtf8(body);
    await next();
  });
  for (const routes of [clientRoutes, sessionRoutes, messageRoutes, banRoutes, operationRoutes]) {
    app.route('/api/v1', routes(server));
  }
  return app;
}

/** What is no UTF-8 would be read as something else, and published like that. */
function demandUtf8(body: ArrayBuffer): void {
  if (isUtf8(new Uint8Array(body))) return;
  throw new ApiError(400, 'TOBYMQ_REQUEST_INVALID', 'the body is not valid UTF-8');
}

/** Compares without telling by its time how much was right. */
function demandToken(header: string | undefined, token: string): void {
  const given = /^Bearer\s+(\S+)$/i.exec(header ?? '')?.[1] ?? '';
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  if (timingSafeEqual(digest(given), digest(token))) return;
  throw new ApiError(
    401,
    'TOBYMQ_TOKEN_INVALID',
    'send the token as "Authorization: Bearer TOKEN"; it is in the file api-token of the data folder',
  );
}
