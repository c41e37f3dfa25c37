// What the tests of the repository itself look at: the files that belong to it, without anything built or installed.

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

const notOurs = new Set(['node_modules', 'dist', '.git', '.cache', 'bin', 'coverage', 'data']);

export interface SourceFile {
  /** Path from the root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

/** Every file below a folder of the repository whose path matches, in a stable order. */
export function filesBelow(folder: string, pattern: RegExp): SourceFile[] {
  return [...walk(join(root, folder))]
    .map((path) => relative(root, path).split(sep).join('/'))
    .filter((path) => pattern.test(path))
    .sort()
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
}

function* walk(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (notOurs.has(entry.name)) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* walk(path);
    else if (entry.isFile()) yield path;
  }
}

/** The lines of a file that match, as `path:line: text`, ready to be read in a failed assertion. */
export function linesMatching(file: SourceFile, pattern: RegExp): string[] {
  return file.text
    .split('\n')
    .map((text, index) => ({ text, line: index + 1 }))
    .filter(({ text }) => pattern.test(text))
    .map(({ text, line }) => `${file.path}:${line}: ${text.trim()}`);
}
