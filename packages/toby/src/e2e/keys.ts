// The keys of a bot: one pair to receive (ECDH P-256), one pair to sign (ECDSA P-256). These curves are in every WebCrypto,
// browsers and Node alike. Private keys leave this file only by `exportIdentity`, for a program that wants to keep them.

import { type Bytes, fromBase64, toBase64 } from './bytes.ts';

const ECDH = { name: 'ECDH', namedCurve: 'P-256' } as const;
const ECDSA = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const SIGNATURE = { name: 'ECDSA', hash: 'SHA-256' } as const;

/** The public half of a bot's keys, as it travels. */
export interface PublicKeys {
  /** Names this pair of keys among the bot's older and newer ones. */
  readonly keyId: string;
  /** ECDH, SPKI in base 64. */
  readonly receive: string;
  /** ECDSA, SPKI in base 64. */
  readonly sign: string;
}

/** A bot's own keys. */
export interface Identity {
  readonly botId: string;
  readonly publicKeys: PublicKeys;
  readonly receiveKey: CryptoKey;
  readonly signKey: CryptoKey;
}

/** An identity in a form that can be stored. Keep it as secret as a password. */
export interface ExportedIdentity {
  readonly botId: string;
  readonly publicKeys: PublicKeys;
  /** PKCS 8 in base 64. */
  readonly receiveKey: string;
  readonly signKey: string;
}

export async function generateIdentity(botId: string): Promise<Identity> {
  const receive = await crypto.subtle.generateKey(ECDH, true, ['deriveBits']);
  const sign = await crypto.subtle.generateKey(ECDSA, true, ['sign', 'verify']);
  const receivePublic = toBase64(await crypto.subtle.exportKey('spki', receive.publicKey));
  const signPublic = toBase64(await crypto.subtle.exportKey('spki', sign.publicKey));
  return {
    botId,
    publicKeys: { keyId: await keyIdOf(receivePublic), receive: receivePublic, sign: signPublic },
    receiveKey: receive.privateKey,
    signKey: sign.privateKey,
  };
}

export async function exportIdentity(identity: Identity): Promise<ExportedIdentity> {
  return {
    botId: identity.botId,
    publicKeys: identity.publicKeys,
    receiveKey: toBase64(await crypto.subtle.exportKey('pkcs8', identity.receiveKey)),
    signKey: toBase64(await crypto.subtle.exportKey('pkcs8', identity.signKey)),
  };
}

export async function importIdentity(exported: ExportedIdentity): Promise<Identity> {
  const receiveKey = fromBase64(exported.receiveKey);
  const signKey = fromBase64(exported.signKey);
  return {
    botId: exported.botId,
    publicKeys: exported.publicKeys,
    receiveKey: await crypto.subtle.importKey('pkcs8', receiveKey, ECDH, true, ['deriveBits']),
    signKey: await crypto.subtle.importKey('pkcs8', signKey, ECDSA, true, ['sign']),
  };
}

export function importReceiveKey(spki: string): Promise<CryptoKey> {
  return crypto.subtle.importKey('spki', fromBase64(spki), ECDH, true, []);
}

export async function sign(key: CryptoKey, bytes: Bytes): Promise<string> {
  return toBase64(await crypto.subtle.sign(SIGNATURE, key, bytes));
}

export async function verify(signPublic: string, signature: string, bytes: Bytes): Promise<boolean> {
  return crypto.subtle.verify(SIGNATURE, await importSignKey(signPublic), fromBase64(signature), bytes);
}

/** Whether both are keys at all. */
export async function areKeys({ receive, sign }: PublicKeys): Promise<boolean> {
  try {
    await Promise.all([importReceiveKey(receive), importSignKey(sign)]);
    return true;
  } catch {
    return false;
  }
}

function importSignKey(spki: string): Promise<CryptoKey> {
  return crypto.subtle.importKey('spki', fromBase64(spki), ECDSA, true, ['verify']);
}

/** A fresh ECDH pair for one message. */
export async function generateEphemeral(): Promise<{
  readonly privateKey: CryptoKey;
  readonly spki: string;
}> {
  const pair = await crypto.subtle.generateKey(ECDH, true, ['deriveBits']);
  return {
    privateKey: pair.privateKey,
    spki: toBase64(await crypto.subtle.exportKey('spki', pair.publicKey)),
  };
}

/** The AES key that both sides of an ECDH exchange arrive at; `context` binds it to its one use. */
export async function deriveWrapKey(
  privateKey: CryptoKey,
  publicKey: CryptoKey,
  context: Bytes,
): Promise<CryptoKey> {
  const shared = await crypto.subtle.deriveBits({ name: 'ECDH', public: publicKey }, privateKey, 256);
  const secret = await crypto.subtle.importKey('raw', shared, 'HKDF', false, ['deriveKey']);
  const hkdf = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(32), info: context };
  return crypto.subtle.deriveKey(hkdf, secret, { name: 'AES-KW', length: 256 }, false, [
    'wrapKey',
    'unwrapKey',
  ]);
}

async function keyIdOf(spki: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', fromBase64(spki));
  return toBase64(digest).slice(0, 16);
}
