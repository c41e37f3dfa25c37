// The bots layer: whether it is on, who may sign up, and its quotas.

import { z } from 'zod';
import { duration, size } from './units.ts';

const count = (max = 1_000_000_000): z.ZodNumber => z.number().int().min(1).max(max);

export const tobySchema = z.strictObject({
  signup: z
    .enum(['open', 'invited', 'closed'])
    .default('closed')
    .describe(
      'Who may create an account by `POST /signup`: everybody, those who know `signupToken`, or nobody. `tobymq bot signup` uses it.',
    ),
  signupToken: z.string().min(8).optional().describe('The invitation token of `signup: invited`.'),
  elsewhere: z
    .enum(['deny', 'rules'])
    .default('deny')
    .describe('Whether bots may use other topics than their own two: never, or as `access` allows.'),
  queueHooks: z
    .boolean()
    .default(true)
    .describe('Keep web hooks for bots that are offline and left a session behind.'),
  accountsMax: count().default(100_000).describe('User bots on this server.'),
  botsPerAccount: count().default(10_000).describe('Standard bots of one account.'),
  socketsPerBot: count().default(100).describe('Socket bots of one standard bot.'),
  followsPerBot: count().default(1000).describe('Tags that one bot follows.'),
  messagesPerMinute: count().default(60_000).describe('Messages that one bot may send in a minute.'),
  signupsPerHour: count().default(20).describe('Sign-ups that one address may try in an hour.'),
  hookSize: size({ min: 1 }).default(1_048_576).describe('The largest body of a web hook or a sign-up.'),
  messageExpiry: duration({ min: 1, max: 31_536_000 })
    .default(604_800)
    .describe('How long messages are kept for bots that are offline.'),
});

export type TobyConfig = z.output<typeof tobySchema>;
