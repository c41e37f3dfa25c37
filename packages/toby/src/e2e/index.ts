// End-to-end encryption between the bots of an account.

export {
  type Certificate,
  certify,
  type EnrolmentRequest,
  type EnrolmentTrust,
  requestEnrolment,
  requestRotation,
  revoke,
  verifyCertificate,
} from './certificate.ts';
export { KeyDirectory } from './directory.ts';
export { type Envelope, isEnvelope, open, seal } from './envelope.ts';
export { EncryptionError, type EncryptionErrorCode } from './errors.ts';
export {
  type ExportedIdentity,
  exportIdentity,
  generateIdentity,
  type Identity,
  importIdentity,
  type PublicKeys,
} from './keys.ts';
export { ReplayGuard } from './replay.ts';
