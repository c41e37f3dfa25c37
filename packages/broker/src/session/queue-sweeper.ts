// Takes expired messages out of the queues of sessions that sleep, before they keep fresh ones out.
//
// An expired message does no harm where there is room, and goes when its client comes and the queue is read. So only
// queues that are nearly full are looked through; from then on it is known when the first message in them expires, and
// they are looked through again when that time has come. One queue is read at a time, a page at a time.

import type { Core } from '../core.ts';
import { DeliveryState, type StoredDelivery } from '../store/store.ts';
import { WheelEntry } from '../timing-wheel.ts';
import type { Session } from './session.ts';

const PAGE_MESSAGES = 1_000;
const PAGE_BYTES = 1024 * 1024;
/** One queue is not looked through more often than that. */
const PAUSE_MS = 5_000;

/** A queue that is nearly full. */
class CrowdedQueue extends WheelEntry {
  readonly session: Session;
  /** When its first message expires; 0 when that is not known yet. */
  firstExpiry = 0;
  sweptAt = Number.NEGATIVE_INFINITY;
  readonly #onDue: (queue: CrowdedQueue) => void;

  constructor(session: Session, onDue: (queue: CrowdedQueue) => void) {
    super();
    this.session = session;
    this.#onDue = onDue;
  }

  override onDue(): void {
    this.#onDue(this);
  }
}

export class QueueSweeper {
  readonly #core: Core;
  readonly #crowded = new Map<Session, CrowdedQueue>();
  /** Those whose time has come, and whether one of them is being looked through. */
  readonly #due = new Set<CrowdedQueue>();
  #isSweeping = false;

  constructor(core: Core) {
    this.#core = core;
  }

  /** The queue of a sleeping session is nearly full; `expiresAt` is of the message that was added, 0 if it never does. */
  watch(session: Session, expiresAt: number): void {
    const known = this.#crowded.get(session);
    if (known === undefined) {
      const queue = new CrowdedQueue(session, this.#sweepSoon);
      this.#crowded.set(session, queue);
      this.#sweepSoon(queue);
    } else if (expiresAt > 0 && expiresAt < known.firstExpiry) {
      known.firstExpiry = expiresAt;
      this.#schedule(known);
    }
  }

  /** Its client has come, or it has ended. */
  forget(session: Session): void {
    const queue = this.#crowded.get(session);
    if (queue === undefined) return;
    this.#crowded.delete(session);
    this.#due.delete(queue);
    this.#core.wheel.cancel(queue);
  }

  #schedule(queue: CrowdedQueue): void {
    if (queue.firstExpiry === Number.POSITIVE_INFINITY) return;
    this.#core.wheel.schedule(queue, Math.max(queue.firstExpiry, queue.sweptAt + PAUSE_MS));
  }

  readonly #sweepSoon = (queue: CrowdedQueue): void => {
    this.#due.add(queue);
    if (!this.#isSweeping) void this.#sweepDue();
  };

  async #sweepDue(): Promise<void> {
    this.#isSweeping = true;
    await Promise.resolve(); // The message that made the queue crowded is about to be written.
    for (const queue of this.#due) {
      try {
        await this.#sweep(queue);
      } catch (error) {
        const { clientId } = queue.session;
        this.#core.logger.log('error', 'store-failed', { clientId, operation: 'readQueue', error });
      }
      this.#due.delete(queue);
      if (this.#crowded.get(queue.session) !== queue) continue;
      if (queue.session.isCrowded) this.#schedule(queue);
      else this.#crowded.delete(queue.session);
    }
    this.#isSweeping = false;
  }

  async #sweep(queue: CrowdedQueue): Promise<void> {
    const { session } = queue;
    queue.sweptAt = this.#core.clock.now();
    queue.firstExpiry = Number.POSITIVE_INFINITY;
    let lastId = 0;
    while (!this.#core.isStopping) {
      const page = await this.#core.store.readQueue(session.key, lastId, PAGE_MESSAGES, PAGE_BYTES);
      // A client that has come meanwhile, even if it has left again, gets what there is.
      if (page.length === 0 || this.#crowded.get(session) !== queue) return;
      for (const item of page) this.#look(queue, item);
      lastId = page.at(-1)!.message.id;
    }
  }

  #look(queue: CrowdedQueue, { message, state }: StoredDelivery): void {
    // What was sent does not expire any more.
    if (message.expiresAt === 0 || state !== DeliveryState.Queued) return;
    if (message.expiresAt > queue.sweptAt) {
      queue.firstExpiry = Math.min(queue.firstExpiry, message.expiresAt);
      return;
    }
    const { session } = queue;
    session.hasOverflowed = false;
    session.dropStored('expired', message);
  }
}
