// Checks what comes in from bots and web hooks: every wrong type is a refusal with status 400 that names the field.

import type { Permissions } from '../protocol.ts';
import type { TobyLimits } from './limits.ts';
import { Refusal } from './refusal.ts';

export type Fields = Readonly<Record<string, unknown>>;

/** The JSON object that a request consists of. */
export function parseFields(payload: Uint8Array): Fields {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch {
    throw new Refusal(400, 'the request is not valid UTF-8 JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Refusal(400, 'the request has to be a JSON object');
  }
  return value as Fields;
}

/** The `ack` of a request; left out counts as empty. */
export function ackOf(fields: Fields): string {
  const { ack } = fields;
  if (ack === undefined || ack === null) return '';
  if (typeof ack !== 'string') throw new Refusal(400, 'ack has to be a string');
  return ack;
}

export function textField(fields: Fields, name: string, alias?: string): string {
  const value = fields[name] ?? (alias === undefined ? undefined : fields[alias]);
  if (typeof value !== 'string' || value === '')
    throw new Refusal(400, `${name} has to be a non-empty string`);
  return value;
}

/** A list of tags without repetitions, in the order given. */
export function tagsField(fields: Fields, limits: TobyLimits): readonly string[] {
  const { tags } = fields;
  if (!Array.isArray(tags)) throw new Refusal(400, 'tags has to be a list of strings');
  if (tags.length > limits.tagsPerRequest) {
    throw new Refusal(400, `tags has ${tags.length} entries, at most ${limits.tagsPerRequest} are allowed`);
  }
  for (const tag of tags) {
    if (typeof tag !== 'string' || tag === '')
      throw new Refusal(400, 'tags has to be a list of non-empty strings');
    if (tag.length > limits.tagLength) {
      throw new Refusal(400, `a tag has ${tag.length} characters, at most ${limits.tagLength} are allowed`);
    }
  }
  return [...new Set(tags as string[])];
}

const BOT_ID_LENGTH_MAX = 64;

/** A bot id becomes a topic level, a client id and a user name, so it must be safe as each of them. */
export function checkBotId(id: string): string {
  if (id.length > BOT_ID_LENGTH_MAX) {
    throw new Refusal(400, `a bot id has at most ${BOT_ID_LENGTH_MAX} characters`);
  }
  if (!/^[\p{L}\p{N}_.@~-]+$/u.test(id)) {
    throw new Refusal(400, 'a bot id consists of letters, digits and _ . @ ~ -');
  }
  if (id === 'server' || id === 'hook') throw new Refusal(400, `the id "${id}" is reserved`);
  return id;
}

const SECRET_LENGTH_MAX = 256;

export function checkSecret(secret: string): string {
  if (secret.length > SECRET_LENGTH_MAX) {
    throw new Refusal(400, `a secret has at most ${SECRET_LENGTH_MAX} characters`);
  }
  return secret;
}

export function permissionsField(fields: Fields, limits: TobyLimits): Permissions {
  const { permissions } = fields;
  if (typeof permissions !== 'object' || permissions === null || Array.isArray(permissions)) {
    throw new Refusal(400, 'permissions has to be an object');
  }
  const known = new Set(['follow', 'send', 'messagesPerMinute']);
  for (const name of Object.keys(permissions)) {
    if (!known.has(name)) throw new Refusal(400, `unknown permission "${name}"`);
  }
  const { follow, send, messagesPerMinute } = permissions as Record<string, unknown>;
  return {
    follow: patternList(follow, 'follow', limits),
    send: patternList(send, 'send', limits),
    messagesPerMinute: rate(messagesPerMinute),
  };
}

/** A list has as many patterns as a bot may follow tags: each message is held against all of them. */
function patternList(value: unknown, name: string, limits: TobyLimits): readonly string[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value) || value.some((entry) => typeof entry !== 'string')) {
    throw new Refusal(400, `${name} has to be a list of strings`);
  }
  if (value.length > limits.followsPerBot) {
    throw new Refusal(
      400,
      `${name} has ${value.length} entries, at most ${limits.followsPerBot} are allowed`,
    );
  }
  for (const { length } of value as string[]) {
    if (length > limits.tagLength) {
      throw new Refusal(
        400,
        `an entry of ${name} has ${length} characters, at most ${limits.tagLength} are allowed`,
      );
    }
  }
  return value as string[];
}

function rate(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) {
    throw new Refusal(400, 'messagesPerMinute has to be a whole number of 0 or more');
  }
  return value;
}
