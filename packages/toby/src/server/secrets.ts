// How secrets of bots are kept: as a hash that is slow to guess. The server program passes its own hasher (argon2id);
// a broker that is embedded without one uses scrypt, which Node always has.

import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

const scryptAsync = promisify<string, Uint8Array, number, { N: number; r: number; p: number }, Buffer>(
  scrypt,
);

/** Makes and checks hashes of secrets. */
export interface SecretHasher {
  hash(secret: string): Promise<string>;
  /** `address` is whose guess it is, for hashers that are fair between addresses. */
  verify(hash: string, secret: string, address: string): Promise<boolean>;
}

// 2^15 blocks of 1 kB: 32 MB and about 0.1 s for each guess.
const COST = { N: 32_768, r: 8, p: 1, maxmem: 64 * 1024 * 1024 };
const KEY_BYTES = 32;

/** Hashes of the form `$scrypt$N,r,p$salt$key`. */
export const scryptHasher: SecretHasher = {
  async hash(secret) {
    const salt = randomBytes(16);
    const key = await scryptAsync(secret, salt, KEY_BYTES, COST);
    return `$scrypt$${COST.N},${COST.r},${COST.p}$${salt.toString('base64')}$${key.toString('base64')}`;
  },

  async verify(hash, secret) {
    const [, scheme, cost, salt, key] = hash.split('$');
    if (scheme !== 'scrypt' || cost === undefined || salt === undefined || key === undefined) return false;
    const [N, r, p] = cost.split(',').map(Number);
    if (N === undefined || r === undefined || p === undefined) return false;
    const expected = Buffer.from(key, 'base64');
    const options = { N, r, p, maxmem: COST.maxmem };
    const actual = await scryptAsync(secret, Buffer.from(salt, 'base64'), expected.length, options);
    return timingSafeEqual(actual, expected);
  },
};

/** A secret nobody has to remember. */
export function generateSecret(): string {
  return randomBytes(24).toString('base64url');
}
