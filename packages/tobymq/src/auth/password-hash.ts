// Password hashes in the forms that password files hold:
//
//   $argon2id$v=19$m=19456,t=2,p=1$SALT$HASH   ours, and what Mosquitto 2.1 writes
//   $scrypt$ln=15,r=8,p=1$SALT$HASH            ours on a machine without argon2
//   $7$ITERATIONS$SALT$HASH                    Mosquitto: PBKDF2 with HMAC-SHA-512
//   $6$SALT$HASH                               Mosquitto, old: SHA-512 of password and salt, once
//
// A hash that nobody can check is refused when the file is read, not when somebody logs in.

import { createHash, pbkdf2, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { findArgon2 } from './argon2.ts';

export type PasswordHash =
  | {
      readonly kind: 'argon2id';
      readonly memoryKiB: number;
      readonly passes: number;
      readonly lanes: number;
      readonly salt: Buffer;
      readonly hash: Buffer;
    }
  | {
      readonly kind: 'scrypt';
      readonly logN: number;
      readonly blockSize: number;
      readonly lanes: number;
      readonly salt: Buffer;
      readonly hash: Buffer;
    }
  | { readonly kind: 'pbkdf2'; readonly iterations: number; readonly salt: Buffer; readonly hash: Buffer }
  | { readonly kind: 'sha512'; readonly salt: Buffer; readonly hash: Buffer };

export type HashKind = PasswordHash['kind'];

const pbkdf2Async = promisify(pbkdf2);
const scryptAsync = promisify<
  Uint8Array,
  Uint8Array,
  number,
  { N: number; r: number; p: number; maxmem: number },
  Buffer
>(scrypt);

/** The bound of every library for its counts. */
const INT32_MAX = 0x7fff_ffff;

/** The parts of a hash, or undefined when it is none of the forms above. */
export function parsePasswordHash(text: string): PasswordHash | undefined {
  const parts = text.split('$');
  if (parts[0] !== '') return undefined;
  switch (parts[1]) {
    case 'argon2id':
      return parseArgon2(text);
    case 'scrypt':
      return parseScrypt(text);
    case '7': {
      const iterations = Number(parts[2]);
      const salt = decode(parts[3]);
      const hash = decode(parts[4]);
      if (
        parts.length !== 5 ||
        !Number.isInteger(iterations) ||
        iterations < 1 ||
        iterations > INT32_MAX ||
        !salt ||
        hash?.length !== 64
      )
        return undefined;
      return { kind: 'pbkdf2', iterations, salt, hash };
    }
    case '6': {
      const salt = decode(parts[2]);
      const hash = decode(parts[3]);
      if (parts.length !== 4 || !salt || hash?.length !== 64) return undefined;
      return { kind: 'sha512', salt, hash };
    }
    default:
      return undefined;
  }
}

function parseArgon2(text: string): PasswordHash | undefined {
  const match = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([^$]+)\$([^$]+)$/.exec(text);
  const salt = decode(match?.[4]);
  const hash = decode(match?.[5]);
  const [memoryKiB = 0, passes = 0, lanes = 0] = match?.slice(1, 4).map(Number) ?? [];
  if (!salt || !hash || salt.length < 8 || hash.length < 4) return undefined;
  if (passes < 1 || passes > INT32_MAX || lanes < 1 || lanes > 0xff_ffff) return undefined;
  if (memoryKiB < 8 * lanes || memoryKiB > INT32_MAX) return undefined;
  return { kind: 'argon2id', memoryKiB, passes, lanes, salt, hash };
}

function parseScrypt(text: string): PasswordHash | undefined {
  const match = /^\$scrypt\$ln=(\d+),r=(\d+),p=(\d+)\$([^$]+)\$([^$]+)$/.exec(text);
  const salt = decode(match?.[4]);
  const hash = decode(match?.[5]);
  const [logN = 0, blockSize = 0, lanes = 0] = match?.slice(1, 4).map(Number) ?? [];
  if (!salt || !hash || logN < 1 || logN > 24) return undefined;
  if (blockSize < 1 || lanes < 1 || blockSize * lanes >= 2 ** 30) return undefined;
  return { kind: 'scrypt', logN, blockSize, lanes, salt, hash };
}

function decode(text: string | undefined): Buffer | undefined {
  if (text === undefined || !/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return undefined;
  return Buffer.from(text, 'base64');
}

/** Whether a password is the one behind a hash. Runs off the event loop for every kind but `sha512`, which is instant. */
export async function verifyPassword(password: Uint8Array, stored: PasswordHash): Promise<boolean> {
  return timingSafeEqual(await derive(password, stored), stored.hash);
}

async function derive(password: Uint8Array, stored: PasswordHash): Promise<Uint8Array> {
  const { salt } = stored;
  const { length } = stored.hash;
  switch (stored.kind) {
    case 'sha512':
      return createHash('sha512').update(password).update(salt).digest();
    case 'pbkdf2':
      return pbkdf2Async(password, salt, stored.iterations, length, 'sha512');
    case 'scrypt':
      return runScrypt(password, salt, length, stored.logN, stored.blockSize, stored.lanes);
    case 'argon2id': {
      const argon2 = await findArgon2();
      if (!argon2) throw new Error(noArgon2);
      return argon2(password, { ...stored, length });
    }
  }
}

/** Said when a file has argon2id hashes and this machine has no argon2. */
export const noArgon2 =
  'argon2id hashes cannot be checked on this machine: install @node-rs/argon2 (npm install @node-rs/argon2), or use Node 24 or newer';

function runScrypt(
  password: Uint8Array,
  salt: Uint8Array,
  length: number,
  logN: number,
  r: number,
  p: number,
): Promise<Buffer> {
  const N = 2 ** logN;
  return scryptAsync(password, salt, length, { N, r, p, maxmem: 256 * N * r });
}

const argon2Cost = { memoryKiB: 19_456, passes: 2, lanes: 1 };
const scryptCost = { logN: 15, blockSize: 8, lanes: 1 };
const pbkdf2Iterations = 1000;

/** Hashes a password for a password file. Without a kind it is argon2id, or scrypt where there is no argon2. */
export async function hashPassword(
  password: Uint8Array | string,
  kind?: HashKind,
  iterations?: number,
): Promise<string> {
  const bytes = typeof password === 'string' ? Buffer.from(password) : password;
  const chosen = kind ?? ((await findArgon2()) ? 'argon2id' : 'scrypt');
  const salt = randomBytes(chosen === 'pbkdf2' || chosen === 'sha512' ? 12 : 16);
  switch (chosen) {
    case 'sha512': {
      const hash = createHash('sha512').update(bytes).update(salt).digest('base64');
      return `$6$${salt.toString('base64')}$${hash}`;
    }
    case 'pbkdf2': {
      const rounds = iterations ?? pbkdf2Iterations;
      const hash = await pbkdf2Async(bytes, salt, rounds, 64, 'sha512');
      return `$7$${rounds}$${salt.toString('base64')}$${hash.toString('base64')}`;
    }
    case 'scrypt': {
      const { logN, blockSize, lanes } = scryptCost;
      const hash = await runScrypt(bytes, salt, 32, logN, blockSize, lanes);
      return `$scrypt$ln=${logN},r=${blockSize},p=${lanes}$${unpadded(salt)}$${unpadded(hash)}`;
    }
    case 'argon2id': {
      const argon2 = await findArgon2();
      if (!argon2) throw new Error(noArgon2);
      const hash = await argon2(bytes, { ...argon2Cost, salt, length: 32 });
      const { memoryKiB, passes, lanes } = argon2Cost;
      return `$argon2id$v=19$m=${memoryKiB},t=${passes},p=${lanes}$${unpadded(salt)}$${unpadded(Buffer.from(hash))}`;
    }
  }
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}
