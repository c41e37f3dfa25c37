// The bots layer as an extension of the broker. It knows nothing of the broker but its public API:
//
//   CONNECT                    → authenticate      client id = user name = bot id, password = secret
//   PUBLISH server/<id>/<what> → onPublish         the endpoint runs, the answer goes to client/<id>
//   SUBSCRIBE client/<id>      → authorizeSubscribe
//   connection comes or goes   → presence to the owner; a socket bot is removed
//
// A request is handled before the next packet of the same connection is looked at, so that `follow` and then `send`
// mean what they say.

import type {
  AuthenticationAnswer,
  AuthenticationRequest,
  AuthorizationAnswer,
  Broker,
  ClientInfo,
  DisconnectInfo,
  EnhancedExchange,
  Extension,
  PublishAnswer,
  PublishRequest,
  SubscribeRequest,
} from '@tobymq/broker';
import { ReasonCode } from '@tobymq/codec';
import {
  type BotMessage,
  ENDPOINTS,
  ENDPOINTS_OF,
  type Endpoint,
  inboxTopic,
  type Json,
  parseRequestTopic,
} from '../protocol.ts';
import { Accounts, type BotRecord } from './accounts.ts';
import type { TobyContext } from './context.ts';
import { HANDLERS } from './endpoints/index.ts';
import { DEFAULT_TOBY_LIMITS, type TobyLimits } from './limits.ts';
import { RateLimit } from './rate.ts';
import { Refusal, type RefusedRequest } from './refusal.ts';
import { type SecretHasher, scryptHasher } from './secrets.ts';
import { ackOf, checkBotId, checkSecret, type Fields, parseFields } from './validate.ts';
import { VerifiedSecrets } from './verified-secrets.ts';

export interface TobyOptions {
  readonly limits?: Partial<TobyLimits> | undefined;
  /** How secrets are hashed; scrypt when nothing else is given. */
  readonly hasher?: SecretHasher | undefined;
  /** Who decides what a bot may do beyond its own two topics: nobody (`deny`, the default), or the server's `rules`. */
  readonly elsewhere?: 'deny' | 'rules' | undefined;
  readonly now?: (() => number) | undefined;
  /** Whether a name is that of somebody who is no bot, and who could not come in any more if it became one's. */
  readonly isUser?: ((name: string) => boolean) | undefined;
  /** Told about faults that have no other place to go, for example a store that fails while a socket bot is removed. */
  readonly onError?: ((error: unknown) => void) | undefined;
  /** Told about each request of a bot, web hook and sign-up that was refused. */
  readonly onRefused?: ((request: RefusedRequest) => void) | undefined;
}

/** Where a web hook comes from. */
export interface HookSender {
  readonly address: string;
  mayGuess(): boolean;
}

/** Marks a client as a bot of ours; attached by `authenticate`. */
class BotIdentity {
  readonly botId: string;
  constructor(botId: string) {
    this.botId = botId;
  }
}

type Denied = Extract<AuthenticationAnswer, { allow: false }>;

const SPACE = 'toby';
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Turns a broker into a server of bots.
 *
 * @example
 * const toby = new TobyExtension();
 * const broker = await Broker.start({ store, extensions: [toby] });
 * await toby.signUp('ana', 'a long secret');
 */
export class TobyExtension implements Extension {
  readonly name = 'toby';
  readonly publishFilters = ['server/#'];
  readonly limits: TobyLimits;
  readonly #options: TobyOptions;
  readonly #secrets: VerifiedSecrets;
  readonly #now: () => number;
  readonly #online = new Set<string>();
  readonly #waitingSockets = new Map<string, NodeJS.Timeout>();
  /** Bots that were taken over by a connection that is not there yet. */
  readonly #takenOver = new Map<string, NodeJS.Timeout>();
  readonly #rate: RateLimit;
  #broker: Broker | undefined;
  #accounts: Accounts | undefined;

  constructor(options: TobyOptions = {}) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#secrets = new VerifiedSecrets(options.hasher ?? scryptHasher);
    this.#rate = new RateLimit(60_000, this.#now);
    this.limits = { ...DEFAULT_TOBY_LIMITS, ...options.limits };
  }

  async start(broker: Broker): Promise<void> {
    this.#broker = broker;
    this.#accounts = new Accounts(broker.values(SPACE));
    await this.#accounts.load();
    for (const socket of this.#accounts.ofKind('socket')) this.#awaitSocket(socket.id);
  }

  stop(): void {
    for (const timers of [this.#waitingSockets, this.#takenOver]) {
      for (const timer of timers.values()) clearTimeout(timer);
      timers.clear();
    }
  }

  /** Creates a user bot; refused (409) when the name is taken. */
  async signUp(name: string, secret: string): Promise<void> {
    checkBotId(name);
    checkSecret(secret);
    this.#demandUnknown(name);
    if (this.accounts.userCount >= this.limits.accountsMax) {
      throw new Refusal(429, `this server has at most ${this.limits.accountsMax} accounts`);
    }
    await this.accounts.create(
      {
        id: name,
        kind: 'user',
        owner: '',
        createdAt: this.#now(),
        follows: [],
        hookHash: undefined,
        permissions: undefined,
      },
      () => this.#secrets.hash(secret),
    );
  }

  /** Refuses an id that others go by: the bot would lock them out, and come into the session that they left behind. */
  #demandUnknown(id: string): void {
    const isKnown = this.#options.isUser?.(id) === true || this.#running.session(id) !== undefined;
    if (isKnown) throw new Refusal(409, `the id "${id}" is taken`);
  }

  get accounts(): Accounts {
    if (this.#accounts === undefined)
      throw new Error('TobyExtension is used before the broker has started it');
    return this.#accounts;
  }

  isOnline(botId: string): boolean {
    return this.#online.has(botId);
  }

  /**
   * True if a message reaches the bot now, or waits for it in the session that it left behind: a bot that has connected and
   * does not listen yet would miss it.
   */
  isReachable(botId: string): boolean {
    return this.#running.subscriptionsOf(inboxTopic(botId)).some(({ clientId }) => clientId === botId);
  }

  /** Puts a message into the inboxes of bots. */
  async deliver(botIds: readonly string[], message: BotMessage): Promise<void> {
    const payload = encoder.encode(textOf(message));
    const properties = { messageExpiryInterval: this.limits.messageExpiry };
    await Promise.all(
      botIds.map((id) => this.#running.publish({ topic: inboxTopic(id), payload, qos: 1, properties })),
    );
  }

  /** True if the secret of a bot's web hook address is right; `mayGuess` is asked before that costs a slow hash. */
  async isHookSecret(bot: BotRecord, secret: string, { address, mayGuess }: HookSender): Promise<boolean> {
    const { hookHash } = bot;
    if (hookHash === undefined) return false;
    if (this.#secrets.isKnown(hookHash, secret)) return true;
    if (!mayGuess()) throw new Refusal(429, 'too many hook secrets from this address, try again later');
    return this.#secrets.verify(hookHash, secret, address);
  }

  /** Tells the program of a request that came to nothing, and says what to answer. */
  refuse(error: unknown, request: Omit<RefusedRequest, 'status' | 'reason'>): Refusal {
    const isRefusal = error instanceof Refusal;
    if (!isRefusal) this.#report(error);
    const refusal = isRefusal
      ? error
      : new Refusal(503, 'the server could not store the change; try again later');
    this.#options.onRefused?.({ ...request, status: refusal.status, reason: refusal.message });
    return refusal;
  }

  async authenticate(request: AuthenticationRequest): Promise<AuthenticationAnswer> {
    const { clientId, username, password, remoteAddress } = request;
    const record = username === undefined ? undefined : this.accounts.get(username);
    if (record === undefined) return this.#refuseStranger(clientId);
    const refused = { allow: false, reasonCode: ReasonCode.BadUserNameOrPassword } as const;
    if (clientId !== record.id) return { ...refused, reason: 'a bot connects with its id as client id' };
    if (password === undefined) return { ...refused, reason: 'a bot connects with its secret as password' };
    if (!(await this.#secrets.verify(record.secretHash, decoder.decode(password), remoteAddress))) {
      return { ...refused, reason: 'wrong secret' };
    }
    // It may have been removed while the secret was checked, and another one created under its id.
    if (this.accounts.get(record.id)?.secretHash !== record.secretHash) {
      return { ...refused, reason: 'the bot was removed' };
    }
    return { allow: true, identity: new BotIdentity(record.id) };
  }

  /** Bots have a secret and no other method; whoever proves a name by one is none. */
  authenticationExchange(_method: string, { clientId }: AuthenticationRequest): EnhancedExchange | undefined {
    const refusal = this.#refuseStranger(clientId);
    return refusal && { step: () => refusal };
  }

  /** Somebody else with the client id of a bot would take over its connection and its session. */
  #refuseStranger(clientId: string): Denied | undefined {
    if (this.accounts.get(clientId) === undefined) return undefined;
    return {
      allow: false,
      reasonCode: ReasonCode.BadUserNameOrPassword,
      reason: 'the client id is that of a bot',
    };
  }

  authorizePublish(client: ClientInfo, { topic }: PublishRequest): AuthorizationAnswer {
    const isRequest = topic.startsWith('server/');
    // Into the inboxes writes the server alone, or anybody could be anybody.
    if (topic.startsWith('client/')) return false;
    if (!isBot(client)) return isRequest ? false : undefined;
    // Requests in somebody else's name are let through to be answered with 403.
    return isRequest ? true : this.#elsewhere();
  }

  authorizeSubscribe(client: ClientInfo, { filter }: SubscribeRequest): AuthorizationAnswer {
    const concernsBots = filter.startsWith('client/') || filter.startsWith('server/');
    if (!isBot(client)) return concernsBots ? false : undefined;
    if (filter === inboxTopic(client.clientId)) return true;
    return concernsBots ? false : this.#elsewhere();
  }

  /** Keeps wildcard subscriptions of others out of the inboxes. */
  authorizeDelivery(client: ClientInfo, topic: string): AuthorizationAnswer {
    if (!topic.startsWith('client/')) return isBot(client) ? this.#elsewhere() : undefined;
    return isBot(client) && topic === inboxTopic(client.clientId);
  }

  async onPublish(message: PublishRequest, client: ClientInfo | undefined): Promise<PublishAnswer> {
    const target = parseRequestTopic(message.topic);
    if (target === undefined || client === undefined || !isBot(client)) return undefined;
    let ack = '';
    let answer: Json;
    try {
      const fields = parseFields(message.payload);
      ack = ackOf(fields);
      answer = await this.#handle(client.clientId, target.botId, target.endpoint, fields);
    } catch (error) {
      const { clientId, remoteAddress: address } = client;
      const refusal = this.refuse(error, { via: 'bot', clientId, address, endpoint: target.endpoint });
      answer = { status: refusal.status, error: refusal.message };
    }
    const tags = ack === '' ? [] : [ack];
    await this.deliver([client.clientId], { from: 'server', payload: answer, tags, ack: '' });
    return { drop: true, isHandled: true };
  }

  onConnected(client: ClientInfo): void {
    if (!isBot(client)) return;
    const { clientId } = client;
    for (const timers of [this.#waitingSockets, this.#takenOver]) {
      clearTimeout(timers.get(clientId));
      timers.delete(clientId);
    }
    if (this.#online.has(clientId)) return; // A takeover: it never left.
    this.#online.add(clientId);
    this.#tellOwner(clientId, { online: clientId });
  }

  onDisconnected(client: ClientInfo, info: DisconnectInfo): void {
    if (!isBot(client)) return;
    if (info.reasonCode === ReasonCode.SessionTakenOver) this.#awaitSuccessor(client.clientId);
    else this.#left(client.clientId);
  }

  /** The connection that takes over may end before its CONNACK, and then nobody is told of it. */
  #awaitSuccessor(clientId: string): void {
    clearTimeout(this.#takenOver.get(clientId));
    const timer = setTimeout(() => {
      this.#takenOver.delete(clientId);
      if (this.#running.client(clientId) === undefined) this.#left(clientId);
    }, this.limits.takeoverWaitMs);
    timer.unref();
    this.#takenOver.set(clientId, timer);
  }

  #left(clientId: string): void {
    if (!this.#online.delete(clientId)) return;
    this.#tellOwner(clientId, { offline: clientId });
    if (this.accounts.get(clientId)?.kind === 'socket') this.#removeSocket(clientId);
  }

  async #handle(botId: string, addressed: string, endpoint: string, fields: Fields): Promise<Json> {
    if (addressed !== botId) throw new Refusal(403, `${botId} may not ask in the name of "${addressed}"`);
    const bot = this.accounts.require(botId);
    if (!(ENDPOINTS as readonly string[]).includes(endpoint)) {
      throw new Refusal(404, `there is no endpoint "${endpoint}"`);
    }
    if (!(ENDPOINTS_OF[bot.kind] as readonly string[]).includes(endpoint)) {
      throw new Refusal(403, `a ${bot.kind} bot may not use "${endpoint}"`);
    }
    return HANDLERS[endpoint as Endpoint](this.#context, bot, fields);
  }

  get #context(): TobyContext {
    return {
      accounts: this.accounts,
      limits: this.limits,
      hasher: this.#secrets,
      now: this.#now,
      demandUnknown: (id) => this.#demandUnknown(id),
      isReachable: (id) => this.isReachable(id),
      deliver: (ids, message) => this.deliver(ids, message),
      expel: async (id, reason) => {
        await this.#running.kick(id, {
          reasonCode: ReasonCode.AdministrativeAction,
          reason,
          endSession: true,
        });
      },
      mayPublish: ({ id, permissions }) => {
        // An owner may allow its bots less than the server does, and not more.
        const countMax = this.limits.messagesPerMinute;
        return this.#rate.take(id, Math.min(permissions?.messagesPerMinute ?? countMax, countMax));
      },
      awaitSocket: (id) => this.#awaitSocket(id),
    };
  }

  get #running(): Broker {
    if (this.#broker === undefined) throw new Error('TobyExtension is used before the broker has started it');
    return this.#broker;
  }

  #elsewhere(): AuthorizationAnswer {
    return this.#options.elsewhere === 'rules' ? undefined : false;
  }

  #tellOwner(botId: string, payload: Json): void {
    const owner = this.accounts.get(botId)?.owner ?? '';
    if (owner === '' || !this.isReachable(owner)) return;
    this.deliver([owner], { from: 'server', payload, tags: [], ack: '' }).catch((error) =>
      this.#report(error),
    );
  }

  #awaitSocket(id: string): void {
    clearTimeout(this.#waitingSockets.get(id));
    const timer = setTimeout(() => {
      this.#waitingSockets.delete(id);
      if (!this.isOnline(id)) this.#removeSocket(id);
    }, this.limits.socketWaitMs);
    timer.unref();
    this.#waitingSockets.set(id, timer);
  }

  #removeSocket(id: string): void {
    if (this.accounts.get(id) === undefined) return;
    this.accounts
      .remove(id)
      .then(() => this.#context.expel(id, 'a socket bot ends with its connection'))
      .catch((error) => {
        this.#report(error);
        // It could not be removed from the store, so it is still there; later perhaps.
        if (this.accounts.get(id) !== undefined) this.#awaitSocket(id);
      });
  }

  #report(error: unknown): void {
    this.#options.onError?.(error);
  }
}

function isBot(client: ClientInfo): boolean {
  return client.identity instanceof BotIdentity;
}

/** Some versions of Node write less deeply nested values than they read. */
function textOf(message: BotMessage): string {
  try {
    return JSON.stringify(message);
  } catch {
    throw new Refusal(400, 'the payload is nested too deeply');
  }
}
