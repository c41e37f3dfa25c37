// The configuration file: what is wrong in it is told with file, line, key, what was expected and what was found.

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the configuration's own substitutions look like this
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ConfigError } from '../src/config/errors.ts';
import { loadConfig } from '../src/config/load.ts';
import { configurationReference } from '../src/config/reference.ts';
import { configSchema } from '../src/config/schema.ts';
import { toYaml } from '../src/config/to-yaml.ts';
import { parseDuration, parseSize } from '../src/config/units.ts';
import { metricsReference } from '../src/metrics/reference.ts';
import { mosquittoReference } from '../src/mosquitto/reference.ts';

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'tobymq-config-'));
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

function file(text: string, name = 'tobymq.yaml'): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

function problemsOf(text: string, name?: string): string[] {
  try {
    loadConfig(file(text, name), { PORT: '1999', SECRET: 's3cret' });
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message.split('\n').map((line) => line.replace(`${directory}/`, ''));
  }
}

test.each([
  ['an unknown key', 'listener: []\n', ['tobymq.yaml:1: listener: there is no such key']],
  [
    'an unknown key in a list',
    'listeners:\n  - port: 1\n    prot: 2\n',
    ['tobymq.yaml:3: listeners[0].prot: there is no such key'],
  ],
  [
    'a wrong type',
    'listeners:\n  - port: mqtt\n',
    ['tobymq.yaml:2: listeners[0].port: expected a number, found "mqtt"'],
  ],
  [
    'a number out of range',
    'listeners:\n  - port: 70000\n',
    ['tobymq.yaml:2: listeners[0].port: expected at most 65535, found 70000'],
  ],
  [
    'a wrong word',
    'log:\n  level: loud\n',
    ['tobymq.yaml:2: log.level: expected one of error, warn, info, debug, trace, found "loud"'],
  ],
  [
    'a wrong duration',
    'limits:\n  sessionExpiry: soon\n',
    ['tobymq.yaml:2: limits.sessionExpiry: expected a duration such as 30s, 5m, 2h or never, found "soon"'],
  ],
  [
    'a wrong size',
    'limits:\n  packetSize: 3\n',
    [
      'tobymq.yaml:2: limits.packetSize: expected a size such as 2000, 64KiB, 2MB or unlimited from 20 to 268435460 bytes, found 3',
    ],
  ],
  [
    'an authenticator of no known type',
    'authentication:\n  - type: magic\n',
    [
      'tobymq.yaml:2: authentication[0].type: expected a type: anonymous, password-file, http, jwt, certificate or scram, found "magic"',
    ],
  ],
  [
    'an authenticator without its file',
    'authentication:\n  - type: password-file\n',
    ['tobymq.yaml:2: authentication[0].file: expected a text, found nothing'],
  ],
  [
    'TLS without certificate',
    'listeners:\n  - type: tls\n',
    ['tobymq.yaml:2: listeners[0].tls: a listener of type tls needs "tls" with "cert" and "key"'],
  ],
  [
    'a rule that neither allows nor denies',
    'access:\n  rules:\n    - topics: a\n',
    ['tobymq.yaml:3: access.rules[0]: expected a rule with "allow" or with "deny"'],
  ],
  [
    'a word that a rule does not know',
    'access:\n  rules:\n    - {allow: read, topics: a, qos: 3}\n',
    [
      'tobymq.yaml:3: access.rules[0].allow: expected one of publish, subscribe, all, found "read"',
      'tobymq.yaml:3: access.rules[0].qos: expected 0, 1 or 2, found 3',
    ],
  ],
  [
    'two mistakes at once',
    'data: 7\nhttp:\n  port: x\n',
    [
      'tobymq.yaml:1: data: expected a text, found 7',
      'tobymq.yaml:3: http.port: expected a number, found "x"',
    ],
  ],
  ['a key given twice', 'data: a\ndata: b\n', ['tobymq.yaml:2: not valid YAML: Map keys must be unique']],
  [
    'a variable that is not set',
    '# comment\ndata: ${NOWHERE}\n',
    ['tobymq.yaml:2: the environment variable NOWHERE is not set; set it, or write ${NOWHERE:-DEFAULT}'],
  ],
  [
    'a substitution that is none',
    'data: ${a b}\n',
    ['tobymq.yaml:1: ${a b} is neither ${NAME} nor ${file:PATH}'],
  ],
])('%s is told', (_name, text, expected) => {
  expect(problemsOf(text)).toEqual(expected);
});

test('a file that cannot be read is told', () => {
  expect(() => loadConfig(join(directory, 'nowhere.yaml'))).toThrow(/cannot be read: there is no such file/);
  expect(problemsOf('data: ${file:nowhere}\n')[0]).toMatch(
    /the file .*nowhere of \$\{file:nowhere\} cannot be read: there is no such file/,
  );
});

test('variables and files are put in, and plain values become numbers', () => {
  file('from-a-file\n', 'secret.txt');
  const config = loadConfig(
    file(
      'listeners:\n  - port: ${PORT}\n    name: "${PORT}"\nhttp:\n  token: token-${file:secret.txt}-${SECRET:-none}\nstopDeadline: ${WAIT:-7s}\npidFile: $${x}.pid\n',
    ),
    { PORT: '1999' },
  );
  expect(config.listeners?.[0]).toMatchObject({ port: 1999, name: '1999' });
  expect(config.http.token).toBe('token-from-a-file-none');
  expect(config.stopDeadline).toBe(7);
  expect(config.pidFile).toBe(join(directory, '${x}.pid'));
});

test('paths are relative to the folder of the file', () => {
  const config = loadConfig(
    file('data: d\nauthentication: [{type: password-file, file: users}]\nlog: {to: [stderr, a.log]}\n'),
  );
  expect(config.data).toBe(join(directory, 'd'));
  expect(config.authentication).toMatchObject([{ file: join(directory, 'users') }]);
  expect(config.log.to).toEqual(['stderr', join(directory, 'a.log')]);
});

test('JSON is accepted', () => {
  expect(loadConfig(file('{"listeners": [{"port": 1234}]}', 'c.json')).listeners?.[0]?.port).toBe(1234);
  expect(problemsOf('{"listeners": [\n{"port": "x"}]}', 'c.json')).toEqual([
    'c.json:2: listeners[0].port: expected a number, found "x"',
  ]);
});

test.each([
  ['250ms', 0.25],
  ['90', 90],
  ['1.5m', 90],
  ['2h', 7200],
  ['7d', 604_800],
  ['never', Number.POSITIVE_INFINITY],
  ['5 parsecs', undefined],
])('the duration %s is %s seconds', (text, seconds) => {
  expect(parseDuration(text)).toBe(seconds);
});

test.each([
  ['2000', 2000],
  ['64KiB', 65_536],
  ['2MB', 2_000_000],
  ['1 gib', 1_073_741_824],
  ['unlimited', Number.POSITIVE_INFINITY],
  ['-1', undefined],
])('the size %s is %s bytes', (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

test('settings written as a file are read as the same settings', () => {
  const config = configSchema.parse({
    data: '/d',
    listeners: [
      {
        type: 'tls',
        port: 8883,
        tls: { cert: '/c', key: '/k', minVersion: 'TLSv1.3' },
        limits: { connections: 5 },
      },
      { type: 'unix', path: '/s', authentication: [{ type: 'anonymous' }] },
    ],
    limits: { queuedBytes: 'unlimited', sessionExpiry: 'never', keepAlive: '1m' },
    access: { rules: [{ allow: 'all', topics: ['a/#'] }] },
  });
  expect(loadConfig(file(toYaml(config)))).toEqual(config);
});

test('the reference names the default of durations, sizes and counts as they are written', () => {
  const page = configurationReference();
  for (const row of [
    '| `stopDeadline` | duration | `10s` |',
    '| `cache` | duration | `5m` |',
    '| `sessionExpiry` | duration | `never` |',
    '| `packetSize` | size | `16MiB` |',
    '| `memory` | size | `unlimited` |',
    '| `queuedMessages` | whole number or `unlimited` | `1000` |',
    '| `retainedMessages` | whole number or `unlimited` | `unlimited` |',
  ]) {
    expect(page).toContain(row);
  }
});

test.each([
  ['configuration.md', configurationReference],
  ['mosquitto-conf.md', mosquittoReference],
  ['metrics.md', metricsReference],
])('docs/reference/%s is current (tobymq config reference docs/reference)', (name, make) => {
  const path = fileURLToPath(new URL(`../../../docs/reference/${name}`, import.meta.url));
  expect(readFileSync(path, 'utf8')).toBe(make());
});
