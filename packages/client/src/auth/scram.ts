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
export function scramSha256(options: ScramOptions): EnhancedAuth {
  const newNonce = options.nonce ?? randomNonce;
  let nonce = '';
  let firstBare = '';
  let expectedSignature = '';

  return {
    method: 'SCRAM-SHA-256',

    start() {
      nonce = newNonce();
      expectedSignature = '';
      firstBare = `n=${escapeName(options.username.normalize('NFKC'))},r=${nonce}`;
      return encoder.encode(`n,,${firstBare}`);
    },

    async respond(data) {
      const serverFirst = decoder.decode(data);
      const { r: fullNonce, s: salt, i: iterations } = attributes(serverFirst);
      if (fullNonce === undefined || salt === undefined || iterations === undefined) {
        throw failure('the challenge of the server is incomplete');
      }
      if (!fullNonce.startsWith(nonce) || fullNonce.length === nonce.length) {
        throw failure('the server does not continue our nonce');
      }
      const rounds = Number(iterations);
      if (!Number.isInteger(rounds) || rounds < ITERATIONS_MIN || rounds > ITERATIONS_MAX) {
        throw failure(
          `the server asks for ${iterations} iterations, expected ${ITERATIONS_MIN} to ${ITERATIONS_MAX}`,
        );
      }
      const finalBare = `c=biws,r=${fullNonce}`;
      const authMessage = `${firstBare},${serverFirst},${finalBare}`;
      const salted = await saltedPassword(options.password.normalize('NFKC'), fromBase64(salt), rounds);
      const clientKey = await hmac(salted, 'Client Key');
      const storedKey = new Uint8Array(await crypto.subtle.digest('SHA-256', clientKey));
      const signature = await hmac(storedKey, authMessage);
      const proof = clientKey.map((byte, index) => byte ^ (signature[index] as number));
      expectedSignature = toBase64(await hmac(await hmac(salted, 'Server Key'), authMessage));
      return encoder.encode(`${finalBare},p=${toBase64(proof)}`);
    },

    finish(data) {
      const { v: signature, e: error } = attributes(decoder.decode(data));
      if (error !== undefined) throw failure(`the server says ${error}`);
      if (expectedSignature === '' || signature !== expectedSignature) {
        throw failure('the server does not prove that it knows the password');
      }
    },
  };
}

function failure(what: string): ClientError {
  return new ClientError('TOBYMQ_AUTH_FAILED', `SCRAM-SHA-256: ${what}`);
}

/** The comma-separated `name=value` parts of a SCRAM message. */
function attributes(message: string): Partial<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const part of message.split(',')) {
    if (part[1] === '=') found[part[0] as string] = part.slice(2);
  }
  return found;
}

function escapeName(name: string): string {
  return name.replaceAll('=', '=3D').replaceAll(',', '=2C');
}

async function saltedPassword(
  password: string,
  salt: Uint8Array<ArrayBuffer>,
  iterations: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const key = await crypto.subtle.importKey('raw', encoder.encode(password), 'PBKDF2', false, ['deriveBits']);
  const bits = await crypto.subtle.deriveBits(
    { name: 'PBKDF2', hash: 'SHA-256', salt, iterations },
    key,
    256,
  );
  return new Uint8Array(bits);
}

async function hmac(key: Uint8Array<ArrayBuffer>, text: string): Promise<Uint8Array<ArrayBuffer>> {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const imported = await crypto.subtle.importKey('raw', key, algorithm, false, ['sign']);
  return new Uint8Array(await crypto.subtle.sign('HMAC', imported, encoder.encode(text)));
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
