// Makes the client one file for browsers, with everything in it: `npm run bundle -w @tobymq/client`. The result can be
// loaded by a page as it is: import { connect } from './tobymq-client.min.js'.

import { writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { PacketType, ReasonCode } from '@tobymq/codec';
import { build } from 'esbuild';

const folder = fileURLToPath(new URL('..', import.meta.url));

const constants = { PacketType, ReasonCode };

/** Writes the numbers of packet types and reason codes in place of their names, which esbuild does only for enums. */
const inlineConstants = {
  name: 'inline-constants',
  setup({ onLoad }) {
    onLoad({ filter: /[/\\](client|codec)[/\\]dist[/\\].*\.js$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8');
      const contents = source.replaceAll(/\b(PacketType|ReasonCode)\.(\w+)/g, (text, table, name) =>
        String(constants[table][name] ?? text),
      );
      return { contents };
    });
  },
};

/** The bundled and minified code of the browser entry. */
export async function bundle() {
  const { outputFiles } = await build({
    entryPoints: [`${folder}dist/browser.js`],
    absWorkingDir: folder,
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    plugins: [inlineConstants],
  });
  return outputFiles[0].text;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const code = await bundle();
  const target = `${folder}dist/tobymq-client.min.js`;
  writeFileSync(target, code);
  const gzip = gzipSync(code, { level: 9 }).length;
  console.log(`${target}: ${code.length} bytes, ${gzip} gzip, ${brotliCompressSync(code).length} brotli`);
}
