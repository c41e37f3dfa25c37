// What can go wrong with an encrypted message. A message that cannot be opened is never handed on half-open.

export type EncryptionErrorCode =
  /** Nobody has told us a certified key of that bot. */
  | 'TOBYMQ_KEY_UNKNOWN'
  /** The message was sealed for others, or for a key of ours that we no longer have. */
  | 'TOBYMQ_NOT_A_RECIPIENT'
  /** A signature is wrong: of the owner on a certificate, or of the sender on a message. */
  | 'TOBYMQ_SIGNATURE_INVALID'
  /** The enrolment code does not fit the key that came with it, the key was replaced before, or is none. */
  | 'TOBYMQ_ENROLMENT_INVALID'
  /** The owner has withdrawn the key. */
  | 'TOBYMQ_KEY_REVOKED'
  /** The message was opened before: somebody sends it again. */
  | 'TOBYMQ_REPLAYED'
  /** The payload is not an encrypted message, or was changed on its way. */
  | 'TOBYMQ_ENVELOPE_INVALID';

export class EncryptionError extends Error {
  override readonly name = 'EncryptionError';
  readonly code: EncryptionErrorCode;

  constructor(code: EncryptionErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
