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

/** The error of something that the server does not accept. */
export function limitError(reasonCode: number, what: string, topic: string): ClientError {
  const message = `the server does not accept ${what} for ${topic} (${hex(reasonCode)})`;
  return new ClientError('TOBYMQ_SERVER_LIMIT', message, { reasonCode, topic });
}

/** Throws for a message that the server would not accept, whatever its size. */
export function checkMessage(
  { topic, qos, retain }: { readonly topic: string; readonly qos: QoS; readonly retain: boolean },
  { maximumQoS, retainAvailable }: ServerLimits,
): void {
  // [MQTT-3.2.2-11]
  if (qos > maximumQoS) throw limitError(ReasonCode.QoSNotSupported, `QoS ${qos}`, topic);
  // [MQTT-3.2.2-14]
  if (retain && !retainAvailable) throw limitError(ReasonCode.RetainNotSupported, 'retained messages', topic);
}

/** Throws for a packet that is too large for the server. [MQTT-3.2.2-15] */
export function checkSize(size: number, { maximumPacketSize }: ServerLimits, topic: string): void {
  if (size <= maximumPacketSize) return;
  const what = `a packet of ${size} bytes, only of up to ${maximumPacketSize},`;
  throw limitError(ReasonCode.PacketTooLarge, what, topic);
}
