// What an endpoint works with: the accounts, the bounds, and the few things it can make the broker do.

import type { BotMessage, Json } from '../protocol.ts';
import type { Accounts, BotRecord } from './accounts.ts';
import type { TobyLimits } from './limits.ts';
import type { SecretHasher } from './secrets.ts';
import type { Fields } from './validate.ts';

export interface TobyContext {
  readonly accounts: Accounts;
  readonly limits: TobyLimits;
  readonly hasher: SecretHasher;
  now(): number;
  /** Refuses the id of a new bot that somebody else goes by who is no bot. */
  demandUnknown(id: string): void;
  /** True if a message reaches the bot now, or waits for it in its session. */
  isReachable(botId: string): boolean;
  /** Puts a message into the inboxes of bots. */
  deliver(botIds: readonly string[], message: BotMessage): Promise<void>;
  /** Ends the connection and the session of a bot that exists no more. */
  expel(botId: string, reason: string): Promise<void>;
  /** Takes one of the bot's messages of this minute; false when there is none left. */
  mayPublish(bot: BotRecord): boolean;
  /** Called for a socket bot that was created: it is removed if it does not connect in time. */
  awaitSocket(botId: string): void;
}

/** An endpoint: does what was asked and returns the payload of the answer. */
export type EndpointHandler = (context: TobyContext, bot: BotRecord, fields: Fields) => Promise<Json>;
