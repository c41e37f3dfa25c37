// The authenticator `certificate`: whoever has a verified TLS certificate, or knows a pre-shared key, is let in under
// the name that it carries.

import type { AuthenticationAnswer, AuthenticationRequest, PeerCertificateInfo } from '@tobymq/broker';
import { ReasonCode } from '@tobymq/codec';
import type { CertificateConfig } from '../config/schema-auth.ts';
import type { Authenticator } from './authenticator.ts';

/**
 * With `required`, a client without a certificate is refused; otherwise the next authenticator is asked.
 */
export function certificateAuthenticator(
  username: CertificateConfig['username'],
  required: boolean,
): Authenticator {
  return {
    name: 'certificate',
    authenticate({ peer }: AuthenticationRequest): AuthenticationAnswer {
      if (peer.pskIdentity !== undefined) return { allow: true, username: peer.pskIdentity };
      const { certificate } = peer;
      if (!certificate) {
        if (!required) return undefined;
        return { allow: false, reasonCode: ReasonCode.NotAuthorized, reason: 'no client certificate' };
      }
      const name = nameIn(certificate, username);
      if (name !== undefined && name !== '') return { allow: true, username: name };
      return {
        allow: false,
        reasonCode: ReasonCode.NotAuthorized,
        reason: `the client certificate has no ${username}`,
      };
    },
  };
}

const altNameKinds = { dns: 'DNS:', email: 'email:', uri: 'URI:' } as const;

function nameIn(
  { commonName, subject, subjectAltNames }: PeerCertificateInfo,
  username: CertificateConfig['username'],
): string | undefined {
  if (username === 'common-name') return commonName;
  if (username === 'subject') return subject;
  const kind = altNameKinds[username];
  return subjectAltNames.find((entry) => entry.startsWith(kind))?.slice(kind.length);
}
