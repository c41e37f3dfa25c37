// DISCONNECT: the client goes, and says what becomes of its Will and its session.

import type { Disconnect } from '@tobymq/codec';
import type { Connection } from '../connection/connection.ts';
import { NEVER_EXPIRES } from '../session/session.ts';
import { protocolError } from './faults.ts';

export function handleDisconnect(connection: Connection, packet: Disconnect): void {
  const { session, core } = connection;
  const expiry = packet.properties?.sessionExpiryInterval;
  if (session !== undefined && session.link === connection) {
    if (expiry !== undefined) {
      // [N44] Then the packet is not a valid DISCONNECT, and the Will is published.
      if (expiry > 0 && connection.requestedExpiry === 0) {
        throw protocolError('DISCONNECT sets a session expiry interval although CONNECT had none');
      }
      const { sessionExpiryMax } = connection.listener.settings;
      session.expiryInterval = Math.min(
        expiry,
        sessionExpiryMax,
        core.limits.sessionExpiryMax,
        NEVER_EXPIRES,
      ); // [N45]
    }
    // [MQTT-3.14.4-3]; all other codes leave the Will to be published. [N46]
    if (packet.reasonCode === 0) {
      session.will = undefined;
      session.willOwner = undefined;
    }
  }
  const reason = packet.properties?.reasonString ?? 'client disconnected';
  connection.close({ reasonCode: packet.reasonCode, reason, initiator: 'client' });
}
