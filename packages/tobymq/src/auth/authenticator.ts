// One way to find out who a client is. Several are asked in order (chain.ts): the first that knows the client decides,
// and `undefined` leaves it to the next.

import type {
  AuthenticationAnswer,
  AuthenticationRequest,
  EnhancedExchange,
  MaybePromise,
} from '@tobymq/broker';

export interface Authenticator {
  readonly name: string;
  authenticate?(request: AuthenticationRequest): MaybePromise<AuthenticationAnswer>;
  authenticationExchange?(method: string, request: AuthenticationRequest): EnhancedExchange | undefined;
  /**
   * What a client of this name is known by now, for example its hash in the password file. After a reload, clients whose
   * credential is another one have to leave.
   */
  credentialOf?(username: string | undefined): string | undefined;
}

/**
 * Why a log-in was refused. 5.0 clients are told one text for both, because which names there are is for nobody to find
 * out; the log says which.
 */
export function wrongCredentials(
  username: string,
  isKnown: boolean,
): { reason: string; reasonForLog: string } {
  return {
    reason: 'unknown user or wrong password',
    reasonForLog: isKnown ? `wrong password of the user "${username}"` : `unknown user "${username}"`,
  };
}

/** What an authenticator may attach to a client for the rules. */
export interface Identity {
  /** The authenticator that let the client in. */
  readonly via?: string | undefined;
  /** What it was known by (see {@link Authenticator.credentialOf}). */
  readonly credential?: string | undefined;
  readonly roles?: readonly string[] | undefined;
  readonly superuser?: boolean | undefined;
  /** What a token or web service allows, on top of the rules. */
  readonly grants?: Grants | undefined;
}

export interface Grants {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

/** The identity that an authenticator of ours attached, if it was one of ours. */
export function identityOf(identity: unknown): Identity | undefined {
  return typeof identity === 'object' && identity !== null ? (identity as Identity) : undefined;
}
