// Remembers which secrets were found right, so that a thousand bots that come back after a restart of the network do
// not cost a thousand slow hashes. What is kept is a keyed digest that is useless outside this process.

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { SecretHasher } from './secrets.ts';

const ENTRIES_MAX = 100_000;

export class VerifiedSecrets {
  readonly #hasher: SecretHasher;
  readonly #key = randomBytes(32);
  readonly #digests = new Map<string, Buffer>();

  constructor(hasher: SecretHasher) {
    this.#hasher = hasher;
  }

  /** True if the secret was found right before, which costs next to nothing. */
  isKnown(hash: string, secret: string): boolean {
    const known = this.#digests.get(hash);
    return known !== undefined && timingSafeEqual(known, this.#digest(secret));
  }

  async verify(hash: string, secret: string, address: string): Promise<boolean> {
    if (this.isKnown(hash, secret)) return true;
    if (!(await this.#hasher.verify(hash, secret, address))) return false;
    this.#remember(hash, this.#digest(secret));
    return true;
  }

  /** Hashes a new secret and remembers it as right. */
  async hash(secret: string): Promise<string> {
    const hash = await this.#hasher.hash(secret);
    this.#remember(hash, this.#digest(secret));
    return hash;
  }

  #remember(hash: string, digest: Buffer): void {
    if (this.#digests.size >= ENTRIES_MAX) this.#digests.clear();
    this.#digests.set(hash, digest);
  }

  #digest(secret: string): Buffer {
    return createHmac('sha256', this.#key).update(secret).digest();
  }
}
