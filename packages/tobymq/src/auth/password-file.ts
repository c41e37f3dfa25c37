// The authenticator `password-file`: lines of `name:hash`, ours and Mosquitto's alike.
//
// To check an argon2id hash takes some 24 ms of one core. When a thousand clients reconnect at once that would be half
// a minute, so a password that was checked is remembered for a while: not the password, but a hash of it with a key that
// lives only in this process. A reload forgets everything.

import { hash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { AuthenticationAnswer, AuthenticationRequest } from '@tobymq/broker';
import { ReasonCode } from '@tobymq/codec';
import { ConfigError, fileFault } from '../config/errors.ts';
import { findArgon2 } from './argon2.ts';
import { type Authenticator, wrongCredentials } from './authenticator.ts';
import { FairQueue } from './fair-queue.ts';
import { noArgon2, type PasswordHash, parsePasswordHash, verifyPassword } from './password-hash.ts';

/** The users of a password file. Throws {@link ConfigError} for a file that cannot be used. */
export async function readPasswordFile(path: string): Promise<ReadonlyMap<string, PasswordHash>> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const remedy = isMissing ? '; "tobymq passwd FILE NAME" makes it with the first user' : '';
    throw ConfigError.of(`the password file cannot be read: ${fileFault(error)}${remedy}`, { file: path });
  }
  const users = parsePasswordFile(text, path);
  const needsArgon2 = [...users.values()].some((hash) => hash.kind === 'argon2id');
  if (needsArgon2 && !(await findArgon2())) throw ConfigError.of(noArgon2, { file: path });
  return users;
}

/** Lines without a colon are skipped, as Mosquitto does; an empty name, a name given twice, or a broken hash is an error. */
function parsePasswordFile(text: string, path: string): ReadonlyMap<string, PasswordHash> {
  const users = new Map<string, PasswordHash>();
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    const colon = line.indexOf(':');
    if (line.startsWith('#') || colon < 0) continue;
    const at = { file: path, line: index + 1 };
    const name = line.slice(0, colon);
    if (name === '') throw ConfigError.of('the user name is empty', at);
    if (users.has(name)) throw ConfigError.of(`the user "${name}" is in the file twice`, at);
    const hash = parsePasswordHash(line.slice(colon + 1));
    if (!hash) {
      throw ConfigError.of(
        `the password of "${name}" is not a hash that can be read; make it with "tobymq passwd ${path} ${name}"`,
        at,
      );
    }
    users.set(name, hash);
  }
  return users;
}

const rememberedMax = 10_000;

/** Checks clients against a password file. */
export class PasswordFileAuthenticator implements Authenticator {
  readonly name = 'password-file';
  readonly #users: ReadonlyMap<string, PasswordHash>;
  /** What users that come in are known by; made once, because all connections of a user hold on to it. */
  readonly #credentials = new Map<string, string>();
  readonly #rememberMs: number;
  readonly #denied: number;
  readonly #key = randomBytes(32);
  readonly #checks = new FairQueue();
  readonly #remembered = new Map<string, { readonly digest: string; readonly until: number }>();

  /** `deniedCode` is what CONNACK says: 0x86, or 0x87 as Mosquitto does. */
  constructor(
    users: ReadonlyMap<string, PasswordHash>,
    rememberSeconds: number,
    deniedCode: number = ReasonCode.BadUserNameOrPassword,
  ) {
    this.#users = users;
    this.#rememberMs = rememberSeconds * 1000;
    this.#denied = deniedCode;
  }

  async #check(username: string, password: Uint8Array, address: string): Promise<AuthenticationAnswer> {
    const stored = this.#users.get(username);
    const matches = await this.#checks.run(address, async () => {
      // Of many clients that came with it at once, another may have been first.
      if (this.#isRemembered(username, password)) return true;
      // An unknown name costs as much time as a wrong password, so that names cannot be found out.
      return verifyPassword(password, stored ?? this.#decoy());
    });
    if (!stored || !matches) return this.#deny(wrongCredentials(username, stored !== undefined));
    this.#remember(username, password);
    return this.#allow(username);
  }

  authenticate(request: AuthenticationRequest): AuthenticationAnswer | Promise<AuthenticationAnswer> {
    const { username, password, remoteAddress } = request;
    if (username === undefined) return undefined;
    if (password === undefined) return this.#deny({ reason: 'no password' });
    if (this.#isRemembered(username, password)) return this.#allow(username);
    return this.#check(username, password, remoteAddress);
  }

  credentialOf(username: string | undefined): string | undefined {
    const stored = username === undefined ? undefined : this.#users.get(username);
    if (username === undefined || stored === undefined) return undefined;
    const credential = this.#credentials.get(username) ?? stored.hash.toString('base64');
    this.#credentials.set(username, credential);
    return credential;
  }

  #allow(username: string): AuthenticationAnswer {
    return { allow: true, identity: { credential: this.credentialOf(username) } };
  }

  #deny(why: { reason: string; reasonForLog?: string }): AuthenticationAnswer {
    return { allow: false, reasonCode: this.#denied, ...why };
  }

  #decoy(): PasswordHash {
    const [first] = this.#users.values();
    return first ?? { kind: 'sha512', salt: this.#key, hash: Buffer.alloc(64) };
  }

  #isRemembered(username: string, password: Uint8Array): boolean {
    const entry = this.#remembered.get(username);
    return entry !== undefined && entry.until > performance.now() && entry.digest === this.#digest(password);
  }

  #remember(username: string, password: Uint8Array): void {
    if (this.#rememberMs === 0) return;
    if (this.#remembered.size >= rememberedMax) {
      const [oldest] = this.#remembered.keys();
      this.#remembered.delete(oldest as string);
    }
    this.#remembered.delete(username);
    this.#remembered.set(username, {
      digest: this.#digest(password),
      until: performance.now() + this.#rememberMs,
    });
  }

  #digest(password: Uint8Array): string {
    // The key goes first and nobody sees the digest, so this says as little as an HMAC, which takes four times as long.
    return hash('sha256', Buffer.concat([this.#key, password]), 'base64');
  }
}
