// What the server accepts, as its CONNACK says, and the check of a message against it. A message beyond a limit fails
// with a typed error before it is sent; sent it would cost the connection.

import { type ConnackProperties, type QoS, ReasonCode } from '@tobymq/codec';
import { ClientError, hex } from './errors.ts';

/** The server's limits for this connection. */
export interface ServerLimits {
  readonly receiveMaximum: number;
  readonly maximumPacketSize: number;
  readonly maximumQoS: QoS;
  readonly retainAvailable: boolean;
  readonly topicAliasMaximum: number;
  readonly wildcardSubscriptionAvailable: boolean;
  readonly subscriptionIdentifierAvailable: boolean;
  readonly sharedSubscriptionAvailable: boolean;
}

const largestPacket = 268_435_460;

/** The limits of a CONNACK; before 5.0 there are none to be told. */
export function limitsOf(properties: ConnackProperties | undefined, version: number): ServerLimits {
  return {
    receiveMaximum: properties?.receiveMaximum ?? 65_535,
    maximumPacketSize: properties?.maximumPacketSize ?? largestPacket,
    maximumQoS: properties?.maximumQoS ?? 2,
    retainAvailable: properties?.retainAvailable ?? true,
    topicAliasMaximum: properties?.topicAliasMaximum ?? 0,
    wildcardSubscriptionAvailable: properties?.wildcardSubscriptionAvailable ?? true,
    subscriptionIdentifierAvailable: version === 5 && (properties?.subscriptionIdentifierAvailable ?? true),
    sharedSubscriptionAvailable: properties?.sharedSubscriptionAvailable ?? true,
  };
}

/** The error of something that a limit forbids. */
export function limitError(reasonCode: number, what: string, topic?: string): ClientError {
  return new ClientError('TOBYMQ_SERVER_LIMIT', `${what} (${hex(reasonCode)})`, { reasonCode, topic });
}

/** Why the server would not accept this message, if so. */
export function messageLimit(
  message: { readonly topic: string; readonly qos: QoS; readonly retain: boolean },
  limits: ServerLimits,
): ClientError | undefined {
  const { topic } = message;
  if (message.qos > limits.maximumQoS) {
    // [MQTT-3.2.2-11]
    return limitError(
      ReasonCode.QoSNotSupported,
      `the message for ${topic} has QoS ${message.qos}, the server takes up to QoS ${limits.maximumQoS}`,
      topic,
    );
  }
  if (message.retain && !limits.retainAvailable) {
    // [MQTT-3.2.2-14]
    return limitError(
      ReasonCode.RetainNotSupported,
      `the message for ${topic} is retained, which the server does not offer`,
      topic,
    );
  }
  return undefined;
}

/** The error of a packet that is too large for the server. [MQTT-3.2.2-15] */
export function tooLarge(what: string, size: number, limits: ServerLimits, topic?: string): ClientError {
  return limitError(
    ReasonCode.PacketTooLarge,
    `${what} takes ${size} bytes, the server takes up to ${limits.maximumPacketSize}`,
    topic,
  );
}
