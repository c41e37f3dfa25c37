// What `@tobymq/broker` exports.

export { Broker, type KickOptions } from './broker.ts';
export type * from './bus/bus.ts';
export { type Clock, systemClock } from './clock.ts';
export { BrokerError, type BrokerErrorCode } from './errors.ts';
export type { ExplainOptions, Explanation, ReceiverExplanation } from './explain.ts';
export type * from './extension.ts';
export type {
  BrokerTotals,
  ConnectedClient,
  RetainedMessage,
  SessionInfo,
  SubscriptionInfo,
  TopicSubscription,
} from './inspect.ts';
export type {
  InternalSubscription,
  PublishMessage,
  ReceivedMessage,
  SubscribeOptions,
} from './internal-client.ts';
export { defaultLimits, type Limits, type QueueOverflow } from './limits.ts';
export { type LogFields, type Logger, type LogLevel, noLogger } from './logger.ts';
export type { Metrics } from './metrics.ts';
export {
  type BrokerOptions,
  defaultListenerSettings,
  type ListenerSettings,
  type ListenOptions,
  type SysOptions,
} from './options.ts';
export type { SharedStrategy } from './routing/shared-group.ts';
export { MemoryStore } from './store/memory.ts';
export * from './store/store.ts';
export type * from './transports/byte-stream.ts';
export { acceptDirectly, type ConnectionHandle, peerOf } from './transports/direct-accept.ts';
export { DirectStream } from './transports/direct-stream.ts';
export type { BytePipe } from './transports/memory.ts';
export { NodeStream, type StreamOrigin } from './transports/node-stream.ts';
export type { Listener } from './transports/tcp.ts';
export type { ValueSpace } from './values.ts';
