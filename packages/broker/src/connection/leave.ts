// What happens when a client goes: its Will, its session, the counters, and the news to whoever watches.

import { scheduleSession } from '../session/expiry.ts';
import { willIsDue } from '../session/will.ts';
import type { CloseReason } from './close.ts';
import type { Connection } from './connection.ts';
import { forgetCredentials } from './credentials.ts';

export function leave(
  connection: Connection,
  wasConnected: boolean,
  wasWelcomed: boolean,
  reason: CloseReason,
): void {
  const { core, session, client } = connection;
  if (session !== undefined && (session.link === connection || session.pending === connection)) {
    // What came by a shared subscription has to be known when the session ends.
    const outbound = session.outbound;
    session.detach();
    if (session.expiryInterval === 0) session.outbound = outbound;
    if (session.isPersistent) {
      core.store.putSession(session.toStored());
      core.gate.touch();
    }
    willIsDue(core, session);
    // [MQTT-4.1.0-2]
    if (session.expiryInterval === 0) core.sessions.end(session, 'disconnected');
    else scheduleSession(session);
  }
  connection.authentication = undefined;
  forgetCredentials(connection);
  if (!wasConnected || client === undefined) return;
  core.metrics.connectionsNow--;
  if (wasWelcomed) connection.listener.hooks.disconnected(client, reason);
  const { reasonCode, initiator } = reason;
  core.logger.log('info', 'client-disconnected', {
    clientId: client.clientId,
    address: client.remoteAddress,
    port: client.remotePort,
    listener: client.listener,
    reasonCode,
    reason: reason.reason,
    initiator,
  });
}
