// Argon2id from wherever it is: `node:crypto` has it from Node 24 on, `@node-rs/argon2` is installed where its binary
// exists. On a machine with neither, new hashes are scrypt, and existing argon2id hashes cannot be checked.

import * as crypto from 'node:crypto';
import { promisify } from 'node:util';

/** The parameters of one hash, as in its PHC string. */
export interface Argon2Parameters {
  readonly memoryKiB: number;
  readonly passes: number;
  readonly lanes: number;
  readonly salt: Uint8Array;
  readonly length: number;
}

export type Argon2 = (password: Uint8Array, parameters: Argon2Parameters) => Promise<Uint8Array>;

/** What `node:crypto` of newer versions offers; the types of Node 20 do not know it. */
type NodeArgon2 = (
  algorithm: 'argon2id',
  parameters: {
    message: Uint8Array;
    nonce: Uint8Array;
    parallelism: number;
    tagLength: number;
    memory: number;
    passes: number;
  },
  callback: (error: Error | null, hash: Buffer) => void,
) => void;

let found: Promise<Argon2 | undefined> | undefined;

/** Argon2id, or undefined on a machine that has none. */
export function findArgon2(): Promise<Argon2 | undefined> {
  found ??= load();
  return found;
}

async function load(): Promise<Argon2 | undefined> {
  // Preferred although newer Nodes have it built in, because it is three times as fast (24 ms against 80 ms).
  const packaged = await import('@node-rs/argon2').catch(() => undefined);
  if (packaged) {
    return (password, { memoryKiB, passes, lanes, salt, length }) =>
      packaged.hashRaw(password, {
        algorithm: 2,
        version: 1,
        memoryCost: memoryKiB,
        timeCost: passes,
        parallelism: lanes,
        outputLen: length,
        salt,
      });
  }
  const builtIn = (crypto as unknown as { argon2?: NodeArgon2 }).argon2;
  if (!builtIn) return undefined;
  const hash = promisify(builtIn);
  return (password, { memoryKiB, passes, lanes, salt, length }) =>
    hash('argon2id', {
      message: password,
      nonce: salt,
      parallelism: lanes,
      tagLength: length,
      memory: memoryKiB,
      passes,
    });
}
