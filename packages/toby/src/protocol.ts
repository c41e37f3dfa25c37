// The protocol between bots and the server, as both sides see it: topics, messages, endpoints and their requests.
// Messages are UTF-8 JSON. The existing clients in other languages speak it, so names and shapes here are fixed.

/** A value that JSON can carry. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** What arrives at a bot on `client/<botId>`. */
export interface BotMessage {
  /** The id of the sending bot, `server` for answers and presence, `hook` for web hooks. */
  readonly from: string;
  readonly payload: Json;
  readonly tags: readonly string[];
  /** A tag under which the sender waits for a reply; empty when it does not. */
  readonly ack: string;
}

export type BotKind = 'user' | 'bot' | 'socket';

/** What a bot may ask of the server by publishing to `server/<botId>/<endpoint>`. */
export const ENDPOINTS = [
  'send',
  'info',
  'follow',
  'unfollow',
  'create-bot',
  'remove-bot',
  'create-socket',
  'remove-socket',
  'hooks-on',
  'hooks-off',
  'permit',
] as const;

export type Endpoint = (typeof ENDPOINTS)[number];

/** Which endpoints each kind of bot may use. */
export const ENDPOINTS_OF: Readonly<Record<BotKind, readonly Endpoint[]>> = {
  user: ['create-bot', 'remove-bot', 'permit', 'send', 'info'],
  bot: ['send', 'info', 'follow', 'unfollow', 'create-socket', 'remove-socket', 'hooks-on', 'hooks-off'],
  socket: ['send', 'info'],
};

export interface UserInfo {
  readonly type: 'user';
  readonly id: string;
  readonly bots: readonly StandardBotInfo[];
}

export interface StandardBotInfo {
  readonly type: 'bot';
  readonly id: string;
  /** The tags it follows, the latest followed first. */
  readonly subscriptions: readonly string[];
  readonly hook: boolean;
  /** The ids of its socket bots. */
  readonly sockets: readonly string[];
}

export interface SocketInfo {
  readonly type: 'socket';
  readonly id: string;
}

export type BotInfo = UserInfo | StandardBotInfo | SocketInfo;

/** What a user bot may set for one of its standard bots. A list left out allows every tag. */
export interface Permissions {
  /** Tags that the bot may follow; `*` at the end of one stands for any ending. */
  readonly follow?: readonly string[] | undefined;
  /** Tags that the bot may send to. */
  readonly send?: readonly string[] | undefined;
  /** How many messages it may send in a minute; never more than the server allows. */
  readonly messagesPerMinute?: number | undefined;
}

/** The topic on which a bot receives. */
export function inboxTopic(botId: string): string {
  return `client/${botId}`;
}

/** The topic on which a bot asks. */
export function requestTopic(botId: string, endpoint: Endpoint): string {
  return `server/${botId}/${endpoint}`;
}

/** The bot id and the rest of a topic below `server/`; undefined for every other topic. */
export function parseRequestTopic(topic: string): { botId: string; endpoint: string } | undefined {
  if (!topic.startsWith('server/')) return undefined;
  const slash = topic.indexOf('/', 7);
  if (slash === -1) return { botId: topic.slice(7), endpoint: '' };
  return { botId: topic.slice(7, slash), endpoint: topic.slice(slash + 1) };
}
