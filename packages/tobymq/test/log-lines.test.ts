// What clients can do to the lines of the log.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { connect, portOf, startServer } from './harness.ts';

test.each(['pretty', 'mosquitto'] as const)(
  'no client begins a line of its own or moves the cursor in a log of the form %s',
  async (format) => {
    const folder = mkdtempSync(join(tmpdir(), 'tobymq-log-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, 'log');
    const server = await startServer({ log: { to: [path], format } });
    const target = { host: '127.0.0.1', port: portOf(server) };
    for (const bad of ['\n', '\u001b', '\u007f', '\u009b', '\u2028', '\u202e'])
      expect((await connect(target, { clientId: `a${bad}[2Jb grüße` })).reason).toBe(0);
    const text = readFileSync(path, 'utf8');
    for (const line of text.trim().split('\n')) expect(line).toMatch(/^[\d.:]+ .*$/);
    expect(text).not.toMatch(/(?!\n)[\p{Cc}\u2028\u202e]/u);
    expect(text).toContain('a\\u001b[2Jb grüße');
  },
);
