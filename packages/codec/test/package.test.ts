// What the built package (tsc -b) promises: usable from CommonJS, without Node, and small.

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { expect, test } from 'vitest';

const packageFolder = fileURLToPath(new URL('..', import.meta.url));
/** Of everything together. Most programs use less, see the next test. */
const SIZE_MAX = 9000;

async function bundle(source: string): Promise<string> {
  const { outputFiles, warnings } = await build({
    stdin: { contents: source, resolveDir: packageFolder },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
  });
  expect(warnings).toEqual([]);
  return outputFiles[0]!.text;
}

test('the package can be required from CommonJS', () => {
  const script = `
    const { encode, Decoder, PacketType } = require('@tobymq/codec');
    const bytes = encode({ type: PacketType.Publish, topic: 't' }, 4);
    console.log(new Decoder({ role: 'server', version: 4 }).push(bytes)[0].topic);
  `;
  const output = execFileSync(process.execPath, ['--no-warnings', '--input-type=commonjs', '-e', script], {
    cwd: packageFolder,
    encoding: 'utf8',
  });
  expect(output).toBe('t\n');
});

test('everything together takes less than 9,000 bytes after gzip', async () => {
  const code = await bundle("export * from '@tobymq/codec'");
  expect(gzipSync(code, { level: 9 }).length).toBeLessThan(SIZE_MAX);
});

test('what is not used is left out of a bundle', async () => {
  const all = await bundle("export * from '@tobymq/codec'");
  const some = await bundle("export { matches, checkTopicFilter } from '@tobymq/codec'");
  expect(some.length).toBeLessThan(all.length / 6);
});

test('a bundle for browsers runs where there is nothing of Node', async () => {
  const code = await bundle(`
    import { encode, Decoder, PacketType } from '@tobymq/codec';
    const packet = { type: PacketType.Publish, topic: 'ä/' + 'x'.repeat(100), payload: new Uint8Array(3000) };
    const [decoded] = new Decoder({ role: 'client', version: 5 }).push(encode(packet, 5));
    globalThis.result = decoded.topic;
  `);
  const run = `
    const vm = require('node:vm');
    const context = vm.createContext({ TextEncoder, TextDecoder });
    vm.runInContext(require('node:fs').readFileSync(0, 'utf8'), context);
    console.log(context.result.length);
  `;
  expect(execFileSync(process.execPath, ['-e', run], { input: code, encoding: 'utf8' })).toBe('102\n');
});

test('the sources use nothing of Node and no other package', () => {
  const folder = new URL('../src/', import.meta.url);
  for (const name of readdirSync(folder)) {
    const source = readFileSync(new URL(name, folder), 'utf8');
    expect(source, name).not.toMatch(/from '(?!\.\/)/);
    const code = source.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
    expect(code, name).not.toMatch(/\b(?:process|require|setImmediate|Buffer)\b/);
  }
});
