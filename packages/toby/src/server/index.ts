// The server side of Toby: what a program adds to a broker.

export { Accounts, type BotRecord } from './accounts.ts';
export { TobyExtension, type TobyOptions } from './extension.ts';
export { type TobyHttpHandler, type TobyHttpOptions, tobyHttp } from './http.ts';
export { DEFAULT_TOBY_LIMITS, type TobyLimits } from './limits.ts';
export { Refusal, type RefusalStatus, type RefusedRequest } from './refusal.ts';
export { type SecretHasher, scryptHasher } from './secrets.ts';
