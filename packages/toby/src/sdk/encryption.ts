// End-to-end encryption over a connected bot. The owner runs a KeyAuthority: it certifies the keys of its bots and tells
// every bot about them under one tag. Each bot opens an EncryptedBot: it asks for its certificate, learns those of the others,
// and sends and receives payloads that the server cannot read.
//
//   bot    ── {tobyKeyRequest}  ──▶ owner          (a bot's messages always reach its owner)
//   owner  ── {tobyCertificates} ─▶ toby:keys      (followed by every EncryptedBot)
//   bot    ── envelope ───────────▶ any tag

import {
  type Certificate,
  certify,
  type EnrolmentRequest,
  requestEnrolment,
  requestRotation,
  revoke,
} from '../e2e/certificate.ts';
import { KeyDirectory } from '../e2e/directory.ts';
import { isEnvelope, open, seal } from '../e2e/envelope.ts';
import { EncryptionError } from '../e2e/errors.ts';
import { generateIdentity, type Identity } from '../e2e/keys.ts';
import { ReplayGuard } from '../e2e/replay.ts';
import type { BotMessage, Json } from '../protocol.ts';
import type { Bot, CallOptions, Registration } from './bot.ts';
import { TobyError } from './errors.ts';

/** How many messages are kept for the first handler. */
const EARLY_MAX = 10_000;

/** The tag under which certificates travel. */
export const KEYS_TAG = 'toby:keys';

export interface KeyAuthorityOptions {
  /** The owner's keys; `identity.publicKeys.sign` is what bots have to know. */
  readonly identity: Identity;
  /** The enrolment code that was handed over when the bot was set up; undefined for bots that may not enrol. */
  readonly codeOf: (botId: string) => string | undefined;
  /**
   * All certificates issued before, from wherever the program keeps them. Bots believe none with a lower serial number
   * than they know, and without the old ones nobody can tell which keys were replaced or withdrawn.
   */
  readonly certificates?: readonly Certificate[] | undefined;
  /** Called for each new certificate, so that the program can keep it. */
  readonly onIssued?: ((certificate: Certificate) => void) | undefined;
  /** Told about requests that were refused. */
  readonly onRefused?: ((botId: string, error: unknown) => void) | undefined;
}

/**
 * The owner's side: certifies keys of its bots.
 *
 * @example
 * const identity = await generateIdentity('ana');
 * new KeyAuthority(ana, { identity, codeOf: (id) => codes.get(id) });
 */
export class KeyAuthority {
  readonly #bot: Bot;
  readonly #options: KeyAuthorityOptions;
  readonly #issued = new Map<string, Certificate>();
  /** By bot: the ids of keys that others have taken the place of. */
  readonly #replaced = new Map<string, Set<string>>();
  readonly #registration: Registration;
  /** One certificate is made after the other: two at once would have one serial number, and bots keep the first. */
  #signed: Promise<unknown> = Promise.resolve();

  constructor(bot: Bot, options: KeyAuthorityOptions) {
    this.#bot = bot;
    this.#options = options;
    for (const certificate of options.certificates ?? []) this.#remember(certificate);
    this.#registration = bot.on((message) => this.#receive(message));
  }

  /** Withdraws the keys of a bot and tells all others. */
  async revoke(botId: string): Promise<void> {
    await this.#issue(() => {
      const current = this.#issued.get(botId);
      if (current === undefined) {
        throw new EncryptionError('TOBYMQ_KEY_UNKNOWN', `no key of "${botId}" was ever certified`);
      }
      return revoke(this.#options.identity, current, Date.now());
    });
  }

  close(): void {
    this.#registration.remove();
  }

  async #receive(message: BotMessage): Promise<void> {
    const request = fieldOf(message.payload, 'tobyKeyRequest') as EnrolmentRequest | undefined;
    if (request === undefined) return;
    try {
      const { botId } = request;
      await this.#issue(() => {
        const trust = {
          code: this.#options.codeOf(botId),
          current: this.#issued.get(botId),
          replaced: this.#replaced.get(botId),
        };
        return certify(this.#options.identity, request, trust, Date.now());
      });
    } catch (error) {
      this.#options.onRefused?.(message.from, error);
    }
  }

  async #issue(sign: () => Promise<Certificate>): Promise<void> {
    const signed = this.#signed.then(async () => {
      const next = await sign();
      this.#remember(next);
      return next;
    });
    this.#signed = signed.catch(() => undefined);
    const certificate = await signed;
    this.#options.onIssued?.(certificate);
    // All of them, because the newcomer knows none yet.
    const tobyCertificates = [...this.#issued.values()] as unknown as Json;
    await this.#bot.send({ tobyCertificates }, [KEYS_TAG]);
  }

  #remember(certificate: Certificate): void {
    const { botId } = certificate;
    const known = this.#issued.get(botId);
    const isNewer = known === undefined || certificate.serial > known.serial;
    if (isNewer) this.#issued.set(botId, certificate);
    const before = isNewer ? known : certificate;
    if (before === undefined) return;
    const replaced = this.#replaced.get(botId) ?? new Set<string>();
    this.#replaced.set(botId, replaced.add(before.publicKeys.keyId));
  }
}

export interface EncryptedBotOptions extends CallOptions {
  readonly identity: Identity;
  /** The owner's signing key, known from the day the bot was set up: the root of all trust. */
  readonly ownerSignKey: string;
  /** The enrolment code from the owner. */
  readonly code: string;
  /**
   * The certificates that were learned before, from wherever the program keeps them: none with a lower serial number is
   * believed. Without them a bot that was started again can be told that withdrawn keys are valid.
   */
  readonly certificates?: readonly Certificate[] | undefined;
  /** Called for each certificate that is news, so that the program can keep it. */
  readonly onLearned?: ((certificate: Certificate) => void) | undefined;
  /** Told about messages that could not be opened: unknown keys, wrong signatures, repetitions. */
  readonly onError: (error: unknown, message: BotMessage) => void;
}

interface EarlyMessage {
  readonly handOut: () => void;
  readonly drop: (error: TobyError) => void;
}

export type OpenedHandler = (payload: Json, message: BotMessage) => void | Promise<void>;

/**
 * A bot whose payloads the server cannot read.
 *
 * @example
 * const lamp = await EncryptedBot.open(bot, { identity, ownerSignKey, code, onError: console.error });
 * lamp.on((payload, message) => console.log(message.from, payload));
 * await lamp.send({ on: true }, ['#light'], { to: ['switch'] });
 */
export class EncryptedBot {
  readonly bot: Bot;
  readonly directory: KeyDirectory;
  readonly #options: EncryptedBotOptions;
  readonly #replay = new ReplayGuard(Date.now);
  readonly #handlers = new Set<OpenedHandler>();
  readonly #arrivals = new Set<() => void>();
  readonly #registration: Registration;
  /** Payloads are sealed one after the other, because two at once may be ready in any order. */
  #sealed: Promise<unknown> = Promise.resolve();
  /** So are messages opened: what comes behind a certificate may need it. */
  #opened: Promise<unknown> = Promise.resolve();
  /** Messages that came before the program can have a handler, kept for the first one. */
  readonly #early: EarlyMessage[] = [];
  #isOpening = true;
  /** The certified identity first, the one before it, and those whose rotation the owner has not answered yet. */
  #identities: readonly Identity[];

  private constructor(bot: Bot, options: EncryptedBotOptions) {
    this.bot = bot;
    this.#options = options;
    this.#identities = [options.identity];
    this.directory = new KeyDirectory(options.ownerSignKey, Date.now);
    this.#registration = bot.on((message) => this.#receive(message));
  }

  /** Resolves when the owner has certified this bot's keys; the owner has to be online for that. */
  static async open(bot: Bot, options: EncryptedBotOptions): Promise<EncryptedBot> {
    const encrypted = new EncryptedBot(bot, options);
    try {
      for (const certificate of options.certificates ?? []) await encrypted.directory.add(certificate);
      await bot.follow([KEYS_TAG], options);
      await encrypted.#enrol(await requestEnrolment(options.identity, options.code), options);
      encrypted.#isOpening = false;
      return encrypted;
    } catch (error) {
      // The bot lives on, and whoever tries again would hear of each message twice.
      encrypted.close();
      throw error;
    }
  }

  /** Calls the handler with each opened payload. */
  on(handler: OpenedHandler): Registration {
    this.#handlers.add(handler);
    for (const { handOut } of this.#early.splice(0)) handOut();
    return { remove: () => void this.#handlers.delete(handler) };
  }

  /** Seals for the bots named in `to`, or for every bot whose key is known, and sends to the tags. */
  async send(
    payload: Json,
    tags: readonly string[],
    options: CallOptions & { readonly to?: readonly string[] } = {},
  ): Promise<void> {
    const to = options.to ?? this.directory.botIds().filter((id) => id !== this.bot.id);
    const recipients = to.map((id) => this.directory.recipient(id));
    const sealed = this.#sealed.then(() =>
      seal(this.#identities[0] as Identity, recipients, payload, Date.now()),
    );
    this.#sealed = sealed.catch(() => undefined);
    await this.bot.send((await sealed) as unknown as Json, tags, options);
  }

  /** Replaces this bot's keys by new ones and returns them, to be kept. Messages under way are still opened. */
  async rotate(options: CallOptions = {}): Promise<Identity> {
    const old = this.#identities[0] as Identity;
    const next = await generateIdentity(this.bot.id);
    // Known before the certificate is out, because others may use it before we hear of it: later than we wait, perhaps.
    this.#identities = [...this.#identities, next];
    await this.#enrol(await requestRotation(old, next), options);
    return next;
  }

  close(): void {
    this.#registration.remove();
    const error = new TobyError('TOBYMQ_TOBY_CLOSED', `the encryption of "${this.bot.id}" was closed`);
    for (const { drop } of this.#early.splice(0)) drop(error);
  }

  async #enrol(request: EnrolmentRequest, options: CallOptions): Promise<void> {
    const { keyId } = request.publicKeys;
    const certified = this.#arrival(() => this.#knows(keyId), options.timeoutMs ?? 10_000);
    await Promise.all([
      certified,
      this.bot.send({ tobyKeyRequest: request as unknown as Json }, [], options),
    ]);
  }

  #knows(keyId: string): boolean {
    const certificates = this.directory.certificates();
    return certificates.some(({ publicKeys, revoked }) => publicKeys.keyId === keyId && !revoked);
  }

  /** Resolves when a condition holds after certificates arrived. */
  #arrival(condition: () => boolean, timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void): void => {
        clearTimeout(timer);
        this.#arrivals.delete(check);
        settle();
      };
      const check = (): void => {
        if (condition()) finish(resolve);
      };
      const timer = setTimeout(() => {
        const message = `the owner of "${this.bot.id}" did not certify its key within ${timeoutMs} ms`;
        finish(() => reject(new TobyError('TOBYMQ_TOBY_TIMEOUT', message)));
      }, timeoutMs);
      this.#arrivals.add(check);
    });
  }

  async #receive(message: BotMessage): Promise<void> {
    try {
      if (isEnvelope(message.payload) && (this.#isOpening || this.#early.length > 0)) await this.#handler();
      const opened = this.#opened.then(() => this.#open(message));
      // The next message waits for this one to be opened, and not for its handlers, which may wait for messages themselves.
      this.#opened = opened.catch(() => undefined);
      const payload = await opened;
      if (payload === undefined) return;
      for (const handler of this.#handlers) await handler(payload, message);
    } catch (error) {
      this.#options.onError(error, message);
    }
  }

  /**
   * Resolves when the program has a handler. What has waited on the server comes before that, and before the
   * certificates that it takes to open it.
   */
  #handler(): Promise<void> {
    if (this.#early.length >= EARLY_MAX) {
      const reason = 'nobody listens to the encrypted bot, the oldest message was dropped';
      this.#early.shift()?.drop(new TobyError('TOBYMQ_TOBY_OVERFLOW', reason));
    }
    return new Promise((handOut, drop) => this.#early.push({ handOut, drop }));
  }

  /** Learns certificates, or opens an envelope and returns what is in it. */
  async #open({ from, payload }: BotMessage): Promise<Json | undefined> {
    const certificates = fieldOf(payload, 'tobyCertificates') as Certificate[] | undefined;
    if (Array.isArray(certificates)) {
      await this.#learn(certificates);
      return undefined;
    }
    if (!isEnvelope(payload)) return undefined;
    // Handlers are told who sent it by the server, and believe it because the sender has signed.
    if (payload.from !== from) {
      const message = `a message of "${payload.from}" was delivered as one of "${from}"`;
      throw new EncryptionError('TOBYMQ_SIGNATURE_INVALID', message);
    }
    const opened = await open(this.#identities, this.directory, payload);
    this.#replay.check(payload);
    return opened;
  }

  async #learn(certificates: readonly Certificate[]): Promise<void> {
    for (const certificate of certificates) {
      if (await this.directory.add(certificate)) this.#options.onLearned?.(certificate);
    }
    this.#useCertified();
    for (const check of [...this.#arrivals]) check();
  }

  /** Whatever the owner has certified last is what others believe and seal for. */
  #useCertified(): void {
    const certified = this.#identities.findIndex(({ publicKeys }) => this.#isCurrent(publicKeys.keyId));
    if (certified <= 0) return;
    const [before] = this.#identities as readonly [Identity, ...Identity[]];
    const [next, ...later] = this.#identities.slice(certified) as [Identity, ...Identity[]];
    this.#identities = [next, before, ...later];
  }

  #isCurrent(keyId: string): boolean {
    const own = this.directory.certificates().find(({ botId }) => botId === this.bot.id);
    return own?.publicKeys.keyId === keyId;
  }
}

function fieldOf(payload: Json, name: string): unknown {
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) return undefined;
  return (payload as Readonly<Record<string, unknown>>)[name];
}
