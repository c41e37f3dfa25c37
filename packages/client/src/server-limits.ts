// What the server accepts, as its CONNACK says, and the check of a message against it. A message beyond a limit fails
// with a typed error before it is sent; sent it would cost the connection.

import { type ConnackProperties, type QoS, ReasonCode } from '@tobymq/codec';
import { ClientError, hex } from './errors.ts';

/** What a CONNACK says of the server's limits when it says nothing. */
const unlimited = {
  receiveMaximum: 65_535,
  maximumPacketSize: 268_435_460,
  maximumQoS: 2 as QoS,
  retainAvailable: true,
  topicAliasMaximum: 0,
  wildcardSubscriptionAvailable: true,
  subscriptionIdentifierAvailable: true,
  sharedSubscriptionAvailable: true,
};

/** The server's limits for this connection. */
export type ServerLimits = Readonly<typeof unlimited>;

/** The limits of a CONNACK; before 5.0 there are none to be told, and no subscription identifiers. */
export function limitsOf(properties: ConnackProperties | undefined, version: number): ServerLimits {
  const limits = { ...unlimited, ...(properties as Partial<ServerLimits> | undefined) };
  return version === 5 ? limits : { ...limits, subscriptionIdentifierAvailable: false };
}

/** The error of something that a limit forbids. */
export function limitError(reasonCode: number, what: string, topic?: string): ClientError {
  return new ClientError('TOBYMQ_SERVER_LIMIT', `${what} (${hex(reasonCode)})`, { reasonCode, topic });
}

/** Throws for a message that the server would not accept. */
export function checkMessage(
  { topic, qos, retain }: { readonly topic: string; readonly qos: QoS; readonly retain: boolean },
  { maximumQoS, retainAvailable }: ServerLimits,
): void {
  if (qos > maximumQoS) {
    // [MQTT-3.2.2-11]
    const what = `the message for ${topic} has QoS ${qos}, the server takes up to QoS ${maximumQoS}`;
    throw limitError(ReasonCode.QoSNotSupported, what, topic);
  }
  if (retain && !retainAvailable) {
    // [MQTT-3.2.2-14]
    const what = `the message for ${topic} is retained, which the server does not offer`;
    throw limitError(ReasonCode.RetainNotSupported, what, topic);
  }
}

/** The error of a packet that is too large for the server. [MQTT-3.2.2-15] */
export function tooLarge(what: string, size: number, limits: ServerLimits, topic?: string): ClientError {
  const excess = `${what} takes ${size} bytes, the server takes up to ${limits.maximumPacketSize}`;
  return limitError(ReasonCode.PacketTooLarge, excess, topic);
}
