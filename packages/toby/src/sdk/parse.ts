// The text of an inbox message as a value with the right types.

import type { BotMessage, Json } from '../protocol.ts';
import { TobyError } from './errors.ts';

export function parseMessage(text: string): BotMessage {
  let value: Partial<Record<keyof BotMessage, unknown>> | null;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new TobyError('TOBYMQ_TOBY_MESSAGE_INVALID', 'a message in the inbox is not JSON', 0, { cause });
  }
  const { from, payload, tags, ack } = value ?? {};
  const isMessage = typeof from === 'string' && Array.isArray(tags) && typeof ack === 'string';
  if (!isMessage || payload === undefined) {
    throw new TobyError(
      'TOBYMQ_TOBY_MESSAGE_INVALID',
      'a message in the inbox lacks from, payload, tags or ack',
    );
  }
  return { from, payload: payload as Json, tags: tags.map(String), ack };
}

/** Who came or went, if a message of the server tells that. */
export function presenceOf(
  message: BotMessage,
): { readonly botId: string; readonly online: boolean } | undefined {
  const { from, tags, payload } = message;
  if (from !== 'server' || tags.length > 0 || typeof payload !== 'object' || payload === null)
    return undefined;
  const { online, offline } = payload as { online?: unknown; offline?: unknown };
  if (typeof online === 'string') return { botId: online, online: true };
  if (typeof offline === 'string') return { botId: offline, online: false };
  return undefined;
}
