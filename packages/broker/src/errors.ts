// The errors that the broker throws at the program that embeds it. Faults of clients never become one of these: they
// end as a reason code on the wire, a log line and a counter.

/** Tells apart what went wrong, for programs; the message is for people. */
export type BrokerErrorCode =
  /** An option, limit or listener setting that cannot be used. */
  | 'TOBYMQ_OPTION_INVALID'
  /** A topic name or topic filter that MQTT does not allow. */
  | 'TOBYMQ_TOPIC_INVALID'
  /** Something was asked of a broker that has stopped. */
  | 'TOBYMQ_BROKER_STOPPED'
  /** The listener could not be opened: the address is in use, or not allowed. */
  | 'TOBYMQ_LISTEN_FAILED'
  /** A message or a change was not stored, because the store cannot write. */
  | 'TOBYMQ_NOT_STORED'
  /** A store that keeps nothing on disk has nothing to back up. */
  | 'TOBYMQ_NOT_DURABLE'
  /** An extension failed to start. */
  | 'TOBYMQ_EXTENSION_FAILED';

/**
 * Thrown by the broker's own methods. Test `code`, not the message.
 *
 * @example
 * try {
 *   await broker.listen({ port: 1883 });
 * } catch (error) {
 *   if (error instanceof BrokerError && error.code === 'TOBYMQ_LISTEN_FAILED') console.error(error.message);
 * }
 */
export class BrokerError extends Error {
  override readonly name = 'BrokerError';
  readonly code: BrokerErrorCode;

  constructor(code: BrokerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** For an option, limit or setting; `message` names it and says what it may be. */
export function optionInvalid(message: string): BrokerError {
  return new BrokerError('TOBYMQ_OPTION_INVALID', message);
}

/** For a topic; `problem` is what the codec's check of it says. */
export function topicInvalid(kind: 'topic' | 'topic filter', text: string, problem: string): BrokerError {
  return new BrokerError('TOBYMQ_TOPIC_INVALID', `the ${kind} "${text}" ${problem}`);
}

export function brokerHasStopped(): BrokerError {
  return new BrokerError('TOBYMQ_BROKER_STOPPED', 'the broker has stopped');
}
