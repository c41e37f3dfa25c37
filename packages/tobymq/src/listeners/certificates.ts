// Reads the files of a listener's section `tls`, and finds what is wrong with them before a client does: a file that is
// missing, a key that does not belong to its certificate, a certificate whose time is over.

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  createSecureContext,
  type SecureContext,
  type SecureContextOptions,
  type TlsOptions,
} from 'node:tls';
import { ConfigError, fileFault } from '../config/errors.ts';
import type { TlsConfig } from '../config/schema-listener.ts';
import { readPskFile } from '../mosquitto/psk-file.ts';

export interface LoadedTls {
  /** For `tls.createServer` and for `setSecureContext`, revocation list included. */
  readonly options: TlsOptions;
  /** When the first of the server's certificates ends; undefined without certificates. */
  readonly validUntil: Date | undefined;
  readonly warnings: readonly string[];
  readonly pskKeys: ReadonlyMap<string, Buffer> | undefined;
}

/** With `tolerant`, an expired certificate is a warning, as it is for Mosquitto. Throws {@link ConfigError}. */
export function loadTls(tls: TlsConfig, tolerant = false): LoadedTls {
  const warnings: string[] = [];
  const pair =
    tls.cert === undefined || tls.key === undefined ? undefined : readPair(tls.cert, tls.key, tls.passphrase);
  const others = tls.sni.map(({ names, cert, key }) => ({ names, pair: readPair(cert, key, undefined) }));
  for (const { leaf, path } of [...(pair ? [pair] : []), ...others.map((other) => other.pair)]) {
    const problem = outOfTime(leaf);
    if (problem === undefined) continue;
    if (!tolerant) throw ConfigError.of(`the certificate ${problem}; renew it`, { file: path });
    warnings.push(`the certificate ${path} ${problem}`);
  }
  const pskKeys = tls.pskFile === undefined ? undefined : readPskFile(tls.pskFile);
  const context: SecureContextOptions = {
    ...(pair ? { cert: pair.cert, key: pair.key } : {}),
    ...(tls.passphrase === undefined ? {} : { passphrase: tls.passphrase }),
    ...(tls.ca === undefined ? {} : { ca: readAuthorities(tls.ca) }),
    ...(tls.crl === undefined ? {} : { crl: readCrl(tls.crl) }),
    minVersion: tls.minVersion,
    ...(tls.maxVersion === undefined ? {} : { maxVersion: tls.maxVersion }),
    ...ciphersOf(tls),
  };
  try {
    createSecureContext(context);
  } catch (error) {
    throw ConfigError.of(`TLS cannot be set up: ${error instanceof Error ? error.message : String(error)}`, {
      file: tls.cert,
    });
  }
  const contexts = others.map(({ names, pair: other }) => ({
    names,
    context: createSecureContext({ ...context, cert: other.cert, key: other.key }),
  }));
  return {
    options: {
      ...context,
      requestCert: tls.clientCertificates !== 'none',
      // With expired certificates allowed, the listener itself looks at why a certificate was not accepted.
      rejectUnauthorized: tls.clientCertificates === 'require' && !tls.allowExpiredClients,
      ...(contexts.length > 0 ? { SNICallback: chooseByName(contexts) } : {}),
    },
    validUntil: pair && new Date(pair.leaf.validTo),
    warnings,
    pskKeys,
  };
}

interface Pair {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly leaf: X509Certificate;
  readonly path: string;
}

function readPair(certPath: string, keyPath: string, passphrase: string | undefined): Pair {
  const cert = readPem(certPath, 'server certificate');
  const key = readPem(keyPath, 'server key');
  let leaf: X509Certificate;
  try {
    leaf = new X509Certificate(cert);
  } catch {
    throw ConfigError.of(
      'the server certificate is not a certificate in PEM form ("-----BEGIN CERTIFICATE-----")',
      { file: certPath },
    );
  }
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey({ key, ...(passphrase === undefined ? {} : { passphrase }) });
  } catch (error) {
    const needsPassphrase = key.includes('ENCRYPTED');
    const why = needsPassphrase
      ? passphrase === undefined
        ? 'is encrypted; set "passphrase", or remove the encryption'
        : 'cannot be decrypted with the passphrase'
      : `is not a private key in PEM form (${error instanceof Error ? error.message : String(error)})`;
    throw ConfigError.of(`the server key ${why}`, { file: keyPath });
  }
  if (!leaf.checkPrivateKey(privateKey)) {
    throw ConfigError.of(
      `the server key does not belong to the certificate ${certPath}; use the key that the certificate was made with`,
      { file: keyPath },
    );
  }
  return { cert, key, leaf, path: certPath };
}

function readPem(path: string, what: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw ConfigError.of(`the ${what} cannot be read: ${fileFault(error)}`, { file: path });
  }
}

function outOfTime(leaf: X509Certificate): string | undefined {
  const now = new Date();
  if (new Date(leaf.validTo) < now) return `expired on ${leaf.validTo}`;
  if (new Date(leaf.validFrom) > now) return `is valid only from ${leaf.validFrom} on`;
  return undefined;
}

function readAuthorities(path: string): Buffer[] {
  try {
    if (!statSync(path).isDirectory()) return checkAuthorities([readFileSync(path)], path);
    const files = readdirSync(path).filter((name) => /\.(pem|crt|cer|\d)$/.test(name));
    return checkAuthorities(
      files.map((name) => readFileSync(join(path, name))),
      path,
    );
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw ConfigError.of(`the authorities cannot be read: ${fileFault(error)}`, { file: path });
  }
}

function checkAuthorities(files: Buffer[], path: string): Buffer[] {
  if (files.length > 0 && files.every((file) => file.includes('-----BEGIN '))) return files;
  throw ConfigError.of('there are no authorities in PEM form ("-----BEGIN CERTIFICATE-----")', {
    file: path,
  });
}

/** A file has one list for each authority, of which Node would take the first alone. */
function readCrl(path: string): string[] {
  const text = readPem(path, 'revocation list').toString('latin1');
  const lists = text.match(/-----BEGIN X509 CRL-----.*?-----END X509 CRL-----/gs);
  if (lists) return lists;
  throw ConfigError.of('expected a revocation list in PEM form ("-----BEGIN X509 CRL-----")', { file: path });
}

/** OpenSSL leaves pre-shared keys out unless they are named. */
function ciphersOf({ ciphers, pskFile, cert }: TlsConfig): { ciphers?: string } {
  if (ciphers !== undefined) return { ciphers };
  if (pskFile === undefined) return {};
  return { ciphers: cert === undefined ? 'PSK+HIGH' : 'HIGH:PSK+HIGH:!aNULL' };
}

type NamedContexts = readonly { readonly names: readonly string[]; readonly context: SecureContext }[];

function chooseByName(contexts: NamedContexts): NonNullable<TlsOptions['SNICallback']> {
  return (serverName, done) => {
    const wanted = serverName.toLowerCase();
    const fits = (given: string): boolean => {
      const name = given.toLowerCase();
      return (
        name === wanted || (name.startsWith('*.') && wanted.slice(wanted.indexOf('.')) === name.slice(1))
      );
    };
    // Without a match Node uses the certificate of the listener itself.
    done(null, contexts.find(({ names }) => names.some(fits))?.context);
  };
}
