// The authenticator `jwt`: the client's password (or user name) is a JSON Web Token. Its claims name the user, may carry
// what the client may do, and end the connection when the token expires.

import { readFileSync } from 'node:fs';
import type { AuthenticationAnswer, AuthenticationRequest } from '@tobymq/broker';
import { ReasonCode } from '@tobymq/codec';
import {
  createRemoteJWKSet,
  errors,
  importSPKI,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  jwtVerify,
} from 'jose';
import { ConfigError, fileFault } from '../config/errors.ts';
import type { JwtConfig } from '../config/schema-auth.ts';
import type { Authenticator, Grants, Identity } from './authenticator.ts';

const secretAlgorithms = ['HS256', 'HS384', 'HS512'];
const keyAlgorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
];

/** Reads the key; throws {@link ConfigError} when it cannot be used. */
export async function jwtAuthenticator(config: JwtConfig): Promise<Authenticator> {
  const sources = [config.secret, config.publicKeyFile, config.jwks].filter((source) => source !== undefined);
  if (sources.length !== 1) {
    throw ConfigError.of(
      'authentication of type jwt: expected exactly one of secret, publicKeyFile and jwks',
    );
  }
  return new JwtAuthenticator(config, await keyOf(config));
}

async function keyOf(config: JwtConfig): Promise<JWTVerifyGetKey> {
  const { secret, publicKeyFile, jwks, jwksCooldown, algorithms } = config;
  if (jwks !== undefined) {
    const cooldownDuration = jwksCooldown * 1000;
    return createRemoteJWKSet(new URL(jwks), { cooldownDuration, cacheMaxAge: 600_000 });
  }
  if (secret !== undefined) {
    const bytes = new TextEncoder().encode(secret);
    return () => Promise.resolve(bytes);
  }
  const path = publicKeyFile as string;
  let pem: string;
  try {
    pem = readFileSync(path, 'utf8');
  } catch (error) {
    throw ConfigError.of(`the public key cannot be read: ${fileFault(error)}`, { file: path });
  }
  const imported = new Map<string, ReturnType<typeof importSPKI>>();
  const forAlgorithm = (algorithm: string): ReturnType<typeof importSPKI> => {
    const known = imported.get(algorithm) ?? importSPKI(pem, algorithm);
    imported.set(algorithm, known);
    return known;
  };
  for (const algorithm of algorithms ?? keyAlgorithms) {
    const key = await forAlgorithm(algorithm).catch(() => imported.delete(algorithm) && undefined);
    if (key) return ({ alg }) => forAlgorithm(alg as string);
  }
  throw ConfigError.of('expected a public key in PEM form ("-----BEGIN PUBLIC KEY-----")', { file: path });
}

class JwtAuthenticator implements Authenticator {
  readonly name = 'jwt';
  readonly #config: JwtConfig;
  readonly #key: JWTVerifyGetKey;
  readonly #options: JWTVerifyOptions;

  constructor(config: JwtConfig, key: JWTVerifyGetKey) {
    this.#config = config;
    this.#key = key;
    this.#options = {
      algorithms: config.algorithms ?? (config.secret === undefined ? keyAlgorithms : secretAlgorithms),
      ...(config.issuer === undefined ? {} : { issuer: config.issuer }),
      ...(config.audience === undefined ? {} : { audience: config.audience }),
    };
  }

  authenticate(request: AuthenticationRequest): AuthenticationAnswer | Promise<AuthenticationAnswer> {
    const { username, password } = request;
    const token =
      this.#config.from === 'username' ? username : password && Buffer.from(password).toString('utf8');
    // What does not look like a token is for the next authenticator.
    if (token === undefined || !/^[\w-]+\.[\w-]+\.[\w-]*$/.test(token)) return undefined;
    return this.#check(token, request);
  }

  async #check(token: string, request: AuthenticationRequest): Promise<AuthenticationAnswer> {
    let payload: JWTPayload;
    try {
      ({ payload } = await jwtVerify(token, this.#key, this.#options));
    } catch (error) {
      return refusal(error);
    }
    const { usernameClaim, clientIdClaim, aclClaim, disconnect } = this.#config;
    if (clientIdClaim !== undefined && payload[clientIdClaim] !== request.clientId) {
      return {
        allow: false,
        reasonCode: ReasonCode.NotAuthorized,
        reason: `the token is for another client id`,
      };
    }
    const claim = payload[usernameClaim];
    const username = typeof claim === 'string' ? claim : undefined;
    // Nothing vouches for the name that the client gave itself, which could be anybody's.
    if (username === undefined && request.username !== undefined) {
      return {
        allow: false,
        reasonCode: ReasonCode.NotAuthorized,
        reason: `the token has no claim "${usernameClaim}" that names the user`,
      };
    }
    const identity: Identity = {
      grants: grantsIn(payload[aclClaim]),
      superuser: payload.superuser === true,
      roles: Array.isArray(payload.roles)
        ? payload.roles.filter((role) => typeof role === 'string')
        : undefined,
    };
    return {
      allow: true,
      username,
      identity,
      expiresAt: disconnect && payload.exp !== undefined ? payload.exp * 1000 : undefined,
    };
  }
}

function refusal(error: unknown): AuthenticationAnswer {
  const reason = error instanceof Error ? error.message : String(error);
  // The key set could not be fetched: that is our trouble, not a wrong token.
  const isOurs = !(error instanceof errors.JOSEError) || error instanceof errors.JWKSTimeout;
  const reasonCode = isOurs ? ReasonCode.ServerUnavailable : ReasonCode.BadUserNameOrPassword;
  return { allow: false, reasonCode, reason: `token refused: ${reason}` };
}

function grantsIn(claim: unknown): Grants | undefined {
  if (typeof claim !== 'object' || claim === null) return undefined;
  const { publish, subscribe } = claim as { publish?: unknown; subscribe?: unknown };
  const texts = (list: unknown): string[] =>
    Array.isArray(list) ? list.filter((item) => typeof item === 'string') : [];
  return { publish: texts(publish), subscribe: texts(subscribe) };
}
