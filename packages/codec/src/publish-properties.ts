// The properties of PUBLISH between their object and the array by identifier that reader and writer of properties use.
// They are on the way of every message, and going by the names in the property table takes twice the time.

import type { PublishProperties, UserProperties } from './packets.ts';
import { values } from './properties.ts';
import {
  CONTENT_TYPE,
  CORRELATION_DATA,
  MESSAGE_EXPIRY_INTERVAL,
  PAYLOAD_FORMAT_INDICATOR,
  RESPONSE_TOPIC,
  SUBSCRIPTION_IDENTIFIER,
  TOPIC_ALIAS,
  USER_PROPERTY,
} from './property-table.ts';

/** The object of the properties that were read last, whose types the property table has made sure of. */
export function fromValues(): PublishProperties {
  return {
    payloadFormatIndicator: values[PAYLOAD_FORMAT_INDICATOR] as 0 | 1 | undefined,
    messageExpiryInterval: values[MESSAGE_EXPIRY_INTERVAL] as number | undefined,
    contentType: values[CONTENT_TYPE] as string | undefined,
    responseTopic: values[RESPONSE_TOPIC] as string | undefined,
    correlationData: values[CORRELATION_DATA] as Uint8Array | undefined,
    userProperties: values[USER_PROPERTY] as UserProperties | undefined,
    topicAlias: values[TOPIC_ALIAS] as number | undefined,
    subscriptionIdentifiers: values[SUBSCRIPTION_IDENTIFIER] as readonly number[] | undefined,
  };
}

/** Makes the properties of an object ready to be written. */
export function toValues(properties: PublishProperties): void {
  values[PAYLOAD_FORMAT_INDICATOR] = properties.payloadFormatIndicator;
  values[MESSAGE_EXPIRY_INTERVAL] = properties.messageExpiryInterval;
  values[CONTENT_TYPE] = properties.contentType;
  values[RESPONSE_TOPIC] = properties.responseTopic;
  values[CORRELATION_DATA] = properties.correlationData;
  values[USER_PROPERTY] = properties.userProperties;
  values[TOPIC_ALIAS] = properties.topicAlias;
  values[SUBSCRIPTION_IDENTIFIER] = properties.subscriptionIdentifiers;
}
