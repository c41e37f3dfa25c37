// Connection profiles: what would otherwise be typed again and again. They live in one JSON file that only its owner may
// read, because it can hold passwords; a file that others can read is refused.

import { CommandError } from '../commands/command.ts';
import { ownerFilePath, readOwnerFile, writeOwnerFile } from './owner-file.ts';

/** A saved connection: the values of connection options by their names. */
export type Profile = Readonly<Record<string, string | boolean | readonly string[]>>;

export interface ProfileFile {
  /** The profile that is used when none is named. */
  readonly default?: string | undefined;
  readonly profiles: Readonly<Record<string, Profile>>;
}

/** Options whose values are never shown. */
export const SECRET_OPTIONS: ReadonlySet<string> = new Set(['password', 'token']);

/** Where the profiles are, for an environment. */
export function profilePath(env: Readonly<Record<string, string | undefined>>): string {
  return env.TOBYMQ_PROFILES || ownerFilePath(env, 'profiles.json');
}

export async function readProfiles(path: string): Promise<ProfileFile> {
  const { default: preferred, profiles = {} } = ((await readOwnerFile(path)) ?? {}) as Partial<ProfileFile>;
  return { default: preferred, profiles };
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

export function writeProfiles(path: string, file: ProfileFile): Promise<void> {
  return writeOwnerFile(path, file);
}
