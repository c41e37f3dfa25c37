// The server: wires configuration, log, store, broker, security, listeners and the HTTP API together.
//
//     start   files are read and checked → log → store and broker → listeners → HTTP API → ready
//     stop    listeners → broker (clients get 0x8B, sessions are stored) → HTTP API → log
//
// What fails on the way up is undone, so that nothing is left half started.

import { Broker, type ByteStream, type Extension, MemoryStore, type Store } from '@tobymq/broker';
import { ReasonCode } from '@tobymq/codec';
import type { RepairReport } from '@tobymq/store-sqlite';
import { Throttle } from './auth/throttle.ts';
import { ConfigError } from './config/errors.ts';
import type { Config } from './config/schema.ts';
import {
  apiToken,
  makeDataFolder,
  newToken,
  removeRunningServer,
  writeRunningServer,
} from './data-folder.ts';
import type { HttpService } from './http/service.ts';
import { limitsExtension } from './limits-extension.ts';
import { type ListenerChanges, ListenerManager } from './listeners/manager.ts';
import { DropSummary } from './logging/drop-summary.ts';
import { Log } from './logging/log.ts';
import { PublishTrace } from './logging/publish-trace.ts';
import { Gauges, type RefusedRequest, type ServerGauges } from './metrics/gauges.ts';
import { mosquittoVersion } from './mosquitto/version.ts';
import { socketsMax } from './open-files.ts';
import { removePidFile, writePidFile } from './pid-file.ts';
import type { NamedListener } from './policies.ts';
import { type Prepared, prepare } from './prepare.ts';
import { dropPrivileges } from './privileges.ts';
import { SecurityExtension } from './security.ts';
import { ServerEvents } from './server-events.ts';
import { brokerLimits, listenerSettings } from './settings.ts';
import type { TobyService } from './toby.ts';

/** Who may open fewer files than for as many is told so at the start. */
const MANY_CONNECTIONS = 10_000;

export interface ServerOptions {
  readonly config: Config;
  readonly version: string;
  /** Reads the configuration again, for a reload. Without it a reload takes new files only. */
  readonly readConfig?: (() => Config) | undefined;
  /** Called as soon as there is a log, before anything is opened. */
  readonly onLog?: ((log: Log) => void) | undefined;
  /** Takes lines with TLS session keys, for those who have to look into the traffic. */
  readonly onTlsKey?: ((line: Buffer) => void) | undefined;
  /** Extensions of the program that embeds the server. */
  readonly extensions?: readonly Extension[] | undefined;
}

/** What a reload has changed, for the log and for whoever asked for it. */
export interface ReloadReport {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Clients that are no longer allowed and were disconnected. */
  readonly disconnected: number;
  /** Keys that need a restart. */
  readonly needRestart: readonly string[];
}

export class Server {
  readonly log: Log;
  readonly throttle: Throttle;
  readonly version: string;
  readonly startedAt = Date.now();
  broker!: Broker;
  #config: Config;
  #security!: SecurityExtension;
  #limits: Extension | undefined;
  readonly #options: ServerOptions;
  readonly #listeners: ListenerManager;
  readonly #events: ServerEvents;
  readonly #gauges: Gauges;
  #store: Store | undefined;
  #http: HttpService | undefined;
  #trace: PublishTrace | undefined;
  #toby: TobyService | undefined;
  #token: string | undefined;
  #stopping: Promise<void> | undefined;
  #reloading: Promise<unknown> = Promise.resolve();
  /** The pid file that this server has written: one of another server stays when this one cannot start. */
  #pidFile: string | undefined;
  #isReady = false;
  readonly #socketsMax = socketsMax();

  private constructor(options: ServerOptions, log: Log) {
    this.#options = options;
    this.#config = options.config;
    this.version = options.version;
    this.log = log;
    this.throttle = new Throttle(options.config.throttle);
    this.throttle.onBan = ({ kind, value, reason, until }) =>
      log.log('warn', 'banned', {
        kind,
        value,
        reason,
        until: Number.isFinite(until) ? new Date(until).toISOString() : 'never',
      });
    this.#events = new ServerEvents(log);
    this.#gauges = new Gauges(options.version, this.throttle);
    this.#listeners = new ListenerManager({
      attach: (stream, listener) => this.#attach(stream, listener),
      accepts: (address) => this.throttle.accepts(address),
      crowding: () => this.#crowding(),
      refused: (listener, address, reason) => this.connectionRefused(listener, address, reason),
      onTlsKey: options.onTlsKey,
      packetSizeOf: (listener) => listener.limits.packetSize ?? this.#config.limits.packetSize,
    });
  }

  /** Starts a server, or fails with a {@link ConfigError} that says what is wrong, with nothing left behind. */
  static async start(options: ServerOptions): Promise<Server> {
    const prepared = await prepare(options.config);
    const server = new Server(options, new Log(options.config.log));
    try {
      await server.#start(prepared);
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  async #start(prepared: Prepared): Promise<void> {
    const config = this.#config;
    this.#options.onLog?.(this.log);
    this.#warn(prepared);
    if (config.store.type === 'sqlite') makeDataFolder(config.data);
    this.#store = this.#gauges.watch(
      await openStore(config, (report) => this.#events.log('warn', 'store-repaired', { ...report })),
    );
    this.#security = new SecurityExtension(prepared.policies, this.throttle, config.limits.clientIdPrefixes);
    this.#limits = limitsExtension(config);
    this.#toby = await this.#createToby(config);
    this.#events.listeners = prepared.names;
    this.broker = await Broker.start({
      store: this.#store,
      logger: this.#events,
      limits: brokerLimits(config),
      sys: { enabled: config.sys.enabled, interval: config.sys.interval, version: this.#sysVersion() },
      extensions: [
        ...(this.#options.extensions ?? []),
        ...(this.#limits ? [this.#limits] : []),
        // Before the security, which does not know the bots.
        ...(this.#toby ? [this.#toby.extension] : []),
        this.#security,
        this.#events.extension,
        new DropSummary(this.log).extension,
        this.#gauges.extension,
      ],
    });
    this.log.publish = (topic, line) => void this.broker.publish({ topic, payload: line }).catch(() => {});
    await this.#watchPublishes();
    await this.#startHttp();
    await this.#listeners.apply(prepared.listeners);
    await this.#openHttp();
    for (const { listener, addresses } of this.#listeners.listeners) this.#events.opened(listener, addresses);
    if (config.pidFile !== undefined) {
      writePidFile(config.pidFile);
      this.#pidFile = config.pidFile;
    }
    if (config.user !== undefined) dropPrivileges(config.user, config.data);
    this.#isReady = true;
  }

  async #createToby(config: Config): Promise<TobyService | undefined> {
    if (config.toby === undefined) return undefined;
    const { createToby } = await import('./toby.ts');
    return createToby(config.toby, this.throttle, {
      isUser: (name) => this.#security.knows(name),
      onError: (error) => this.log.log('error', 'toby-failed', { error }),
      onRefused: (request) => this.requestRefused(request),
    });
  }

  async #watchPublishes(): Promise<void> {
    this.#trace = new PublishTrace(this.log, this.broker);
    this.log.onAdjusted = () => void this.#trace?.update();
    await this.#trace.update();
  }

  #sysVersion(): string {
    return this.#config.log.format === 'mosquitto'
      ? `mosquitto version ${mosquittoVersion}`
      : `tobymq version ${this.version}`;
  }

  #warn({ warnings }: Prepared): void {
    for (const message of warnings) this.log.log('warn', 'config-problem', { message });
    const { connections } = this.#config.limits;
    if (this.#socketsMax >= Math.min(connections, MANY_CONNECTIONS)) return;
    const message = `the system lets this process open no more files than for ${this.#socketsMax} connections: raise "ulimit -n", or LimitNOFILE of systemd`;
    this.log.log('warn', 'config-problem', { message });
  }

  #crowding(): string | undefined {
    if (this.broker.metrics.socketsNow < this.#socketsMax) return undefined;
    return `the system lets this process open no more files than for ${this.#socketsMax} connections (ulimit -n)`;
  }

  #attach(stream: ByteStream, listener: NamedListener): void {
    this.broker.attach(stream, () => listenerSettings(this.#config, listener));
  }

  async #startHttp(): Promise<void> {
    const { http, data, store } = this.#config;
    if (!http.enabled) return;
    this.#token = http.token ?? (store.type === 'sqlite' ? apiToken(data) : newToken());
    // hono and its schemas take some 100 ms to load; a server without an API starts without them.
    const { HttpService } = await import('./http/service.ts');
    this.#http = new HttpService(this, { ...http, token: this.#token });
  }

  /** The API shares the port of a WebSocket listener at the same address, or gets one of its own. */
  async #openHttp(): Promise<void> {
    if (!this.#http) return;
    await this.#http.open(this.#listeners.listeners);
    if (this.#config.store.type === 'sqlite')
      writeRunningServer(this.#config.data, { pid: process.pid, url: this.#http.url });
  }

  get config(): Config {
    return this.#config;
  }

  /** True between the end of the start and the beginning of the stop. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** The token of the HTTP API, if there is an API. */
  get apiToken(): string | undefined {
    return this.#token;
  }

  get httpUrl(): string | undefined {
    return this.#http?.url;
  }

  /** Web hooks and sign-up of the bots layer, if it is on. */
  get tobyHttp(): TobyService['handleHttp'] | undefined {
    return this.#toby?.handleHttp;
  }

  get store(): Store | undefined {
    return this.#store;
  }

  get listeners(): ListenerManager['listeners'] {
    return this.#listeners.listeners;
  }

  /** A connection came to nothing before MQTT or HTTP. */
  connectionRefused(listener: string, address: string, reason: string): void {
    this.broker.metrics.socketsRefused++;
    this.log.log('warn', 'connection-refused', { listener, address, reason });
  }

  /** Somebody asked over HTTP, or a bot did, and was refused. */
  requestRefused(request: RefusedRequest): void {
    this.#gauges.requestRefused(request);
    this.log.log('warn', 'request-refused', { ...request });
  }

  /** What the server measures beside the broker's counters. */
  readGauges(): ServerGauges {
    return this.#gauges.read(this.broker);
  }

  get security(): SecurityExtension {
    return this.#security;
  }

  /**
   * Takes a changed configuration and changed files. Everything is read and checked first: if anything is wrong, a
   * {@link ConfigError} says what, and nothing has changed.
   */
  reload(): Promise<ReloadReport> {
    const next = this.#reloading.then(() => this.#reload());
    // One after the other; a reload that fails is told to who asked for it, and does not keep the next from running.
    this.#reloading = next.catch(() => {});
    return next;
  }

  async #reload(): Promise<ReloadReport> {
    if (this.#stopping !== undefined) throw ConfigError.of('the server is stopping');
    this.log.log('info', 'reloading', {});
    const before = this.#config;
    const wanted = this.#options.readConfig?.() ?? before;
    const config: Config = { ...wanted, ...fixedPart(before) };
    const prepared = await prepare(config);
    const nextLog = this.log.prepare(config.log);
    // The listeners ask for limits while they are changed.
    this.#config = config;
    let changes: ListenerChanges;
    try {
      changes = await this.#listeners.apply(prepared.listeners);
    } catch (error) {
      this.#config = before;
      nextLog.abort();
      throw error;
    }
    // Nothing fails from here on.
    nextLog.commit();
    const { added, removed } = changes;
    this.#warn(prepared);
    await this.#trace?.update();
    this.throttle.configure(config.throttle);
    this.#events.listeners = prepared.names;
    await this.#replaceSecurity(prepared);
    this.broker.configure({
      limits: brokerLimits(config),
      listeners: Object.fromEntries(
        prepared.listeners.map(({ listener }) => [listener.name, listenerSettings(config, listener)]),
      ),
    });
    this.broker.invalidateAuthorization();
    const disconnected = this.#dropDisallowed();
    await this.#http?.open(this.#listeners.listeners).catch((error: unknown) => {
      this.log.log('error', 'api-failed', { reason: error instanceof Error ? error.message : String(error) });
    });
    for (const { listener, addresses } of this.#listeners.listeners) {
      if (added.includes(listener.name)) this.#events.opened(listener, addresses);
    }
    const report = { added, removed, disconnected, needRestart: restartKeys(before, wanted) };
    this.log.log('info', 'reloaded', report);
    return report;
  }

  /** The new extensions are there before the old ones go, so that there is no moment without rules. */
  async #replaceSecurity({ policies }: Prepared): Promise<void> {
    const old = [this.#limits, this.#security];
    this.#limits = limitsExtension(this.#config);
    this.#security = new SecurityExtension(policies, this.throttle, this.#config.limits.clientIdPrefixes);
    // The limits come first, as at the start: whoever is let in by the security is not asked about further.
    if (this.#limits) await this.broker.addExtension(this.#limits);
    await this.broker.addExtension(this.#security);
    for (const extension of old) if (extension) await this.broker.removeExtension(extension);
  }

  #dropDisallowed(): number {
    let count = 0;
    for (const client of [...this.broker.clients()]) {
      if (client.listener === 'memory' || this.#security.stillAccepts(client)) continue;
      this.broker.kick(client.clientId, {
        reasonCode: ReasonCode.NotAuthorized,
        reason: 'no longer allowed since the configuration was reloaded',
      });
      count++;
    }
    return count;
  }

  /** Stops: no new clients, 0x8B to those that are there, everything stored. */
  stop(): Promise<void> {
    // A reload that is on its way would open listeners again behind it.
    this.#stopping ??= this.#reloading.then(() => this.#stop());
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#isReady = false;
    if (this.broker) this.log.log('info', 'stopping', {});
    await this.#listeners.close();
    try {
      await this.broker?.stop({ deadlineMs: this.#config.stopDeadline * 1000 });
    } finally {
      // A store that cannot write any more must not keep the process.
      await this.#http?.close();
      this.#gauges.close();
      if (this.#config.store.type === 'sqlite' && this.#http) removeRunningServer(this.#config.data);
      if (this.#pidFile !== undefined) removePidFile(this.#pidFile);
      this.log.publish = undefined;
      this.log.close();
    }
  }
}

async function openStore({ store, data }: Config, onRepair: (report: RepairReport) => void): Promise<Store> {
  if (store.type === 'memory' || store.durability === 'memory') return new MemoryStore();
  // SQLite is loaded only by those who use it.
  const { SqliteStore } = await import('@tobymq/store-sqlite');
  return new SqliteStore({ folder: data, durability: store.durability, repair: store.repair, onRepair });
}

/** The keys that are fixed at the start. */
const fixedKeys = ['data', 'store', 'sys', 'toby', 'http', 'user', 'pidFile'] as const;

/** What stays as it is until the next start, whatever a reload reads. */
function fixedPart(config: Config): Pick<Config, (typeof fixedKeys)[number]> {
  const { data, store, sys, toby, http, user, pidFile } = config;
  return { data, store, sys, toby, http, user, pidFile };
}

/** The fixed keys that a reload would have changed. */
function restartKeys(before: Config, wanted: Config): string[] {
  return fixedKeys.filter((key) => JSON.stringify(before[key]) !== JSON.stringify(wanted[key]));
}
