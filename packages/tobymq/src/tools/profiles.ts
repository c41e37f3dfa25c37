// Connection profiles: what would otherwise be typed again and again. They live in one JSON file that only its owner may
// read, because it can hold passwords; a file that others can read is refused.

import { chmod, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { CommandError } from '../commands/command.ts';

/** A saved connection: the values of connection options by their names. */
export type Profile = Readonly<Record<string, string | boolean | readonly string[]>>;

export interface ProfileFile {
  /** The profile that is used when none is named. */
  readonly default?: string | undefined;
  readonly profiles: Readonly<Record<string, Profile>>;
}

/** Options whose values are never shown. */
export const SECRET_OPTIONS: ReadonlySet<string> = new Set(['password', 'token']);

const EMPTY: ProfileFile = { profiles: {} };

/** Where the profiles are, for an environment. */
export function profilePath(env: Readonly<Record<string, string | undefined>>): string {
  const base = env.XDG_CONFIG_HOME || join(env.HOME || homedir(), '.config');
  return env.TOBYMQ_PROFILES || join(base, 'tobymq', 'profiles.json');
}

export async function readProfiles(path: string): Promise<ProfileFile> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return EMPTY;
    throw new CommandError('TOBYMQ_PROFILE', `${path} cannot be read: ${(error as Error).message}`);
  }
  await checkOwnerOnly(path);
  try {
    const { default: preferred, profiles } = JSON.parse(text) as ProfileFile;
    return { default: preferred, profiles: profiles ?? {} };
  } catch (error) {
    throw new CommandError(
      'TOBYMQ_PROFILE',
      `${path} is not a file of profiles: ${(error as Error).message}`,
    );
  }
}

/** The named profile, or the default one; undefined when none was named and there is no default. */
export async function findProfile(path: string, name: string | undefined): Promise<Profile | undefined> {
  const file = await readProfiles(path);
  const wanted = name ?? file.default;
  if (wanted === undefined) return undefined;
  const profile = file.profiles[wanted];
  if (profile === undefined) {
    const known = Object.keys(file.profiles).join(', ') || 'none';
    throw new CommandError('TOBYMQ_PROFILE', `there is no profile "${wanted}"; saved are: ${known}.`);
  }
  return profile;
}

/** Changes the file by replacing it as a whole, so that a crash leaves the old or the new one. */
export async function writeProfiles(path: string, file: ProfileFile): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}`;
  await writeFile(temporary, `${JSON.stringify(file, null, 2)}\n`, { mode: 0o600 });
  await chmod(temporary, 0o600);
  await rename(temporary, path);
}

async function checkOwnerOnly(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const { mode } = await stat(path);
  if ((mode & 0o077) !== 0) {
    throw new CommandError(
      'TOBYMQ_PROFILE',
      `others can read ${path}, which may hold passwords: run "chmod 600 ${path}".`,
    );
  }
}
