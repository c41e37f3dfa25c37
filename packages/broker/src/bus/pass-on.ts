// The way of a published message to other brokers, if there are any. The bus may take its time: then the publisher's
// acknowledgement waits, because an acknowledged message must not depend on this broker alone.

import type { Core } from '../core.ts';
import type { RoutedMessage } from '../delivery/routed-message.ts';

/** Hands a message to the bus. A promise means that the acknowledgement has to wait for it. */
export function passOn(core: Core, message: RoutedMessage): Promise<void> | undefined {
  if (core.bus === undefined) return undefined;
  const { topic } = message;
  let answer: Promise<void> | void;
  try {
    answer = core.bus.publish(message.stored());
  } catch (error) {
    answer = Promise.reject(error);
  }
  if (answer === undefined) return undefined;
  answer.catch((error: unknown) => core.logger.log('error', 'bus-failed', { topic, error }));
  return answer;
}
