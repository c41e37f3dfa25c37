// Switches the bots layer on: the extension with the server's password hashing, and its two HTTP paths. Loaded only when the
// configuration has `toby:`.

import { Buffer } from 'node:buffer';
import type { AuthenticationAnswer, AuthenticationRequest } from '@tobymq/broker';
import {
  type SecretHasher,
  TobyExtension,
  type TobyHttpHandler,
  type TobyOptions,
  tobyHttp,
} from '@tobymq/toby/server';
import { FairQueue } from './auth/fair-queue.ts';
import { hashPassword, parsePasswordHash, verifyPassword } from './auth/password-hash.ts';
import type { Throttle } from './auth/throttle.ts';
import { ConfigError } from './config/errors.ts';
import type { TobyConfig } from './config/schema-toby.ts';

export interface TobyService {
  readonly extension: TobyExtension;
  /** Answers web hooks and sign-ups; undefined for other paths. */
  readonly handleHttp: TobyHttpHandler;
}

/** argon2id, or scrypt where there is no argon2; addresses that guess secrets take turns. */
export function fairHasher(): SecretHasher {
  const checks = new FairQueue();
  return {
    hash: (secret) => hashPassword(secret),
    verify: async (hash, secret, address) => {
      const parsed = parsePasswordHash(hash);
      if (parsed === undefined) return false;
      return checks.run(address, () => verifyPassword(Buffer.from(secret), parsed));
    },
  };
}

/** Bots are let in before the server's security is asked; bans and the limit of guesses hold for them all the same. */
class ThrottledToby extends TobyExtension {
  readonly #throttle: Throttle;

  constructor(options: TobyOptions, throttle: Throttle) {
    super(options);
    this.#throttle = throttle;
  }

  override async authenticate(request: AuthenticationRequest): Promise<AuthenticationAnswer> {
    const refusal = this.#throttle.refusal(request);
    if (refusal) return refusal;
    const answer = await super.authenticate(request);
    if (!answer?.allow) return this.#throttle.slowDown(answer, request);
    // A ban may have come while the secret was checked.
    return this.#throttle.refusal(request) ?? answer;
  }
}

export function createToby(
  config: TobyConfig,
  throttle: Throttle,
  server: Required<Pick<TobyOptions, 'isUser' | 'onError' | 'onRefused'>>,
): TobyService {
  const { signup, signupToken, elsewhere, queueHooks, hookSize, ...limits } = config;
  if (signup === 'invited' && signupToken === undefined) {
    throw ConfigError.of(
      'toby.signup is "invited", so toby.signupToken is needed: the token that invited people know',
    );
  }
  const extension = new ThrottledToby(
    { hasher: fairHasher(), elsewhere, ...server, limits: { ...limits, hookBytes: hookSize } },
    throttle,
  );
  const handleHttp = tobyHttp(extension, {
    signup:
      signup === 'invited' && signupToken !== undefined
        ? { token: signupToken }
        : signup === 'open'
          ? 'open'
          : 'closed',
    queueHooks,
  });
  return { extension, handleHttp };
}
