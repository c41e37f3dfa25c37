// The section `limits`: bounds for clients, sessions and messages. Each has its reason in its description.

import { z } from 'zod';
import { count, duration, size } from './units.ts';

const versionSchema = z.enum(['3.1', '3.1.1', '5.0']);

/** What may be set for all listeners, and for one. */
const listenerLimits = {
  connections: count({ min: 1 }).describe('Connections at the same time.'),
  versions: z.array(versionSchema).min(1).describe('The MQTT versions that are accepted.'),
  maximumQoS: z
    .union([z.literal(0), z.literal(1), z.literal(2)], { error: 'expected 0, 1 or 2' })
    .describe('The highest QoS of a PUBLISH.'),
  retain: z.boolean().describe('Accept retained messages.'),
  wildcardSubscriptions: z.boolean().describe('Accept `+` and `#` in subscriptions.'),
  sharedSubscriptions: z.boolean().describe('Accept `$share/GROUP/FILTER`.'),
  subscriptionIdentifiers: z.boolean().describe('Accept Subscription Identifiers.'),
  receiveMaximum: z
    .int()
    .min(1)
    .max(65_535)
    .describe('QoS 1 and 2 messages that a client may have in flight to the server.'),
  packetSize: size({ min: 20, max: 268_435_460 }).describe('The largest packet that is accepted.'),
  topicAliases: z.int().min(0).max(65_535).describe('Topic aliases that a client may use.'),
  topicAliasesOut: z
    .int()
    .min(0)
    .max(65_535)
    .describe('Topic aliases that the server uses towards a client, if the client allows as many.'),
  keepAlive: duration({ max: 65_535 }).describe(
    'The longest keep alive. MQTT 5 clients are told this one instead; older ones with more are refused. 0: no bound.',
  ),
  connectTimeout: duration({ min: 0.1 }).describe('How long a new connection may take to send CONNECT.'),
  sessionExpiry: duration().describe('The longest time that a session is kept without a connection.'),
  emptyClientId: z.boolean().describe('Accept clients without a client id, and invent one.'),
  clientIdPrefix: z.string().max(50).describe('What invented client ids begin with.'),
} as const;

type Shape = typeof listenerLimits;
type OptionalShape = { [K in keyof Shape]: z.ZodOptional<Shape[K]> };

/** The same keys, none of them required: what a listener overrides. */
export const listenerOverrides = z.strictObject(
  Object.fromEntries(
    Object.entries(listenerLimits).map(([key, type]) => [key, (type as z.ZodType).optional()]),
  ) as OptionalShape,
);

export const limitsSchema = z.strictObject({
  connections: listenerLimits.connections.default(Number.POSITIVE_INFINITY),
  versions: listenerLimits.versions.default(['3.1', '3.1.1', '5.0']),
  maximumQoS: listenerLimits.maximumQoS.default(2),
  retain: listenerLimits.retain.default(true),
  wildcardSubscriptions: listenerLimits.wildcardSubscriptions.default(true),
  sharedSubscriptions: listenerLimits.sharedSubscriptions.default(true),
  subscriptionIdentifiers: listenerLimits.subscriptionIdentifiers.default(true),
  receiveMaximum: listenerLimits.receiveMaximum.default(100),
  inflight: z
    .int()
    .min(1)
    .max(65_535)
    .default(100)
    .describe(
      'QoS 1 and 2 messages that the server has in flight to a client, unless the client wants fewer.',
    ),
  packetSize: listenerLimits.packetSize.default(16 * 1024 * 1024),
  payloadSize: size()
    .default(Number.POSITIVE_INFINITY)
    .describe('The largest payload; larger messages are acknowledged and dropped.'),
  topicAliases: listenerLimits.topicAliases.default(64),
  topicAliasesOut: listenerLimits.topicAliasesOut.default(64),
  keepAlive: listenerLimits.keepAlive.default(0),
  connectTimeout: listenerLimits.connectTimeout.default(10),
  sessionExpiry: listenerLimits.sessionExpiry.default(Number.POSITIVE_INFINITY),
  emptyClientId: listenerLimits.emptyClientId.default(true),
  clientIdPrefix: listenerLimits.clientIdPrefix.default('auto-'),
  clientIdPrefixes: z
    .array(z.string())
    .default([])
    .describe('If any are given: only client ids that begin with one of them may connect.'),
  sessions: count({ min: 1 }).default(Number.POSITIVE_INFINITY).describe('Sessions, connected or not.'),
  queuedMessages: count()
    .default(1000)
    .describe('Messages that wait for one client, beyond those in flight.'),
  queuedBytes: size()
    .default(16 * 1024 * 1024)
    .describe('Bytes of topics, payloads and properties that wait for one client.'),
  queueFull: z
    .enum(['drop-newest', 'drop-oldest', 'disconnect'])
    .default('drop-newest')
    .describe('What happens when a queue is full.'),
  queueQoS0: z.boolean().default(false).describe('Also keep QoS 0 messages for clients that are away.'),
  upgradeQoS: z
    .boolean()
    .default(false)
    .describe("Deliver with the subscription's QoS even if the message was published with a lower one."),
  retainedMessages: count().default(Number.POSITIVE_INFINITY).describe('Retained messages.'),
  retainedExpiry: duration()
    .default(Number.POSITIVE_INFINITY)
    .describe('How long a retained message is kept.'),
  moderation: duration({ max: 0.01 })
    .default(0.0003)
    .describe(
      'Under load, how long the server rests after it has served all clients that have sent something, where that lets it take more messages at once and so costs less for each. 0: never.',
    ),
  memory: size()
    .default(Number.POSITIVE_INFINITY)
    .describe(
      'Memory of the process; above it new connections are refused. What clients that are there may hold is bounded by the other limits.',
    ),
});

export type Limits = z.output<typeof limitsSchema>;
