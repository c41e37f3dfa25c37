// A bot, from the program's side: one MQTT connection, an inbox, and the server's endpoints as methods.
//
//   inbox ─┬─ answer of the server to a request   → the promise of that request
//          ├─ presence                            → presence handlers
//          ├─ reply to a question                 → the promise of `ask()`
//          └─ everything else                     → handlers by tag, and `messages()`

import { type Client, type ConnectOptions, connect } from '@tobymq/client';
import type { BotInfo, BotMessage, Endpoint, Json, Permissions } from '../protocol.ts';
import { inboxTopic, requestTopic } from '../protocol.ts';
import { TobyError } from './errors.ts';
import { Feed } from './feed.ts';
import { parseMessage, presenceOf } from './parse.ts';
import { Pending } from './pending.ts';
import { ReplyTags, randomId } from './reply-tags.ts';

export interface BotOptions
  extends Omit<ConnectOptions, 'url' | 'clientId' | 'credentials' | 'will' | 'birth' | 'onError'> {
  readonly id: string;
  readonly secret: string;
  /** Keep messages on the server while this bot is away, and this long. Default: they are not kept. */
  readonly keepMessages?: NonNullable<ConnectOptions['session']>['keep'] | undefined;
  /** How long a request waits for the server's answer, in milliseconds. Default: 10 s. */
  readonly requestTimeoutMs?: number | undefined;
  /** How many messages wait for a `messages()` loop; then the oldest are dropped. Default: 10 000. */
  readonly waitingMessagesMax?: number | undefined;
  /** Problems that belong to no call: a handler that threw, a message that was dropped. `console.error` unless given. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

export interface CallOptions {
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface SocketCredentials {
  readonly id: string;
  readonly secret: string;
}

export type MessageHandler = (message: BotMessage) => void | Promise<void>;
export type PresenceHandler = (presence: { readonly botId: string; readonly online: boolean }) => void;

/** Ends what a call has begun, for example a handler. */
export interface Registration {
  remove(): void;
}

const ANY_TAG = Symbol('any tag');

/**
 * Connects a bot. Resolves when it is online and hears what is sent to it.
 *
 * @example
 * const lamp = await connectBot('mqtt://localhost', { id: 'lamp', secret: 'the secret of the lamp' });
 * await lamp.follow(['#light']);
 * for await (const message of lamp.messages()) console.log(message.from, message.payload);
 */
export async function connectBot(url: string, options: BotOptions): Promise<Bot> {
  const { id, secret, keepMessages, requestTimeoutMs, waitingMessagesMax, onError, session, ...rest } =
    options;
  const report = onError ?? ((error) => console.error(error));
  const inbox = inboxTopic(id);
  let bot: Bot | undefined;
  const client = await connect(url, {
    ...rest,
    clientId: id,
    credentials: { username: id, password: secret },
    session: keepMessages === undefined ? (session ?? {}) : { ...session, keep: keepMessages },
    onError: (error) => {
      report(error);
      if (error.code === 'TOBYMQ_SUBSCRIBE_REFUSED' && error.topic === inbox) bot?.shutOut(error);
    },
  });
  const opened = new Bot(client, id, requestTimeoutMs ?? 10_000, waitingMessagesMax ?? 10_000, report);
  try {
    await client.on(inbox, (message) => opened.receive(message.text), { qos: 1 });
  } catch (error) {
    await client.close();
    throw error;
  }
  bot = opened;
  bot.opened();
  return bot;
}

export class Bot {
  readonly id: string;
  /** The MQTT client below, for its states and statistics. */
  readonly client: Client;
  readonly #requestTimeoutMs: number;
  readonly #waitingMessagesMax: number;
  readonly #report: (error: unknown) => void;
  readonly #answers = new Pending();
  readonly #replies = new Pending();
  readonly #replyTags = new ReplyTags();
  #hasTidied = false;
  readonly #handlers = new Map<string | typeof ANY_TAG, Set<MessageHandler>>();
  readonly #presenceHandlers = new Set<PresenceHandler>();
  readonly #feeds = new Set<Feed<BotMessage>>();
  /** What had waited on the server comes before the program can have a handler; it is kept for the first one. */
  readonly #early: BotMessage[] = [];
  #isOpening = true;
  #hasEnded = false;

  /** @internal Use `connectBot`. */
  constructor(
    client: Client,
    id: string,
    requestTimeoutMs: number,
    waitingMessagesMax: number,
    report: (error: unknown) => void,
  ) {
    this.client = client;
    this.id = id;
    this.#requestTimeoutMs = requestTimeoutMs;
    this.#waitingMessagesMax = waitingMessagesMax;
    this.#report = report;
  }

  /** Sends to every bot of the account that follows one of the tags, and to the owner. */
  async send(
    payload: Json,
    tags: readonly string[] = [],
    options: CallOptions & { ack?: string } = {},
  ): Promise<void> {
    await this.#request('send', { payload, tags, replyTo: options.ack }, options);
  }

  /** Answers a message whose sender waits for it with `ask()`. */
  async reply(message: BotMessage, payload: Json, options: CallOptions = {}): Promise<void> {
    if (message.ack === '') {
      throw new TobyError('TOBYMQ_TOBY_UNSUPPORTED', `${message.from} does not wait for a reply`);
    }
    await this.send(payload, [message.ack], options);
  }

  /**
   * Sends a question and resolves with the first reply.
   *
   * @example
   * const { payload } = await bot.ask({ what: 'temperature' }, ['#kitchen'], { timeoutMs: 2000 });
   */
  async ask(payload: Json, tags: readonly string[], options: CallOptions = {}): Promise<BotMessage> {
    let tag = this.#replyTags.reuse();
    if (tag === undefined) {
      if (!this.#hasTidied) await this.#unfollowOldReplyTags(options);
      tag = this.#replyTags.create();
      await this.follow([tag], options);
    }
    const timeoutMs = options.timeoutMs ?? this.#requestTimeoutMs;
    const reply = this.#replies.wait(tag, {
      timeoutMs,
      signal: options.signal,
      what: `the question to ${tags.join(', ')}`,
    });
    const sent = this.send(payload, tags, { ...options, ack: tag }).catch(reply.fail);
    try {
      // Both are heard from now on: without a connection they time out together. And the server's answer has the same
      // tag, which is not free before it has come.
      const [message] = await Promise.all([reply.message, sent]);
      this.#replyTags.release(tag);
      return message;
    } catch (error) {
      // A late reply to this tag must not answer another question, so the tag is given up.
      this.unfollow([tag]).catch(() => undefined);
      throw error;
    }
  }

  async #unfollowOldReplyTags(options: CallOptions): Promise<void> {
    const info = await this.info(options);
    const old = info.type === 'bot' ? [...this.#replyTags.strange(info.subscriptions)] : [];
    // As many as a server surely takes in one request.
    while (old.length > 0) await this.unfollow(old.splice(0, 50), options);
    this.#hasTidied = true;
  }

  async follow(tags: readonly string[], options: CallOptions = {}): Promise<void> {
    await this.#request('follow', { tags }, options);
  }

  async unfollow(tags: readonly string[], options: CallOptions = {}): Promise<void> {
    await this.#request('unfollow', { tags }, options);
  }

  async info(options: CallOptions = {}): Promise<BotInfo> {
    return (await this.#request('info', {}, options)) as unknown as BotInfo;
  }

  /** User bots only. */
  async createBot(id: string, secret: string, options: CallOptions = {}): Promise<void> {
    await this.#request('create-bot', { id, sk: secret }, options);
  }

  /** User bots only. */
  async removeBot(id: string, options: CallOptions = {}): Promise<void> {
    await this.#request('remove-bot', { id }, options);
  }

  /** User bots only: what one of its bots may follow and send. */
  async permit(id: string, permissions: Permissions, options: CallOptions = {}): Promise<void> {
    await this.#request('permit', { id, permissions: permissions as unknown as Json }, options);
  }

  /** Standard bots only: a bot for one connection, whose messages come to this bot. */
  async createSocket(options: CallOptions = {}): Promise<SocketCredentials> {
    const answer = await this.#request('create-socket', { persist: false }, options);
    const { id, sk } = answer as { id: string; sk: string };
    return { id, secret: sk };
  }

  async removeSocket(id: string, options: CallOptions = {}): Promise<void> {
    await this.#request('remove-socket', { id }, options);
  }

  /** Lets web hooks in at `/hook/<id>/<secret>`. */
  async hooksOn(secret: string, options: CallOptions = {}): Promise<void> {
    await this.#request('hooks-on', { sk: secret }, options);
  }

  async hooksOff(options: CallOptions = {}): Promise<void> {
    await this.#request('hooks-off', {}, options);
  }

  /** Calls the handler for each message with the tag, or for every message when no tag is given. */
  on(handler: MessageHandler): Registration;
  on(tag: string, handler: MessageHandler): Registration;
  on(first: string | MessageHandler, second?: MessageHandler): Registration {
    const tag = typeof first === 'string' ? first : ANY_TAG;
    const handler = typeof first === 'string' ? second : first;
    if (handler === undefined) throw new TypeError('on() needs a handler');
    const handlers = this.#handlers.get(tag) ?? new Set();
    this.#handlers.set(tag, handlers);
    handlers.add(handler);
    this.#handOutEarly();
    return { remove: () => void handlers.delete(handler) };
  }

  /** Told when a bot that this bot owns comes or goes. */
  onPresence(handler: PresenceHandler): Registration {
    this.#presenceHandlers.add(handler);
    return { remove: () => void this.#presenceHandlers.delete(handler) };
  }

  /** Messages from now on, for a loop. Leaving the loop ends it. */
  messages(): AsyncIterableIterator<BotMessage> {
    const feed: Feed<BotMessage> = new Feed(
      this.#waitingMessagesMax,
      () =>
        this.#report(
          new TobyError('TOBYMQ_TOBY_OVERFLOW', 'messages() is not read fast enough, the oldest was dropped'),
        ),
      (ended) => this.#feeds.delete(ended),
    );
    if (this.#hasEnded) feed.close();
    else this.#feeds.add(feed);
    this.#handOutEarly();
    return feed;
  }

  /** Disconnects. Calls that still wait are rejected, loops end. */
  async close(): Promise<void> {
    this.#end(new TobyError('TOBYMQ_TOBY_CLOSED', `the bot "${this.id}" was closed`), undefined);
    await this.client.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** @internal The program has the bot from now on. */
  opened(): void {
    this.#isOpening = false;
    this.#endWithClient().catch(this.#report);
  }

  /** @internal The inbox is closed to it: it was removed, and who came in under its name is any client of the server. */
  shutOut(error: Error): void {
    this.#end(error, error);
    this.client.close().catch(this.#report);
  }

  /** @internal A message came into the inbox. */
  receive(text: string): void {
    let message: BotMessage;
    try {
      message = parseMessage(text);
    } catch (error) {
      this.#report(error);
      return;
    }
    if (message.from === 'server') {
      this.#receiveFromServer(message);
      return;
    }
    for (const tag of message.tags) {
      if (this.#replies.settle(tag, message)) return;
    }
    if (this.#isOpening || this.#early.length > 0) this.#keepEarly(message);
    else this.#handOut(message);
  }

  /** A connection that does not come back ends what waits for it, or a loop would wait for ever. */
  async #endWithClient(): Promise<void> {
    for await (const state of this.client.states())
      if (state.state === 'failed') this.#end(state.reason, state.reason);
  }

  #end(error: Error, ofLoops: Error | undefined): void {
    this.#hasEnded = true;
    this.#answers.failAll(error);
    this.#replies.failAll(error);
    for (const feed of this.#feeds) feed.close(ofLoops);
    this.#feeds.clear();
  }

  #receiveFromServer(message: BotMessage): void {
    const presence = presenceOf(message);
    if (presence !== undefined) {
      for (const handler of this.#presenceHandlers) this.#guard(() => handler(presence));
      return;
    }
    for (const tag of message.tags) this.#answers.settle(tag, message);
  }

  #keepEarly(message: BotMessage): void {
    if (this.#early.length >= this.#waitingMessagesMax) {
      this.#early.shift();
      this.#report(
        new TobyError('TOBYMQ_TOBY_OVERFLOW', 'nobody listens to the bot, the oldest message was dropped'),
      );
    }
    this.#early.push(message);
  }

  /** Not at once: a program that sets up several handlers does so in one go. */
  #handOutEarly(): void {
    if (this.#early.length === 0) return;
    queueMicrotask(() => {
      for (const message of this.#early.splice(0)) this.#handOut(message);
    });
  }

  #handOut(message: BotMessage): void {
    const called = new Set<MessageHandler>(this.#handlers.get(ANY_TAG));
    for (const tag of message.tags) {
      for (const handler of this.#handlers.get(tag) ?? []) called.add(handler);
    }
    for (const handler of called) this.#guard(() => handler(message));
    for (const feed of this.#feeds) feed.push(message);
  }

  /** Runs a handler; what it throws or rejects with is reported and harms nothing else. */
  #guard(run: () => void | Promise<void>): void {
    try {
      Promise.resolve(run()).catch(this.#report);
    } catch (error) {
      this.#report(error);
    }
  }

  /**
   * Asks the server and resolves with its answer. `replyTo` is the `ack` that receivers of a `send` see; then the
   * server's own answer comes under the same tag, so it is told apart by its sender.
   */
  async #request(
    endpoint: Endpoint,
    fields: { readonly [key: string]: Json | undefined },
    options: CallOptions,
  ): Promise<Json> {
    const { replyTo, ...body } = fields;
    const ack = typeof replyTo === 'string' ? replyTo : `ack:${randomId()}`;
    const timeoutMs = options.timeoutMs ?? this.#requestTimeoutMs;
    // Before anything waits for the answer: what is no JSON throws here.
    const text = JSON.stringify({ ...body, ack });
    const answer = this.#answers.wait(ack, { timeoutMs, signal: options.signal, what: `"${endpoint}"` });
    const withdrawal = new AbortController();
    this.client
      .publish(requestTopic(this.id, endpoint), text, { qos: 1, signal: withdrawal.signal })
      .catch(answer.fail);
    // What the program was told to have failed must not be done once there is a connection again.
    const { payload } = await answer.message.catch((error: unknown) => {
      withdrawal.abort(error);
      throw error;
    });
    const { status, error } = (payload ?? {}) as { status?: unknown; error?: unknown };
    if (typeof status === 'number' && status >= 400) {
      throw new TobyError('TOBYMQ_TOBY_REFUSED', `${endpoint}: ${String(error)}`, status);
    }
    return payload;
  }
}
