// What lies in the data folder beside the store: the token of the HTTP API, and where the running server can be reached,
// so that `tobymq reload` and its siblings need no options.

import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, fileFault } from './config/errors.ts';

export interface RunningServer {
  readonly pid: number;
  /** `http://127.0.0.1:18083` */
  readonly url: string;
}

/** Makes the folder. Throws {@link ConfigError} when that is not possible. */
export function makeDataFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw ConfigError.of(`the data folder ${folder} cannot be made: ${folderFault(error)}`);
  }
}

function folderFault(error: unknown): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'EEXIST':
    case 'ENOTDIR':
      return 'a file is where a folder should be; remove it, or choose another folder';
    case 'EACCES':
      return 'permission denied; make it, and give it to the account that runs the server';
    default:
      return fileFault(error);
  }
}

/** The token of the API; made at the first start, readable by its owner only. */
export function apiToken(folder: string): string {
  const path = join(folder, 'api-token');
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw ConfigError.of(`the token of the HTTP API cannot be read: ${fileFault(error)}`, { file: path });
    }
  }
  const token = newToken();
  writeFileSync(path, `${token}\n`, { mode: 0o600 });
  return token;
}

export function newToken(): string {
  return randomBytes(24).toString('base64url');
}

export function writeRunningServer(folder: string, server: RunningServer): void {
  writeFileSync(join(folder, 'server.json'), `${JSON.stringify(server)}\n`, { mode: 0o600 });
}

export function removeRunningServer(folder: string): void {
  rmSync(join(folder, 'server.json'), { force: true });
}

/** Where the server of a data folder runs, and its token; undefined when none does. */
export function findRunningServer(
  folder: string,
): (RunningServer & { readonly token: string | undefined }) | undefined {
  let server: RunningServer;
  try {
    server = JSON.parse(readFileSync(join(folder, 'server.json'), 'utf8')) as RunningServer;
  } catch {
    // No file, or half a file: no server that could be reached.
    return undefined;
  }
  let token: string | undefined;
  try {
    token = readFileSync(join(folder, 'api-token'), 'utf8').trim();
  } catch {
    // The token was configured elsewhere; the API says so if it is needed.
  }
  return { ...server, token };
}
