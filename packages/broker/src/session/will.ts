// The Will of a client: kept with its session, published when the connection ends other than by DISCONNECT 0x00.

import type { Connect } from '@tobymq/codec';
import type { Core } from '../core.ts';
import { publishRequest } from '../delivery/publish-request.ts';
import { rawProperties } from '../delivery/raw-properties.ts';
import type { ClientInfo } from '../extension.ts';
import type { ListenerState } from '../listener-state.ts';
import type { StoredWill } from '../store/store.ts';
import { scheduleSession } from './expiry.ts';
import type { Session } from './session.ts';

/** Who connected with a Will, and by which listener, for the rules that decide whether it may be published. */
export interface WillOwner {
  readonly client: ClientInfo;
  /** Not known for a Will that was loaded from the store. */
  readonly listener: ListenerState | undefined;
}

/** The Will of a CONNECT in the form in which it is kept. */
export function keptWill(connect: Connect, mountPoint: string): StoredWill | undefined {
  const { will } = connect;
  if (will === undefined) return undefined;
  return {
    topic: mountPoint + will.topic,
    payload: will.payload,
    qos: will.qos,
    retain: will.retain,
    properties: rawProperties(will.properties),
    messageExpiryInterval: will.properties?.messageExpiryInterval ?? -1,
    delayInterval: will.properties?.willDelayInterval ?? 0,
  };
}

/** The connection is gone: publishes the Will, or sets the time for it. [MQTT-3.1.2-8] */
export function willIsDue(core: Core, session: Session): void {
  const { will } = session;
  if (will === undefined) return;
  // The end of the session is the latest time for it.
  const delaySeconds = Math.min(will.delayInterval, session.expiryInterval);
  if (delaySeconds === 0) {
    core.publishWill(session);
    return;
  }
  session.willDueAt = session.disconnectedAt + delaySeconds * 1000;
  scheduleSession(session);
}

/** Publishes the Will of a session, once. [MQTT-3.1.2-10] */
export async function publishWill(core: Core, session: Session): Promise<void> {
  const { will, willOwner } = session;
  if (will === undefined) return;
  session.will = undefined;
  session.willOwner = undefined;
  session.willDueAt = 0;
  const { topic, payload, qos, retain, properties } = will;
  const expirySeconds = will.messageExpiryInterval;
  const message = { topic, payload, qos, retain, properties, expirySeconds };
  const hooks = willOwner?.listener?.hooks ?? core.hooks;
  try {
    await publishRequest(core, message, session, willOwner?.client, hooks);
  } finally {
    // Not before: if the process ends while a rule thinks about it, it is published after the next start.
    if (session.isPersistent && !session.hasEnded) {
      core.store.putSession(session.toStored());
      core.gate.touch();
    }
  }
}
