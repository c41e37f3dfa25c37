// The files in packaging/ are configurations that the server accepts, and say what they should.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { loadConfig } from '../src/config/load.ts';
import { buildPolicies, namedListeners } from '../src/policies.ts';

const packaging = fileURLToPath(new URL('../../../packaging/', import.meta.url));

test.each(['systemd/tobymq.yaml', 'docker/tobymq.yaml', 'home-assistant/tobymq.yaml'])(
  '%s is a valid configuration that lets in those with a password only',
  async (path) => {
    const directory = mkdtempSync(join(tmpdir(), 'tobymq-packaging-'));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    writeFileSync(join(directory, 'users.txt'), '');
    const config = loadConfig(join(packaging, path), {});
    const users = [{ type: 'password-file' as const, file: join(directory, 'users.txt'), cache: 0 }];
    expect(config.authentication).toMatchObject([{ type: 'password-file' }]);
    const checked = { ...config, authentication: users };
    await buildPolicies(checked, namedListeners(checked));
  },
);

test('the container does not run as root, asks for its health where the server answers, and stops in order', () => {
  const dockerfile = readFileSync(join(packaging, 'docker/Dockerfile'), 'utf8');
  const { http } = loadConfig(join(packaging, 'docker/tobymq.yaml'), {});
  expect(dockerfile).toMatch(/^USER node$/m);
  expect(dockerfile).toContain(`http://${http.host}:${http.port}/ready`);
  expect(dockerfile).toMatch(/^STOPSIGNAL SIGTERM$/m);
});

test('the container is given a user before it is to start', () => {
  const dockerfile = readFileSync(join(packaging, 'docker/Dockerfile'), 'utf8');
  const { authentication = [] } = loadConfig(join(packaging, 'docker/tobymq.yaml'), {});
  const [users] = authentication.map((way) => (way.type === 'password-file' ? way.file : ''));
  expect(dockerfile).toMatch(
    new RegExp(`^# +docker run .* tobymq passwd ${users} NAME\\n# +docker run -p 1883:1883 `, 'm'),
  );
});

test('every package that the server needs is in the image', () => {
  const dockerfile = readFileSync(join(packaging, 'docker/Dockerfile'), 'utf8');
  const packed = /for name in ([\w -]+);/.exec(dockerfile)?.[1]?.split(' ') ?? [];
  const manifest = JSON.parse(
    readFileSync(fileURLToPath(new URL('../package.json', import.meta.url)), 'utf8'),
  ) as { dependencies: Record<string, string> };
  const needed = Object.keys(manifest.dependencies)
    .filter((name) => name.startsWith('@tobymq/'))
    .map((name) => name.slice('@tobymq/'.length));
  expect(packed).toEqual(expect.arrayContaining([...needed, 'tobymq']));
});

test('the add-on offers the ports that its configuration opens', () => {
  const addOn = parse(readFileSync(join(packaging, 'home-assistant/config.yaml'), 'utf8')) as {
    ports: Record<string, number>;
  };
  const config = loadConfig(join(packaging, 'home-assistant/tobymq.yaml'), {});
  expect(Object.keys(addOn.ports)).toEqual(namedListeners(config).map(({ port }) => `${port}/tcp`));
});

test('the unit checks the configuration before it starts, and reloads by SIGHUP', () => {
  const unit = readFileSync(join(packaging, 'systemd/tobymq.service'), 'utf8');
  expect(unit).toMatch(/^ExecStartPre=.*--check$/m);
  expect(unit).toMatch(/^ExecReload=\/bin\/kill -HUP \$MAINPID$/m);
  expect(unit).toMatch(/^DynamicUser=yes$/m);
});

// What "tobymq passwd" makes only its owner may read, and an account that systemd makes anew for each start owns nothing.
test('the unit runs as an account that the password file can be given to', () => {
  const unit = readFileSync(join(packaging, 'systemd/tobymq.service'), 'utf8');
  const account = /^User=(\w+)$/m.exec(unit)?.[1];
  expect(account).toBeDefined();
  expect(unit).toMatch(new RegExp(`^# .*useradd --system .* ${account}$`, 'm'));
  const { authentication } = loadConfig(join(packaging, 'systemd/tobymq.yaml'), {});
  const files = authentication?.flatMap((way) => (way.type === 'password-file' ? [way.file] : [])) ?? [];
  expect(files).toHaveLength(1);
  const configuration = readFileSync(join(packaging, 'systemd/tobymq.yaml'), 'utf8');
  expect(configuration).toContain(`chown ${account} ${files[0]}`);
});
