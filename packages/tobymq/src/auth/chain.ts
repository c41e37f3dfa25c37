// The authenticators of one listener, asked in order. It remembers who let a client in and by what, so that after a
// reload it can be told whether the client would still be let in.

import type { AuthenticationAnswer, AuthenticationRequest, EnhancedExchange } from '@tobymq/broker';
import { ReasonCode } from '@tobymq/codec';
import type { Authenticator, Identity } from './authenticator.ts';

export class AuthenticationChain {
  readonly #authenticators: readonly Authenticator[];

  constructor(authenticators: readonly Authenticator[]) {
    this.#authenticators = authenticators;
  }

  get isEmpty(): boolean {
    return this.#authenticators.length === 0;
  }

  /** Answers at once as long as the authenticators do. */
  authenticate(request: AuthenticationRequest): AuthenticationAnswer | Promise<AuthenticationAnswer> {
    for (const [index, authenticator] of this.#authenticators.entries()) {
      const answer = authenticator.authenticate?.(request);
      if (answer instanceof Promise) return this.#continue(answer, authenticator, request, index + 1);
      if (answer) return withOrigin(answer, authenticator);
    }
    return this.#nobody(request);
  }

  async #continue(
    first: Promise<AuthenticationAnswer>,
    authenticator: Authenticator,
    request: AuthenticationRequest,
    next: number,
  ): Promise<AuthenticationAnswer> {
    const answer = await first;
    if (answer) return withOrigin(answer, authenticator);
    for (const later of this.#authenticators.slice(next)) {
      const laterAnswer = await later.authenticate?.(request);
      if (laterAnswer) return withOrigin(laterAnswer, later);
    }
    return this.#nobody(request);
  }

  #nobody({ username }: AuthenticationRequest): AuthenticationAnswer {
    const names = this.#authenticators.map(({ name }) => name).join(', ');
    const reason =
      username === undefined ? 'anonymous clients may not connect here' : 'nobody knows this user';
    return {
      allow: false,
      reasonCode: ReasonCode.NotAuthorized,
      reason: `${reason} (asked: ${names || 'nobody'})`,
    };
  }

  exchange(method: string, request: AuthenticationRequest): EnhancedExchange | undefined {
    for (const authenticator of this.#authenticators) {
      const exchange = authenticator.authenticationExchange?.(method, request);
      if (exchange) return originOfExchange(exchange, authenticator);
    }
    return undefined;
  }

  /** Whether an authenticator has this user in its file; tokens and web services cannot be asked. */
  knows(username: string): boolean {
    return this.#authenticators.some((each) => each.credentialOf?.(username) !== undefined);
  }

  /** Would a client that was let in before still be let in? */
  stillAccepts(username: string | undefined, identity: Identity | undefined): boolean {
    const authenticator = this.#authenticators.find(({ name }) => name === identity?.via);
    if (!authenticator) return false;
    return authenticator.credentialOf?.(username) === identity?.credential;
  }
}

function withOrigin(
  answer: NonNullable<AuthenticationAnswer>,
  authenticator: Authenticator,
  known?: string,
): NonNullable<AuthenticationAnswer> {
  if (!answer.allow) return answer;
  const own = answer.identity as Identity | undefined;
  const identity: Identity = { ...own, via: authenticator.name, credential: own?.credential ?? known };
  return { ...answer, identity };
}

function originOfExchange(exchange: EnhancedExchange, authenticator: Authenticator): EnhancedExchange {
  return {
    async step(data) {
      const answer = await exchange.step(data);
      if (answer.continue || !answer.allow) return answer;
      const credential = authenticator.credentialOf?.(answer.username);
      return { ...withOrigin(answer, authenticator, credential), continue: false } as typeof answer;
    },
  };
}
