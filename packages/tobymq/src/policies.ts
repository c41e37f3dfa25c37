// From a configuration to its listeners with names and ports, and to the policies that they follow.

import { buildChain } from './auth/build.ts';
import type { Authorizer } from './authz/authorizer.ts';
import { buildAuthorizer } from './authz/build.ts';
import { ConfigError } from './config/errors.ts';
import type { Config } from './config/schema.ts';
import type { AuthenticatorConfig } from './config/schema-auth.ts';
import { type ListenerConfig, listenerSchema } from './config/schema-listener.ts';
import { isLoopback } from './listeners/addresses.ts';
import type { Policies, Policy } from './security.ts';

export type NamedListener = ListenerConfig & { readonly name: string; readonly port: number };

const defaultPorts: Readonly<Record<ListenerConfig['type'], number>> = {
  tcp: 1883,
  tls: 8883,
  ws: 18_083,
  wss: 18_084,
  unix: 0,
};

/** The listeners with names and ports; two for a server that nobody told anything. Throws for names given twice. */
export function namedListeners(config: Config): NamedListener[] {
  const listeners =
    config.listeners ?? [{ type: 'tcp' }, { type: 'ws' }].map((input) => listenerSchema.parse(input));
  const names = new Set<string>();
  return listeners.map((listener) => {
    const port = listener.port ?? defaultPorts[listener.type];
    const place = listener.type === 'unix' ? (listener.path ?? listener.systemd) : (listener.systemd ?? port);
    let name = listener.name ?? `${listener.type}:${place}`;
    if (listener.name !== undefined && names.has(name))
      throw ConfigError.of(`listeners: the name "${name}" is given twice`);
    for (let count = 2; names.has(name); count++) name = `${listener.type}:${place}#${count}`;
    names.add(name);
    return { ...listener, name, port };
  });
}

/** Reads password files, rules and keys. Throws {@link ConfigError}. */
export async function buildPolicies(config: Config, listeners: readonly NamedListener[]): Promise<Policies> {
  const likeMosquitto = config.log.format === 'mosquitto';
  const shared = new Map<unknown, Policy>();
  const policies = new Map<string, Policy>();
  for (const listener of listeners) {
    const entries = authenticatorsOf(config, listener);
    const access = listener.access ?? config.access;
    // Listeners with the same sections share one policy, so that a cache of passwords serves all of them.
    const key = `${JSON.stringify(entries)} ${JSON.stringify(access)}`;
    let policy = shared.get(key);
    if (!policy) {
      policy = { chain: await buildChain(entries, likeMosquitto), authorizer: authorizerOf(access, entries) };
      shared.set(key, policy);
    }
    policies.set(listener.name, policy);
  }
  return policies;
}

function authorizerOf(
  access: Config['access'],
  entries: readonly AuthenticatorConfig[],
): Authorizer | undefined {
  if (access) return buildAuthorizer(access);
  // Tokens and web services may grant topics; somebody has to look at that, rules or not.
  const grants = entries.some(({ type }) => type === 'jwt' || type === 'http');
  return grants
    ? buildAuthorizer({ rules: [], roles: {}, superusers: [], file: undefined, aclFile: undefined })
    : undefined;
}

function authenticatorsOf(config: Config, listener: NamedListener): readonly AuthenticatorConfig[] {
  const given = listener.authentication ?? config.authentication;
  if (given) return given;
  if (listener.type === 'unix' || (listener.systemd === undefined && isLoopback(listener.host))) {
    return [{ type: 'anonymous', anyName: true }];
  }
  throw ConfigError.of(
    `listener ${listener.name}: other machines can reach ${listener.host}, so it must be said who may connect: set "authentication", or start with --allow-anonymous to let everybody in`,
  );
}
