// The TLS options of a listener of a mosquitto.conf.

import type { ConfigInput } from '../config/schema.ts';
import { type Block, type Directive, fault } from './parser.ts';

type TlsInput = NonNullable<NonNullable<ConfigInput['listeners']>[number]['tls']>;

const versions: Readonly<Record<string, 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3'>> = {
  tlsv1: 'TLSv1',
  'tlsv1.0': 'TLSv1',
  'tlsv1.1': 'TLSv1.1',
  'tlsv1.2': 'TLSv1.2',
  'tlsv1.3': 'TLSv1.3',
};

/** The section `tls` of the listener, or undefined if it does not use TLS. */
export function tlsOf(block: Block, global: Block): TlsInput | undefined {
  const certificate = block.directive('certfile');
  const key = block.directive('keyfile');
  const usesKeys = block.has('psk_hint');
  if (!certificate && !key && !usesKeys) {
    const lonely =
      block.directive('cafile') ?? block.directive('capath') ?? block.directive('require_certificate');
    if (lonely && lonely.value !== 'false') {
      throw fault(lonely, `${lonely.name} is set, but the listener has no certfile and keyfile.`);
    }
    return undefined;
  }
  if (Boolean(certificate) !== Boolean(key)) {
    const given = (certificate ?? key) as Directive;
    throw fault(given, 'Both certfile and keyfile must be provided to enable TLS on a listener.');
  }
  const ca = block.text('cafile') ?? block.text('capath');
  const required = block.boolean('require_certificate') ?? false;
  if (required && ca === undefined) {
    throw fault(
      block.directive('require_certificate') as Directive,
      'require_certificate needs cafile or capath.',
    );
  }
  const psk = block.directive('psk_hint');
  const pskFile = block.text('psk_file') ?? global.text('psk_file');
  if (psk && pskFile === undefined) throw fault(psk, 'psk_hint needs psk_file.');
  return {
    ...(certificate ? { cert: certificate.value, key: (key as Directive).value } : {}),
    ...(ca === undefined ? {} : { ca }),
    clientCertificates: required ? 'require' : 'none',
    ...(block.has('crlfile') ? { crl: block.text('crlfile') } : {}),
    allowExpiredClients: block.boolean('disable_client_cert_date_checks') ?? false,
    ...versionOf(block),
    ...ciphersOf(block),
    ...(usesKeys ? { pskFile, pskHint: block.text('psk_hint') } : {}),
  };
}

function versionOf(block: Block): Pick<TlsInput, 'minVersion'> {
  const directive = block.directive('tls_version');
  if (!directive) return {};
  const minVersion = versions[directive.value];
  if (minVersion) return { minVersion };
  throw fault(
    directive,
    `Invalid tls_version value (${directive.value}). It must be tlsv1.3, tlsv1.2 or tlsv1.1.`,
  );
}

/** Node takes the ciphers of TLS 1.3 and of older versions in one list. */
function ciphersOf(block: Block): Pick<TlsInput, 'ciphers'> {
  const lists = [block.text('ciphers_tls1.3'), block.text('ciphers')].filter((list) => list !== undefined);
  return lists.length === 0 ? {} : { ciphers: lists.join(':') };
}
