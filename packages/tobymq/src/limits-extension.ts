// Limits that the broker itself does not have, as an extension of it. Each hook exists only if its limit is set, so that
// nobody pays for what is not used.

import type {
  AuthenticationAnswer,
  AuthenticationRequest,
  Broker,
  EnhancedExchange,
  Extension,
  PublishAnswer,
  PublishRequest,
} from '@tobymq/broker';
import { ReasonCode } from '@tobymq/codec';
import type { Config } from './config/schema.ts';

type Refusal = Extract<AuthenticationAnswer, { allow: false }>;

/** How often the memory of the process is looked at. */
const memoryIntervalMs = 1000;

/** Undefined when none of these limits is set. */
export function limitsExtension({ limits }: Config): Extension | undefined {
  const { sessions, memory, payloadSize, retainedExpiry } = limits;
  const isSet = [sessions, memory, payloadSize, retainedExpiry].some(Number.isFinite);
  return isSet ? new LimitsExtension(sessions, memory, payloadSize, retainedExpiry) : undefined;
}

class LimitsExtension implements Extension {
  readonly name = 'limits';
  readonly #memoryMax: number;
  #broker: Broker | undefined;
  #isMemoryFull = false;
  #timer: NodeJS.Timeout | undefined;
  readonly acceptConnection?: () => boolean;
  readonly authenticate?: (request: AuthenticationRequest) => AuthenticationAnswer;
  readonly authenticationExchange?: (
    method: string,
    request: AuthenticationRequest,
  ) => EnhancedExchange | undefined;
  readonly onPublish?: (message: PublishRequest) => PublishAnswer;

  constructor(sessionsMax: number, memoryMax: number, payloadMax: number, retainedSeconds: number) {
    this.#memoryMax = memoryMax;
    if (Number.isFinite(memoryMax)) this.acceptConnection = () => !this.#isMemoryFull;
    if (Number.isFinite(sessionsMax)) {
      this.authenticate = (request) => this.#countSessions(request, sessionsMax);
      this.authenticationExchange = (_method, request) => {
        const refusal = this.#countSessions(request, sessionsMax);
        return refusal && { step: () => refusal };
      };
    }
    if (Number.isFinite(payloadMax) || Number.isFinite(retainedSeconds)) {
      this.onPublish = (message) => boundMessage(message, payloadMax, retainedSeconds);
    }
  }

  start(broker: Broker): void {
    this.#broker = broker;
    if (!Number.isFinite(this.#memoryMax)) return;
    this.#timer = setInterval(() => {
      this.#isMemoryFull = process.memoryUsage.rss() > this.#memoryMax;
    }, memoryIntervalMs);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #countSessions({ clientId }: AuthenticationRequest, max: number): Refusal | undefined {
    const broker = this.#broker;
    if (!broker || broker.metrics.sessionsNow < max || broker.session(clientId)) return undefined;
    return { allow: false, reasonCode: ReasonCode.ServerBusy, reason: `there are ${max} sessions already` };
  }
}

function boundMessage(
  { payload, retain, properties }: PublishRequest,
  payloadMax: number,
  retainedSeconds: number,
): PublishAnswer {
  if (payload.length > payloadMax) {
    // Acknowledged and dropped, as Mosquitto does: the client could do nothing about it anyway.
    return { drop: true, reason: `the payload of ${payload.length} bytes is larger than ${payloadMax}` };
  }
  if (!retain || !Number.isFinite(retainedSeconds)) return undefined;
  const expiry = Math.min(
    properties?.messageExpiryInterval ?? Number.POSITIVE_INFINITY,
    Math.max(1, Math.floor(retainedSeconds)),
  );
  return { properties: { ...properties, messageExpiryInterval: expiry } };
}
