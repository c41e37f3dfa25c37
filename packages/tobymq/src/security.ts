// Who may connect, and who may do what, as an extension of the broker. For each listener it holds a policy: a chain of
// authenticators and perhaps rules. A reload replaces the policies as a whole.
//
// The members that ask about topics exist only if some listener has rules, because the broker asks whoever has them for
// every topic.

import type {
  AuthenticationAnswer,
  AuthenticationRequest,
  AuthorizationAnswer,
  ClientInfo,
  EnhancedExchange,
  Extension,
  PublishRequest,
  SubscribeRequest,
} from '@tobymq/broker';
import { ReasonCode } from '@tobymq/codec';
import { identityOf } from './auth/authenticator.ts';
import type { AuthenticationChain } from './auth/chain.ts';
import type { Throttle } from './auth/throttle.ts';
import type { Actor, Authorizer, Verdict } from './authz/authorizer.ts';

export interface Policy {
  readonly chain: AuthenticationChain;
  readonly authorizer: Authorizer | undefined;
}

/** The policies by listener name. */
export type Policies = ReadonlyMap<string, Policy>;

export class SecurityExtension implements Extension {
  readonly name = 'security';
  readonly #throttle: Throttle;
  readonly #clientIdPrefixes: readonly string[];
  #policies: Policies;
  readonly authorizePublish?: (client: ClientInfo, request: PublishRequest) => AuthorizationAnswer;
  readonly authorizeSubscribe?: (client: ClientInfo, request: SubscribeRequest) => AuthorizationAnswer;
  readonly authorizeDelivery?: (client: ClientInfo, topic: string) => AuthorizationAnswer;

  constructor(policies: Policies, throttle: Throttle, clientIdPrefixes: readonly string[]) {
    this.#policies = policies;
    this.#throttle = throttle;
    this.#clientIdPrefixes = clientIdPrefixes;
    if (![...policies.values()].some(({ authorizer }) => authorizer !== undefined)) return;
    this.authorizePublish = (client, { topic, qos, retain }) =>
      answer(this.#authorizerOf(client)?.publish(actorOf(client), topic, qos, retain));
    this.authorizeSubscribe = (client, { filter, qos }) =>
      answer(this.#authorizerOf(client)?.subscribe(actorOf(client), filter, qos));
    this.authorizeDelivery = (client, topic) =>
      answer(this.#authorizerOf(client)?.receive(actorOf(client), topic));
  }

  acceptConnection(remoteAddress: string): boolean {
    return this.#throttle.accepts(remoteAddress);
  }

  authenticate(request: AuthenticationRequest): AuthenticationAnswer | Promise<AuthenticationAnswer> {
    const refusal = this.#throttle.refusal(request) ?? this.#wrongClientId(request);
    if (refusal) return refusal;
    const policy = this.#policies.get(request.listener);
    if (!policy)
      return { allow: false, reasonCode: ReasonCode.NotAuthorized, reason: 'the listener has no policy' };
    const first = policy.chain.authenticate(request);
    if (first instanceof Promise) return first.then((late) => this.#conclude(late, request));
    return this.#conclude(first, request);
  }

  authenticationExchange(method: string, request: AuthenticationRequest): EnhancedExchange | undefined {
    const exchange = this.#policies.get(request.listener)?.chain.exchange(method, request);
    if (!exchange) return undefined;
    const refusal = this.#throttle.refusal(request) ?? this.#wrongClientId(request);
    if (refusal && !refusal.allow) return { step: () => refusal };
    return {
      step: async (data) => {
        const result = await exchange.step(data);
        if (result.continue) return result;
        const concluded = await this.#conclude(result, request);
        return concluded && !concluded.allow ? concluded : result;
      },
    };
  }

  onConnected(client: ClientInfo): void {
    this.#throttle.connected(client);
  }

  /** Would this client, who is connected, still be let in? */
  stillAccepts(client: ClientInfo): boolean {
    const identity = identityOf(client.identity);
    // Bots and clients of other extensions were not let in here.
    if (identity?.via === undefined) return true;
    return this.#policies.get(client.listener)?.chain.stillAccepts(client.username, identity) ?? false;
  }

  /** Whether some listener has this user in a file, or lets whoever has the name do everything. */
  knows(username: string): boolean {
    return [...this.#policies.values()].some(
      ({ chain, authorizer }) => chain.knows(username) || authorizer?.isSuperuser?.(username) === true,
    );
  }

  /** What the rules say, for `explain`; undefined where there are none. */
  verdict(client: ClientInfo, action: 'publish' | 'receive', topic: string): Verdict | undefined {
    const authorizer = this.#authorizerOf(client);
    if (action === 'receive') return authorizer?.receive(actorOf(client), topic);
    return authorizer?.publish(actorOf(client), topic, 0, false);
  }

  #authorizerOf({ listener }: ClientInfo): Authorizer | undefined {
    return this.#policies.get(listener)?.authorizer;
  }

  #wrongClientId({ clientId }: AuthenticationRequest): AuthenticationAnswer {
    const prefixes = this.#clientIdPrefixes;
    if (prefixes.length === 0 || prefixes.some((prefix) => clientId.startsWith(prefix))) return undefined;
    return {
      allow: false,
      reasonCode: ReasonCode.NotAuthorized,
      reason: 'the client id has none of the prefixes that are allowed',
    };
  }

  #conclude(
    result: AuthenticationAnswer,
    request: AuthenticationRequest,
  ): AuthenticationAnswer | Promise<AuthenticationAnswer> {
    if (!result?.allow) return this.#throttle.slowDown(result, request);
    // The name may be another one, from a token or a certificate, and a ban may have come while it was looked for.
    const { username = request.username } = result;
    return this.#throttle.refusal({ clientId: request.clientId, username }) ?? result;
  }
}

function actorOf({ clientId, username, remoteAddress, identity }: ClientInfo): Actor {
  return { clientId, username, remoteAddress, identity: identityOf(identity) };
}

function answer(verdict: Verdict | undefined): AuthorizationAnswer {
  if (verdict === undefined) return undefined;
  const { allow, rule, qosMax, isFleeting } = verdict;
  return { allow, reason: rule, qosMax, ...(isFleeting ? { cache: false } : {}) };
}
