// The authenticator `http`: asks a web service. It is told who wants in, as JSON:
//
//   {"clientId", "username", "password", "address", "listener", "protocolVersion", "certificate"}
//
// and answers 200 with `{"result": "allow" | "deny" | "ignore", "superuser", "roles", "acl", "expiresAt"}` (only the
// result is needed), 204 to allow, 401 or 403 to deny. Anything else, and silence, is a refusal for now: 0x88.
//
// When thousands of clients come at once, the service is asked about some of them at a time: a slow one would be asked by
// as many connections as there are clients, and each takes a file of this process.

import { createHmac, randomBytes } from 'node:crypto';
import type { AuthenticationAnswer, AuthenticationRequest } from '@tobymq/broker';
import { ReasonCode } from '@tobymq/codec';
import { z } from 'zod';
import type { HttpAuthConfig } from '../config/schema-auth.ts';
import { fetchFault } from '../fetch-fault.ts';
import type { Authenticator, Identity } from './authenticator.ts';
import { FairQueue } from './fair-queue.ts';

const filters = z.array(z.string()).default([]);
const answerSchema = z.object({
  result: z.enum(['allow', 'deny', 'ignore']),
  reason: z.string().optional(),
  username: z.string().optional(),
  superuser: z.boolean().optional(),
  roles: z.array(z.string()).optional(),
  acl: z.object({ publish: filters, subscribe: filters }).optional(),
  /** Seconds since the epoch. */
  expiresAt: z.number().optional(),
});

const rememberedMax = 10_000;
const bodyMax = 65_536;

export class HttpAuthenticator implements Authenticator {
  readonly name = 'http';
  readonly #config: HttpAuthConfig;
  readonly #key = randomBytes(32);
  readonly #turns: FairQueue;
  readonly #remembered = new Map<string, { readonly answer: AuthenticationAnswer; readonly until: number }>();

  constructor(config: HttpAuthConfig) {
    this.#config = config;
    this.#turns = new FairQueue(config.parallel);
  }

  authenticate(request: AuthenticationRequest): AuthenticationAnswer | Promise<AuthenticationAnswer> {
    const body = JSON.stringify({
      clientId: request.clientId,
      username: request.username,
      password: request.password === undefined ? undefined : Buffer.from(request.password).toString('utf8'),
      address: request.remoteAddress,
      listener: request.listener,
      protocolVersion: request.protocolVersion,
      certificate: request.peer.certificate,
    });
    const key = createHmac('sha256', this.#key).update(body).digest('base64');
    const known = this.#remembered.get(key);
    if (known && known.until > performance.now()) return known.answer;
    return this.#ask(body, key, request.remoteAddress);
  }

  async #ask(body: string, key: string, address: string): Promise<AuthenticationAnswer> {
    const { url, timeout, cache } = this.#config;
    let answer: AuthenticationAnswer;
    try {
      // Whoever has waited too long for its turn asks no more.
      const signal = AbortSignal.timeout(timeout * 1000);
      answer = await this.#turns.run(address, () => this.#post(body, signal));
    } catch (error) {
      return unavailable(`${url} did not answer: ${fetchFault(error)}`);
    }
    if (cache > 0 && answer?.allow) {
      if (this.#remembered.size >= rememberedMax) this.#remembered.clear();
      // Nobody can come in with an answer that has expired; the service may have a new one.
      const leftMs = (answer.expiresAt ?? Number.POSITIVE_INFINITY) - Date.now();
      this.#remembered.set(key, { answer, until: performance.now() + Math.min(cache * 1000, leftMs) });
    }
    return answer;
  }

  async #post(body: string, signal: AbortSignal): Promise<AuthenticationAnswer> {
    const { url, headers } = this.#config;
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
      redirect: 'error',
      signal,
    });
    return read(response);
  }
}

async function read(response: Response): Promise<AuthenticationAnswer> {
  // A body that nobody reads would keep its connection.
  if (response.status !== 200) await response.body?.cancel();
  if (response.status === 204) return { allow: true };
  if (response.status === 401 || response.status === 403)
    return denied('denied by the authentication service');
  if (response.status !== 200) return unavailable(`the authentication service answered ${response.status}`);
  const text = await textOf(response);
  if (text === undefined) return unavailable('the answer of the authentication service is too long');
  const parsed = answerSchema.safeParse(parseJson(text));
  if (!parsed.success)
    return unavailable('the answer of the authentication service is not what was expected');
  const { result, reason, username, superuser, roles, acl, expiresAt } = parsed.data;
  if (result === 'ignore') return undefined;
  if (result === 'deny') return denied(reason ?? 'denied by the authentication service');
  const identity: Identity = { superuser, roles, grants: acl };
  return {
    allow: true,
    username,
    identity,
    expiresAt: expiresAt === undefined ? undefined : expiresAt * 1000,
  };
}

/** Read piece by piece, so that an answer without an end is held no longer than it can be one; undefined for those. */
async function textOf(response: Response): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.byteLength;
    if (length > bodyMax) return undefined;
    chunks.push(chunk);
  }
  return new TextDecoder().decode(Buffer.concat(chunks));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON: the schema refuses undefined and says so.
    return undefined;
  }
}

function denied(reason: string): AuthenticationAnswer {
  return { allow: false, reasonCode: ReasonCode.BadUserNameOrPassword, reason };
}

function unavailable(reason: string): AuthenticationAnswer {
  return { allow: false, reasonCode: ReasonCode.ServerUnavailable, reason };
}
