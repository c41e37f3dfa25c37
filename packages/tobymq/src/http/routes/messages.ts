// Topics and messages: publish, retained messages, who subscribes to a topic, and why a message arrives or not.

import type { OpenAPIHono } from '@hono/zod-openapi';
import type { RetainedMessage } from '@tobymq/broker';
import { CodecError, checkTopicFilter, checkTopicName } from '@tobymq/codec';
import type { Server } from '../../server.ts';
import { ApiError, declare, newRouter, page, payloadSchema, writePayload, z } from '../api.ts';

const qosSchema = z.union([z.literal(0), z.literal(1), z.literal(2)]);
const topicQuery = z.strictObject({ topic: z.string().min(1) });

const bodySchema = z.strictObject({
  payload: z.string().default('').describe('Text, or base64 with `encoding`.'),
  encoding: z.enum(['utf8', 'base64']).default('utf8'),
  qos: qosSchema.default(0),
  retain: z.boolean().default(false),
  contentType: z.string().optional(),
  responseTopic: z.string().optional(),
  messageExpiryInterval: z.number().int().min(0).max(0xffff_ffff).optional().describe('Seconds.'),
  userProperties: z.array(z.tuple([z.string(), z.string()])).optional(),
});

const retainedSchema = z
  .object({
    topic: z.string(),
    payload: payloadSchema,
    qos: z.number(),
    publishedAt: z.string(),
    publisher: z.string(),
    contentType: z.string().optional(),
    messageExpiryInterval: z.number().optional(),
  })
  .openapi('RetainedMessage');

const receiverSchema = z.object({
  clientId: z.string(),
  filters: z.array(z.string()),
  qos: z.number(),
  outcome: z.enum(['delivered', 'queued', 'dropped', 'one-of-group', 'not-subscribed']),
  reason: z.string(),
});

const explanationSchema = z
  .object({
    topic: z.string(),
    publisher: z.object({ clientId: z.string(), isAllowed: z.boolean(), reason: z.string() }).optional(),
    receivers: z.array(receiverSchema),
    hasRetained: z.boolean(),
  })
  .openapi('Explanation');

const body = <S extends z.ZodType>(schema: S) => ({
  content: { 'application/json': { schema } },
  required: true,
});

const publishRoute = declare(
  {
    method: 'post',
    path: '/publish',
    summary: 'Publish a message',
    tag: 'Messages',
    request: { body: body(bodySchema.extend({ topic: z.string() }).openapi('Message')) },
  },
  z.object({ matched: z.number().describe('Subscriptions that the message went to.') }),
);
const retainedQuery = z.strictObject({
  filter: z.string().default('#').describe('A topic filter. `#` does not match topics that begin with `$`.'),
  limit: z.coerce.number().int().min(1).max(10_000).default(100),
  offset: z.coerce.number().int().min(0).default(0),
});
const searchRoute = declare(
  {
    method: 'get',
    path: '/retained',
    summary: 'Retained messages by topic filter',
    tag: 'Retained messages',
    request: { query: retainedQuery },
  },
  z.object({ messages: z.array(retainedSchema), more: z.boolean() }),
);
const getRoute = declare(
  {
    method: 'get',
    path: '/retained/message',
    summary: 'The retained message of a topic',
    tag: 'Retained messages',
    request: { query: topicQuery },
  },
  retainedSchema,
);
const putRoute = declare(
  {
    method: 'put',
    path: '/retained/message',
    summary: 'Set the retained message of a topic',
    tag: 'Retained messages',
    request: { query: topicQuery, body: body(bodySchema.omit({ retain: true })) },
  },
  z.object({ matched: z.number() }),
);
const deleteRoute = declare(
  {
    method: 'delete',
    path: '/retained/message',
    summary: 'Remove the retained message of a topic',
    tag: 'Retained messages',
    request: { query: topicQuery },
  },
  z.object({ deleted: z.boolean() }),
);
const subscriptionsRoute = declare(
  {
    method: 'get',
    path: '/subscriptions',
    summary: 'Subscriptions that match a topic',
    tag: 'Messages',
    request: { query: topicQuery },
  },
  z.object({
    subscriptions: z.array(z.object({ clientId: z.string(), filter: z.string(), qos: z.number() })),
  }),
);
const explainRoute = declare(
  {
    method: 'get',
    path: '/explain',
    summary: 'Who would get a message to a topic, who would not, and why',
    tag: 'Messages',
    request: {
      query: topicQuery.extend({
        client: z.string().optional().describe('Only about this receiver.'),
        publisher: z.string().optional().describe('The client that would publish.'),
        qos: z.coerce.number().pipe(qosSchema).default(1),
      }),
    },
  },
  explanationSchema,
);

export function messageRoutes(server: Server): OpenAPIHono {
  const { broker } = server;
  const routes = newRouter();
  const find = (topic: string): RetainedMessage | undefined => {
    for (const message of broker.retained(checkName(topic))) if (message.topic === topic) return message;
    return undefined;
  };
  routes.openapi(publishRoute, async (context) => {
    const { topic, ...message } = context.req.valid('json');
    return context.json(await publish(server, checkName(topic), message), 200);
  });
  routes.openapi(searchRoute, (context) => {
    const { filter, ...query } = context.req.valid('query');
    const wrong = checkTopicFilter(filter);
    if (wrong !== undefined)
      throw new ApiError(400, 'TOBYMQ_TOPIC_INVALID', `the filter "${filter}" ${wrong}`);
    const { items, more } = page(broker.retained(filter), query, () => true);
    return context.json({ messages: items.map(write), more }, 200);
  });
  routes.openapi(getRoute, (context) => {
    const { topic } = context.req.valid('query');
    const message = find(topic);
    if (!message) throw new ApiError(404, 'TOBYMQ_RETAINED_UNKNOWN', `"${topic}" has no retained message`);
    return context.json(write(message), 200);
  });
  routes.openapi(putRoute, async (context) => {
    const { topic } = context.req.valid('query');
    const message = context.req.valid('json');
    return context.json(await publish(server, checkName(topic), { ...message, retain: true }), 200);
  });
  routes.openapi(deleteRoute, async (context) => {
    const { topic } = context.req.valid('query');
    if (!broker.deleteRetained(topic))
      throw new ApiError(404, 'TOBYMQ_RETAINED_UNKNOWN', `"${topic}" has no retained message`);
    await broker.flush();
    return context.json({ deleted: true }, 200);
  });
  routes.openapi(subscriptionsRoute, (context) => {
    const found = broker.subscriptionsOf(checkName(context.req.valid('query').topic));
    return context.json(
      { subscriptions: found.map(({ clientId, filter, qos }) => ({ clientId, filter, qos })) },
      200,
    );
  });
  routes.openapi(explainRoute, async (context) => {
    const { topic, client, publisher, qos } = context.req.valid('query');
    const explanation = await broker.explain(checkName(topic), { clientId: client, publisher, qos });
    const receivers = explanation.receivers.map((receiver) => ({
      ...receiver,
      filters: [...receiver.filters],
    }));
    return context.json({ ...explanation, receivers }, 200);
  });
  return routes;
}

function checkName(topic: string): string {
  const wrong = checkTopicName(topic);
  if (wrong !== undefined) throw new ApiError(400, 'TOBYMQ_TOPIC_INVALID', `the topic "${topic}" ${wrong}`);
  return topic;
}

/** Node leaves out what is no base64, and an empty payload would delete a retained message. */
function isBase64(text: string): boolean {
  return /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/.test(text);
}

async function publish(
  server: Server,
  topic: string,
  message: z.infer<typeof bodySchema>,
): Promise<{ matched: number }> {
  const { payload, encoding, qos, retain, ...properties } = message;
  if (encoding === 'base64' && !isBase64(payload))
    throw new ApiError(400, 'TOBYMQ_REQUEST_INVALID', 'payload: expected base64, as "encoding" says');
  try {
    const { matched } = await server.broker.publish({
      topic,
      payload: Buffer.from(payload, encoding),
      qos,
      retain,
      properties,
    });
    return { matched };
  } catch (error) {
    // Such as a response topic with a wildcard.
    if (error instanceof CodecError) throw new ApiError(400, 'TOBYMQ_REQUEST_INVALID', error.message);
    throw error;
  }
}

function write({
  topic,
  payload,
  qos,
  publishedAt,
  publisher,
  properties,
}: RetainedMessage): z.infer<typeof retainedSchema> {
  return {
    topic,
    payload: writePayload(payload),
    qos,
    publishedAt: new Date(publishedAt).toISOString(),
    publisher,
    contentType: properties?.contentType,
    messageExpiryInterval: properties?.messageExpiryInterval,
  };
}
