// Servers for single cases: our own broker, started inside the process with the settings that a case asks for. The
// broker is handed in by whoever runs the suite, because this package stands below it and knows only its shape.

import type { ServerFactory, ServerSettings } from './settings.ts';

interface Verdict {
  readonly allow: boolean;
  readonly reasonCode?: number;
  readonly reason?: string;
}

type Login =
  | { readonly allow: true; readonly responseInformation?: string }
  | { readonly allow: false; readonly reasonCode: number; readonly reason?: string };

interface Credentials {
  readonly clientId: string;
  readonly username: string | undefined;
  readonly password: Uint8Array | undefined;
}

/** One exchange of enhanced authentication, as the broker asks for it. */
interface Exchange {
  step(data: Uint8Array | undefined): { readonly continue: true; readonly data: Uint8Array } | Login;
}

/** The hooks that the settings need; an extension of the broker. */
interface TestExtension {
  readonly name: string;
  authenticate(request: Credentials): Login;
  authenticationExchange(method: string): Exchange | undefined;
  authorizePublish(client: unknown, request: { readonly topic: string }): Verdict;
  authorizeSubscribe(client: unknown, request: { readonly filter: string }): Verdict;
}

interface Settings {
  readonly maximumQoS?: 0 | 1;
  readonly retainAvailable?: boolean;
  readonly wildcardSubscriptionAvailable?: boolean;
  readonly sharedSubscriptionAvailable?: boolean;
  readonly subscriptionIdentifierAvailable?: boolean;
  readonly maximumPacketSize?: number;
  readonly receiveMaximum?: number;
  readonly topicAliasMaximum?: number;
  readonly serverKeepAlive?: number;
  readonly sessionExpiryMax?: number;
  readonly connectTimeoutMs?: number;
}

/** What the suite needs of the broker's module. Only the module itself knows the type of its stores. */
export interface BrokerModule {
  readonly Broker: {
    start(options: { readonly extensions: readonly TestExtension[]; readonly store: never }): Promise<{
      listen(
        options: Settings & { readonly host: string; readonly port: number },
      ): Promise<{ readonly port: number }>;
      stop(): Promise<void>;
    }>;
  };
  readonly MemoryStore: new () => { commit(): Promise<void> };
}

const longReason = 'the rules of this test say no. '.repeat(10).slice(0, 200);

/**
 * Makes a factory of servers out of the broker's module.
 *
 * @example
 * const server = await embeddedServers({ Broker, MemoryStore })({ receiveMaximum: 3 });
 */
export function embeddedServers(module: BrokerModule): ServerFactory {
  return async (settings) => {
    const store = new module.MemoryStore();
    if (settings.storeFails) {
      // Nobody waits for a store that is not durable.
      Object.defineProperty(store, 'durable', { value: true });
      store.commit = () => Promise.reject(new Error('the disk of this test is full'));
    }
    const broker = await module.Broker.start({ extensions: [extensionFor(settings)], store: store as never });
    const host = '127.0.0.1';
    const { port } = await broker.listen({ ...listenerSettings(settings), host, port: 0 });
    return { host, port, close: () => broker.stop() };
  };
}

function listenerSettings(settings: ServerSettings): Settings {
  const { sessionExpiryMaximum, clientIdLengthMaximum, users, deny, talkative, ...rest } = settings;
  const { enhancedAuthentication, storeFails, responseInformation, ...listener } = rest;
  return {
    ...listener,
    ...(sessionExpiryMaximum !== undefined && { sessionExpiryMax: sessionExpiryMaximum }),
  };
}

function extensionFor(settings: ServerSettings): TestExtension {
  const reason = settings.talkative ? { reason: longReason } : {};
  const judge = (filters: readonly string[] | undefined, topic: string): Verdict =>
    filters?.some((filter) => covers(filter, topic)) ? { allow: false, ...reason } : { allow: true };
  return {
    name: 'conformance',
    authenticate: (request) => login(settings, request, reason),
    authenticationExchange: (method) =>
      settings.enhancedAuthentication && method === 'TEST-METHOD' ? new TestMethod() : undefined,
    authorizePublish: (_client, { topic }) => judge(settings.deny?.publish, topic),
    authorizeSubscribe: (_client, { filter }) => judge(settings.deny?.subscribe, filter),
  };
}

function login(settings: ServerSettings, request: Credentials, reason: { readonly reason?: string }): Login {
  const { users, clientIdLengthMaximum = Number.POSITIVE_INFINITY } = settings;
  if (request.clientId.length > clientIdLengthMaximum) {
    return { allow: false, reasonCode: 0x85 };
  }
  const password = request.password && Buffer.from(request.password).toString();
  const isKnown =
    users === undefined || (password !== undefined && users[request.username ?? ''] === password);
  const { responseInformation } = settings;
  return isKnown
    ? { allow: true, ...(responseInformation !== undefined && { responseInformation }) }
    : { allow: false, reasonCode: 0x86, ...reason };
}

/** Filters of the settings are topics, or end in `/#`. */
function covers(filter: string, topic: string): boolean {
  return filter.endsWith('/#') ? topic.startsWith(filter.slice(0, -1)) : topic === filter;
}

/** `hello` is answered with `more`, `please` lets the client in, anything else is refused. */
class TestMethod implements Exchange {
  #isAsked = false;

  step(data: Uint8Array | undefined): { readonly continue: true; readonly data: Uint8Array } | Login {
    const text = Buffer.from(data ?? []).toString();
    if (!this.#isAsked && text === 'hello') {
      this.#isAsked = true;
      return { continue: true, data: Buffer.from('more') };
    }
    return this.#isAsked && text === 'please' ? { allow: true } : { allow: false, reasonCode: 0x87 };
  }
}
