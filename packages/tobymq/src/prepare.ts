// Reads and checks every file that a configuration names: certificates, password files, rules, keys. Nothing is opened, so
// a configuration can be checked beside a running server, and a reload can fail before it has changed anything.

import { AddressSet } from './authz/addresses.ts';
import { ConfigError } from './config/errors.ts';
import type { Config } from './config/schema.ts';
import { loadTls } from './listeners/certificates.ts';
import type { PreparedListener } from './listeners/manager.ts';
import { buildPolicies, type NamedListener, namedListeners } from './policies.ts';
import type { Policies } from './security.ts';

/** Everything that a start or a reload needs, read and checked. */
export interface Prepared {
  readonly policies: Policies;
  readonly listeners: readonly PreparedListener[];
  readonly names: ReadonlyMap<string, NamedListener>;
  readonly warnings: readonly string[];
}

/** Reads and checks every file that the configuration names. Nothing is opened. */
export async function prepare(config: Config): Promise<Prepared> {
  void new AddressSet(config.throttle.exempt);
  const listeners = namedListeners(config);
  const tolerant = config.log.format === 'mosquitto';
  const prepared = listeners.map((listener): PreparedListener => {
    try {
      if (listener.proxyProtocol) void new AddressSet(listener.proxyProtocol.trusted);
      return { listener, tls: listener.tls && loadTls(listener.tls, tolerant) };
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      throw new ConfigError(
        error.problems.map((problem) => ({
          ...problem,
          message: `listener ${listener.name}: ${problem.message}`,
        })),
      );
    }
  });
  return {
    policies: await buildPolicies(config, listeners),
    listeners: prepared,
    names: new Map(listeners.map((listener) => [listener.name, listener])),
    warnings: prepared.flatMap(({ tls }) => tls?.warnings ?? []),
  };
}
