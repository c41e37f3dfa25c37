// The listeners of a broker, by name. What counts for the clients of one (settings, extensions, who is connected) belongs
// to its name: several sockets may listen under one, and streams that somebody else has accepted name theirs.

import type { Connection } from './connection/connection.ts';
import type { Core } from './core.ts';
import { brokerHasStopped } from './errors.ts';
import type { Extension } from './extension.ts';
import { Hooks, type ReportFault } from './hooks.ts';
import { ListenerState } from './listener-state.ts';
import { type ListenerSettings, type ListenOptions, resolveListenerSettings } from './options.ts';
import type { ByteStream } from './transports/byte-stream.ts';
import { type Listener, listenTcp } from './transports/tcp.ts';

export class Listeners {
  readonly #core: Core;
  readonly #report: ReportFault;
  #defaults: ListenerSettings;
  #extensions: readonly Extension[] = [];
  readonly #open = new Set<Listener>();
  readonly #states = new Map<string, ListenerState>();
  readonly #perAddress = new Map<string, number>();

  constructor(core: Core, defaults: ListenerSettings, report: ReportFault) {
    this.#core = core;
    this.#defaults = defaults;
    this.#report = report;
  }

  /** Everybody who is connected, in whatever state. */
  *connections(): IterableIterator<Connection> {
    for (const state of this.#states.values()) yield* [...state.connections];
  }

  async listen(options: ListenOptions): Promise<Listener> {
    if (this.#core.isStopping) throw brokerHasStopped();
    const settings = resolveListenerSettings(this.#defaults, options);
    const { port = 1883, host = '127.0.0.1', name } = options;
    const opened = await listenTcp(
      { port, host, name },
      (stream) => this.#stateOf(stream.listener, settings).accept(stream),
      (refusing, reason) => this.#stateOf(refusing, settings).refused(reason),
    );
    if (this.#core.isStopping) {
      await opened.close();
      throw brokerHasStopped();
    }
    const state = this.#states.get(opened.name);
    if (state?.isClosed === true) {
      // The listener of this name is another one now.
      state.isClosed = false;
      state.settings = settings;
      this.takeExtensions(this.#extensions);
    }
    const listener: Listener = {
      ...opened,
      close: async () => {
        this.#open.delete(listener);
        this.#closed(opened.name);
        await opened.close();
      },
    };
    this.#open.add(listener);
    return listener;
  }

  /** The settings count for the first stream of a name; a function is asked for them only then. */
  attach(stream: ByteStream, settings: Partial<ListenerSettings> | (() => Partial<ListenerSettings>)): void {
    let state = this.#states.get(stream.listener);
    if (state === undefined) {
      const given = typeof settings === 'function' ? settings() : settings;
      state = this.#stateOf(stream.listener, resolveListenerSettings(this.#defaults, given));
    }
    state.accept(stream);
  }

  /** Changes the defaults of listeners to come, and the settings of those that are named. */
  configure(
    defaults: Partial<ListenerSettings>,
    named: Readonly<Record<string, Partial<ListenerSettings>>>,
  ): void {
    this.#defaults = resolveListenerSettings(this.#defaults, defaults);
    for (const [name, settings] of Object.entries(named)) {
      const state = this.#states.get(name);
      if (state === undefined) this.#stateOf(name, resolveListenerSettings(this.#defaults, settings));
      else state.settings = resolveListenerSettings(state.settings, settings);
    }
  }

  /** The extensions of the broker, or the settings of listeners, are others now: every question is asked anew. */
  takeExtensions(extensions: readonly Extension[]): void {
    this.#extensions = extensions;
    for (const state of this.#states.values()) state.rebuildHooks(extensions, this.#report);
    this.#core.rulesVersion++;
  }

  /** Stops accepting; connections that are open stay open. */
  async close(): Promise<void> {
    await Promise.all([...this.#open].map((listener) => listener.close()));
  }

  /** With the last socket of a name its settings are over. */
  #closed(name: string): void {
    const state = this.#states.get(name);
    if (state !== undefined && ![...this.#open].some((other) => other.name === name)) state.isClosed = true;
  }

  #stateOf(name: string, settings: ListenerSettings): ListenerState {
    let state = this.#states.get(name);
    if (state === undefined) {
      const hooks = new Hooks([...settings.extensions, ...this.#extensions], this.#report);
      state = new ListenerState(this.#core, name, settings, hooks, this.#perAddress);
      this.#states.set(name, state);
    }
    return state;
  }
}
