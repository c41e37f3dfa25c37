// Calls the extensions: in order, with their answers at once or later, and with their faults contained.
//
// One set of hooks serves the clients of one listener: the listener's own extensions first, then the broker's. The lists
// are made once, so that what nobody asks for costs the hot path one comparison with an empty array. A hook that throws
// or rejects is counted and reported, and denies.

import type { QoS } from '@tobymq/codec';
import { checkTopicName, matches } from '@tobymq/codec';
import { rawProperties } from './delivery/raw-properties.ts';
import { topicInvalid } from './errors.ts';
import type {
  AuthenticationAnswer,
  AuthenticationRequest,
  AuthorizationAnswer,
  ClientInfo,
  DisconnectInfo,
  DropInfo,
  EnhancedExchange,
  Extension,
  MaybePromise,
  PublishAnswer,
  PublishRequest,
  SessionEndReason,
  SubscribeRequest,
} from './extension.ts';

/** How a fault of an extension is reported. */
export type ReportFault = (extension: string, hook: string, error: unknown) => void;

/** An authorization answer with everything filled in. */
export interface Decision {
  readonly isAllowed: boolean;
  readonly qosMax: QoS;
  readonly reasonCode: number;
  readonly reason: string | undefined;
  readonly isCacheable: boolean;
}

/** What is asked of nobody, and what nobody has an opinion on, is allowed. */
export const ALLOWED: Decision = {
  isAllowed: true,
  qosMax: 2,
  reasonCode: 0,
  reason: undefined,
  isCacheable: true,
};

/** Nobody may answer for a hook that failed, so the question is denied. */
const FAILED: Decision = {
  isAllowed: false,
  qosMax: 0,
  reasonCode: 0x83,
  reason: 'a rule could not be evaluated',
  isCacheable: false,
};

/** A message after all hooks have seen it. */
export type PublishVerdict =
  | { readonly message: PublishRequest }
  | {
      readonly dropped: true;
      readonly isHandled: boolean;
      readonly reasonCode: number;
      readonly reason: string | undefined;
    };

type With<K extends keyof Extension> = Extension & Required<Pick<Extension, K>>;

export class Hooks {
  readonly #extensions: readonly Extension[];
  readonly #report: ReportFault;
  readonly #authenticators: readonly With<'authenticate'>[];
  readonly #publishRules: readonly With<'authorizePublish'>[];
  readonly #subscribeRules: readonly With<'authorizeSubscribe'>[];
  readonly #deliveryRules: readonly With<'authorizeDelivery'>[];
  readonly #publishHooks: readonly With<'onPublish'>[];
  readonly hasPublishRules: boolean;
  readonly hasDeliveryRules: boolean;

  constructor(extensions: readonly Extension[], report: ReportFault) {
    this.#extensions = extensions;
    this.#report = report;
    this.#authenticators = extensions.filter((e): e is With<'authenticate'> => e.authenticate !== undefined);
    this.#publishRules = extensions.filter(
      (e): e is With<'authorizePublish'> => e.authorizePublish !== undefined,
    );
    this.#subscribeRules = extensions.filter(
      (e): e is With<'authorizeSubscribe'> => e.authorizeSubscribe !== undefined,
    );
    this.#deliveryRules = extensions.filter(
      (e): e is With<'authorizeDelivery'> => e.authorizeDelivery !== undefined,
    );
    this.#publishHooks = extensions.filter((e): e is With<'onPublish'> => e.onPublish !== undefined);
    this.hasPublishRules = this.#publishRules.length > 0;
    this.hasDeliveryRules = this.#deliveryRules.length > 0;
  }

  /** May this address connect at all? */
  accepts(remoteAddress: string, listener: string): boolean {
    for (const extension of this.#extensions) {
      if (extension.acceptConnection === undefined) continue;
      try {
        if (!extension.acceptConnection(remoteAddress, listener)) return false;
      } catch (error) {
        this.#report(extension.name, 'acceptConnection', error);
        return false;
      }
    }
    return true;
  }

  /** The first answer counts; nobody's answer is a refusal. Without an authenticator everybody may come in. */
  authenticate(request: AuthenticationRequest): MaybePromise<Exclude<AuthenticationAnswer, undefined>> {
    if (this.#authenticators.length === 0) return { allow: true };
    const denied: AuthenticationAnswer = { allow: false, reason: 'no authenticator accepts this client' };
    const failed: AuthenticationAnswer = { allow: false, reason: 'an authenticator failed' };
    return this.#first<With<'authenticate'>, Exclude<AuthenticationAnswer, undefined>>(
      this.#authenticators,
      'authenticate',
      (extension) => extension.authenticate(request),
      denied,
      failed,
    );
  }

  /** Starts an exchange of enhanced authentication; undefined if no extension knows the method. */
  exchange(method: string, request: AuthenticationRequest): EnhancedExchange | undefined {
    for (const extension of this.#extensions) {
      try {
        const exchange = extension.authenticationExchange?.(method, request);
        if (exchange !== undefined) return exchange;
      } catch (error) {
        this.#report(extension.name, 'authenticationExchange', error);
        return undefined;
      }
    }
    return undefined;
  }

  mayPublish(client: ClientInfo, request: PublishRequest): MaybePromise<Decision> {
    const ask = (extension: With<'authorizePublish'>) => decide(extension.authorizePublish(client, request));
    return this.#first(this.#publishRules, 'authorizePublish', ask, ALLOWED, FAILED);
  }

  maySubscribe(client: ClientInfo, request: SubscribeRequest): MaybePromise<Decision> {
    const ask = (extension: With<'authorizeSubscribe'>) =>
      decide(extension.authorizeSubscribe(client, request));
    return this.#first(this.#subscribeRules, 'authorizeSubscribe', ask, ALLOWED, FAILED);
  }

  mayReceive(client: ClientInfo, topic: string): Decision {
    for (const extension of this.#deliveryRules) {
      try {
        const answer = extension.authorizeDelivery(client, topic);
        if (answer !== undefined) return decision(answer);
      } catch (error) {
        this.#report(extension.name, 'authorizeDelivery', error);
        return FAILED;
      }
    }
    return ALLOWED;
  }

  /** The extensions that want to see messages of this topic. */
  publishHooksFor(topic: string): readonly With<'onPublish'>[] {
    if (this.#publishHooks.length === 0) return this.#publishHooks;
    return this.#publishHooks.filter(
      ({ publishFilters }) => publishFilters?.some((filter) => matches(filter, topic)) ?? true,
    );
  }

  /** Shows a message to the hooks one after the other; each sees what the one before made of it. */
  onPublish(
    hooks: readonly With<'onPublish'>[],
    message: PublishRequest,
    client: ClientInfo | undefined,
    index = 0,
  ): MaybePromise<PublishVerdict> {
    for (let i = index; i < hooks.length; i++) {
      const extension = hooks[i]!;
      let answer: MaybePromise<PublishAnswer>;
      try {
        answer = extension.onPublish(message, client);
      } catch (error) {
        return this.#failedPublish(extension, error);
      }
      if (isPromise(answer)) {
        const seen = message;
        return answer
          .then((late) => apply(seen, late))
          .then(
            (verdict) =>
              'dropped' in verdict ? verdict : this.onPublish(hooks, verdict.message, client, i + 1),
            (error: unknown) => this.#failedPublish(extension, error),
          );
      }
      let verdict: PublishVerdict;
      try {
        verdict = apply(message, answer);
      } catch (error) {
        return this.#failedPublish(extension, error);
      }
      if ('dropped' in verdict) return verdict;
      message = verdict.message;
    }
    return { message };
  }

  connected(client: ClientInfo, sessionPresent: boolean): void {
    this.#tell('onConnected', (extension) => extension.onConnected?.(client, sessionPresent));
  }

  disconnected(client: ClientInfo, info: DisconnectInfo): void {
    this.#tell('onDisconnected', (extension) => extension.onDisconnected?.(client, info));
  }

  refused(request: AuthenticationRequest, reasonCode: number, reason: string): void {
    this.#tell('onRefused', (extension) => extension.onRefused?.(request, reasonCode, reason));
  }

  subscribed(client: ClientInfo, filter: string, qos: QoS): void {
    this.#tell('onSubscribed', (extension) => extension.onSubscribed?.(client, filter, qos));
  }

  unsubscribed(client: ClientInfo, filter: string): void {
    this.#tell('onUnsubscribed', (extension) => extension.onUnsubscribed?.(client, filter));
  }

  sessionEnded(clientId: string, reason: SessionEndReason): void {
    this.#tell('onSessionEnded', (extension) => extension.onSessionEnded?.(clientId, reason));
  }

  dropped(info: DropInfo): void {
    this.#tell('onDropped', (extension) => extension.onDropped?.(info));
  }

  #tell(hook: string, call: (extension: Extension) => unknown): void {
    for (const extension of this.#extensions) {
      try {
        reportLate(call(extension), (error) => this.#report(extension.name, hook, error));
      } catch (error) {
        this.#report(extension.name, hook, error);
      }
    }
  }

  #failedPublish(extension: Extension, error: unknown): PublishVerdict {
    this.#report(extension.name, 'onPublish', error);
    return { dropped: true, isHandled: false, reasonCode: 0x83, reason: 'an extension failed' };
  }

  /** Asks one after the other until one answers. */
  #first<E extends Extension, T>(
    extensions: readonly E[],
    hook: string,
    ask: (extension: E) => MaybePromise<T | undefined>,
    nobody: T,
    failed: T,
    index = 0,
  ): MaybePromise<T> {
    for (let i = index; i < extensions.length; i++) {
      const extension = extensions[i]!;
      let answer: MaybePromise<T | undefined>;
      try {
        answer = ask(extension);
      } catch (error) {
        this.#report(extension.name, hook, error);
        return failed;
      }
      if (isPromise(answer)) {
        return answer.then(
          (late) => late ?? this.#first(extensions, hook, ask, nobody, failed, i + 1),
          (error: unknown) => {
            this.#report(extension.name, hook, error);
            return failed;
          },
        );
      }
      if (answer !== undefined) return answer;
    }
    return nobody;
  }
}

export function isPromise<T>(value: MaybePromise<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && 'then' in value;
}

/** Nobody waits for what is only told of something, but an async function can do it too, and fail later. */
export function reportLate(answer: unknown, report: (error: unknown) => void): void {
  if (isPromise(answer)) answer.then(undefined, report);
}

function decide(answer: MaybePromise<AuthorizationAnswer>): MaybePromise<Decision | undefined> {
  if (isPromise(answer)) return answer.then((late) => (late === undefined ? undefined : decision(late)));
  return answer === undefined ? undefined : decision(answer);
}

const DENIED: Decision = {
  isAllowed: false,
  qosMax: 0,
  reasonCode: 0x87,
  reason: undefined,
  isCacheable: true,
};

function decision(answer: Exclude<AuthorizationAnswer, undefined>): Decision {
  if (answer === true) return ALLOWED;
  if (answer === false) return DENIED;
  return {
    isAllowed: answer.allow,
    qosMax: answer.qosMax ?? 2,
    reasonCode: answer.allow ? 0 : (answer.reasonCode ?? 0x87),
    reason: answer.reason,
    isCacheable: answer.cache !== false,
  };
}

/** Throws for what subscribers could not be sent: a topic like that would end all their connections. */
function apply(message: PublishRequest, answer: PublishAnswer): PublishVerdict {
  if (answer === undefined) return { message };
  if (answer.drop === true) {
    const { isHandled = false, reasonCode = 0, reason } = answer;
    return { dropped: true, isHandled, reasonCode, reason };
  }
  const { topic, payload, qos, retain } = answer;
  if (topic !== undefined) {
    const problem = checkTopicName(topic);
    if (problem !== undefined) throw topicInvalid('topic', topic, problem);
  }
  if (answer.properties !== message.properties) rawProperties(answer.properties);
  return {
    message: {
      topic: topic ?? message.topic,
      payload: payload ?? message.payload,
      qos: qos ?? message.qos,
      retain: retain ?? message.retain,
      properties: 'properties' in answer ? answer.properties : message.properties,
    },
  };
}
