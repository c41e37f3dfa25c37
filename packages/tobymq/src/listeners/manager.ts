// All listeners of the server: opened together or not at all, and changed by difference on reload. A listener whose
// address stays the same keeps its socket and its clients.

import { ConfigError } from '../config/errors.ts';
import type { NamedListener } from '../policies.ts';
import { ListenError } from './bind.ts';
import type { LoadedTls } from './certificates.ts';
import { type ListenerTarget, OpenListener } from './listener.ts';

/** A listener with its certificates read. */
export interface PreparedListener {
  readonly listener: NamedListener;
  readonly tls: LoadedTls | undefined;
}

export interface ListenerChanges {
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

export class ListenerManager {
  readonly #target: ListenerTarget;
  #open = new Map<string, OpenListener>();

  constructor(target: ListenerTarget) {
    this.#target = target;
  }

  /** The open listeners, in the order of the configuration. */
  get listeners(): readonly OpenListener[] {
    return [...this.#open.values()];
  }

  /**
   * Makes the open listeners those that are given. New addresses are opened before anything is closed, so that a port
   * that cannot be had changes nothing.
   */
  async apply(wanted: readonly PreparedListener[]): Promise<ListenerChanges> {
    const next = new Map<string, OpenListener>();
    const fresh: PreparedListener[] = [];
    for (const prepared of wanted) {
      const { name } = prepared.listener;
      const current = this.#open.get(name);
      if (current && placeOf(current.listener) === placeOf(prepared.listener)) next.set(name, current);
      else fresh.push(prepared);
    }
    const leaving = [...this.#open].filter(([name, listener]) => next.get(name) !== listener);
    // What takes over the port, or the Unix socket, of a listener that leaves has to wait for it.
    const occupied = new Set<number | string | undefined>(
      leaving.flatMap(([, { addresses }]) => addresses.map(({ port, text }) => (port === 0 ? text : port))),
    );
    const waits = ({ listener: { type, port, path } }: PreparedListener): boolean =>
      occupied.has(type === 'unix' ? path : port);
    const opened = await this.#openAll(fresh.filter((prepared) => !waits(prepared)));
    for (const [, listener] of leaving) await listener.close();
    try {
      for (const [name, listener] of await this.#openAll(fresh.filter(waits))) opened.set(name, listener);
    } catch (error) {
      for (const [, listener] of opened) await listener.close();
      await this.#reopen(leaving);
      throw error;
    }
    for (const { listener, tls } of wanted) next.get(listener.name)?.reconfigure(listener, tls);
    this.#open = new Map(
      wanted.map(({ listener: { name } }) => [name, (opened.get(name) ?? next.get(name)) as OpenListener]),
    );
    return {
      added: [...opened.keys()],
      removed: leaving.map(([name]) => name).filter((name) => !opened.has(name)),
    };
  }

  async #openAll(prepared: readonly PreparedListener[]): Promise<Map<string, OpenListener>> {
    const opened = new Map<string, OpenListener>();
    try {
      for (const { listener, tls } of prepared) {
        opened.set(listener.name, await this.#openOne(listener, tls, opened));
      }
      return opened;
    } catch (error) {
      for (const listener of opened.values()) await listener.close();
      throw error;
    }
  }

  async #openOne(
    listener: NamedListener,
    tls: LoadedTls | undefined,
    opened: ReadonlyMap<string, OpenListener>,
  ): Promise<OpenListener> {
    try {
      return await OpenListener.open(listener, tls, this.#target);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      // The system only says that the port is taken.
      const rival =
        error instanceof ListenError && error.systemCode === 'EADDRINUSE'
          ? [...this.#open.values(), ...opened.values()].find((other) => hasPort(other, listener.port))
          : undefined;
      const message = rival
        ? `the listener ${rival.listener.name} has the port ${listener.port}; choose another one`
        : error.problems[0]?.message;
      throw ConfigError.of(`listener ${listener.name}: ${message}`);
    }
  }

  /** A reload failed after listeners were closed for it: they come back. Their certificates are the ones they had. */
  async #reopen(left: readonly (readonly [string, OpenListener])[]): Promise<void> {
    for (const [name, closed] of left) {
      const again = await closed.openAgain().catch(() => undefined);
      if (again) this.#open.set(name, again);
      else this.#open.delete(name);
    }
  }

  async close(): Promise<void> {
    for (const listener of this.#open.values()) await listener.close();
    this.#open.clear();
  }
}

function hasPort({ addresses }: OpenListener, wanted: number | undefined): boolean {
  return addresses.some(({ port }) => port !== 0 && port === wanted);
}

/** What a listener cannot change without a new socket. */
function placeOf(listener: NamedListener): string {
  const { type, host, port, path, ipv6Only, systemd, mode, noDelay, proxyProtocol } = listener;
  const isProxied = proxyProtocol !== undefined;
  return JSON.stringify([
    type,
    host,
    port,
    type === 'unix' ? path : '',
    ipv6Only,
    systemd,
    mode,
    noDelay,
    isProxied,
  ]);
}
