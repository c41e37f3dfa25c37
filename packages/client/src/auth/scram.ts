// SCRAM-SHA-256 (RFC 5802, RFC 7677) as a method of enhanced authentication: the password itself never travels, and the
// server proves that it knows it too. WebCrypto only, so that it is the same in Node and in browsers.
//
//     CONNECT   n,,n=user,r=nonce
//     AUTH      r=nonce+server's,s=salt,i=iterations
//     AUTH      c=biws,r=…,p=proof
//     CONNACK   v=signature of the server

import type { EnhancedAuth } from '../auth.ts';
import { ClientError } from '../errors.ts';

export interface ScramOptions {
  readonly username: string;
  readonly password: string;
  /** The nonce of the client, for tests; random unless given. */
  readonly nonce?: () => string;
}

/** A server that asks for more rounds wants to keep us busy. */
const ITERATIONS_MAX = 10_000_000;
/** A server that asks for fewer makes the password easy to guess. RFC 7677 demands at least this many. */
const ITERATIONS_MIN = 4096;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Authenticates with SCRAM-SHA-256.
 *
 * @example
 * await connect('mqtts://broker.example', { auth: scramSha256({ username: 'ana', password: 'secret' }) });
 */
export function scramSha256({ username, password, nonce = randomNonce }: ScramOptions): EnhancedAuth {
  let ownNonce = '';
  let firstBare = '';
  let expectedSignature: string | undefined;

  return {
    method: 'SCRAM-SHA-256',

    start() {
      ownNonce = nonce();
      expectedSignature = undefined;
      firstBare = `n=${escapeName(username.normalize('NFKC'))},r=${ownNonce}`;
      return encoder.encode(`n,,${firstBare}`);
    },

    async respond(data) {
      const serverFirst = decoder.decode(data);
      const { r: fullNonce, s: salt, i: iterations } = attributes(serverFirst);
      if (!fullNonce || !salt || !iterations) throw failure('the challenge of the server is incomplete');
      if (!fullNonce.startsWith(ownNonce) || fullNonce === ownNonce)
        throw failure('the server does not continue our nonce');
      const rounds = Number(iterations);
      if (!(rounds >= ITERATIONS_MIN && rounds <= ITERATIONS_MAX))
        throw failure(`the server asks for ${iterations} iterations, which is too few or too many`);
      const finalBare = `c=biws,r=${fullNonce}`;
      const authMessage = `${firstBare},${serverFirst},${finalBare}`;
      const salted = await saltedPassword(password.normalize('NFKC'), fromBase64(salt), rounds);
      const clientKey = await hmac(salted, 'Client Key');
      const storedKey = await crypto.subtle.digest('SHA-256', clientKey);
      const signature = await hmac(storedKey, authMessage);
      const proof = clientKey.map((byte, index) => byte ^ signature[index]!);
      expectedSignature = toBase64(await hmac(await hmac(salted, 'Server Key'), authMessage));
      return encoder.encode(`${finalBare},p=${toBase64(proof)}`);
    },

    finish(data) {
      const { v: signature, e: error } = attributes(decoder.decode(data));
      if (error) throw failure(`the server says ${error}`);
      if (!signature || signature !== expectedSignature)
        throw failure('the server does not prove that it knows the password');
    },
  };
}

function failure(what: string): ClientError {
  return new ClientError('TOBYMQ_AUTH_FAILED', `SCRAM-SHA-256: ${what}`);
}

/** The comma-separated `name=value` parts of a SCRAM message; names are single letters. */
function attributes(message: string): Partial<Record<string, string>> {
  return Object.fromEntries(message.split(',').map((part) => [part[0], part.slice(2)]));
}

function escapeName(name: string): string {
  return name.replaceAll('=', '=3D').replaceAll(',', '=2C');
}

function importKey(
  bytes: BufferSource,
  algorithm: string | HmacImportParams,
  usage: KeyUsage,
): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', bytes, algorithm, false, [usage]);
}

async function saltedPassword(
  password: string,
  salt: BufferSource,
  iterations: number,
): Promise<BufferSource> {
  const key = await importKey(encoder.encode(password), 'PBKDF2', 'deriveBits');
  return crypto.subtle.deriveBits({ name: 'PBKDF2', hash: 'SHA-256', salt, iterations }, key, 256);
}

async function hmac(secret: BufferSource, text: string): Promise<Uint8Array<ArrayBuffer>> {
  const key = await importKey(secret, { name: 'HMAC', hash: 'SHA-256' }, 'sign');
  return new Uint8Array(await crypto.subtle.sign('HMAC', key, encoder.encode(text)));
}

function randomNonce(): string {
  return toBase64(crypto.getRandomValues(new Uint8Array(18)));
}

function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
