// The examples in the documents have to be right: every TypeScript block that imports one of our packages is compiled
// against the packages' sources, with the strictness that a user's project may have, and every command line is one that
// the command takes.

import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { findCommand, parseCommandLine } from '../packages/tobymq/src/commands/parse.ts';
import { commands } from '../packages/tobymq/src/commands/table.ts';
import { filesBelow, root } from './repository.ts';

// Inside the repository, so that the examples find the packages as a user's project does.
const folder = join(root, 'node_modules/.cache/tobymq/readme-examples');

const configuration = {
  extends: join(root, 'tsconfig.base.json'),
  compilerOptions: {
    composite: false,
    incremental: false,
    noEmit: true,
    // An example may show a variable and stop there.
    noUnusedLocals: false,
    noUnusedParameters: false,
    // Examples are modules that may also be shown as JavaScript.
    erasableSyntaxOnly: false,
    customConditions: ['tobymq-source'],
    allowImportingTsExtensions: true,
    rewriteRelativeImportExtensions: false,
    declaration: false,
    declarationMap: false,
    lib: ['ES2023', 'DOM', 'DOM.Iterable'],
    types: ['node'],
  },
  include: ['*.ts'],
};

function examples(): Map<string, string> {
  const found = new Map<string, string>();
  for (const { path, text } of filesBelow('.', /\.md$/)) {
    let count = 0;
    for (const match of text.matchAll(/^```(?:ts|typescript|js|javascript)\n([\s\S]*?)^```/gm)) {
      const code = match[1] ?? '';
      if (!/from '(?:@tobymq\/|tobymq)/.test(code)) continue;
      count += 1;
      const line = text.slice(0, match.index).split('\n').length;
      found.set(
        `${path.replaceAll('/', '_').replace(/\.md$/, '')}_line${line}_${count}.ts`,
        `${code}\nexport {};\n`,
      );
    }
  }
  return found;
}

test('every example in the documents compiles', async () => {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(configuration));
  const files = examples();
  expect(files.size).toBeGreaterThan(0);
  for (const [name, code] of files) await writeFile(join(folder, name), code);
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const result = await promisify(execFile)(process.execPath, [compiler, '-p', folder]).catch(
    (error: { stdout: string }) => error,
  );
  // Only what is wrong with the examples: the packages' own sources are checked elsewhere.
  const inExamples = result.stdout.split('\n').filter((line) => /_line\d+_\d+\.ts\(/.test(line));
  // A guide shows pieces that go on from each other; a README's example stands alone.
  const wrong = inExamples.filter(
    (line) => !(/docs_guide_/.test(line) && /TS2304: Cannot find name/.test(line)),
  );
  expect(wrong).toEqual([]);
});

/** What stands behind "tobymq" in the blocks for the shell, as the shell would split it. */
function commandLines(): { readonly place: string; readonly words: readonly string[] }[] {
  const blocks = filesBelow('.', /\.md$/).flatMap(({ path, text }) =>
    [...text.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map((match) => ({ path, block: match[1] ?? '' })),
  );
  return blocks.flatMap(({ path, block }) =>
    block
      .split(/\n| \| | && |; /)
      .map((piece) => /^(?:npx )?tobymq (.*?)(?:\s+#\s.*)?$/.exec(piece.trim())?.[1])
      .filter((line) => line !== undefined)
      .map((line) => ({ place: `${path}: tobymq ${line}`, words: wordsOf(line.replace(/ [<>&].*$/, '')) })),
  );
}

function wordsOf(line: string): string[] {
  return (line.match(/'[^']*'|"[^"]*"|\S+/g) ?? []).map((word) => word.replace(/^(['"])(.*)\1$/, '$2'));
}

function faultOf(words: readonly string[]): string | undefined {
  const found = findCommand(commands, words);
  if (!found) return 'there is no such command';
  if (found.command.ownParser) return undefined;
  try {
    parseCommandLine(found.command, found.rest);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

test('every command line in the documents is one that the command takes', () => {
  const lines = commandLines();
  expect(lines.length).toBeGreaterThan(40);
  const wrong = lines.map(({ place, words }) => [place, faultOf(words)]).filter(([, fault]) => fault);
  expect(wrong).toEqual([]);
});
