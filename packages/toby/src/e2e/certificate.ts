// How a key becomes trusted. The owner (the user bot) is the root: bots know its signing key from the day they were set up,
// and believe a key of another bot only if the owner has signed it. The server carries all of this and can change none of it.
//
//   owner  ── enrolment code, owner's signing key ──▶  bot      out of band, when the bot is set up
//   bot    ── public keys + HMAC(code) ─────────────▶  owner    through the server
//   owner  ── certificate, signed ──────────────────▶  all bots through the server

import { type Bytes, fromBase64, signedBytes, toBase64, utf8 } from './bytes.ts';
import { EncryptionError } from './errors.ts';
import { areKeys, type Identity, type PublicKeys, sign, verify } from './keys.ts';

/** A bot asks its owner to certify its keys. */
export interface EnrolmentRequest {
  readonly botId: string;
  readonly publicKeys: PublicKeys;
  /** Shows that whoever sends this knows the enrolment code; for a rotation, that it has the old signing key. */
  readonly proof: { readonly kind: 'code' | 'rotation'; readonly value: string };
}

/** The owner's word that these keys belong to this bot. */
export interface Certificate {
  readonly botId: string;
  readonly publicKeys: PublicKeys;
  /** Ascending for each bot; the highest counts. */
  readonly serial: number;
  readonly issuedAt: number;
  /** True when the owner withdraws the bot's keys. */
  readonly revoked: boolean;
  readonly signature: string;
}

/** A request with the code that the owner handed over when the bot was set up. */
export async function requestEnrolment(identity: Identity, code: string): Promise<EnrolmentRequest> {
  const { botId, publicKeys } = identity;
  const mac = await crypto.subtle.sign('HMAC', await codeKey(code), requestBytes(botId, publicKeys));
  return { botId, publicKeys, proof: { kind: 'code', value: toBase64(mac) } };
}

/** A request for new keys, vouched for by the old ones. */
export async function requestRotation(old: Identity, next: Identity): Promise<EnrolmentRequest> {
  const { botId, publicKeys } = next;
  const value = await sign(old.signKey, requestBytes(botId, publicKeys));
  return { botId, publicKeys, proof: { kind: 'rotation', value } };
}

/** What the owner knows of a bot when it judges a request. */
export interface EnrolmentTrust {
  readonly code?: string | undefined;
  readonly current?: Certificate | undefined;
  /** The ids of the bot's keys that others have taken the place of. */
  readonly replaced?: ReadonlySet<string> | undefined;
}

/** Certifies a request, or throws when its proof is wrong. */
export async function certify(
  owner: Identity,
  request: EnrolmentRequest,
  trust: EnrolmentTrust,
  now: number,
): Promise<Certificate> {
  const { botId, publicKeys, proof } = request;
  const bytes = requestBytes(botId, publicKeys);
  // Whoever has the device has its code as well, and the server could send the first request once more.
  if (trust.current?.revoked === true && trust.current.publicKeys.keyId === publicKeys.keyId) {
    throw new EncryptionError(
      'TOBYMQ_KEY_REVOKED',
      `the keys of "${botId}" were withdrawn; it needs new ones`,
    );
  }
  if (trust.current?.publicKeys.keyId !== publicKeys.keyId && trust.replaced?.has(publicKeys.keyId)) {
    throw new EncryptionError(
      'TOBYMQ_ENROLMENT_INVALID',
      `the keys of "${botId}" were replaced by others; they do not come back`,
    );
  }
  if (!(await isProven(proof, bytes, trust))) {
    throw new EncryptionError(
      'TOBYMQ_ENROLMENT_INVALID',
      `the request to certify keys of "${botId}" is not proven`,
    );
  }
  // Whoever seals for all bots would fail at the keys of this one.
  if (!(await areKeys(publicKeys))) {
    throw new EncryptionError('TOBYMQ_ENROLMENT_INVALID', `what "${botId}" has sent are no keys`);
  }
  return issue(owner, botId, publicKeys, (trust.current?.serial ?? 0) + 1, now, false);
}

/** Withdraws a bot's keys: messages sealed by them are refused and none is sealed for them any more. */
export function revoke(owner: Identity, current: Certificate, now: number): Promise<Certificate> {
  return issue(owner, current.botId, current.publicKeys, current.serial + 1, now, true);
}

export async function verifyCertificate(ownerSignKey: string, certificate: Certificate): Promise<boolean> {
  try {
    return await verify(ownerSignKey, certificate.signature, certificateBytes(certificate));
  } catch {
    return false; // Not even the form of a key or signature.
  }
}

async function issue(
  owner: Identity,
  botId: string,
  publicKeys: PublicKeys,
  serial: number,
  issuedAt: number,
  revoked: boolean,
): Promise<Certificate> {
  const unsigned = { botId, publicKeys, serial, issuedAt, revoked };
  return { ...unsigned, signature: await sign(owner.signKey, certificateBytes(unsigned)) };
}

async function isProven(
  proof: EnrolmentRequest['proof'],
  bytes: Bytes,
  trust: EnrolmentTrust,
): Promise<boolean> {
  try {
    if (proof.kind === 'code') {
      if (trust.code === undefined) return false;
      return await crypto.subtle.verify('HMAC', await codeKey(trust.code), fromBase64(proof.value), bytes);
    }
    if (trust.current === undefined || trust.current.revoked) return false;
    return await verify(trust.current.publicKeys.sign, proof.value, bytes);
  } catch {
    return false;
  }
}

function requestBytes(botId: string, keys: PublicKeys): Bytes {
  return signedBytes('toby enrolment 1', botId, keys.keyId, keys.receive, keys.sign);
}

function certificateBytes(certificate: Omit<Certificate, 'signature'>): Bytes {
  const { botId, publicKeys: keys, serial, issuedAt, revoked } = certificate;
  const numbers = `${serial} ${issuedAt} ${revoked}`;
  return signedBytes('toby certificate 1', botId, keys.keyId, keys.receive, keys.sign, numbers);
}

function codeKey(code: string): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', utf8(code), { name: 'HMAC', hash: 'SHA-256' }, false, [
    'sign',
    'verify',
  ]);
}
