// Starts TobyMQ as an add-on: Home Assistant writes the options into /data/options.json, this makes a password file of
// the logins and becomes the server. It runs as root inside its container only, as add-ons do.

import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';

const users = '/data/users.txt';
const { logins = [], log_level: level = 'info' } = JSON.parse(readFileSync('/data/options.json', 'utf8'));

rmSync(users, { force: true });
writeFileSync(users, '', { mode: 0o600 });
for (const { username, password } of logins) {
  const made = spawnSync('tobymq', ['passwd', users, username], { input: password, encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`the login "${username}" cannot be used: ${made.stderr}`);
}

const server = spawn('tobymq', ['serve', '-c', '/tobymq.yaml'], {
  stdio: 'inherit',
  env: { ...process.env, LOG_LEVEL: level },
});
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => server.kill(signal));
server.on('exit', (code) => process.exit(code ?? 1));
