// What a TLS socket or a PROXY header tells of the peer, in the form that authenticators get.

import { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { PeerCertificateInfo, PeerInfo } from '@tobymq/broker';
import type { ProxyHeader } from './proxy-protocol.ts';

/** What the layers below MQTT found out. */
export interface PeerFacts {
  readonly proxy: ProxyHeader | undefined;
  readonly pskIdentity: string | undefined;
  /** The client certificate, if there is one, was made by an authority that we trust. */
  readonly isVerified: boolean;
}

export function peerInfo(transport: string, socket: Socket, facts: PeerFacts): PeerInfo {
  const { proxy, pskIdentity, isVerified } = facts;
  const isTls = socket instanceof TLSSocket;
  return {
    transport,
    serverName:
      (isTls && typeof socket.servername === 'string' ? socket.servername : undefined) ?? proxy?.authority,
    certificate: (isTls && isVerified ? certificateOf(socket) : undefined) ?? certificateFromProxy(proxy),
    pskIdentity,
  };
}

function certificateOf(socket: TLSSocket): PeerCertificateInfo | undefined {
  const raw = socket.getPeerCertificate().raw;
  if (raw === undefined) return undefined;
  const certificate = new X509Certificate(raw);
  const names = certificate.subject.split('\n');
  return {
    commonName: names.find((entry) => entry.startsWith('CN='))?.slice('CN='.length),
    // RFC 2253 writes the parts from the last to the first.
    subject: [...names].reverse().join(','),
    subjectAltNames: certificate.subjectAltName?.split(', ') ?? [],
    fingerprint256: certificate.fingerprint256,
  };
}

/** A proxy that verified a certificate passes its common name on. */
function certificateFromProxy(proxy: ProxyHeader | undefined): PeerCertificateInfo | undefined {
  const { tls } = proxy ?? {};
  if (!tls?.verified || tls.commonName === undefined) return undefined;
  return {
    commonName: tls.commonName,
    subject: `CN=${tls.commonName}`,
    subjectAltNames: [],
    fingerprint256: '',
  };
}
