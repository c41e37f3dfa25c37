// One encrypted message for several recipients. The payload is sealed once with a fresh AES-GCM key; that key is wrapped for
// each recipient with a key agreed between a fresh ECDH pair of this message and the recipient's certified key; the
// sender signs the whole. What the server sees: who sends, for whom, how long, when.

import type { Json } from '../protocol.ts';
import { type Bytes, fromBase64, fromUtf8, randomBytes, signedBytes, toBase64, utf8 } from './bytes.ts';
import type { Certificate } from './certificate.ts';
import type { KeyDirectory } from './directory.ts';
import { EncryptionError } from './errors.ts';
import { deriveWrapKey, generateEphemeral, type Identity, importReceiveKey, sign, verify } from './keys.ts';

/** The payload of an encrypted message, as it travels. */
export interface Envelope {
  readonly tobyEncrypted: 1;
  readonly id: string;
  readonly from: string;
  readonly fromKey: string;
  readonly sentAt: number;
  readonly ephemeral: string;
  readonly iv: string;
  readonly data: string;
  /** The content key, wrapped for each recipient. */
  readonly keys: readonly { readonly to: string; readonly keyId: string; readonly wrapped: string }[];
  readonly signature: string;
}

const AES = { name: 'AES-GCM', length: 256 } as const;

export function isEnvelope(payload: unknown): payload is Envelope {
  return typeof payload === 'object' && payload !== null && (payload as Envelope).tobyEncrypted === 1;
}

/** Seals a payload for the given recipients. */
export async function seal(
  sender: Identity,
  recipients: readonly Certificate[],
  payload: Json,
  now: number,
): Promise<Envelope> {
  const content = await crypto.subtle.generateKey(AES, true, ['encrypt', 'decrypt']);
  const ephemeral = await generateEphemeral();
  const iv = randomBytes(12);
  const id = toBase64(randomBytes(16));
  const head = { id, from: sender.botId, fromKey: sender.publicKeys.keyId, sentAt: now };
  const additionalData = headBytes(head);
  const plain = utf8(JSON.stringify(payload));
  const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv, additionalData }, content, plain);
  const keys = await Promise.all(
    recipients.map(async ({ botId, publicKeys }) => {
      const publicKey = await importReceiveKey(publicKeys.receive);
      const wrapKey = await deriveWrapKey(
        ephemeral.privateKey,
        publicKey,
        wrapContext(id, botId, publicKeys.keyId),
      );
      const wrapped = await crypto.subtle.wrapKey('raw', content, wrapKey, 'AES-KW');
      return { to: botId, keyId: publicKeys.keyId, wrapped: toBase64(wrapped) };
    }),
  );
  const unsigned = {
    tobyEncrypted: 1,
    ...head,
    ephemeral: ephemeral.spki,
    iv: toBase64(iv),
    data: toBase64(sealed),
    keys,
  } as const;
  return { ...unsigned, signature: await sign(sender.signKey, envelopeBytes(unsigned)) };
}

/** Opens a message with one of our identities (the current one first, then those before a rotation). */
export async function open(
  identities: readonly Identity[],
  directory: KeyDirectory,
  envelope: Envelope,
): Promise<Json> {
  const sender = directory.sender(envelope.from, envelope.fromKey);
  if (!(await isSignedBy(sender, envelope))) {
    const message = `the message that claims to come from "${envelope.from}" is not signed by it`;
    throw new EncryptionError('TOBYMQ_SIGNATURE_INVALID', message);
  }
  for (const identity of identities) {
    const { keyId } = identity.publicKeys;
    const entry = envelope.keys.find((key) => key.to === identity.botId && key.keyId === keyId);
    if (entry !== undefined) return unseal(identity, envelope, entry.wrapped);
  }
  const who = identities[0]?.botId ?? 'this bot';
  throw new EncryptionError('TOBYMQ_NOT_A_RECIPIENT', `the message was not sealed for a key of "${who}"`);
}

async function unseal(identity: Identity, envelope: Envelope, wrapped: string): Promise<Json> {
  try {
    const ephemeral = await importReceiveKey(envelope.ephemeral);
    const context = wrapContext(envelope.id, identity.botId, identity.publicKeys.keyId);
    const wrapKey = await deriveWrapKey(identity.receiveKey, ephemeral, context);
    const content = await crypto.subtle.unwrapKey('raw', fromBase64(wrapped), wrapKey, 'AES-KW', AES, false, [
      'decrypt',
    ]);
    const parameters = { name: 'AES-GCM', iv: fromBase64(envelope.iv), additionalData: headBytes(envelope) };
    const plain = await crypto.subtle.decrypt(parameters, content, fromBase64(envelope.data));
    return JSON.parse(fromUtf8(new Uint8Array(plain))) as Json;
  } catch (cause) {
    throw new EncryptionError('TOBYMQ_ENVELOPE_INVALID', 'the encrypted message is damaged', { cause });
  }
}

async function isSignedBy(sender: Certificate, envelope: Envelope): Promise<boolean> {
  try {
    return await verify(sender.publicKeys.sign, envelope.signature, envelopeBytes(envelope));
  } catch {
    return false;
  }
}

function headBytes(head: Pick<Envelope, 'id' | 'from' | 'fromKey' | 'sentAt'>): Bytes {
  return signedBytes('toby message 1', head.id, head.from, head.fromKey, String(head.sentAt));
}

function wrapContext(messageId: string, botId: string, keyId: string): Bytes {
  return signedBytes('toby wrap 1', messageId, botId, keyId);
}

function envelopeBytes(envelope: Omit<Envelope, 'signature'>): Bytes {
  const keys = envelope.keys.map(
    ({ to, keyId, wrapped }) => `${to.length}:${to}${keyId.length}:${keyId}${wrapped}`,
  );
  const { id, from, fromKey, sentAt, ephemeral, iv, data } = envelope;
  return signedBytes('toby envelope 1', id, from, fromKey, String(sentAt), ephemeral, iv, data, ...keys);
}
