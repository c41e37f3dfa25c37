// The certified keys of the other bots of an account. Only what the owner signed gets in, and only a higher serial replaces
// what is there, so that a server that replays an old certificate changes nothing.

import { type Certificate, verifyCertificate } from './certificate.ts';
import { EncryptionError } from './errors.ts';

/** How long messages that were signed with keys replaced by a rotation are still accepted. */
const ROTATION_GRACE_MS = 24 * 3600 * 1000;

interface Entry {
  readonly current: Certificate;
  /** The keys before the last rotation, and when they were replaced. */
  readonly previous: { readonly certificate: Certificate; readonly replacedAt: number } | undefined;
}

export class KeyDirectory {
  readonly #ownerSignKey: string;
  readonly #now: () => number;
  readonly #entries = new Map<string, Entry>();

  constructor(ownerSignKey: string, now: () => number) {
    this.#ownerSignKey = ownerSignKey;
    this.#now = now;
  }

  /** Takes a certificate in; returns false when it is not newer than what is known. */
  async add(certificate: Certificate): Promise<boolean> {
    // The owner tells all of them each time that it issues one, and to verify takes its time.
    if (this.#entries.get(certificate.botId)?.current.signature === certificate.signature) return false;
    if (!(await verifyCertificate(this.#ownerSignKey, certificate))) {
      const message = `the certificate of "${certificate.botId}" is not signed by the owner`;
      throw new EncryptionError('TOBYMQ_SIGNATURE_INVALID', message);
    }
    const entry = this.#entries.get(certificate.botId);
    if (entry !== undefined && certificate.serial <= entry.current.serial) return false;
    this.#entries.set(certificate.botId, { current: certificate, previous: previousOf(entry, certificate) });
    return true;
  }

  /** The certificate to seal for; throws when there is none or when it was withdrawn. */
  recipient(botId: string): Certificate {
    const entry = this.#entries.get(botId);
    if (entry === undefined) {
      throw new EncryptionError('TOBYMQ_KEY_UNKNOWN', `no certified key of "${botId}" is known`);
    }
    if (entry.current.revoked) {
      throw new EncryptionError('TOBYMQ_KEY_REVOKED', `the owner has withdrawn the key of "${botId}"`);
    }
    return entry.current;
  }

  /** The certificate whose signing key made a message, which may be the one before the last rotation. */
  sender(botId: string, keyId: string): Certificate {
    const current = this.recipient(botId);
    if (current.publicKeys.keyId === keyId) return current;
    const previous = this.#entries.get(botId)?.previous;
    if (previous?.certificate.publicKeys.keyId === keyId) {
      if (this.#now() - previous.replacedAt < ROTATION_GRACE_MS) return previous.certificate;
    }
    throw new EncryptionError('TOBYMQ_KEY_UNKNOWN', `the key ${keyId} of "${botId}" is not certified`);
  }

  /** All bots that messages can be sealed for. */
  botIds(): readonly string[] {
    return [...this.#entries.values()]
      .filter(({ current }) => !current.revoked)
      .map(({ current }) => current.botId);
  }

  certificates(): readonly Certificate[] {
    return [...this.#entries.values()].map(({ current }) => current);
  }
}

/** What was valid until the new certificate came: never keys that were withdrawn. */
function previousOf(entry: Entry | undefined, next: Certificate): Entry['previous'] {
  if (entry === undefined || next.revoked || entry.current.revoked) return undefined;
  // The same keys again, as after a restart of the bot: those before them stay what they are.
  if (entry.current.publicKeys.keyId === next.publicKeys.keyId) return entry.previous;
  return { certificate: entry.current, replacedAt: next.issuedAt };
}
