// Publishes a message that does not come as a packet on a connection: from the program itself, a Will, or a message that
// a hook has changed. The same rules and hooks are asked, in the same order.

import type { QoS } from '@tobymq/codec';
import { passOn } from '../bus/pass-on.ts';
import type { Core } from '../core.ts';
import type { ClientInfo, PublishRequest } from '../extension.ts';
import type { Hooks } from '../hooks.ts';
import { isSysTopic } from '../routing/levels.ts';
import type { Session } from '../session/session.ts';
import { propertiesObject, rawProperties } from './raw-properties.ts';
import { routeMessage } from './route-message.ts';

/** A message in the form in which it is kept and forwarded. */
export interface RawMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly properties: Uint8Array | undefined;
  /** -1 when it never expires. */
  readonly expirySeconds: number;
}

/** What became of a published message. */
export interface PublishOutcome {
  /** How many sessions got a copy, in their queue or on their connection. */
  readonly matched: number;
  /** Whether the store has to commit before this may be acknowledged. */
  readonly isWritten: boolean;
  /** 0, or why it was not routed. */
  readonly reasonCode: number;
  /** Resolves when other brokers have it; acknowledge no earlier. */
  readonly forwarded: Promise<void> | undefined;
}

const NOT_ROUTED = { matched: 0, isWritten: false, forwarded: undefined } as const;

/** Asks rules (if there is a client to ask them about) and hooks, then routes. */
export async function publishRequest(
  core: Core,
  message: RawMessage,
  publisher: Session | undefined,
  client: ClientInfo | undefined,
  hooks: Hooks = core.hooks,
): Promise<PublishOutcome> {
  let request: PublishRequest | undefined;
  if (client !== undefined && isSysTopic(message.topic)) return refuse(core, message, client, 0x87);
  if (client !== undefined && hooks.hasPublishRules) {
    request = toRequest(message);
    const decision = await hooks.mayPublish(client, request);
    if (!decision.isAllowed) return refuse(core, message, client, decision.reasonCode);
  }
  const interested = hooks.publishHooksFor(message.topic);
  if (interested.length > 0) {
    request ??= toRequest(message);
    const verdict = await hooks.onPublish(interested, request, client);
    if ('dropped' in verdict) {
      if (!verdict.isHandled) core.dropped('hook', message.topic, publisher?.clientId ?? '');
      return { ...NOT_ROUTED, reasonCode: verdict.reasonCode };
    }
    if (verdict.message !== request) message = fromRequest(verdict.message);
  }
  return routeRaw(core, message, publisher?.clientId ?? client?.clientId ?? '', publisher);
}

function refuse(core: Core, message: RawMessage, client: ClientInfo, reasonCode: number): PublishOutcome {
  core.metrics.publishRefusedNotAuthorized++;
  core.dropped('not-authorized', message.topic, client.clientId);
  return { ...NOT_ROUTED, reasonCode };
}

/** Routes a message without asking anybody. */
export function routeRaw(
  core: Core,
  raw: RawMessage,
  publisherId: string,
  publisher: Session | undefined,
): PublishOutcome {
  const now = core.clock.now();
  const message = core.borrowMessage();
  message.begin(raw.topic, undefined, raw.qos, raw.retain);
  message.payloadBytes = raw.payload;
  message.payloadStart = 0;
  message.payloadEnd = raw.payload.length;
  // What is retained gets memory of its own, not the part of a larger buffer that `Buffer.from` makes of a text.
  message.ownsPayload = !raw.retain || raw.payload.length === raw.payload.buffer.byteLength;
  message.propertiesBytes = raw.properties ?? NO_BYTES;
  message.propertiesStart = 0;
  message.propertiesEnd = message.propertiesBytes.length;
  message.publishedAt = now;
  message.publisherId = publisherId;
  if (raw.expirySeconds >= 0) {
    message.expiryInterval = raw.expirySeconds;
    message.expiresAt = now + raw.expirySeconds * 1000;
  }
  if (raw.retain && core.retained.retain(message)) message.isWritten = true;
  const matched = routeMessage(core, message, publisher);
  const isWritten = message.isWritten && core.store.durable;
  const forwarded = passOn(core, message);
  core.returnMessage(message);
  return { matched, isWritten, reasonCode: 0, forwarded };
}

export function toRequest(message: RawMessage): PublishRequest {
  const { topic, payload, qos, retain } = message;
  return {
    topic,
    payload,
    qos,
    retain,
    properties: propertiesObject(message.properties, message.expirySeconds),
  };
}

export function fromRequest(request: PublishRequest): RawMessage {
  const { topic, payload, qos, retain, properties } = request;
  const expirySeconds = properties?.messageExpiryInterval ?? -1;
  return { topic, payload, qos, retain, properties: rawProperties(properties), expirySeconds };
}

const NO_BYTES = new Uint8Array(0);
