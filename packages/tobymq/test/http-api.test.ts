// The HTTP side: health checks, metrics, and the management API with its token.

import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { BrokerError } from '@tobymq/broker';
import { decode, freePort, packet, packetType, RawPeer, runProcess } from '@tobymq/testkit';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { ConfigInput } from '../src/config/schema.ts';
import type { Server } from '../src/server.ts';
import {
  cli,
  connect,
  nextMessage,
  portOf,
  publish,
  startCommand,
  startServer,
  subscribe,
} from './harness.ts';

const token = 'a-token-for-the-tests';
const host = '127.0.0.1';

async function served(more: ConfigInput = {}) {
  const server = await startServer({
    http: { port: 0, token },
    authentication: [{ type: 'anonymous', anyName: true }],
    ...more,
  });
  const ask = async (
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ status: number; json: Record<string, unknown> }> => {
    const response = await fetch(`${server.httpUrl}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, json: (await response.json()) as Record<string, unknown> };
  };
  const login = async (clientId: string) =>
    (await connect({ host, port: portOf(server) }, { clientId, username: 'anna' })).peer;
  return { server, ask, login };
}

test('health and readiness need no token, everything below /api/v1 does', async () => {
  const { server } = await served();
  const get = (path: string, headers = {}) => fetch(`${server.httpUrl}${path}`, { headers });
  expect(await (await get('/health')).json()).toEqual({ status: 'ok' });
  expect(await (await get('/ready')).json()).toEqual({ ready: true });
  expect((await get('/api/v1/info')).status).toBe(401);
  expect((await get('/api/v1/info', { authorization: 'Bearer wrong' })).status).toBe(401);
  expect((await get('/nothing')).status).toBe(404);
});

test('the metrics are in the text format of Prometheus, and each line is well formed', async () => {
  const { server, login } = await served();
  const peer = await login('metered');
  await publish(peer, 'a');
  const response = await fetch(`${server.httpUrl}/metrics`);
  expect(response.headers.get('content-type')).toContain('version=0.0.4');
  const text = await response.text();
  for (const line of text.trim().split('\n')) {
    expect(line).toMatch(
      /^(?:# (?:HELP|TYPE) \w+ .+|[a-z_]+(?:\{\w+="[^"]*"(?:,\w+="[^"]*")*\})? [-+\d.e]+)$/,
    );
  }
  expect(text).toContain('tobymq_connections 1\n');
  expect(text).toContain('tobymq_publish_received_total{qos="1"} 1\n');
  expect(text).toContain(`tobymq_listener_connections{listener="${server.listeners[0]?.listener.name}"} 1\n`);
  expect(text).toMatch(/tobymq_dropped_messages_total\{reason="queue-full"\} 0/);
});

test('a request without the token, and one that is no HTTP, are in the log and in the metrics', async () => {
  const { server } = await served();
  const lines = vi.spyOn(server.log, 'log');
  await fetch(`${server.httpUrl}/api/v1/info`);
  await fetch(`${server.httpUrl}/api/v1/info`, { headers: { authorization: 'Bearer wrong' } });
  const peer = await RawPeer.connect({ host, port: Number(new URL(server.httpUrl as string).port) });
  peer.send(packet.connect({ version: 5, clientId: 'lost' }));
  await peer.expectClose();
  const refused = { via: 'api', status: 401, address: host, path: '/api/v1/info' };
  expect(lines.mock.calls).toEqual([
    ['warn', 'request-refused', { ...refused, reason: 'the token is missing' }],
    ['warn', 'request-refused', { ...refused, reason: 'the token is wrong' }],
    [
      'warn',
      'connection-refused',
      { listener: 'http', address: host, reason: expect.stringContaining('MQTT') },
    ],
  ]);
  const text = await (await fetch(`${server.httpUrl}/metrics`)).text();
  expect(text).toContain('tobymq_requests_refused_total{via="api",status="401"} 2\n');
  expect(text).toContain('tobymq_sockets_refused_total 1\n');
});

test('a health check by HTTP/1.0, which names no host, is answered', async () => {
  const { server } = await served();
  const peer = connectSocket(Number(new URL(server.httpUrl as string).port), host);
  let answer = '';
  peer.on('data', (text) => {
    answer += text;
  });
  peer.write('GET /health HTTP/1.0\r\n\r\n');
  await once(peer, 'close');
  expect(answer).toMatch(/^HTTP\/1\.1 200 /);
});

test('a request that offers HTTP/2, as those of Java do, is answered in HTTP/1.1', async () => {
  const { server, ask } = await served();
  const peer = connectSocket(Number(new URL(server.httpUrl as string).port), host);
  let answers = '';
  peer.on('data', (text) => {
    answers += text;
  });
  const offer = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__';
  const body = '{"payload":"grün"}';
  peer.write(
    `PUT /api/v1/retained/message?topic=a HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n${offer}\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body.slice(0, 5)}`,
  );
  peer.write(body.slice(5));
  await once(peer, 'data');
  peer.write('GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  await once(peer, 'close');
  expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 200']);
  expect((await ask('GET', '/retained/message?topic=a')).json).toMatchObject({ payload: { text: 'grün' } });
});

test('the sum of the delays of the event loop does not go back', async () => {
  const { server } = await served();
  server.readGauges();
  let histogram: object = monitorEventLoopDelay();
  while (!Object.hasOwn(histogram, 'mean')) histogram = Object.getPrototypeOf(histogram);
  const mean = vi.spyOn(histogram as IntervalHistogram, 'mean', 'get').mockReturnValue(25e6);
  const count = vi.spyOn(histogram as IntervalHistogram, 'count', 'get').mockReturnValue(100);
  onTestFinished(() => {
    mean.mockRestore();
    count.mockRestore();
  });
  expect(server.readGauges().eventLoop.sum).toBeCloseTo(0.5);
  mean.mockReturnValue(24e6);
  expect(server.readGauges().eventLoop.sum).toBeCloseTo(0.5);
});

test('metrics can have a token of their own', async () => {
  const { server } = await served({ http: { port: 0, token, metricsToken: 'scrape-me' } });
  const scrape = (headers = {}) => fetch(`${server.httpUrl}/metrics`, { headers });
  expect((await scrape()).status).toBe(401);
  expect((await scrape({ authorization: `Bearer ${token}` })).status).toBe(401);
  expect((await scrape({ authorization: 'Bearer scrape-me' })).status).toBe(200);
});

test('clients: list, search, look at one, disconnect', async () => {
  const { ask, login } = await served();
  const peer = await login('sensor/1 ä');
  await login('other');
  expect((await ask('GET', '/clients?limit=1')).json).toMatchObject({ clients: [{}], more: true });
  expect((await ask('GET', '/clients?search=sensor')).json).toMatchObject({
    clients: [{ clientId: 'sensor/1 ä', username: 'anna', address: host }],
    more: false,
  });
  const path = `/clients/${encodeURIComponent('sensor/1 ä')}`;
  expect((await ask('GET', path)).json).toMatchObject({ protocolVersion: 5, transport: 'tcp' });
  expect((await ask('DELETE', `${path}?reason=maintenance`)).json).toEqual({ disconnected: true });
  const { reason, properties } = decode.reason(await peer.expect(packetType.DISCONNECT), 5);
  expect([reason, properties.get(0x1f)]).toEqual([0x98, ['maintenance']]);
  expect((await ask('GET', path)).status).toBe(404);
  expect((await ask('DELETE', path)).status).toBe(404);
});

test('sessions: with their subscriptions, and ended on demand', async () => {
  const { ask, login, server } = await served();
  const peer = await login('s');
  await subscribe(peer, 'a/+', 1);
  expect((await ask('GET', '/sessions/s')).json).toMatchObject({
    isConnected: true,
    subscriptions: [{ filter: 'a/+', qos: 1 }],
  });
  expect((await ask('GET', '/sessions')).json).toMatchObject({ sessions: [{ clientId: 's' }], more: false });
  expect((await ask('DELETE', '/sessions/s')).json).toEqual({ ended: true });
  await peer.expect(packetType.DISCONNECT);
  expect(server.broker.session('s')).toBeUndefined();
  expect((await ask('GET', '/sessions/s')).status).toBe(404);
});

test('messages are published with their properties, as text or base64', async () => {
  const { ask, login } = await served();
  const peer = await login('reader');
  await subscribe(peer, '#');
  expect(
    (await ask('POST', '/publish', { topic: 'a', payload: 'text', contentType: 'text/plain' })).json,
  ).toEqual({ matched: 1 });
  const message = decode.publish(await peer.take(packetType.PUBLISH), 5);
  expect([message.payload.toString(), message.properties.get(0x03)]).toEqual(['text', ['text/plain']]);
  await ask('POST', '/publish', { topic: 'b', payload: '/w==', encoding: 'base64' });
  expect(decode.publish(await peer.take(packetType.PUBLISH), 5).payload).toEqual(Buffer.from([0xff]));
  expect((await ask('POST', '/publish', { topic: 'a/#' })).json).toMatchObject({
    code: 'TOBYMQ_TOPIC_INVALID',
  });
  expect((await ask('POST', '/publish', { topic: 'a', qos: 7 })).status).toBe(400);
});

test('retained messages: put, get, search by filter, delete', async () => {
  const { ask } = await served();
  await ask('PUT', '/retained/message?topic=r/1', { payload: 'one' });
  await ask('PUT', '/retained/message?topic=r/2', { payload: '/w==', encoding: 'base64' });
  expect((await ask('GET', '/retained/message?topic=r/1')).json).toMatchObject({
    topic: 'r/1',
    payload: { text: 'one' },
  });
  const { json } = await ask('GET', `/retained?filter=${encodeURIComponent('r/#')}`);
  expect((json.messages as { payload: object }[]).map(({ payload }) => payload)).toEqual([
    { text: 'one', base64: 'b25l' },
    { base64: '/w==' },
  ]);
  expect((await ask('DELETE', '/retained/message?topic=r/1')).json).toEqual({ deleted: true });
  expect((await ask('GET', '/retained/message?topic=r/1')).status).toBe(404);
  expect((await ask('GET', `/retained?filter=${encodeURIComponent('r/#/x')}`)).status).toBe(400);
});

test('what is removed is answered when that is stored, and told where it cannot be', async () => {
  const { server, ask, login } = await served();
  const removals = [
    ['/retained/message?topic=kept', () => ask('PUT', '/retained/message?topic=kept', { payload: 'x' })],
    ['/sessions/one', () => login('one')],
    ['/clients/two?endSession=true', () => login('two')],
  ] as const;
  const flush = vi.spyOn(server.broker, 'flush');
  for (const [path, prepare] of removals) {
    await prepare();
    flush.mockRejectedValueOnce(new BrokerError('TOBYMQ_NOT_STORED', 'not stored'));
    expect(await ask('DELETE', path)).toMatchObject({ status: 503, json: { code: 'TOBYMQ_NOT_STORED' } });
    await prepare();
    expect((await ask('DELETE', path)).status).toBe(200);
  }
  expect(flush).toHaveBeenCalledTimes(6);
});

test('explain says who gets a message and who does not, and why', async () => {
  const { ask, login } = await served({
    access: {
      rules: [
        { deny: 'subscribe', topics: 'plan/secret', clients: 'reader' },
        { allow: 'subscribe', topics: '#' },
        { allow: 'publish', topics: 'plan/#', clients: 'writer' },
      ],
    },
  });
  await subscribe(await login('reader'), '#');
  await subscribe(await login('wide'), 'plan/+', 1);
  await login('deaf');
  await login('writer');
  const { json } = await ask('GET', '/explain?topic=plan/secret&publisher=deaf');
  expect(json).toMatchObject({ publisher: { isAllowed: false, reason: 'no rule allows it' } });
  expect(json.receivers).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ clientId: 'reader', outcome: 'dropped', reason: 'rule 1' }),
      expect.objectContaining({ clientId: 'wide', outcome: 'delivered' }),
    ]),
  );
  expect((await ask('GET', '/explain?topic=plan/secret&client=deaf')).json.receivers).toMatchObject([
    { outcome: 'not-subscribed' },
  ]);
  expect((await ask('GET', '/explain?topic=plan/x&publisher=writer')).json).toMatchObject({
    publisher: { isAllowed: true, reason: 'rule 3' },
  });
});

test('bans: added, listed, in force, lifted', async () => {
  const { ask, login, server } = await served();
  const peer = await login('bad');
  expect((await ask('POST', '/bans', { kind: 'client', value: 'bad', reason: 'too loud' })).json).toEqual({
    disconnected: 1,
  });
  await peer.expect(packetType.DISCONNECT);
  expect((await ask('GET', '/bans')).json).toEqual({
    bans: [{ kind: 'client', value: 'bad', reason: 'too loud' }],
  });
  expect(await connect({ host, port: portOf(server) }, { clientId: 'bad' })).toMatchObject({
    reason: 0x8a,
    reasonString: 'too loud',
  });
  expect((await ask('DELETE', '/bans?kind=client&value=bad')).json).toEqual({ lifted: true });
  expect((await connect({ host, port: portOf(server) }, { clientId: 'bad' })).reason).toBe(0);
  expect((await ask('DELETE', '/bans?kind=client&value=bad')).status).toBe(404);
});

test('a ban that ends after all times is refused, and the list of bans can be read', async () => {
  const { ask } = await served();
  expect((await ask('POST', '/bans', { kind: 'client', value: 'bad', seconds: 1e14 })).status).toBe(400);
  expect(await ask('GET', '/bans')).toEqual({ status: 200, json: { bans: [] } });
});

test('an address is banned however it is written, and what is none is refused', async () => {
  const { ask, login } = await served();
  const peer = await login('here');
  expect((await ask('POST', '/bans', { kind: 'address', value: '::ffff:7f00:1' })).json).toEqual({
    disconnected: 1,
  });
  await peer.expect(packetType.DISCONNECT);
  expect((await ask('GET', '/bans')).json).toMatchObject({ bans: [{ kind: 'address', value: host }] });
  expect((await ask('DELETE', `/bans?kind=address&value=${host}`)).status).toBe(200);
  for (const value of ['10.0.0.0/8', '10.0.0.256', 'broker.example', '::1::2']) {
    expect(await ask('POST', '/bans', { kind: 'address', value })).toMatchObject({
      status: 400,
      json: { error: `"${value}" is not an address` },
    });
  }
});

test.each([
  ['responseTopic', 'a/#'],
  ['contentType', 'a\u0000b'],
  ['messageExpiryInterval', 2 ** 32],
])('a message whose %s cannot be sent is refused', async (name, value) => {
  const { ask } = await served();
  expect(await ask('POST', '/publish', { topic: 'a', [name]: value })).toMatchObject({
    status: 400,
    json: { code: 'TOBYMQ_REQUEST_INVALID', error: expect.stringContaining(name) },
  });
});

test('a body that is no JSON and a payload that is no base64 are refused', async () => {
  const { ask, server } = await served();
  const send = async (type: string, body: string | Uint8Array<ArrayBuffer>) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': type };
    const response = await fetch(`${server.httpUrl}/api/v1/publish`, { method: 'POST', headers, body });
    return { status: response.status, json: await response.json() };
  };
  const json = { code: 'TOBYMQ_REQUEST_INVALID', error: expect.any(String) };
  expect(await send('application/json', '{"topic":')).toEqual({ status: 400, json });
  expect(await send('application/json', '')).toEqual({ status: 400, json });
  const says = expect.stringContaining('the header "Content-Type: application/json"');
  const typeless = { status: 415, json: { ...json, error: says } };
  expect(await send('text/plain', '{"topic":"a"}')).toEqual(typeless);
  const latin1 = Buffer.from('{"topic":"a","payload":"grün"}', 'latin1');
  expect(await send('application/json', latin1)).toEqual({ status: 400, json });
  await ask('PUT', '/retained/message?topic=a', { payload: 'kept' });
  for (const payload of ['!!!', 'a', 'YQ=', 'YWJj=']) {
    expect(await ask('PUT', '/retained/message?topic=a', { payload, encoding: 'base64' })).toMatchObject({
      status: 400,
      json: { code: 'TOBYMQ_REQUEST_INVALID', error: expect.stringContaining('payload') },
    });
  }
  expect((await ask('GET', '/retained/message?topic=a')).json).toMatchObject({ payload: { text: 'kept' } });
  expect((await ask('PUT', '/retained/message?topic=a', { payload: 'YQ', encoding: 'base64' })).status).toBe(
    200,
  );
});

test.each([
  ['PUT', '/log', { levle: 'debug' }],
  ['POST', '/bans', { kind: 'client', value: 'bad', second: 60 }],
  ['POST', '/publish', { topic: 'a', retained: true }],
  ['PUT', '/retained/message?topic=a', { payload: 'x', contenttype: 'text/plain' }],
  ['POST', '/backup', { path: '/tmp/never', overwrite: true }],
  ['DELETE', '/clients/x?endsession=true', undefined],
  ['GET', '/clients?ofset=100', undefined],
  ['GET', '/retained?filter=a&topic=b', undefined],
  ['GET', '/explain?topic=a&clientId=x', undefined],
] as const)('%s %s with a key that it does not know is refused', async (method, path, body) => {
  const { ask, server } = await served();
  expect(await ask(method, path, body)).toMatchObject({
    status: 400,
    json: { code: 'TOBYMQ_REQUEST_INVALID', error: expect.stringContaining('nrecognized key') },
  });
  expect(server.throttle.bans()).toEqual([]);
});

test('a request whose body breaks off is no fault of the server', async () => {
  const { server } = await served();
  const lines = vi.spyOn(server.log, 'log');
  const peer = connectSocket(Number(new URL(server.httpUrl as string).port), host);
  const head = `POST /api/v1/publish HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}`;
  peer.end(`${head}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{}`);
  peer.resume();
  await once(peer, 'close');
  await fetch(`${server.httpUrl}/health`);
  expect(lines.mock.calls.map(([, event]) => event)).toEqual(['connection-refused']);
});

test('the log level and the clients that are watched change while the server runs', async () => {
  const { ask, server } = await served();
  expect((await ask('PUT', '/log', { clients: ['watched'] })).json).toEqual({
    level: 'info',
    clients: ['watched'],
  });
  expect((await ask('PUT', '/log', { level: 'debug' })).json).toEqual({
    level: 'debug',
    clients: ['watched'],
  });
  expect(server.log.level).toBe('debug');
  expect((await ask('PUT', '/log', { level: 'loud' })).status).toBe(400);
});

test('counters, limits, drops and what runs', async () => {
  const { ask, login } = await served({ limits: { queuedMessages: 7 } });
  await login('one');
  expect((await ask('GET', '/metrics')).json).toMatchObject({
    counters: { connectionsNow: 1 },
    totals: { subscriptions: 0 },
  });
  expect((await ask('GET', '/limits')).json).toMatchObject({ limits: { queuedMessages: 7 } });
  expect((await ask('GET', '/drops')).json).toMatchObject({ dropped: { 'queue-full': 0 } });
  expect((await ask('GET', '/info')).json).toMatchObject({
    version: 'test',
    listeners: [{ type: 'tcp', connections: 1 }],
  });
  expect((await ask('POST', '/backup', { path: '/tmp/never' })).json).toMatchObject({
    code: 'TOBYMQ_NOT_DURABLE',
  });
});

test('every route is in the OpenAPI document', async () => {
  const { server } = await served();
  const document = (await (await fetch(`${server.httpUrl}/api/openapi.json`)).json()) as {
    openapi: string;
    paths: Record<string, object>;
  };
  expect(document.openapi).toBe('3.1.0');
  const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );
  expect(routes.sort()).toEqual([
    'delete /api/v1/bans',
    'delete /api/v1/clients/{id}',
    'delete /api/v1/retained/message',
    'delete /api/v1/sessions/{id}',
    'get /api/v1/bans',
    'get /api/v1/clients',
    'get /api/v1/clients/{id}',
    'get /api/v1/drops',
    'get /api/v1/explain',
    'get /api/v1/info',
    'get /api/v1/limits',
    'get /api/v1/log',
    'get /api/v1/metrics',
    'get /api/v1/retained',
    'get /api/v1/retained/message',
    'get /api/v1/sessions',
    'get /api/v1/sessions/{id}',
    'get /api/v1/subscriptions',
    'post /api/v1/backup',
    'post /api/v1/bans',
    'post /api/v1/publish',
    'post /api/v1/reload',
    'put /api/v1/log',
    'put /api/v1/retained/message',
  ]);
});

test('the API shares the port of the WebSocket listener, or has its own', async () => {
  const shared = await startServer({ listeners: [{ type: 'ws', port: 0 }], http: { port: 0, token } });
  expect(shared.httpUrl).toBe(`http://${host}:${portOf(shared)}`);
  const own = await startServer({ listeners: [{ type: 'tcp', port: 0 }], http: { port: 0, token } });
  expect(own.httpUrl).not.toBe(`http://${host}:${portOf(own)}`);
  expect((await fetch(`${own.httpUrl}/health`)).status).toBe(200);
});

test('a client that asks for a WebSocket at the API and resets the connection does no harm', async () => {
  const { server } = await served();
  const { port } = new URL(server.httpUrl as string);
  const upgrade = 'GET /mqtt HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
  for (let attempt = 0; attempt < 20; attempt++) {
    const socket = connectSocket(Number(port), host);
    await once(socket, 'connect');
    socket.write(upgrade, () => socket.resetAndDestroy());
    await once(socket, 'close');
  }
  expect((await fetch(`${server.httpUrl}/health`)).status).toBe(200);
});

test('beside a WebSocket listener for everybody, the API is still for this machine only', async () => {
  const server = await startServer({
    listeners: [{ type: 'ws', host: '0.0.0.0', port: 0 }],
    authentication: [{ type: 'anonymous' }],
    http: { port: 0, token },
  });
  expect((await fetch(`http://${host}:${portOf(server)}/health`)).status).toBe(200);
  const other = Object.values(networkInterfaces())
    .flat()
    .find((address) => address?.family === 'IPv4' && !address.internal);
  // On a machine without a network there is no other address that could be tried.
  const status = other ? (await fetch(`http://${other.address}:${portOf(server)}/health`)).status : 403;
  expect(status).toBe(403);
});

test('a port that a listener has already is told by the name of the listener', async () => {
  const port = await freePort();
  const wanted = startServer({ listeners: [{ name: 'lamps', port }], http: { port, token } });
  await expect(wanted).rejects.toThrow(
    /http: the listener lamps has the port \d+ on 127\.0\.0\.1; set http\.port/,
  );
});

test('tobymq explain and tobymq backup, as a person uses them', async () => {
  const data = mkdtempSync(join(tmpdir(), 'tobymq-api-'));
  onTestFinished(() => rmSync(data, { recursive: true, force: true }));
  const program = startCommand(['serve', '--port', '0', '--ws-port', '0', '--data', data]);
  const [, port] = await program.line(/mqtt:\/\/127\.0\.0\.1:(\d+)/);
  const { peer } = await connect({ host, port: Number(port) }, { clientId: 'lamp' });
  await subscribe(peer, 'rooms/+/light');
  const explained = await runProcess(process.execPath, [
    cli,
    'explain',
    'rooms/kitchen/light',
    '--data',
    data,
  ]);
  expect(explained).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('lamp gets it: connected (by rooms/+/light, QoS 0)'),
  });
  const copy = join(data, 'copy.db');
  expect((await runProcess(process.execPath, [cli, 'backup', copy, '--data', data])).code).toBe(0);
  expect(existsSync(copy)).toBe(true);
  const refused = await runProcess(process.execPath, [
    cli,
    'explain',
    'a',
    '--data',
    data,
    '--token',
    'wrong',
  ]);
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('send the token') });
});

test('a message published by the API arrives', async () => {
  const { server, ask, login } = await served();
  const peer = await login('x');
  await subscribe(peer, 'from/api');
  await ask('POST', '/publish', { topic: 'from/api', payload: 'hi' });
  expect(await nextMessage(peer)).toEqual({ topic: 'from/api', payload: 'hi' });
  expect((server as Server).isReady).toBe(true);
});
