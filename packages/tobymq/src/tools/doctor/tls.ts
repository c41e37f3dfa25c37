// The TLS step: the handshake, the chain of certificates with their dates and names, and whether the server wants a
// certificate from us. The certificate is judged here and not by the handshake, so that a bad one can be described.

import { connect, type PeerCertificate, type TLSSocket } from 'node:tls';
import type { FaultName } from './faults.ts';
import { FaultFound, type Finding, fault, ok, warning } from './finding.ts';
import { identify } from './identify.ts';
import { type Patient, tlsOptions } from './patient.ts';

const DAY_MS = 86_400_000;
const EXPIRES_SOON_DAYS = 30;
/** TLS 1.3 servers refuse a client's certificate after the handshake; the alert comes a moment later. */
const ALERT_MS = 300;

export async function examineTls(patient: Patient): Promise<void> {
  const socket = await handshake(patient);
  try {
    judgeCertificate(patient, socket);
    const alert = await alertOf(socket);
    if (alert !== undefined && isAboutOurCertificate(patient, alert)) {
      throw new FaultFound(clientCertificateFault(patient, alert));
    }
  } finally {
    socket.destroy();
  }
}

async function handshake(patient: Patient): Promise<TLSSocket> {
  try {
    return await open(patient);
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    const kind = await identify(patient);
    const isTls = kind === 'tls' || isCertificateAlert(code);
    if (isTls && isAboutOurCertificate(patient, code)) {
      throw new FaultFound(clientCertificateFault(patient, code));
    }
    if (kind === 'tls') throw new FaultFound(fault('TLS', 'TLS_FAILED', `the handshake failed: ${message}`));
    if (kind === 'mute' && code === 'ETIMEDOUT') {
      throw new FaultFound(
        fault('TLS', 'SILENT_SERVER', `no answer to the TLS handshake within ${patient.timeoutMs} ms`),
      );
    }
    const what = {
      mqtt: 'plain MQTT',
      http: 'plain HTTP',
      websocket: 'WebSocket without TLS',
      other: 'no TLS',
      mute: 'no TLS',
    }[kind];
    throw new FaultFound(
      fault('TLS', 'TLS_ON_PLAIN_PORT', `port ${patient.port} speaks ${what} (${message})`),
    );
  }
}

function open(patient: Patient): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect(tlsOptions(patient));
    const fail = (code: string, message: string): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(Object.assign(new Error(message), { code }));
    };
    const timer = setTimeout(
      fail,
      patient.timeoutMs,
      'ETIMEDOUT',
      `no answer within ${patient.timeoutMs} ms`,
    );
    socket.once('error', (error: NodeJS.ErrnoException) => fail(error.code ?? '', error.message));
    socket.once('close', () => fail('ECONNRESET', 'the server closed the connection during the handshake'));
    socket.once('secureConnect', () => {
      clearTimeout(timer);
      socket.removeAllListeners('error');
      socket.removeAllListeners('close');
      socket.on('error', () => {});
      resolve(socket);
    });
  });
}

/** How the server ends the connection right behind the handshake, if it does: an alert, or just the end. */
function alertOf(socket: TLSSocket): Promise<string | undefined> {
  return new Promise((resolve) => {
    const finish = (code: string | undefined): void => {
      clearTimeout(timer);
      resolve(code);
    };
    const timer = setTimeout(finish, ALERT_MS, undefined);
    socket.once('error', ({ code = '' }: NodeJS.ErrnoException) => finish(code));
    socket.once('close', () => finish('ECONNRESET'));
    // Alerts are seen by reading only.
    socket.resume();
  });
}

/** Whether an error says that the server did not like our certificate, or that we have none. */
export function isCertificateAlert(code: string): boolean {
  return /ALERT_(CERTIFICATE_REQUIRED|BAD_CERTIFICATE|CERTIFICATE_\w+|UNKNOWN_CA|HANDSHAKE_FAILURE)|UNSUPPORTED_CERTIFICATE/.test(
    code,
  );
}

/** An alert says so. Some servers just close when they do not like the certificate that they were shown. */
function isAboutOurCertificate({ options }: Patient, code: string): boolean {
  return isCertificateAlert(code) || (code === 'ECONNRESET' && options.tls?.cert !== undefined);
}

export function clientCertificateFault({ options }: Patient, code: string): Finding {
  return options.tls?.cert === undefined
    ? fault('TLS', 'CLIENT_CERTIFICATE_REQUIRED', `the server wants a certificate of this client (${code})`)
    : fault(
        'TLS',
        'CLIENT_CERTIFICATE_REFUSED',
        `the server refuses the certificate of this client (${code})`,
      );
}

function judgeCertificate(patient: Patient, socket: TLSSocket): void {
  const certificate = socket.getPeerCertificate(true);
  const chain = chainOf(certificate);
  const daysLeft = Math.floor((Date.parse(certificate.valid_to) - Date.now()) / DAY_MS);
  const verdict = socket.authorized ? undefined : String(socket.authorizationError);
  if (verdict !== undefined) {
    const finding = certificateFault(patient, certificate, verdict, chain);
    // Asked not to check, the client will connect all the same.
    if (patient.options.tls?.rejectUnauthorized !== false) throw new FaultFound(finding);
    patient.tell(warning('TLS', `${finding.text}; not checked because of --insecure`));
    return;
  }
  patient.tell(ok('TLS', `${socket.getProtocol()}, ${chain.join(' < ')}, valid for ${daysLeft} more days`));
  if (daysLeft < EXPIRES_SOON_DAYS)
    patient.tell(warning('TLS', `the certificate expires in ${daysLeft} days`));
}

function certificateFault(
  { host, options }: Patient,
  certificate: PeerCertificate,
  verdict: string,
  chain: readonly string[],
): Finding {
  const name = FAULT_OF_VERDICT[verdict] ?? 'CERTIFICATE_UNTRUSTED';
  switch (name) {
    case 'CERTIFICATE_EXPIRED':
      return fault('TLS', name, `the certificate of ${chain[0]} was valid until ${certificate.valid_to}`);
    case 'CERTIFICATE_NOT_YET_VALID':
      return fault('TLS', name, `the certificate of ${chain[0]} is valid from ${certificate.valid_from}`);
    case 'CERTIFICATE_WRONG_HOST': {
      const names = certificate.subjectaltname ?? `CN ${certificate.subject?.CN}`;
      return fault(
        'TLS',
        name,
        `the certificate is for ${names}, not for ${options.tls?.servername ?? host}`,
      );
    }
    default:
      return fault('TLS', name, `the chain ${chain.join(' < ')} is not trusted (${verdict})`);
  }
}

const FAULT_OF_VERDICT: Readonly<Record<string, FaultName>> = {
  CERT_HAS_EXPIRED: 'CERTIFICATE_EXPIRED',
  CERT_NOT_YET_VALID: 'CERTIFICATE_NOT_YET_VALID',
  ERR_TLS_CERT_ALTNAME_INVALID: 'CERTIFICATE_WRONG_HOST',
};

/** Whose certificate it is, who issued that, and so on. A root refers to itself. */
function chainOf(certificate: ReturnType<TLSSocket['getPeerCertificate']>): string[] {
  const names: string[] = [];
  const seen = new Set<string>();
  let current: PeerCertificate & { issuerCertificate?: PeerCertificate } = certificate;
  while (current?.fingerprint256 !== undefined && !seen.has(current.fingerprint256)) {
    seen.add(current.fingerprint256);
    names.push(nameOf(current.subject));
    if (current.issuerCertificate === undefined) names.push(nameOf(current.issuer));
    current = current.issuerCertificate as PeerCertificate;
  }
  return names;
}

function nameOf(subject: PeerCertificate['subject'] | undefined): string {
  return String(subject?.CN ?? subject?.O ?? 'a nameless authority');
}
