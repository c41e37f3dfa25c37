// What the built package promises: usable from CommonJS and from a browser, as one file, and small.

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { bundle } from '../scripts/bundle.mjs';

const packageFolder = fileURLToPath(new URL('..', import.meta.url));

/** Bytes after gzip. MQTT.js 5.16 has 105 000. */
const bundleBytesMax = 28_500;

test('the package can be required from CommonJS', () => {
  const script = `
    const { connect, topic, json } = require('@tobymq/client');
    console.log(typeof connect, topic('a/{b}', json()).filter);
  `;
  const output = execFileSync(process.execPath, ['--no-warnings', '--input-type=commonjs', '-e', script], {
    cwd: packageFolder,
    encoding: 'utf8',
  });
  expect(output).toBe('function a/+\n');
});

test('the single file for browsers has everything, is small, and needs nothing of Node', async () => {
  const code = await bundle();
  expect(gzipSync(code, { level: 9 }).length).toBeLessThan(bundleBytesMax);
  expect(code).not.toMatch(/\bfrom\s*"|\brequire\(|\bprocess\.|\bBuffer\b|setImmediate/);
  // A conversation over the WebSocket of a browser that is played by this script: CONNECT, then PUBLISH and DISCONNECT
  // in one write.
  const script = `
    delete globalThis.setImmediate;
    const sent = [];
    globalThis.WebSocket = class {
      static OPEN = 1;
      readyState = 1;
      bufferedAmount = 0;
      constructor(url, protocol) {
        this.url = String(url) + ' ' + protocol;
        setTimeout(() => this.onopen(), 0);
      }
      send(bytes) {
        sent.push(bytes[0] >> 4);
        if (bytes[0] >> 4 === 1) setTimeout(() => this.onmessage({ data: Uint8Array.of(0x20, 3, 0, 0, 0).buffer }), 0);
      }
      close() {
        setTimeout(() => this.onclose({ wasClean: true, code: 1000 }), 0);
      }
    };
    globalThis.addEventListener = () => {};
    globalThis.removeEventListener = () => {};
    const code = require('node:fs').readFileSync(0, 'utf8');
    import('data:text/javascript;base64,' + Buffer.from(code).toString('base64')).then(async ({ connect }) => {
      const client = await connect('wss://broker.example/mqtt');
      await client.publish('a', 'x');
      await client.close();
      console.log(sent.join());
      process.exit();
    });
  `;
  expect(execFileSync(process.execPath, ['-e', script], { input: code, encoding: 'utf8' })).toBe('1,3\n');
});
