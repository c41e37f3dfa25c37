// From the section `authentication` to authenticators: reads the files they need.

import { ReasonCode } from '@tobymq/codec';
import { ConfigError } from '../config/errors.ts';
import type { AuthenticatorConfig } from '../config/schema-auth.ts';
import { anonymousAuthenticator } from './anonymous.ts';
import type { Authenticator } from './authenticator.ts';
import { certificateAuthenticator } from './certificate.ts';
import { AuthenticationChain } from './chain.ts';
import { HttpAuthenticator } from './http.ts';
import { PasswordFileAuthenticator, readPasswordFile } from './password-file.ts';
import { readScramFile, scramAuthenticator } from './scram.ts';

/** Throws {@link ConfigError} for files and keys that cannot be used. `likeMosquitto` chooses its reason codes. */
export async function buildChain(
  entries: readonly AuthenticatorConfig[],
  likeMosquitto = false,
): Promise<AuthenticationChain> {
  const kinds = new Set<string>();
  const authenticators: Authenticator[] = [];
  for (const [index, entry] of entries.entries()) {
    if (kinds.has(entry.type) && entry.type !== 'http') {
      throw ConfigError.of(`authentication: there is more than one of type ${entry.type}; one is enough`);
    }
    kinds.add(entry.type);
    authenticators.push(await build(entry, index === entries.length - 1, likeMosquitto));
  }
  return new AuthenticationChain(authenticators);
}

async function build(
  entry: AuthenticatorConfig,
  isLast: boolean,
  likeMosquitto: boolean,
): Promise<Authenticator> {
  switch (entry.type) {
    case 'anonymous':
      return anonymousAuthenticator(entry.anyName);
    case 'password-file': {
      const code = likeMosquitto ? ReasonCode.NotAuthorized : ReasonCode.BadUserNameOrPassword;
      return new PasswordFileAuthenticator(await readPasswordFile(entry.file), entry.cache, code);
    }
    case 'http':
      return new HttpAuthenticator(entry);
    case 'jwt': {
      // jose takes 60 ms to load; only those who use it should pay.
      const { jwtAuthenticator } = await import('./jwt.ts');
      return jwtAuthenticator(entry);
    }
    case 'certificate':
      return certificateAuthenticator(entry.username, isLast);
    case 'scram':
      return scramAuthenticator(readScramFile(entry.file));
  }
}
