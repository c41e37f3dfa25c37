// The authenticator `anonymous`: lets clients in that give no user name, or any.

import type { AuthenticationAnswer, AuthenticationRequest } from '@tobymq/broker';
import type { Authenticator } from './authenticator.ts';

/** With `anyName`, also clients that give a name, which nobody checks. */
export function anonymousAuthenticator(anyName: boolean): Authenticator {
  return {
    name: 'anonymous',
    authenticate: ({ username }: AuthenticationRequest): AuthenticationAnswer =>
      username === undefined || anyName ? { allow: true } : undefined,
  };
}
