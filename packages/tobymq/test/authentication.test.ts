// Each authenticator, asked by real connections; what CONNACK says is what counts.

import { execFileSync } from 'node:child_process';
import { createHash, createHmac, generateKeyPairSync, pbkdf2Sync } from 'node:crypto';
import dns from 'node:dns';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server as HttpServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect as connectSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AuthenticationRequest } from '@tobymq/broker';
import { connect as connectClient, scramSha256 } from '@tobymq/client';
import { freePort, packet, packetType, property, RawPeer, type RawProperties } from '@tobymq/testkit';
import { exportJWK, exportSPKI, importPKCS8, SignJWT } from 'jose';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { PasswordFileAuthenticator } from '../src/auth/password-file.ts';
import { hashPassword, parsePasswordHash, verifyPassword } from '../src/auth/password-hash.ts';
import { makeScramSecret } from '../src/auth/scram.ts';
import type { ConfigInput } from '../src/config/schema.ts';
import { connect, portOf, publish, startServer, subscribe } from './harness.ts';

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'tobymq-auth-'));
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

const host = '127.0.0.1';

async function serverWith(authentication: ConfigInput['authentication'], more: ConfigInput = {}) {
  const server = await startServer({ authentication, ...more });
  return {
    server,
    port: portOf(server),
    login: (username?: string, password?: string, clientId = 'test') =>
      connect(
        { host, port: portOf(server) },
        {
          clientId,
          ...(username === undefined ? {} : { username }),
          ...(password === undefined ? {} : { password }),
        },
      ),
  };
}

test('a login does not wait behind all the guesses that came from another address before it', async () => {
  const path = file('flood.txt', `anna:${await hashPassword('geheim', 'pbkdf2', 50_000)}\n`);
  const { server, port, login } = await serverWith([{ type: 'password-file', file: path }]);
  const guesses = Array.from({ length: 40 }, async (_, i) => {
    const socket = connectSocket({ host, port, localAddress: '127.0.0.2' });
    onTestFinished(() => void socket.destroy());
    await once(socket, 'connect');
    socket.write(packet.connect({ version: 5, clientId: `g${i}`, username: 'anna', password: `guess${i}` }));
  });
  await Promise.all(guesses);
  await expect
    .poll(() => server.broker.metrics.connectionsRefused, { timeout: 5000, interval: 5 })
    .toBeGreaterThan(0);
  expect((await login('anna', 'geheim')).reason).toBe(0);
  expect(server.broker.metrics.connectionsRefused).toBeLessThan(30);
});

/** The password file of a user, with how often the password was computed, and a request to log in. */
async function costlyLogin() {
  const hash = parsePasswordHash(await hashPassword('geheim', 'pbkdf2'));
  let computed = 0;
  const counting = new Proxy(hash as object, {
    get: (target, key) => {
      if (key === 'kind') computed++;
      return Reflect.get(target, key);
    },
  }) as NonNullable<typeof hash>;
  const file = new PasswordFileAuthenticator(new Map([['anna', counting]]), 300);
  return {
    computed: () => computed,
    login: () => {
      const password = Buffer.from('geheim');
      const request = { username: 'anna', password, remoteAddress: host };
      return file.authenticate(request as unknown as AuthenticationRequest);
    },
  };
}

test('a password that very many clients come with at once is not computed for each of them', async () => {
  const { login, computed } = await costlyLogin();
  const answers = await Promise.all(Array.from({ length: 40 }, () => login()));
  expect(answers.every((answer) => answer?.allow)).toBe(true);
  // As many as there are threads begin before the first is done.
  expect(computed()).toBeLessThan(10);
});

test('hashes of an old mosquitto_passwd are read', async () => {
  const hash =
    '$6$clQ4Ocu312S0qWgl$Cv2wUxgEN73c6C6jlBkswqR4AkHsvDLWvtEXZZ8NpsBLgP1WAo/qA+WXcmEN/mjDNgdUwcxRAveqNMs2xUVQYA==';
  const parsed = parsePasswordHash(hash);
  expect(parsed && (await verifyPassword(Buffer.from('password'), parsed))).toBe(true);
  expect(parsed && (await verifyPassword(Buffer.from('wrong'), parsed))).toBe(false);
});

test('a file that mosquitto_passwd has written is read', async () => {
  const path = join(directory, 'mosquitto_passwd');
  execFileSync('mosquitto_passwd', ['-b', '-c', path, 'anna', 'geheim']);
  const { login } = await serverWith([{ type: 'password-file', file: path }]);
  expect((await login('anna', 'geheim')).reason).toBe(0);
  expect((await login('anna', 'falsch')).reason).toBe(0x86);
});

test.each(['argon2id', 'scrypt', 'pbkdf2', 'sha512'] as const)(
  'passwords hashed with %s let in who knows them',
  async (kind) => {
    const path = file(`${kind}.txt`, `# users\nanna:${await hashPassword('geheim', kind)}\n`);
    const { login } = await serverWith([{ type: 'password-file', file: path }]);
    expect((await login('anna', 'geheim')).reason).toBe(0);
    expect((await login('anna', 'geheim', 'again')).reason).toBe(0);
    expect((await login('anna', 'falsch')).reason).toBe(0x86);
    expect((await login('anna')).reason).toBe(0x86);
    expect((await login('berta', 'geheim')).reason).toBe(0x86);
    expect((await login()).reason).toBe(0x87);
  },
);

test.each([
  ['$scrypt$ln=15,r=0,p=1$YWJjZGVmZ2g$YWJjZGVmZ2g'],
  ['$argon2id$v=19$m=1,t=2,p=1$YWJjZGVmZ2g$YWJjZGVmZ2g'],
  ['$argon2id$v=19$m=19456,t=0,p=1$YWJjZGVmZ2g$YWJjZGVmZ2g'],
  ['$argon2id$v=19$m=19456,t=2,p=1$YWI$YWJjZGVmZ2g'],
  [`$7$4294967296$YWJjZGVm$${'A'.repeat(86)}==`],
])('a hash that nobody can check is refused when the file is read: %s', async (hash) => {
  const path = file('unchecked.txt', `anna:${hash}\n`);
  await expect(serverWith([{ type: 'password-file', file: path }])).rejects.toThrow(
    /not a hash that can be read/,
  );
});

test('the answer says why a client was refused', async () => {
  const path = file('why.txt', `anna:${await hashPassword('geheim', 'sha512')}\n`);
  const { login } = await serverWith([{ type: 'password-file', file: path }]);
  expect((await login()).reasonString).toContain('anonymous clients may not connect');
});

test.each(['password-file', 'scram'] as const)(
  '%s: what a client is told does not give away which users there are, and the log says it',
  async (type) => {
    const secret = await (type === 'scram'
      ? makeScramSecret('geheim')
      : hashPassword('geheim', 'pbkdf2', 1000));
    const path = file(`names-${type}.txt`, `anna:${secret}\n`);
    const log = join(directory, `names-${type}.log`);
    const { login, port } = await serverWith([{ type, file: path }], { log: { to: [log], format: 'json' } });
    const attempt = async (username: string): Promise<unknown> => {
      if (type === 'password-file') return (await login(username, 'falsch')).reasonString;
      const auth = scramSha256({ username, password: 'falsch' });
      return connectClient(`mqtt://${host}:${port}`, { auth, reconnect: false }).catch(String);
    };
    const told = await attempt('anna');
    expect(told).toContain('unknown user or wrong password');
    expect(await attempt('berta')).toBe(told);
    const logged = readFileSync(log, 'utf8');
    expect(logged).toContain(String.raw`"reason":"wrong password of the user \"anna\""`);
    expect(logged).toContain(String.raw`"reason":"unknown user \"berta\""`);
  },
);

test('anonymous beside a password file: without a name everybody, with a name only who is known', async () => {
  const path = file('both.txt', `anna:${await hashPassword('geheim', 'sha512')}\n`);
  const { login } = await serverWith([{ type: 'password-file', file: path }, { type: 'anonymous' }]);
  expect((await login()).reason).toBe(0);
  expect((await login('anna', 'geheim')).reason).toBe(0);
  expect((await login('anna', 'falsch')).reason).toBe(0x86);
});

test('listeners can have authenticators of their own', async () => {
  const server = await startServer({
    authentication: [
      { type: 'password-file', file: file('own.txt', `anna:${await hashPassword('x', 'sha512')}\n`) },
    ],
    listeners: [{ port: 0 }, { port: 0, authentication: [{ type: 'anonymous' }] }],
  });
  expect((await connect({ host, port: portOf(server, 0) })).reason).toBe(0x87);
  expect((await connect({ host, port: portOf(server, 1) })).reason).toBe(0);
});

async function webService(
  handler: (body: Record<string, unknown>) => { status: number; json?: unknown },
): Promise<{ url: string; asked: Record<string, unknown>[]; service: HttpServer }> {
  const asked: Record<string, unknown>[] = [];
  const service = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    request.on('end', () => {
      const body = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
      asked.push(body);
      const { status, json } = handler(body);
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(json === undefined ? undefined : JSON.stringify(json));
    });
  });
  service.listen(0, host);
  await once(service, 'listening');
  onTestFinished(() => {
    service.closeAllConnections();
    service.close();
  });
  return { url: `http://${host}:${(service.address() as AddressInfo).port}/auth`, asked, service };
}

test('a web service decides, grants topics, and is asked once while its answer is remembered', async () => {
  const { url, asked } = await webService(({ username, password }) =>
    username === 'anna' && password === 'geheim'
      ? {
          status: 200,
          json: { result: 'allow', acl: { publish: ['own/%c'], subscribe: ['own/#', 'for/%c/#'] } },
        }
      : { status: 403 },
  );
  const { login } = await serverWith([{ type: 'http', url, cache: '1m' }]);
  const { peer, reason } = await login('anna', 'geheim');
  expect(reason).toBe(0);
  expect(asked[0]).toMatchObject({ clientId: 'test', username: 'anna', password: 'geheim', address: host });
  expect(await subscribe(peer, 'own/x')).toBe(0);
  expect(await subscribe(peer, '#')).toBe(0x87);
  expect(await subscribe(peer, 'for/test/#')).toBe(0);
  expect(await subscribe(peer, 'for/other/#')).toBe(0x87);
  expect(await publish(peer, 'own/test')).toBe(0x10);
  expect(await publish(peer, 'own/other')).toBe(0x87);
  await login('anna', 'geheim');
  expect(asked.length).toBe(1);
  expect((await login('anna', 'falsch')).reason).toBe(0x86);
});

test('a refusal of a web service keeps no connection, however long its page is', async () => {
  const { url, service } = await webService(() => ({ status: 403, json: 'x'.repeat(500_000) }));
  const { login } = await serverWith([{ type: 'http', url }]);
  for (let i = 0; i < 10; i++) expect((await login('anna', 'falsch', `c${i}`)).reason).toBe(0x86);
  const open = (): Promise<number> =>
    new Promise((resolve) => service.getConnections((_error, count) => resolve(count)));
  await expect.poll(open).toBeLessThan(3);
});

test('an answer of a web service is remembered no longer than it counts', async () => {
  const { url, asked } = await webService(() => ({
    status: 200,
    json: { result: 'allow', expiresAt: Date.now() / 1000 + 1 },
  }));
  const { login } = await serverWith([{ type: 'http', url, cache: '1h' }]);
  const { peer } = await login('anna', 'geheim');
  await login('anna', 'geheim', 'other');
  await login('anna', 'geheim', 'other');
  expect(asked.length).toBe(2);
  const disconnect = await peer.expect(packetType.DISCONNECT);
  expect(disconnect.body[0]).toBe(0xa0);
  await login('anna', 'geheim');
  expect(asked.length).toBe(3);
});

test('a web service is asked about a few clients at a time, and in the end about all', async () => {
  const held: ServerResponse[] = [];
  const service = createServer((_request, response) => void held.push(response)).listen(0, host);
  await once(service, 'listening');
  onTestFinished(() => service.closeAllConnections());
  onTestFinished(() => void service.close());
  const url = `http://${host}:${(service.address() as AddressInfo).port}`;
  const { login } = await serverWith([{ type: 'http', url, parallel: 2 }]);
  const logins = [1, 2, 3, 4, 5].map((n) => login('anna', 'geheim', `c${n}`));
  for (const count of [2, 2, 2, 2, 1]) {
    await expect.poll(() => held.length, { interval: 5 }).toBe(count);
    held.shift()?.writeHead(204).end();
  }
  expect((await Promise.all(logins)).map(({ reason }) => reason)).toEqual([0, 0, 0, 0, 0]);
});

test('the answer of a web service that does not end is read no further than it may be long', async () => {
  const service = createServer((_request, response) => {
    const more = (): void => {
      while (response.write('x'.repeat(10_000)));
    };
    response.on('drain', more);
    more();
  }).listen(0, host);
  await once(service, 'listening');
  onTestFinished(() => void service.close());
  const url = `http://${host}:${(service.address() as AddressInfo).port}`;
  const { login } = await serverWith([{ type: 'http', url, timeout: '1s' }]);
  const { reason, reasonString } = await login('anna', 'geheim');
  expect([reason, reasonString]).toEqual([0x88, 'the answer of the authentication service is too long']);
  const open = (): Promise<number> =>
    new Promise((resolve) => service.getConnections((_error, count) => resolve(count)));
  await expect.poll(open).toBe(0);
});

test.each([
  ['answers with an error', () => ({ status: 500 }), 0x88],
  ['answers something else', () => ({ status: 200, json: { hello: 1 } }), 0x88],
  ['leaves it to the next', () => ({ status: 200, json: { result: 'ignore' } }), 0],
  ['answers 204', () => ({ status: 204 }), 0],
])('a web service that %s', async (_name, handler, reason) => {
  const { url } = await webService(handler);
  const { login } = await serverWith([
    { type: 'http', url },
    { type: 'anonymous', anyName: true },
  ]);
  expect((await login('anna', 'x')).reason).toBe(reason);
});

test('a web service that is not there is a refusal for now, and says so', async () => {
  const { login } = await serverWith([{ type: 'http', url: 'http://127.0.0.1:9/auth' }]);
  const { reason, reasonString } = await login('anna', 'x');
  expect(reason).toBe(0x88);
  expect(reasonString).toContain('did not answer');
});

test('a web service whose name has several addresses says of each why it is not there', async () => {
  const { login } = await serverWith([{ type: 'http', url: `http://service.test:${await freePort()}/auth` }]);
  const addresses = ['127.0.0.1', '127.0.0.2'].map((address) => ({ address, family: 4 }));
  const answer = (_name: string, _options: unknown, done: (error: null, found: unknown) => void): void =>
    process.nextTick(done, null, addresses);
  vi.spyOn(dns, 'lookup').mockImplementation(answer as unknown as typeof dns.lookup);
  onTestFinished(() => void vi.restoreAllMocks());
  const { reasonString } = await login('anna', 'x');
  expect(reasonString).toMatch(/: connect ECONNREFUSED 127.0.0.1:\d+, connect ECONNREFUSED 127.0.0.2:\d+$/);
});

const secret = 'a secret that is long enough for HS256';

function token(claims: Record<string, unknown>, seconds = 3600): SignJWT {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime(Math.floor(Date.now() / 1000) + seconds);
}

const sign = (jwt: SignJWT, key = secret): Promise<string> => jwt.sign(new TextEncoder().encode(key));

test('a token names the user and carries what it may do', async () => {
  const { login, server } = await serverWith([{ type: 'jwt', secret, clientIdClaim: 'cid' }]);
  const good = await sign(token({ sub: 'anna', cid: 'test', acl: { publish: ['p/#'], subscribe: ['s/#'] } }));
  const { peer, reason } = await login('ignored', good);
  expect(reason).toBe(0);
  expect(server.broker.client('test')?.username).toBe('anna');
  expect(await publish(peer, 'p/1')).toBe(0x10);
  expect(await publish(peer, 's/1')).toBe(0x87);
  expect(await subscribe(peer, 's/1')).toBe(0);
  expect(await subscribe(peer, 'p/1')).toBe(0x87);
});

test.each([
  ['of another key', () => sign(token({ sub: 'anna' }), 'another secret that is long enough too'), 0x86],
  ['that has expired', () => sign(token({ sub: 'anna' }, -10)), 0x86],
  ['of another issuer', () => sign(token({ sub: 'anna', iss: 'evil' })), 0x86],
  [
    'that is not signed',
    () =>
      Promise.resolve(
        `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from('{"sub":"anna"}').toString('base64url')}.`,
      ),
    0x86,
  ],
  ['that is no token', () => Promise.resolve('geheim'), 0x87],
])('a token %s is refused', async (_name, make, reason) => {
  const { login } = await serverWith([{ type: 'jwt', secret, issuer: 'us' }]);
  expect((await login('anna', await make())).reason).toBe(reason);
  expect((await login('anna', await sign(token({ sub: 'anna', iss: 'us' })))).reason).toBe(0);
});

test('a token that names nobody lets nobody choose a name', async () => {
  const { login, server } = await serverWith([{ type: 'jwt', secret }]);
  const nameless = await sign(token({}));
  expect((await login('root', nameless)).reason).toBe(0x87);
  expect((await login(undefined, nameless)).reason).toBe(0);
  expect(server.broker.client('test')?.username).toBeUndefined();
});

test('the connection ends when the token expires', async () => {
  const { login } = await serverWith([{ type: 'jwt', secret }]);
  const { peer } = await login('anna', await sign(token({ sub: 'anna' }, 2)));
  const disconnect = await peer.expect(packetType.DISCONNECT, { timeout: 8000 });
  expect(disconnect.body[0]).toBe(0xa0);
});

test('a public key in a file', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const publicKeyFile = file('jwt.pem', await exportSPKI(publicKey));
  const { login } = await serverWith([{ type: 'jwt', publicKeyFile }]);
  const key = await importPKCS8(privateKey.export({ type: 'pkcs8', format: 'pem' }) as string, 'ES256');
  const good = await new SignJWT({ sub: 'anna' }).setProtectedHeader({ alg: 'ES256' }).sign(key);
  expect((await login('x', good)).reason).toBe(0);
});

test('a key set is fetched once, and again when a token names a key that it does not have', async () => {
  const pairs = [
    generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ];
  const keys: object[] = [];
  const publishKey = async (index: number): Promise<void> => {
    keys.push({ ...(await exportJWK(pairs[index]!.publicKey)), kid: `k${index}`, alg: 'ES256', use: 'sig' });
  };
  const signed = (index: number): Promise<string> =>
    new SignJWT({ sub: 'anna' })
      .setProtectedHeader({ alg: 'ES256', kid: `k${index}` })
      .sign(pairs[index]!.privateKey);
  await publishKey(0);
  const { url, asked } = await webService(() => ({ status: 200, json: { keys } }));
  const { login } = await serverWith([{ type: 'jwt', jwks: url, jwksCooldown: 0 }]);
  expect((await login('x', await signed(0))).reason).toBe(0);
  expect((await login('x', await signed(0))).reason).toBe(0);
  expect(asked.length).toBe(1);
  expect((await login('x', await signed(1))).reason).not.toBe(0);
  await publishKey(1);
  expect((await login('x', await signed(1))).reason).toBe(0);
  const fetches = asked.length;
  expect((await login('x', await signed(0))).reason).toBe(0);
  expect((await login('x', await signed(1))).reason).toBe(0);
  expect(asked.length).toBe(fetches);
});

const method = 'SCRAM-SHA-256';

/** The client's side of SCRAM, written from RFC 5802 and independent of the server's. */
async function scram(
  peer: RawPeer,
  username: string,
  password: string,
): Promise<{ type: number; reason: number; serverProof: string | undefined; expected: string }> {
  const bare = `n=${username},r=clientnonce`;
  const properties = (data: string): RawProperties => [
    [property.authenticationMethod, method],
    [property.authenticationData, Buffer.from(data)],
  ];
  peer.send(packet.connect({ version: 5, clientId: 'scram', properties: properties(`n,,${bare}`) }));
  const challengeFrame = await peer.next();
  if (challengeFrame.type !== packetType.AUTH)
    return {
      type: challengeFrame.type,
      reason: challengeFrame.body[1] as number,
      serverProof: undefined,
      expected: '',
    };
  const challenge = /r=[^,]+,s=[^,]+,i=\d+/.exec(challengeFrame.body.toString('latin1'))?.[0] as string;
  const [, nonce = '', salt = '', iterations = ''] = /r=([^,]+),s=([^,]+),i=(\d+)/.exec(
    challenge,
  ) as unknown as string[];
  const salted = pbkdf2Sync(password, Buffer.from(salt, 'base64'), Number(iterations), 32, 'sha256');
  const hmac = (key: Uint8Array, text: string): Buffer => createHmac('sha256', key).update(text).digest();
  const clientKey = hmac(salted, 'Client Key');
  const storedKey = createHash('sha256').update(clientKey).digest();
  const withoutProof = `c=biws,r=${nonce}`;
  const signed = `${bare},${challenge},${withoutProof}`;
  const signature = hmac(storedKey, signed);
  const proof = Buffer.from(clientKey.map((byte, index) => byte ^ signature[index]!));
  const final = properties(`${withoutProof},p=${proof.toString('base64')}`);
  peer.send(packet.auth({ reason: 0x18, properties: final }));
  const connack = await peer.next();
  const serverProof = /v=([A-Za-z0-9+/=]+)/.exec(connack.body.toString('latin1'))?.[1];
  return {
    type: connack.type,
    reason: connack.body[1] as number,
    serverProof,
    expected: hmac(hmac(salted, 'Server Key'), signed).toString('base64'),
  };
}

test('SCRAM-SHA-256: who knows the password comes in, and the server proves that it knows the user', async () => {
  const path = file('scram.txt', `anna:${await makeScramSecret('geheim')}\n`);
  const { port, server } = await serverWith([{ type: 'scram', file: path }]);
  const open = async (): Promise<RawPeer> => {
    const peer = await RawPeer.connect({ host, port });
    onTestFinished(() => peer.destroy());
    return peer;
  };
  const good = await scram(await open(), 'anna', 'geheim');
  expect(good).toMatchObject({ type: packetType.CONNACK, reason: 0 });
  expect(good.serverProof).toBe(good.expected);
  expect(server.broker.client('scram')?.username).toBe('anna');
  expect((await scram(await open(), 'anna', 'falsch')).reason).toBe(0x87);
  expect((await scram(await open(), 'berta', 'geheim')).reason).toBe(0x87);
});

test('SCRAM-SHA-256: our client and our server understand each other, also when the client proves itself again', async () => {
  const path = file('scram-client.txt', `anna:${await makeScramSecret('geheim')}\n`);
  const { port } = await serverWith([{ type: 'scram', file: path }]);
  const as = (password: string) =>
    connectClient(`mqtt://${host}:${port}`, { auth: scramSha256({ username: 'anna', password }) });
  await using client = await as('geheim');
  await client.publish('before', '', { qos: 1 });
  await client.reauthenticate();
  await client.publish('after', '', { qos: 1 });
  expect(client.stats().connects).toBe(1);
  await expect(as('falsch')).rejects.toMatchObject({ code: 'TOBYMQ_CONNECT_REFUSED', reasonCode: 0x87 });
});

test('an address that goes on guessing is answered later and then banned', async () => {
  const path = file('guess.txt', `anna:${await hashPassword('geheim', 'sha512')}\n`);
  const { login, port, server } = await serverWith([{ type: 'password-file', file: path }], {
    throttle: { failures: 3, delay: '10ms', ban: '1h', exempt: [] },
  });
  for (let attempt = 0; attempt < 3; attempt++) expect((await login('anna', 'falsch')).reason).toBe(0x86);
  expect(server.throttle.bans()).toMatchObject([{ kind: 'address', value: host }]);
  const banned = await RawPeer.connect({ host, port });
  await banned.expectClose();
  expect(server.throttle.refusedByBan).toBe(1);
  server.throttle.remove('address', host);
  expect((await login('anna', 'geheim')).reason).toBe(0);
});

test('a client that comes and goes without end is banned', async () => {
  const { login, server } = await serverWith([{ type: 'anonymous' }], {
    throttle: { flapping: 3, exempt: [] },
  });
  for (let attempt = 0; attempt < 3; attempt++) (await login(undefined, undefined, 'flappy')).peer.destroy();
  expect(server.throttle.bans()).toMatchObject([{ kind: 'client', value: 'flappy' }]);
  expect((await login(undefined, undefined, 'flappy')).reason).toBe(0x8a);
  expect((await login(undefined, undefined, 'calm')).reason).toBe(0);
});

test('bans that somebody has asked for are not pushed out by those that come by themselves', async () => {
  const server = await startServer({ throttle: { flapping: 2, exempt: [] } });
  const { throttle } = server;
  throttle.add({ kind: 'client', value: 'thief', reason: 'stolen', until: Number.POSITIVE_INFINITY });
  for (let i = 0; i < 120_000; i++) {
    throttle.connected({ clientId: `client-${i >> 1}`, remoteAddress: host });
  }
  expect(throttle.bans().length).toBe(50_001);
  expect((await connect({ host, port: portOf(server) }, { clientId: 'thief' })).reason).toBe(0x8a);
  expect(throttle.remove('client', 'thief')).toBe(true);
});

test('the limit of sessions counts for clients that prove their password by SCRAM', async () => {
  const path = file('limited-scram.txt', `anna:${await makeScramSecret('geheim')}\n`);
  const { port } = await serverWith([{ type: 'scram', file: path }], { limits: { sessions: 1 } });
  const login = (clientId: string) =>
    connectClient(`mqtt://${host}:${port}`, {
      clientId,
      auth: scramSha256({ username: 'anna', password: 'geheim' }),
      reconnect: false,
    });
  const first = await login('first');
  onTestFinished(() => first.close());
  await expect(login('second')).rejects.toMatchObject({ reasonCode: 0x89 });
  await first.reauthenticate();
});

test('a user who is banned stays out, wherever the name comes from', async () => {
  const scramFile = file('banned-scram.txt', `anna:${await makeScramSecret('geheim')}\n`);
  const { login, port, server } = await serverWith([
    { type: 'jwt', secret },
    { type: 'scram', file: scramFile },
  ]);
  const withToken = async () => login(undefined, await sign(token({ sub: 'anna' })));
  const byScram = () =>
    connectClient(`mqtt://${host}:${port}`, {
      auth: scramSha256({ username: 'anna', password: 'geheim' }),
      reconnect: false,
    });
  expect((await withToken()).reason).toBe(0);
  await (await byScram()).close();
  server.throttle.add({ kind: 'user', value: 'anna', reason: 'left', until: Number.POSITIVE_INFINITY });
  expect(await withToken()).toMatchObject({ reason: 0x8a, reasonString: 'left' });
  await expect(byScram()).rejects.toMatchObject({ reasonCode: 0x8a });
});

test('only client ids with a prefix that is allowed may connect', async () => {
  const { login } = await serverWith([{ type: 'anonymous' }], {
    limits: { clientIdPrefixes: ['lamp-', 'door-'] },
  });
  expect((await login(undefined, undefined, 'lamp-1')).reason).toBe(0);
  expect((await login(undefined, undefined, 'x-1')).reason).toBe(0x87);
});
