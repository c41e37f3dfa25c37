// The authenticator `scram`: MQTT 5 enhanced authentication with SCRAM-SHA-256 (RFC 5802, RFC 7677). The password never
// crosses the network, the file does not hold it either, and the server proves to the client that it knows the user.
//
//   CONNECT  n,,n=user,r=CLIENT            →
//            ← AUTH     r=CLIENT+SERVER,s=SALT,i=4096
//   AUTH     c=biws,r=...,p=PROOF          →
//            ← CONNACK  v=SIGNATURE

import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import type { EnhancedAnswer, EnhancedExchange } from '@tobymq/broker';
import { ReasonCode } from '@tobymq/codec';
import { ConfigError, fileFault } from '../config/errors.ts';
import { type Authenticator, wrongCredentials } from './authenticator.ts';

const pbkdf2Async = promisify(pbkdf2);

const scramMethod = 'SCRAM-SHA-256';
const defaultIterations = 4096;

/** What the server keeps of a password. */
export interface ScramSecret {
  readonly iterations: number;
  readonly salt: Buffer;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

/** What `tobymq passwd --scram` writes: `SCRAM-SHA-256$4096:SALT$STORED:SERVER`. */
export async function makeScramSecret(password: string, iterations = defaultIterations): Promise<string> {
  const salt = randomBytes(16);
  const salted = await pbkdf2Async(password.normalize('NFKC'), salt, iterations, 32, 'sha256');
  const storedKey = sha256(hmac(salted, 'Client Key'));
  const serverKey = hmac(salted, 'Server Key');
  return `${scramMethod}$${iterations}:${salt.toString('base64')}$${storedKey.toString('base64')}:${serverKey.toString('base64')}`;
}

/** The users of a SCRAM file. Throws {@link ConfigError} for a file that cannot be used. */
export function readScramFile(path: string): ReadonlyMap<string, ScramSecret> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw ConfigError.of(`the SCRAM file cannot be read: ${fileFault(error)}`, { file: path });
  }
  const users = new Map<string, ScramSecret>();
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const colon = line.indexOf(':');
    const secret = colon > 0 ? parseSecret(line.slice(colon + 1)) : undefined;
    if (!secret) {
      throw ConfigError.of(`expected "name:${scramMethod}$...", which "tobymq passwd --scram" writes`, {
        file: path,
        line: index + 1,
      });
    }
    users.set(line.slice(0, colon), secret);
  }
  return users;
}

function parseSecret(text: string): ScramSecret | undefined {
  const match = /^SCRAM-SHA-256\$(\d+):([^$:]+)\$([^$:]+):([^$:]+)$/.exec(text);
  if (!match) return undefined;
  const [salt, storedKey, serverKey] = match.slice(2).map((part) => Buffer.from(part, 'base64')) as [
    Buffer,
    Buffer,
    Buffer,
  ];
  const iterations = Number(match[1]);
  if (storedKey.length !== 32 || serverKey.length !== 32 || iterations < 1) return undefined;
  return { iterations, salt, storedKey, serverKey };
}

/** Lets clients in that prove by SCRAM-SHA-256 that they know their password. */
export function scramAuthenticator(users: ReadonlyMap<string, ScramSecret>): Authenticator {
  // Unknown users get a salt as well, always the same one, so that names cannot be found out.
  const decoyKey = randomBytes(32);
  const decoy = (name: string): ScramSecret => ({
    iterations: defaultIterations,
    salt: hmac(decoyKey, name).subarray(0, 16),
    storedKey: Buffer.alloc(32),
    serverKey: Buffer.alloc(32),
  });
  return {
    name: 'scram',
    credentialOf: (username) =>
      username === undefined ? undefined : users.get(username)?.storedKey.toString('base64'),
    authenticationExchange: (method) =>
      method === scramMethod ? new ScramExchange((name) => users.get(name), decoy) : undefined,
  };
}

/** What the first message settled. */
interface Challenge {
  readonly username: string;
  readonly secret: ScramSecret;
  readonly known: boolean;
  readonly nonce: string;
  readonly header: string;
  readonly messages: string;
}

class ScramExchange implements EnhancedExchange {
  readonly #find: (name: string) => ScramSecret | undefined;
  readonly #decoy: (name: string) => ScramSecret;
  #challenge: Challenge | undefined;

  constructor(find: (name: string) => ScramSecret | undefined, decoy: (name: string) => ScramSecret) {
    this.#find = find;
    this.#decoy = decoy;
  }

  step(data: Uint8Array | undefined): EnhancedAnswer {
    const text = Buffer.from(data ?? []).toString('utf8');
    return this.#challenge === undefined ? this.#first(text) : this.#final(text, this.#challenge);
  }

  #first(text: string): EnhancedAnswer {
    const match = /^([ny],(?:a=[^,]*)?,)(n=([^,]*),r=([!-+\--~]+)(?:,.*)?)$/.exec(text);
    if (!match) return denied({ reason: 'the first SCRAM message is malformed' });
    const [, header = '', bare = '', encoded = '', clientNonce = ''] = match;
    const username = encoded.replaceAll('=2C', ',').replaceAll('=3D', '=');
    const known = this.#find(username);
    const secret = known ?? this.#decoy(username);
    const nonce = clientNonce + randomBytes(18).toString('base64');
    const answer = `r=${nonce},s=${secret.salt.toString('base64')},i=${secret.iterations}`;
    this.#challenge = {
      username,
      secret,
      known: known !== undefined,
      nonce,
      header,
      messages: `${bare},${answer}`,
    };
    return { continue: true, data: Buffer.from(answer) };
  }

  #final(text: string, challenge: Challenge): EnhancedAnswer {
    const { username, secret, known, nonce, header, messages } = challenge;
    const match = /^(c=([^,]+),r=([^,]+)(?:,.*)?),p=([A-Za-z0-9+/=]+)$/.exec(text);
    if (!match) return denied({ reason: 'the final SCRAM message is malformed' });
    const [, withoutProof = '', binding = '', echoed = '', proofText = ''] = match;
    const proof = Buffer.from(proofText, 'base64');
    if (echoed !== nonce || Buffer.from(binding, 'base64').toString() !== header || proof.length !== 32) {
      return denied({ reason: 'the final SCRAM message does not belong to the first' });
    }
    const signed = `${messages},${withoutProof}`;
    const signature = hmac(secret.storedKey, signed);
    const clientKey = Buffer.from(proof.map((byte, index) => byte ^ (signature[index] as number)));
    const proves = timingSafeEqual(sha256(clientKey), secret.storedKey);
    if (!proves || !known) return denied(wrongCredentials(username, known));
    const verifier = `v=${hmac(secret.serverKey, signed).toString('base64')}`;
    return { allow: true, username, authenticationData: Buffer.from(verifier) };
  }
}

function denied(why: { reason: string; reasonForLog?: string }): EnhancedAnswer {
  return { allow: false, reasonCode: ReasonCode.NotAuthorized, ...why };
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}
