// Everything of the client that does not depend on where it runs. `node.ts` and `browser.ts` add `connect()`.

export type { MessageProperties, ProtocolVersion, QoS, UserProperties } from '@tobymq/codec';
export { ReasonCode } from '@tobymq/codec';
export { type ScramOptions, scramSha256 } from './auth/scram.ts';
export type { EnhancedAuth } from './auth.ts';
export { Client, type ClientStats, type CloseOptions, type ServerInfo } from './client.ts';
export type { Clock, Timer } from './clock.ts';
export type { ConnectTarget } from './connect.ts';
export type { Duration } from './duration.ts';
export { ClientError, type ClientErrorCode } from './errors.ts';
export type { Message } from './message.ts';
export type {
  ConnectOptions,
  Credentials,
  CredentialsContext,
  OfflineOptions,
  PresenceOptions,
  SessionOptions,
  WillOptions,
} from './options.ts';
export type { MessageInput, Payload, PublishOptions, PublishResult } from './outgoing-message.ts';
export { type PresenceValues, presence } from './presence.ts';
export type { ReconnectFailure, ReconnectOptions } from './reconnect.ts';
export {
  type RequestHandler,
  type RequestOptions,
  type Rpc,
  type RpcAddress,
  rpc,
  type ServeOptions,
} from './request.ts';
export type { ConnectionState } from './states.ts';
export { memoryStore } from './store/memory.ts';
export type {
  RestoredMessage,
  SessionStore,
  StoredMessage,
  StoredSession,
  StoreOperation,
} from './store/session-store.ts';
export type {
  FilterResult,
  HandlerOptions,
  MessageHandler,
  SubscribeOptions,
  Subscription,
} from './subscription.ts';
export { type TopicAddress, type TopicParams, type TopicPattern, topic } from './topic.ts';
export type { TraceEvent } from './trace.ts';
export { memoryPipe } from './transports/memory.ts';
export type { BytePipe, OpenTransport, TlsOptions, TransportTarget } from './transports/transport.ts';
export { bytes, json, text, type ValueCodec } from './value-codecs.ts';
export type { Change, PastValue, View, ViewOptions, WaitForOptions } from './view.ts';
