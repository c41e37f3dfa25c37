// What the routes of the management API share: how a route is declared, how errors look, how payloads are written.
//
// A route is declared once, with schemas of what it takes and gives; the check of requests and the OpenAPI document
// both come from that.

import { createRoute, OpenAPIHono, type RouteConfig, z } from '@hono/zod-openapi';

const errorSchema = z
  .object({
    error: z.string().describe('What was wrong, in words.'),
    code: z.string().describe('The same for programs.'),
  })
  .openapi('Error');

/** A request that cannot be served, with its HTTP status. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: 400 | 401 | 404 | 409 | 422 | 503;
  readonly code: string;

  constructor(status: ApiError['status'], code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export function newRouter(): OpenAPIHono {
  return new OpenAPIHono({
    defaultHook: (result) => {
      if (result.success) return;
      const [issue] = result.error.issues;
      const where = issue?.path.map(String).join('.') ?? '';
      throw new ApiError(
        400,
        'TOBYMQ_REQUEST_INVALID',
        `${where === '' ? '' : `${where}: `}${issue?.message ?? 'invalid'}`,
      );
    },
  });
}

type Declared = Pick<RouteConfig, 'method' | 'path' | 'request'> & {
  readonly summary: string;
  readonly tag: string;
};

const failures = {
  400: 'The request is not valid.',
  401: 'The token is missing or wrong.',
  404: 'There is no such thing.',
} as const;

/**
 * Declares a route that answers with a value of a schema. What it takes is a strict object, or a word that is misspelled
 * would be left out in silence: a ban for some time would have no end.
 */
export function declare<const D extends Declared, S extends z.ZodType>(
  { summary, tag, ...route }: D,
  answer: S,
) {
  const failure = (description: string) => ({
    description,
    content: { 'application/json': { schema: errorSchema } },
  });
  return createRoute({
    ...(route as Omit<D, 'summary' | 'tag'>),
    summary,
    tags: [tag],
    security: [{ token: [] }],
    responses: {
      200: { description: summary, content: { 'application/json': { schema: answer } } },
      400: failure(failures[400]),
      401: failure(failures[401]),
      404: failure(failures[404]),
    },
  });
}

export const clientIdParameter = z.object({
  id: z
    .string()
    .openapi({ param: { name: 'id', in: 'path' }, description: 'The client id, percent-encoded.' }),
});

export const pageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(10_000).default(100).describe('At most this many.'),
  offset: z.coerce.number().int().min(0).default(0).describe('Leave out this many first.'),
  search: z.string().optional().describe('Only those whose client id or user name contains this.'),
});

/** One page out of many, without keeping more than the page. */
export function page<T>(
  items: Iterable<T>,
  { limit, offset }: { limit: number; offset: number },
  wanted: (item: T) => boolean,
): { items: T[]; more: boolean } {
  const result: T[] = [];
  let skipped = 0;
  for (const item of items) {
    if (!wanted(item)) continue;
    if (skipped++ < offset) continue;
    if (result.length === limit) return { items: result, more: true };
    result.push(item);
  }
  return { items: result, more: false };
}

/** A payload in JSON: as text if it is UTF-8, and in base64. */
export const payloadSchema = z
  .object({
    text: z.string().optional().describe('The payload, if it is valid UTF-8.'),
    base64: z.string().describe('The payload.'),
  })
  .openapi('Payload');

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function writePayload(payload: Uint8Array): z.infer<typeof payloadSchema> {
  const base64 = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('base64');
  try {
    return { text: utf8.decode(payload), base64 };
  } catch {
    // Not UTF-8: only the bytes are given.
    return { base64 };
  }
}

export { z };
