// Makes room in the full queue of a session that is not connected, whose messages are only in the store: the oldest go.

import { DeliveryState } from '../store/store.ts';
import type { Session } from './session.ts';

/** How much of a full queue is read at once. */
const PAGE_MESSAGES = 100;
const PAGE_BYTES = 1024 * 1024;

/**
 * Takes the oldest messages out of the queue of a sleeping session. What overflows while the store is read is taken out in
 * the next round, so that nothing is counted twice.
 */
export function trimStoredQueue(session: Session): void {
  if (session.isTrimming) return;
  session.isTrimming = true;
  void trim(session).finally(() => {
    session.isTrimming = false;
  });
}

async function trim(session: Session): Promise<void> {
  const { core } = session;
  const { queueMessagesMax, queueBytesMax } = core.limits;
  const isTooFull = () => session.queuedMessages > queueMessagesMax || session.queuedBytes > queueBytesMax;
  let lastId = 0;
  await Promise.resolve(); // The message that needs the room is about to be counted.
  try {
    while (!session.hasEnded && isTooFull()) {
      const oldest = await core.store.readQueue(session.key, lastId, PAGE_MESSAGES, PAGE_BYTES);
      // A client that has come meanwhile gets what there is.
      if (oldest.length === 0 || session.hasEnded || session.outbound !== undefined) return;
      for (const { message, state } of oldest) {
        if (!isTooFull()) break;
        lastId = message.id;
        // What is on its way is sent again, and a released packet id stays with its message. [MQTT-4.4.0-1]
        if (state !== DeliveryState.Queued) continue;
        session.dropStored('queue-full', message);
      }
    }
  } catch (error) {
    core.logger.log('error', 'store-failed', { clientId: session.clientId, operation: 'readQueue', error });
  }
}
