// `tobymq mosquitto` in place of the program `mosquitto`: every option of a mosquitto.conf that shows in behaviour, with
// real connections to a real process; log lines, signals and exit codes; and Debian's own files, unchanged.

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import {
  decode,
  freePort,
  type MqttVersion,
  makeCertificates,
  packet,
  packetType,
  property,
  RawPeer,
  type RawTarget,
  runProcess,
  type TestCertificates,
  type TestProcess,
} from '@tobymq/testkit';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { cli, connect, nextMessage, publish, startCommand, subscribe, webSocketPeer } from './harness.ts';

let directory: string;
let certificates: TestCertificates;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tobymq-mosquitto-'));
  certificates = await makeCertificates(directory);
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

const host = '127.0.0.1';
let serial = 0;

/** A configuration file; `PORT0`, `PORT1` ... stand for free ports, `DIR` for the folder of the test. */
async function configuration(text: string): Promise<{ path: string; ports: number[] }> {
  const ports: number[] = [];
  let conf = text.replaceAll('DIR', directory);
  while (conf.includes(`PORT${ports.length}`)) {
    const port = await freePort();
    conf = conf.replaceAll(`PORT${ports.length}`, String(port));
    ports.push(port);
  }
  const path = join(directory, `m${++serial}.conf`);
  writeFileSync(path, conf);
  return { path, ports };
}

async function start(
  text: string,
  args: readonly string[] = [],
): Promise<{ program: TestProcess; ports: number[]; path: string }> {
  const { path, ports } = await configuration(text);
  const program = startCommand(['mosquitto', '-c', path, ...args], { cwd: directory });
  await program.line(/mosquitto version .* running/);
  return { program, ports, path };
}

function at(port: number | undefined, more: Partial<RawTarget> = {}): RawTarget {
  return { host, port: port as number, ...more };
}

async function connack(target: RawTarget, options: Parameters<typeof packet.connect>[0] = {}) {
  const version: MqttVersion = options?.version ?? 5;
  const peer = await RawPeer.connect(target);
  onTestFinished(() => peer.destroy());
  peer.send(packet.connect({ clientId: 'test', ...options, version }));
  const frame = await peer.expect(packetType.CONNACK);
  return { peer, bytes: frame.bytes.toString('hex'), ...decode.connack(frame, version) };
}

test('without a file: loopback only, anonymous, and the CONNACK of Mosquitto 2.1 byte by byte', async () => {
  const port = await freePort();
  const program = startCommand(['mosquitto', '-p', String(port), '-v'], { cwd: directory });
  await program.line(/^\d+: mosquitto version [\d.]+ starting$/);
  await program.line(/^\d+: Using default config\.$/);
  await program.line(/Starting in local only mode/);
  await program.line(new RegExp(`^\\d+: Opening ipv4 listen socket on port ${port}\\.$`));
  await program.line(/^\d+: mosquitto version [\d.]+ running$/);
  expect((await connack(at(port))).bytes).toBe('200e00000b22000a27001e8480210014');
  const { peer } = await connack(at(port), {
    clientId: 'second',
    username: 'joe',
    keepAlive: 60,
    version: 4,
  });
  await program.line(/^\d+: New connection from 127\.0\.0\.1:\d+ on port \d+\.$/);
  await program.line(/^\d+: New client connected from 127\.0\.0\.1:\d+ as second \(p2, c1, k60, u'joe'\)\.$/);
  peer.send('e000');
  await program.line(/^\d+: Client second disconnected\.$/);
  const gone = await connack(at(port), { clientId: 'third' });
  gone.peer.destroy();
  await program.line(/^\d+: Client third closed its connection\.$/);
  const taken = await connack(at(port), { clientId: 'fourth' });
  await connack(at(port), { clientId: 'fourth' });
  await taken.peer.expect(packetType.DISCONNECT);
  await program.line(/^\d+: Client fourth already connected, closing old connection\.$/);
  const result = await program.stop();
  expect(result.code).toBe(0);
  expect(result.stderr).toMatch(/mosquitto version [\d.]+ terminating/);
});

test('limits are announced and kept', async () => {
  const { ports } = await start(`
listener PORT0 127.0.0.1
allow_anonymous true
max_inflight_messages 5
max_packet_size 5000
max_keepalive 30
retain_available false
max_qos 1
max_topic_alias 7
max_topic_alias_broker 3
message_size_limit 100
max_connections 2
`);
  const { properties, peer } = await connack(at(ports[0]), { keepAlive: 0 });
  expect(Object.fromEntries([...properties].map(([id, [value]]) => [id, value]))).toEqual({
    [property.topicAliasMaximum]: 7,
    [property.serverKeepAlive]: 30,
    [property.retainAvailable]: 0,
    [property.maximumPacketSize]: 5000,
    [property.receiveMaximum]: 5,
    [property.maximumQoS]: 1,
  });
  await subscribe(peer, 'a');
  expect(await publish(peer, 'a', 'x'.repeat(101))).toBe(0);
  expect(await publish(peer, 'a', 'small')).toBe(0);
  expect(await nextMessage(peer)).toEqual({ topic: 'a', payload: 'small' });
  expect((await connack(at(ports[0]), { clientId: 'old', version: 4, keepAlive: 60 })).reason).toBe(2);
  peer.send(packet.publish({ version: 5, topic: 'a', payload: 'x'.repeat(6000) }));
  expect(decode.reason(await peer.take(packetType.DISCONNECT), 5).reason).toBe(0x95);
});

test('client ids: prefixes, empty ids, names of invented ids, the user name as client id', async () => {
  const { ports } = await start(`
clientid_prefixes lamp
listener PORT0 127.0.0.1
allow_anonymous true
listener PORT1 127.0.0.1
use_username_as_clientid true
`);
  expect((await connack(at(ports[0]), { clientId: 'lamp-1' })).reason).toBe(0);
  expect((await connack(at(ports[0]), { clientId: 'door-1' })).reason).toBe(0x87);
  const named = await connack(at(ports[1]), { clientId: 'x', username: 'lamp-anna' });
  expect(named.reason).toBe(0);
  const more = await start(`
per_listener_settings true
listener PORT0 127.0.0.1
allow_anonymous true
auto_id_prefix bot-
listener PORT1 127.0.0.1
allow_anonymous true
allow_zero_length_clientid false
`);
  const invented = await connack(at(more.ports[0]), { clientId: '' });
  expect(invented.properties.get(property.assignedClientIdentifier)?.[0]).toMatch(/^bot-/);
  expect((await connack(at(more.ports[1]), { clientId: '' })).reason).toBe(0x85);
});

test('passwords, anonymous clients and ACL, for all listeners and per listener', async () => {
  execFileSync('mosquitto_passwd', ['-b', '-c', join(directory, 'pw'), 'anna', 'geheim']);
  writeFileSync(
    join(directory, 'acl'),
    'topic read free/#\nuser anna\ntopic readwrite free/#\npattern write tele/%c/#\n',
  );
  const { ports, program } = await start(`
listener PORT0 127.0.0.1
password_file DIR/pw
acl_file DIR/acl
`);
  expect((await connack(at(ports[0]))).reason).toBe(0x87);
  expect((await connack(at(ports[0]), { version: 4 })).reason).toBe(5);
  await program.line(/Client test disconnected, not authorised\./);
  expect((await connack(at(ports[0]), { username: 'anna', password: 'falsch' })).reason).toBe(0x87);
  const { peer } = await connack(at(ports[0]), { username: 'anna', password: 'geheim' });
  expect(await publish(peer, 'free/x')).toBe(0x10);
  expect(await publish(peer, 'tele/test/x')).toBe(0x10);
  expect(await publish(peer, 'tele/other/x')).toBe(0x87);
  const split = await start(`
per_listener_settings true
listener PORT0 127.0.0.1
password_file DIR/pw
listener PORT1 127.0.0.1
allow_anonymous true
acl_file DIR/acl
`);
  expect((await connack(at(split.ports[0]))).reason).toBe(0x87);
  const anonymous = await connack(at(split.ports[1]));
  expect(anonymous.reason).toBe(0);
  expect(await publish(anonymous.peer, 'free/x')).toBe(0x87);
});

test('a listener without allow_anonymous and without passwords lets nobody in', async () => {
  const { ports } = await start('listener PORT0 127.0.0.1\n');
  expect((await connack(at(ports[0]))).reason).toBe(0x87);
  expect((await connack(at(ports[0]), { username: 'joe', password: 'x' })).reason).toBe(0x87);
});

test('the plugins of Mosquitto 2.1 that read a password file and an ACL file', async () => {
  execFileSync('mosquitto_passwd', ['-b', '-c', join(directory, 'pw2'), 'anna', 'geheim']);
  writeFileSync(join(directory, 'acl2'), 'user anna\ntopic write a\n');
  const { ports } = await start(`
listener PORT0 127.0.0.1
plugin /usr/lib/x86_64-linux-gnu/mosquitto_password_file.so
plugin_opt_password_file DIR/pw2
plugin /usr/lib/x86_64-linux-gnu/mosquitto_acl_file.so
plugin_opt_acl_file DIR/acl2
`);
  expect((await connack(at(ports[0]))).reason).toBe(0x87);
  const { peer } = await connack(at(ports[0]), { username: 'anna', password: 'geheim' });
  expect(await publish(peer, 'a')).toBe(0x10);
  expect(await publish(peer, 'b')).toBe(0x87);
});

test('TLS: certificates, versions, ciphers, client certificates as names, revocation, keylog', async () => {
  const keylog = join(directory, 'keylog');
  const { ports } = await start(
    `
listener PORT0 127.0.0.1
certfile ${certificates.server.cert}
keyfile ${certificates.server.key}
tls_version tlsv1.2
ciphers ECDHE-ECDSA-AES128-GCM-SHA256
ciphers_tls1.3 TLS_AES_128_GCM_SHA256
allow_anonymous true
listener PORT1 127.0.0.1
certfile ${certificates.server.cert}
keyfile ${certificates.server.key}
cafile ${certificates.ca.cert}
crlfile ${certificates.crl}
require_certificate true
use_identity_as_username true
listener PORT2 127.0.0.1
certfile ${certificates.server.cert}
keyfile ${certificates.server.key}
cafile ${certificates.ca.cert}
require_certificate true
use_subject_as_username true
listener PORT3 127.0.0.1
psk_hint hint
psk_file DIR/psk
use_identity_as_username true
`.replace('listener PORT3', () => {
      writeFileSync(join(directory, 'psk'), 'lamp:deadbeef\n');
      return 'listener PORT3';
    }),
    ['-v', '--tls-keylog', keylog],
  );
  const ca = readFileSync(certificates.ca.cert);
  const as = ({ cert, key }: { cert: string; key: string }) => ({
    ca,
    servername: 'localhost',
    cert: readFileSync(cert),
    key: readFileSync(key),
  });
  const server = await connack(at(ports[0], { tls: { ca, servername: 'localhost' } }));
  expect((server.peer.stream as unknown as { getCipher(): { name: string } }).getCipher().name).toBe(
    'TLS_AES_128_GCM_SHA256',
  );
  expect(readFileSync(keylog, 'utf8')).toContain('CLIENT_TRAFFIC_SECRET');
  for (const port of [ports[1], ports[2]]) {
    const target = at(port, { tls: as(certificates.client) });
    const { reason } = await connack(target, { clientId: `c${port}` });
    expect(reason).toBe(0);
  }
  const refused = connectTls({ ...at(ports[1]), ...as(certificates.revokedClient) } as never);
  refused.resume();
  refused.on('error', () => {});
  await once(refused, 'close');
  const keyed = {
    ciphers: 'PSK+HIGH',
    pskCallback: () => ({ identity: 'lamp', psk: Buffer.from('deadbeef', 'hex') }),
    checkServerIdentity: () => undefined,
    maxVersion: 'TLSv1.2',
  } as const;
  expect((await connack(at(ports[3], { tls: keyed }))).reason).toBe(0);
});

test('WebSocket, Unix socket, PROXY protocol, mount point, versions, IPv4 only, an interface', async () => {
  mkdirSync(join(directory, 'www'), { recursive: true });
  writeFileSync(join(directory, 'www/hello.txt'), 'hello');
  const { ports } = await start(`
allow_anonymous true
listener PORT0 127.0.0.1
protocol websockets
http_dir DIR/www
websockets_origin http://good.example
listener 0 DIR/mqtt.sock
listener PORT1 127.0.0.1
enable_proxy_protocol 1
listener PORT2 127.0.0.1
mount_point house/
listener PORT3 127.0.0.1
accept_protocol_versions 4,5
listener PORT4
socket_domain ipv4
listener PORT5
bind_interface lo
listener PORT6
`);
  const url = `ws://${host}:${ports[0]}`;
  const { peer: overWebSocket } = await connect(
    await webSocketPeer(`${url}/any/path`, { origin: 'http://good.example' }),
    { clientId: 'ws' },
  );
  await subscribe(overWebSocket, 'house/#');
  const evil = new WebSocket(url, 'mqtt', { origin: 'http://evil.example' });
  const [, response] = (await once(evil, 'unexpected-response')) as [
    unknown,
    { statusCode: number; destroy(): void },
  ];
  expect(response.statusCode).toBe(403);
  response.destroy();
  expect(await (await fetch(`http://${host}:${ports[0]}/hello.txt`)).text()).toBe('hello');
  expect((await connack({ path: join(directory, 'mqtt.sock') }, { clientId: 'unix' })).reason).toBe(0);
  const proxied = await RawPeer.connect(at(ports[1]));
  proxied.send(Buffer.from('PROXY TCP4 203.0.113.7 10.0.0.1 5 6\r\n'));
  await connect(proxied, { clientId: 'proxied' });
  const mounted = await connack(at(ports[2]), { clientId: 'mounted' });
  expect(await publish(mounted.peer, 'door', 'open')).toBe(0);
  expect(await nextMessage(overWebSocket)).toEqual({ topic: 'house/door', payload: 'open' });
  expect((await connack(at(ports[3]), { clientId: 'v5' })).reason).toBe(0);
  const old = await RawPeer.connect(at(ports[3]));
  onTestFinished(() => old.destroy());
  old.send(packet.connect({ version: 3, clientId: 'old' }));
  expect(decode.connack(await old.expect(packetType.CONNACK), 3).reason).toBe(1);
  for (const port of [ports[4], ports[5], ports[6]])
    expect((await connack(at(port), { clientId: `p${port}` })).reason).toBe(0);
  expect((await connack({ host: '::1', port: ports[6] as number }, { clientId: 'v6' })).reason).toBe(0);
  await expect(RawPeer.connect({ host: '::1', port: ports[4] as number })).rejects.toThrow();
});

test('queues: how many messages wait, QoS 0 with them, and for how long a session is kept', async () => {
  const { ports } = await start(`
listener PORT0 127.0.0.1
allow_anonymous true
max_queued_messages 2
max_inflight_messages 1
queue_qos0_messages true
persistent_client_expiration 1h
`);
  const session = {
    version: 5 as const,
    clientId: 'sleeper',
    clean: false,
    properties: [[property.sessionExpiryInterval, 0xffff_ffff]] as const,
  };
  const sleeper = await connack(at(ports[0]), session);
  expect(sleeper.properties.get(property.sessionExpiryInterval)?.[0]).toBe(3600);
  await subscribe(sleeper.peer, 'q', 1);
  sleeper.peer.send('e000');
  await sleeper.peer.expectClose();
  const { peer } = await connack(at(ports[0]), { clientId: 'writer' });
  peer.send(packet.publish({ version: 5, topic: 'q', payload: 'zero' }));
  for (const payload of ['one', 'two', 'three', 'four']) await publish(peer, 'q', payload);
  const awake = await connack(at(ports[0]), session);
  const received: string[] = [];
  for (let index = 0; index < 2; index++) {
    const message = decode.publish(await awake.peer.take(packetType.PUBLISH), 5);
    received.push(message.payload.toString());
    if (message.qos > 0) awake.peer.send(packet.puback({ version: 5, id: message.id }));
  }
  expect(received).toEqual(['zero', 'one']);
});

test('$SYS: the version of Mosquitto, and none with sys_interval 0', async () => {
  const { ports } = await start('listener PORT0 127.0.0.1\nallow_anonymous true\nsys_interval 1\n');
  const { peer } = await connack(at(ports[0]));
  await subscribe(peer, '$SYS/broker/version');
  expect((await nextMessage(peer)).payload).toMatch(/^mosquitto version /);
  await subscribe(peer, '$SYS/broker/uptime');
  expect((await nextMessage(peer)).payload).toMatch(/^\d+ seconds$/);
  const silent = await start('listener PORT0 127.0.0.1\nallow_anonymous true\nsys_interval 0\n');
  const other = await connack(at(silent.ports[0]));
  await subscribe(other.peer, '$SYS/#');
  await subscribe(other.peer, 'marker');
  await publish(other.peer, 'marker', 'first');
  expect((await nextMessage(other.peer)).topic).toBe('marker');
});

test('persistence true keeps what was acknowledged, false forgets it; the pid file is written and removed', async () => {
  const conf = `
listener PORT0 127.0.0.1
allow_anonymous true
persistence true
persistence_location DIR/store/
autosave_interval 10
pid_file DIR/mosquitto.pid
`;
  mkdirSync(join(directory, 'store'), { recursive: true });
  const first = await start(conf);
  expect(readFileSync(join(directory, 'mosquitto.pid'), 'utf8').trim()).toBe(String(first.program.child.pid));
  const writer = await connack(at(first.ports[0]));
  expect(await publish(writer.peer, 'kept', 'value', true)).toBe(0x10);
  first.program.child.kill('SIGKILL');
  await first.program.exit();
  const second = await start(conf);
  const reader = await connack(at(second.ports[0]));
  await subscribe(reader.peer, 'kept');
  expect((await nextMessage(reader.peer)).payload).toBe('value');
  await second.program.stop();
  expect(existsSync(join(directory, 'mosquitto.pid'))).toBe(false);
});

test('user: started as root, the server goes on as that account, and its store is still writable', async () => {
  const { ports, program } = await start(`
listener PORT0 127.0.0.1
allow_anonymous true
user nobody
persistence true
persistence_location DIR/of-nobody
pid_file DIR/nobody.pid
`);
  const status = readFileSync(`/proc/${program.child.pid}/status`, 'utf8');
  const nobody = execFileSync('id', ['-u', 'nobody'], { encoding: 'utf8' }).trim();
  const own = process.getuid?.() === 0 ? nobody : String(process.getuid?.());
  expect(/^Uid:\t(\d+)\t(\d+)/m.exec(status)?.slice(1, 3)).toEqual([own, own]);
  const { peer } = await connack(at(ports[0]));
  expect(await publish(peer, 'kept', 'value', true)).toBe(0x10);
  expect((await program.stop()).code).toBe(0);
});

test('log_dest, log_type, log_timestamp and its format, connection_messages', async () => {
  const { ports, program } = await start(`
listener PORT0 127.0.0.1
allow_anonymous true
log_dest file DIR/a.log
log_dest stderr
log_dest topic
log_type all
log_timestamp_format %Y-%m-%dT%H:%M:%S
`);
  const { peer } = await connack(at(ports[0]));
  await subscribe(peer, '$SYS/broker/log/M/subscribe');
  await subscribe(peer, 'some/filter', 1);
  // The first line that is published is about that subscription itself.
  expect((await nextMessage(peer)).payload).toMatch(/test 0 \$SYS\/broker\/log\/M\/subscribe$/);
  expect((await nextMessage(peer)).payload).toMatch(/test 1 some\/filter$/);
  await program.line(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d: test 1 some\/filter$/);
  expect(readFileSync(join(directory, 'a.log'), 'utf8')).toContain('New client connected from');
  renameSync(join(directory, 'a.log'), join(directory, 'a.log.1'));
  program.child.kill('SIGHUP');
  await program.line(/Reloading config\./);
  await connack(at(ports[0]), { clientId: 'after' });
  await program.line(/as after/);
  expect(readFileSync(join(directory, 'a.log'), 'utf8')).toContain('as after');
  const quiet = await start(
    'listener PORT0 127.0.0.1\nallow_anonymous true\nconnection_messages false\nlog_timestamp false\nlog_type notice\nlog_type information\n',
  );
  (await connack(at(quiet.ports[0]))).peer.destroy();
  await quiet.program.stop();
  expect(quiet.program.stderr).toMatch(/^mosquitto version .* starting$/m);
  expect(quiet.program.stderr).not.toContain('New client');
});

test('include_dir: files are read in the order of their names, and only those that end in .conf', async () => {
  const port = await freePort();
  mkdirSync(join(directory, 'conf.d'), { recursive: true });
  writeFileSync(join(directory, 'conf.d/10-listener.conf'), `listener ${port} 127.0.0.1\n`);
  writeFileSync(join(directory, 'conf.d/B.conf'), 'allow_anonymous true\n');
  writeFileSync(join(directory, 'conf.d/a.conf'), 'allow_anonymous false\n');
  writeFileSync(join(directory, 'conf.d/README'), 'this is not an option\n');
  await start('include_dir DIR/conf.d\n');
  expect((await connack(at(port))).reason).toBe(0);
});

test('SIGHUP takes new passwords without dropping those who may stay, SIGUSR2 prints the subscriptions', async () => {
  const pw = join(directory, 'pw3');
  execFileSync('mosquitto_passwd', ['-b', '-c', pw, 'anna', 'geheim']);
  execFileSync('mosquitto_passwd', ['-b', pw, 'berta', 'geheim']);
  const { ports, program } = await start('listener PORT0 127.0.0.1\npassword_file DIR/pw3\n', ['-v']);
  const anna = await connack(at(ports[0]), { clientId: 'a', username: 'anna', password: 'geheim' });
  const berta = await connack(at(ports[0]), { clientId: 'b', username: 'berta', password: 'geheim' });
  await subscribe(anna.peer, 'some/topic');
  program.child.kill('SIGUSR2');
  await program.line(/some\/topic \(a, 0\)/);
  program.child.kill('SIGUSR1');
  execFileSync('mosquitto_passwd', ['-D', pw, 'berta']);
  execFileSync('mosquitto_passwd', ['-b', pw, 'carla', 'geheim']);
  program.child.kill('SIGHUP');
  expect(decode.reason(await berta.peer.expect(packetType.DISCONNECT), 5).reason).toBe(0x87);
  expect((await connack(at(ports[0]), { clientId: 'c', username: 'carla', password: 'geheim' })).reason).toBe(
    0,
  );
  await anna.peer.ping();
});

test.each([
  ['an unknown option', 'nonsense 1\n', /Error: Unknown configuration variable "nonsense"\./],
  ['an option without a value', 'max_qos\n', /Error: Empty max_qos value in configuration\./],
  ['a wrong boolean', 'persistence maybe\n', /Error: Invalid persistence value \(maybe\)/],
  ['a number out of range', 'max_packet_size 3\n', /Error: Invalid max_packet_size value \(3\)/],
  ['a wrong port', 'listener 70000\n', /Error: Invalid port value \(70000\)/],
  [
    'an option given twice',
    'listener 1883\ncertfile a\ncertfile b\n',
    /Error: Duplicate certfile value in configuration\./,
  ],
  [
    'a certificate without a key',
    'listener 1883\ncertfile a\n',
    /Error: Both certfile and keyfile must be provided/,
  ],
  [
    'a wrong protocol',
    'listener 1883\nprotocol carrier-pigeon\n',
    /Error: Invalid protocol value \(carrier-pigeon\)/,
  ],
  ['a wrong log_type', 'log_type loud\n', /Error: Invalid log_type value \(loud\)/],
  ['a wrong log_dest', 'log_dest moon\n', /Error: Invalid log_dest value \(moon\)/],
  [
    'a wrong expiration',
    'persistent_client_expiration 3 fortnights\n',
    /Error: Invalid persistent_client_expiration value/,
  ],
  [
    'a plugin of others',
    'plugin /usr/lib/evil.so\n',
    /Error: The plugin \/usr\/lib\/evil\.so cannot be loaded/,
  ],
  [
    'a bridge',
    'connection far\naddress example.org\ntopic # both\n',
    /Error: The bridge "far" cannot be started: TobyMQ has no bridges yet/,
  ],
  ['a bridge option without a bridge', 'cleansession true\n', /Error: Invalid bridge configuration/],
  [
    'an include_dir that does not exist',
    'include_dir /nowhere\n',
    /Error: Unable to open include_dir '\/nowhere'/,
  ],
  [
    'a password file that does not exist',
    'listener 1883\npassword_file /nowhere\n',
    /Error: \/nowhere: the password file cannot be read/,
  ],
  [
    'a key log that cannot be written',
    'listener PORT0 127.0.0.1\n',
    /Error: \/nowhere\/keys: the log file cannot be written/,
    ['--tls-keylog', '/nowhere/keys'],
  ],
])('%s: the error on stderr and exit code 3', async (_name, text, message, flags: string[] = []) => {
  const { path } = await configuration(text);
  const { mosquitto } = await import('../src/commands/mosquitto.ts');
  const { CommandValues } = await import('../src/commands/command.ts');
  const { PassThrough } = await import('node:stream');
  const stderr = new PassThrough();
  const streams = { stdin: new PassThrough(), stdout: new PassThrough(), stderr };
  const args = ['-c', path, ...flags];
  const code = await mosquitto({ ...streams, options: new CommandValues(), args, env: {} });
  expect(code).toBe(3);
  expect(String(stderr.read())).toMatch(message);
});

test('the command line: exit codes, version, test of a configuration', async () => {
  const run = (...args: string[]) => runProcess(process.execPath, [cli, 'mosquitto', ...args]);
  const { path: good } = await configuration('listener 1883\nallow_anonymous true\n');
  const { path: bad } = await configuration('nonsense 1\n');
  const [unknown, missing, version, tested, wrong, nowhere] = await Promise.all([
    run('--foo'),
    run('-c'),
    run('--version'),
    run('-c', good, '--test-config'),
    run('-c', bad, '-t'),
    run('-c', '/nowhere.conf'),
  ]);
  expect(unknown).toMatchObject({
    code: 3,
    stderr: expect.stringContaining("Error: Unknown option '--foo'."),
  });
  expect(missing).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('-c argument given, but no config file specified.'),
  });
  expect(version).toMatchObject({ code: 0, stdout: expect.stringMatching(/^mosquitto version [\d.]+\n$/) });
  expect(tested).toMatchObject({ code: 0, stderr: expect.stringContaining('Configuration file is OK.') });
  expect(wrong).toMatchObject({
    code: 3,
    stderr: expect.stringMatching(
      /Unknown configuration variable "nonsense"\.\n\d+: Error found at .*:1\.\n/,
    ),
  });
  expect(nowhere).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('Unable to open config file /nowhere.conf'),
  });
});

test('-d: the server runs in the background, and an error still comes to the front', async () => {
  const { path, ports } = await configuration(
    'listener PORT0 127.0.0.1\nallow_anonymous true\npid_file DIR/daemon.pid\n',
  );
  const result = await runProcess(process.execPath, [cli, 'mosquitto', '-d', '-c', path]);
  expect(result.code).toBe(0);
  const pid = Number(readFileSync(join(directory, 'daemon.pid'), 'utf8'));
  try {
    expect((await connack(at(ports[0]))).reason).toBe(0);
  } finally {
    process.kill(pid);
  }
  const { path: bad } = await configuration('nonsense 1\n');
  const failed = await runProcess(process.execPath, [cli, 'mosquitto', '-d', '-c', bad]);
  expect(failed).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('Unknown configuration variable'),
  });
});

test("Debian's example files work unchanged, with mosquitto_pub and mosquitto_sub as clients", async () => {
  const { ports } = await start(`
listener PORT0 127.0.0.1
allow_anonymous true
password_file /usr/share/doc/mosquitto/examples/pwfile.example
acl_file /usr/share/doc/mosquitto/examples/aclfile.example
psk_file /usr/share/doc/mosquitto/examples/pskfile.example
`);
  const common = ['-h', host, '-p', String(ports[0])];
  const roger = ['-u', 'roger', '-P', 'password'];
  const subscriber = runProcess('mosquitto_sub', [
    ...common,
    ...roger,
    '-t',
    'foo/bar',
    '-C',
    '1',
    '-W',
    '10',
    '-i',
    'sub',
  ]);
  const message = ['-t', 'foo/bar', '-m', 'hello', '-q', '1', '-r'];
  expect((await runProcess('mosquitto_pub', [...common, ...roger, ...message])).code).toBe(0);
  expect((await subscriber).stdout).toBe('hello\n');
  const denied = await runProcess('mosquitto_pub', [
    ...common,
    '-V',
    '5',
    '-t',
    'foo/bar',
    '-m',
    'x',
    '-q',
    '1',
    '-d',
  ]);
  expect(denied.stdout + denied.stderr).toMatch(/rc135|RC:135|Not authorized/i);
});

test.each(['/etc/mosquitto/mosquitto.conf', '/usr/share/doc/mosquitto/examples/mosquitto.conf'])(
  '%s of Debian is accepted unchanged',
  async (path) => {
    const { translateMosquittoFile } = await import('../src/mosquitto/to-config.ts');
    const { prepare } = await import('../src/prepare.ts');
    const { config, localOnly } = translateMosquittoFile(path, {});
    expect(localOnly).toBe(true);
    await prepare(config);
  },
);
