// Certificates for TLS tests, made by openssl in a directory of the test: one authority and everything that a test
// of a good or a bad connection needs. Keys are elliptic, so that making all of it takes well under a second.

import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A certificate with its key, as files in PEM form. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/** What {@link makeCertificates} leaves in its directory. All values are paths. */
export interface TestCertificates {
  readonly ca: CertificateFiles;
  /** Valid for localhost, 127.0.0.1 and ::1. */
  readonly server: CertificateFiles;
  /** Common name `test-client`. */
  readonly client: CertificateFiles;
  /** A client certificate that the list in `crl` revokes. */
  readonly revokedClient: CertificateFiles;
  /** For localhost, but it ended in 2020. */
  readonly expired: CertificateFiles;
  /** Valid, but for other.example only. */
  readonly wrongHost: CertificateFiles;
  /** A client certificate from an authority nobody knows. */
  readonly strangerClient: CertificateFiles;
  readonly crl: string;
}

const localNames = 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1';

/**
 * Makes an authority, server and client certificates and a revocation list in `directory`.
 *
 * @example
 * await withTempDir(async (directory) => {
 *   const certificates = await makeCertificates(directory);
 *   createServer({ cert: readFileSync(certificates.server.cert), key: readFileSync(certificates.server.key) });
 * });
 */
export async function makeCertificates(
  directory: string,
  authorityName = 'TobyMQ test authority',
): Promise<TestCertificates> {
  const maker = new CertificateMaker(directory);
  await maker.prepare();
  const ca = await maker.authority('ca', authorityName);
  const stranger = await maker.authority('stranger', 'Stranger authority');
  const [server, client, revokedClient, expired, wrongHost, strangerClient] = await Promise.all([
    maker.issue(ca, 'server', 'localhost', `${localNames}\nextendedKeyUsage=serverAuth`),
    maker.issue(ca, 'client', 'test-client', 'extendedKeyUsage=clientAuth'),
    maker.issue(ca, 'revoked-client', 'revoked-client', 'extendedKeyUsage=clientAuth'),
    maker.issueExpired(ca, 'expired', 'localhost', `${localNames}\nextendedKeyUsage=serverAuth`),
    maker.issue(
      ca,
      'wrong-host',
      'other.example',
      'subjectAltName=DNS:other.example\nextendedKeyUsage=serverAuth',
    ),
    maker.issue(stranger, 'stranger-client', 'test-client', 'extendedKeyUsage=clientAuth'),
  ]);
  const crl = await maker.revoke(ca, revokedClient);
  return { ca, server, client, revokedClient, expired, wrongHost, strangerClient, crl };
}

class CertificateMaker {
  readonly #directory: string;
  readonly #config: string;

  constructor(directory: string) {
    this.#directory = directory;
    this.#config = join(directory, 'openssl.cnf');
  }

  async prepare(): Promise<void> {
    await writeFile(
      this.#config,
      [
        '[req]',
        'distinguished_name = subject',
        'prompt = no',
        '[subject]',
        '[ca]',
        'default_ca = test',
        '[test]',
        `database = ${join(this.#directory, 'index.txt')}`,
        `new_certs_dir = ${this.#directory}`,
        `serial = ${join(this.#directory, 'serial')}`,
        `crlnumber = ${join(this.#directory, 'crlnumber')}`,
        'default_md = sha256',
        'default_crl_days = 3650',
        'policy = anything',
        'unique_subject = no',
        '[anything]',
        'commonName = supplied',
        '[authority]',
        'basicConstraints = critical,CA:TRUE',
        'keyUsage = critical,keyCertSign,cRLSign',
        'subjectKeyIdentifier = hash',
      ].join('\n'),
    );
    await writeFile(join(this.#directory, 'index.txt'), '');
    await writeFile(join(this.#directory, 'serial'), '1000\n');
    await writeFile(join(this.#directory, 'crlnumber'), '01\n');
  }

  async authority(name: string, commonName: string): Promise<CertificateFiles> {
    const files = this.#files(name);
    const subject = ['-subj', `/CN=${commonName}`, '-days', '3650', '-extensions', 'authority'];
    await this.#openssl('req', '-x509', ...this.#newKey(files), ...subject, '-out', files.cert);
    return files;
  }

  async issue(
    ca: CertificateFiles,
    name: string,
    commonName: string,
    extensions: string,
  ): Promise<CertificateFiles> {
    const { files, request, extensionFile } = await this.#request(name, commonName, extensions);
    const signer = [
      '-CA',
      ca.cert,
      '-CAkey',
      ca.key,
      '-set_serial',
      `0x${Buffer.from(name).toString('hex').slice(0, 16)}`,
    ];
    await this.#openssl(
      'x509',
      '-req',
      '-in',
      request,
      ...signer,
      '-days',
      '3650',
      '-extfile',
      extensionFile,
      '-out',
      files.cert,
    );
    return files;
  }

  /** `openssl x509` knows no dates in the past, `openssl ca` does. */
  async issueExpired(
    ca: CertificateFiles,
    name: string,
    commonName: string,
    extensions: string,
  ): Promise<CertificateFiles> {
    const { files, request, extensionFile } = await this.#request(name, commonName, extensions);
    const dates = ['-startdate', '20190101000000Z', '-enddate', '20200101000000Z'];
    const signer = ['-config', this.#config, '-cert', ca.cert, '-keyfile', ca.key, '-extfile', extensionFile];
    await this.#openssl('ca', '-batch', '-notext', ...signer, ...dates, '-in', request, '-out', files.cert);
    return files;
  }

  async revoke(ca: CertificateFiles, revoked: CertificateFiles): Promise<string> {
    const crl = join(this.#directory, 'crl.pem');
    const signer = ['-config', this.#config, '-cert', ca.cert, '-keyfile', ca.key];
    await this.#openssl('ca', ...signer, '-revoke', revoked.cert);
    await this.#openssl('ca', ...signer, '-gencrl', '-out', crl);
    return crl;
  }

  async #request(
    name: string,
    commonName: string,
    extensions: string,
  ): Promise<{ readonly files: CertificateFiles; readonly request: string; readonly extensionFile: string }> {
    const files = this.#files(name);
    const request = join(this.#directory, `${name}.csr`);
    const extensionFile = join(this.#directory, `${name}.ext`);
    await writeFile(extensionFile, `basicConstraints=critical,CA:FALSE\n${extensions}\n`);
    await this.#openssl('req', ...this.#newKey(files), '-subj', `/CN=${commonName}`, '-out', request);
    return { files, request, extensionFile };
  }

  #files(name: string): CertificateFiles {
    return { cert: join(this.#directory, `${name}.crt`), key: join(this.#directory, `${name}.key`) };
  }

  #newKey(files: CertificateFiles): string[] {
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    return ['-config', this.#config, ...curve, '-keyout', files.key];
  }

  async #openssl(...args: readonly string[]): Promise<void> {
    await run('openssl', [...args], { cwd: this.#directory });
  }
}
