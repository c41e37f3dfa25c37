// JSON files that hold secrets of the person who runs the tools: readable by their owner only, and replaced as a whole, so
// that a crash leaves the old or the new one.

import { chmod, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { CommandError } from '../commands/command.ts';

/** Where a file of the tools lives, for an environment. */
export function ownerFilePath(env: Readonly<Record<string, string | undefined>>, name: string): string {
  const base = env.XDG_CONFIG_HOME || join(env.HOME || homedir(), '.config');
  return join(base, 'tobymq', name);
}

/** The value in the file; undefined if there is no file. A file that others can read is refused. */
export async function readOwnerFile(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new CommandError('TOBYMQ_FILE', `${path} cannot be read: ${(error as Error).message}`);
  }
  if (process.platform !== 'win32' && ((await stat(path)).mode & 0o077) !== 0) {
    throw new CommandError(
      'TOBYMQ_FILE',
      `others can read ${path}, which may hold passwords: run "chmod 600 ${path}".`,
    );
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CommandError('TOBYMQ_FILE', `${path} is not JSON: ${(error as Error).message}`);
  }
}

export async function writeOwnerFile(path: string, value: unknown): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}`;
  await writeFile(temporary, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
  await chmod(temporary, 0o600);
  await rename(temporary, path);
}
