// The programs beside Node that the tests drive TobyMQ with: other vendors' brokers and clients, a browser, a proxy,
// a C compiler for the load generator. On Debian and Ubuntu, as root, they are installed; elsewhere the list of what
// is missing is an error, so that no test is ever skipped for it in silence.

import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { run, since } from './run.mjs';

// Debian's package, and how to see that what it brings is there.
const needed = [
  { package: 'mosquitto', present: () => hasCommand('mosquitto') },
  { package: 'mosquitto-clients', present: () => hasCommand('mosquitto_pub') },
  { package: 'python3-paho-mqtt', present: hasPaho },
  { package: 'chromium', present: () => hasCommand('chromium') },
  { package: 'openssl', present: () => hasCommand('openssl') },
  { package: 'haproxy', present: () => hasCommand('haproxy') },
  { package: 'gcc', present: () => hasCommand('cc') },
  { package: 'libc6-dev', present: hasCHeaders },
];

/** Installs what is missing when that is possible. Answers with the names of the packages still missing. */
export async function ensureSystemPackages() {
  const missing = missingPackages();
  if (missing.length === 0) return [];
  if (process.getuid?.() !== 0 || !hasCommand('apt-get')) {
    console.error(
      `The tests need these Debian packages (or the same programs from elsewhere): ${missing.join(' ')}`,
    );
    console.error(`Install them with: sudo apt-get install --no-install-recommends ${missing.join(' ')}`);
    return missing;
  }
  const started = performance.now();
  console.log(`Installing Debian packages for the tests: ${missing.join(' ')} …`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await withoutServices(async () => {
    await run('apt-get', ['-qq', 'update'], { quiet: true, env });
    await run('apt-get', ['-qq', 'install', '-y', '--no-install-recommends', ...missing], {
      quiet: true,
      env,
    });
  });
  console.log(`Installed in ${since(started)}.`);
  const still = missingPackages();
  if (still.length > 0) console.error(`Not installed: ${still.join(' ')}`);
  return still;
}

function missingPackages() {
  return needed.filter(({ present }) => !present()).map((entry) => entry.package);
}

// Debian starts a service as soon as its package is installed, unless this file says that it must not. A broker
// left running on port 1883 by a test run would be a surprise.
async function withoutServices(install) {
  const policy = '/usr/sbin/policy-rc.d';
  const ours = !existsSync(policy);
  if (ours) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    await install();
  } finally {
    if (ours) rmSync(policy, { force: true });
  }
}

// The sbin folders are where Debian puts servers; an ordinary user's PATH does not name them.
function hasCommand(name) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders.some((folder) => existsSync(join(folder, name)));
}

// Debian's Python is asked, not whichever comes first in PATH.
function hasPaho() {
  const python = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3';
  return spawnSync(python, ['-c', 'import paho.mqtt.client'], { stdio: 'ignore' }).status === 0;
}

function hasCHeaders() {
  const probe = spawnSync('cc', ['-E', '-x', 'c', '-'], {
    input: '#include <stdio.h>\n',
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  return probe.status === 0;
}
