// PUBLISH for which rules or hooks have to be asked first. Their answers may take time and may change the message, so it
// is an object of its own here, and reading from this client is suspended until they have answered.

import type { Connection } from '../connection/connection.ts';
import type { KnownTopic } from '../connection/topic-cache.ts';
import { fromRequest, type RawMessage, routeRaw } from '../delivery/publish-request.ts';
import { keptBytes } from '../delivery/sizes.ts';
import type { MaybePromise, PublishRequest } from '../extension.ts';
import { type Decision, isPromise, type PublishVerdict } from '../hooks.ts';
import { acknowledgePublish, answerRefused, refusePublish } from './acknowledge-publish.ts';

/** A message that waits for answers. */
export interface PendingPublish {
  readonly request: PublishRequest;
  readonly raw: RawMessage;
  readonly packetId: number;
}

/** Goes on with rules (if they have not answered yet) and hooks. */
export function finishLater(
  connection: Connection,
  known: KnownTopic,
  pending: PendingPublish,
  answer: Promise<Decision> | undefined,
): Promise<void> | undefined {
  if (answer === undefined) return showHooks(connection, known, pending);
  return answer.then((decision) => {
    if (connection.state !== 'connected') return undefined;
    if (decision.isCacheable) known.decision = decision;
    if (!decision.isAllowed) {
      refusePublish(connection, known.topic, pending.raw.qos, pending.packetId, decision);
      return undefined;
    }
    return showHooks(connection, known, pending);
  });
}

function showHooks(
  connection: Connection,
  known: KnownTopic,
  pending: PendingPublish,
): Promise<void> | undefined {
  const verdict: MaybePromise<PublishVerdict> = connection.listener.hooks.onPublish(
    known.hooks,
    pending.request,
    connection.client,
  );
  if (isPromise(verdict)) return verdict.then((late) => finish(connection, pending, late));
  return finish(connection, pending, verdict);
}

function finish(
  connection: Connection,
  pending: PendingPublish,
  verdict: PublishVerdict,
): Promise<void> | undefined {
  const { core, session, client } = connection;
  const { raw, packetId, request } = pending;
  if ('dropped' in verdict) {
    if (!verdict.isHandled) core.dropped('hook', raw.topic, client?.clientId ?? '');
    if (connection.state === 'connected') {
      answerRefused(connection, raw.qos, packetId, verdict.reasonCode, verdict.reason);
    }
    return undefined;
  }
  // A client that has lost its connection sends a QoS 2 message again in the same session: routed now, it would be
  // delivered twice. [MQTT-4.3.3-10]
  if (raw.qos === 2 && connection.state !== 'connected' && session?.hasEnded === false) return undefined;
  const message = verdict.message === request ? raw : fromRequest(verdict.message);
  const { matched, isWritten, forwarded } = routeRaw(core, message, client?.clientId ?? '', session);
  if (connection.state !== 'connected' || raw.qos === 0) return undefined;
  const bytes = keptBytes(message);
  return acknowledgePublish(connection, raw.qos, packetId, matched, isWritten, bytes, forwarded);
}
