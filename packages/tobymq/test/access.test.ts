// What clients may publish, subscribe to and receive: our rules, Mosquitto's ACL file, and the pure questions behind them.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { matches } from '@tobymq/codec';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { covers } from '../src/authz/topic-pattern.ts';
import type { ConfigInput } from '../src/config/schema.ts';
import { connect, nextMessage, portOf, publish, startServer, subscribe } from './harness.ts';

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'tobymq-access-'));
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

const host = '127.0.0.1';
const denied = 0x87;

async function serverWith(access: ConfigInput['access']) {
  const server = await startServer({ access, authentication: [{ type: 'anonymous', anyName: true }] });
  return async (username: string | undefined, clientId = 'c1') =>
    (
      await connect(
        { host, port: portOf(server) },
        { clientId, ...(username === undefined ? {} : { username }) },
      )
    ).peer;
}

test.each([
  ['a/#', 'a/b', true],
  ['a/#', 'a', true],
  ['a/#', 'a/+/c', true],
  ['a/#', '#', false],
  ['a/+', 'a/b', true],
  ['a/+', 'a/+', true],
  ['a/+', 'a/#', false],
  ['a/+', 'a', false],
  ['#', '+/b', true],
  ['#', '$SYS/x', false],
  ['$SYS/#', '$SYS/broker/uptime', true],
  ['+/b', 'a/b', true],
  ['a/b', 'a/+', false],
  ['a/b', '$share/g/a/b', true],
  ['a/b/c', 'a/b', false],
])('the filter %s covers %s: %s', (wide, filter, expected) => {
  expect(covers(wide, filter)).toBe(expected);
});

test('a filter that covers another matches every topic that the other matches', () => {
  const level = fc.constantFrom('a', 'b', '+', '');
  const filter = fc
    .tuple(fc.array(level, { minLength: 1, maxLength: 4 }), fc.boolean())
    .map(([levels, hash]) => [...levels, ...(hash ? ['#'] : [])].join('/'))
    .filter((text) => text !== '');
  const topic = fc
    .array(fc.constantFrom('a', 'b', 'c', ''), { minLength: 1, maxLength: 5 })
    .map((levels) => levels.join('/'))
    .filter((text) => text !== '');
  fc.assert(
    fc.property(filter, filter, topic, (wide, narrow, name) => {
      if (covers(wide, narrow) && matches(narrow, name)) expect(matches(wide, name)).toBe(true);
    }),
    { numRuns: 3000 },
  );
});

test('the first rule that fits decides, and what no rule speaks of is denied', async () => {
  const login = await serverWith({
    rules: [
      { deny: 'publish', topics: 'plant/secret' },
      { allow: 'all', topics: ['plant/#'], users: 'anna' },
      { allow: 'subscribe', topics: 'news/#', users: '*' },
    ],
  });
  const anna = await login('anna');
  expect(await publish(anna, 'plant/1')).toBe(0x10);
  expect(await publish(anna, 'plant/secret')).toBe(denied);
  expect(await publish(anna, 'other')).toBe(denied);
  expect(await subscribe(anna, 'news/today')).toBe(0);
  expect(await publish(anna, 'news/today')).toBe(denied);
  const nobody = await login(undefined, 'c2');
  expect(await subscribe(nobody, 'news/today')).toBe(denied);
});

test('%c and %u stand for the names of the client, and names with wildcards do not reach further', async () => {
  const login = await serverWith({ rules: [{ allow: 'publish', topics: ['by-id/%c', 'by-name/%u/#'] }] });
  const anna = await login('anna', 'lamp');
  expect(await publish(anna, 'by-id/lamp')).toBe(0x10);
  expect(await publish(anna, 'by-id/other')).toBe(denied);
  expect(await publish(anna, 'by-name/anna/x')).toBe(0x10);
  const sly = await login('+', 'a/b');
  expect(await publish(sly, 'by-id/a/b')).toBe(denied);
  expect(await publish(sly, 'by-name/anna/x')).toBe(denied);
});

test('rules can be for roles, client ids, addresses, and superusers need none', async () => {
  const login = await serverWith({
    roles: { operator: ['otto'] },
    superusers: ['root'],
    rules: [
      { allow: 'publish', topics: 'valve', roles: 'operator' },
      { allow: 'publish', topics: 'tele', clients: 'sensor-*' },
      { allow: 'publish', topics: 'local', addresses: '127.0.0.0/8' },
      { allow: 'publish', topics: 'remote', addresses: '10.0.0.0/8' },
    ],
  });
  const otto = await login('otto', 'c1');
  expect(await publish(otto, 'valve')).toBe(0x10);
  expect(await publish(otto, 'tele')).toBe(denied);
  expect(await publish(otto, 'local')).toBe(0x10);
  expect(await publish(otto, 'remote')).toBe(denied);
  expect(await publish(await login('x', 'sensor-9'), 'tele')).toBe(0x10);
  expect(await publish(await login('root', 'c3'), 'anything')).toBe(0x10);
});

test('rules bound QoS and retain, also for a topic that was allowed before', async () => {
  const login = await serverWith({ rules: [{ allow: 'all', topics: 'q/#', qos: 1, retain: false }] });
  const peer = await login('anna');
  expect(await publish(peer, 'q/1')).toBe(0x10);
  expect(await publish(peer, 'q/1', 'x', true)).toBe(denied);
  expect(await publish(peer, 'q/1')).toBe(0x10);
  expect(await subscribe(peer, 'q/1', 2)).toBe(1);
});

test('a denied part of a wide subscription is left out at delivery', async () => {
  const login = await serverWith({
    rules: [
      { deny: 'subscribe', topics: 'secret/#' },
      { allow: 'all', topics: '#' },
    ],
  });
  const peer = await login('anna');
  expect(await subscribe(peer, '#')).toBe(0);
  expect(await subscribe(peer, 'secret/x')).toBe(denied);
  await publish(peer, 'secret/x', 'hidden');
  await publish(peer, 'open', 'seen');
  expect(await nextMessage(peer)).toEqual({ topic: 'open', payload: 'seen' });
});

test('a refusal names the rule by its file and line', async () => {
  const path = file(
    'named.yaml',
    '# comment\nrules:\n  - allow: publish\n    topics: a\n  - deny: publish\n    topics: b\n',
  );
  const server = await startServer({ access: { file: path }, authentication: [{ type: 'anonymous' }] });
  await connect({ host, port: portOf(server) }, { clientId: 'asker' });
  const { publisher } = await server.broker.explain('b', { publisher: 'asker' });
  expect(publisher).toMatchObject({ isAllowed: false, reason: `${path}:5` });
});

test('rules can stand in a file of their own', async () => {
  const path = file('rules.yaml', 'rules:\n  - allow: publish\n    topics: from-file\nsuperusers: [root]\n');
  const login = await serverWith({ file: path });
  expect(await publish(await login('anna'), 'from-file')).toBe(0x10);
  expect(await publish(await login('anna'), 'other')).toBe(denied);
});

const acl = `# for clients without a name
topic read news/#

user roger
topic foo/bar
topic read sensors/#
topic write commands with blanks/#
topic deny foo/bar/secret
topic readwrite foo/bar/#

pattern write tele/%c/state
pattern read own/%u/#
`;

test('an ACL file of Mosquitto: users, patterns, denials, and the default', async () => {
  const login = await serverWith({ aclFile: file('acl', acl) });
  const roger = await login('roger', 'lamp');
  expect(await publish(roger, 'foo/bar')).toBe(0x10);
  expect(await publish(roger, 'foo/bar/x')).toBe(0x10);
  expect(await publish(roger, 'foo/bar/secret')).toBe(denied);
  expect(await publish(roger, 'sensors/1')).toBe(denied);
  expect(await publish(roger, 'commands with blanks/1')).toBe(0x10);
  expect(await publish(roger, 'tele/lamp/state')).toBe(0x10);
  expect(await publish(roger, 'tele/other/state')).toBe(denied);
  expect(await publish(await login('mary', 'c2'), 'foo/bar')).toBe(denied);
});

test('with an ACL file every SUBSCRIBE succeeds, and what may not be read is not delivered', async () => {
  const login = await serverWith({ aclFile: file('acl2', `${acl}\nuser writer\ntopic write #\n`) });
  const writer = await login('writer', 'writer');
  const anonymous = await login(undefined, 'reader');
  expect(await subscribe(anonymous, '#')).toBe(0);
  await publish(writer, 'private', 'hidden');
  await publish(writer, 'news/1', 'seen');
  expect(await nextMessage(anonymous)).toEqual({ topic: 'news/1', payload: 'seen' });
  const anna = await login('anna', 'anna');
  await subscribe(anna, 'own/#');
  await publish(writer, 'own/bob/x', 'hidden');
  await publish(writer, 'own/anna/x', 'seen');
  expect(await nextMessage(anna)).toEqual({ topic: 'own/anna/x', payload: 'seen' });
});

test('names with wildcards are denied where there are patterns', async () => {
  const login = await serverWith({ aclFile: file('acl3', 'pattern readwrite own/%u\n') });
  expect(await publish(await login('#', 'c1'), 'own/#'.replace('#', 'x'))).toBe(denied);
  expect(await publish(await login('anna', 'c2'), 'own/anna')).toBe(0x10);
});

test('%c and %u are filled in within a level, too, as Mosquitto 2.0 does', async () => {
  const text = 'pattern deny lamps/%c-secret\npattern readwrite lamps/#\npattern write %u-%c/state\n';
  const login = await serverWith({ aclFile: file('acl4', text) });
  const lamp = await login('anna', 'lamp');
  expect(await publish(lamp, 'lamps/lamp-secret')).toBe(denied);
  expect(await publish(lamp, 'lamps/other-secret')).toBe(0x10);
  expect(await publish(lamp, 'anna-lamp/state')).toBe(0x10);
  expect(await publish(await login(undefined, 'nobody'), '-nobody/state')).toBe(denied);
});

test('a name does not lead to the topics that begin with $', async () => {
  const rules = await serverWith({
    rules: [
      { allow: 'subscribe', topics: '%c/#' },
      { allow: 'publish', topics: '%u/#' },
    ],
  });
  const sly = await rules('$queue', '$SYS');
  expect(await subscribe(sly, '$SYS/#')).toBe(denied);
  expect(await publish(sly, '$queue/x')).toBe(denied);
  const login = await serverWith({ aclFile: file('acl5', 'pattern write %c/#\npattern write $queue/%c\n') });
  expect(await publish(await login('anna', '$other'), '$other/x')).toBe(denied);
  expect(await publish(await login('anna', 'c2'), '$queue/c2')).toBe(0x10);
});

test.each([
  ['topic', /"topic" has no value/],
  ['topics read a', /expected user, topic or pattern, found "topics"/],
  ['topic read a/#/b', /is not a valid topic filter/],
])('a line that cannot be read stops the start: %s', async (line, message) => {
  await expect(serverWith({ aclFile: file('bad-acl', `# first\n${line}\n`) })).rejects.toThrow(message);
  await expect(serverWith({ aclFile: file('bad-acl', `# first\n${line}\n`) })).rejects.toThrow(/bad-acl:2/);
});
