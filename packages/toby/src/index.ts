// The SDK of bots, for Node and browsers. The server side is in `@tobymq/toby/server`.

export * from './e2e/index.ts';
export * from './protocol.ts';
export {
  Bot,
  type BotOptions,
  type CallOptions,
  connectBot,
  type MessageHandler,
  type PresenceHandler,
  type Registration,
  type SocketCredentials,
} from './sdk/bot.ts';
export {
  EncryptedBot,
  type EncryptedBotOptions,
  KEYS_TAG,
  KeyAuthority,
  type KeyAuthorityOptions,
  type OpenedHandler,
} from './sdk/encryption.ts';
export { TobyError, type TobyErrorCode } from './sdk/errors.ts';
