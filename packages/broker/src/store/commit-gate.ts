// Stored, then acknowledged: the one place where that order is kept.
//
// Whatever is written to the store in one turn of the event loop is one batch, committed once. What has to wait for it
// (acknowledgements, CONNACK of a persistent session, QoS 2 messages on their way out) registers here and is told when
// the batch is durable or has failed. The next commit starts when the last one is finished, and the batch grows
// meanwhile; so a message that is acknowledged quickly by its receiver never reaches the disk.
//
//     writes ──▶ open batch ──commit──▶ durable ──▶ committed(batch): acknowledgements go out
//                                  └──▶ failed  ──▶ failed(batch): publishers are refused, queues forget
//
// With a store that is not durable nothing waits.

import { BrokerError, brokerHasStopped } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { Metrics } from '../metrics.ts';
import type { Delivery } from '../session/delivery.ts';
import { pump, sendStored } from '../session/queue.ts';
import type { Session } from '../session/session.ts';
import type { SessionLink } from '../session/session-link.ts';
import type { MessagesRefused, Store } from './store.ts';

/** The pause after a failed commit; it doubles with each further one up to the maximum. */
const RETRY_MS = 5;
const RETRY_MS_MAX = 200;

/** Who waits for a batch. */
export interface BatchWaiter {
  committed(batch: number): void;
  /** `isRestDurable` says that everything was written but the messages. */
  failed(batch: number, error: unknown, isRestDurable: boolean): void;
}

interface TrackedDelivery {
  readonly session: Session;
  readonly delivery: Delivery;
}

interface WaitingSend extends TrackedDelivery {
  readonly link: SessionLink;
}

export class CommitGate {
  readonly #store: Store;
  readonly #metrics: Metrics;
  readonly #logger: Logger;
  /** The number of the open batch. */
  batch = 1;
  #waiters: BatchWaiter[] = [];
  #sends: WaitingSend[] = [];
  #tracked: TrackedDelivery[] = [];
  #undos: (() => void)[] = [];
  #isScheduled = false;
  #isCommitting = false;
  #isStopped = false;
  #idle: (() => void)[] = [];
  #failures = 0;

  constructor(store: Store, metrics: Metrics, logger: Logger) {
    this.#store = store;
    this.#metrics = metrics;
    this.#logger = logger;
  }

  /** Something was written: it will be committed at the end of this turn. */
  touch(): void {
    if (this.#isScheduled || this.#isCommitting || this.#isStopped) return;
    this.#isScheduled = true;
    // A store that fails is not asked again at once, so that an outage costs no processor time.
    if (this.#failures > 0)
      setTimeout(this.#commit, Math.min(RETRY_MS_MAX, RETRY_MS << Math.min(this.#failures, 5)));
    else setImmediate(this.#commit);
  }

  /** The store is about to close: what it could not write until now it is not asked to write again. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Tells `waiter` about the open batch. */
  wait(waiter: BatchWaiter): void {
    this.#waiters.push(waiter);
    this.touch();
  }

  /** Resolves when everything written until now is durable; rejects if it could not be written. */
  stored(): Promise<void> {
    return this.#durable(() => false);
  }

  /** The same for who has written no messages: others' messages of the same batch may be refused. */
  restStored(): Promise<void> {
    return this.#durable((isRestDurable) => isRestDurable);
  }

  /** The same for programs, which are told in their own words that the store cannot write. */
  async flushed(): Promise<void> {
    await this.restStored().catch((cause: unknown) => {
      if (cause instanceof BrokerError) throw cause;
      throw new BrokerError('TOBYMQ_NOT_STORED', 'what was written is not stored yet', { cause });
    });
  }

  #durable(isEnough: (isRestDurable: boolean) => boolean): Promise<void> {
    if (!this.#store.durable) return Promise.resolve();
    if (this.#isStopped) return Promise.reject(brokerHasStopped());
    return new Promise((resolve, reject) => {
      this.wait({
        committed: () => resolve(),
        failed: (_batch, error, isRestDurable) => (isEnough(isRestDurable) ? resolve() : reject(error)),
      });
    });
  }

  /** Sends a QoS 2 message when the batch that holds it and its packet id is durable. */
  sendWhenStored(session: Session, delivery: Delivery, link: SessionLink): void {
    this.#sends.push({ session, delivery, link });
    this.touch();
  }

  /** Notes a message that is to be taken out of its queue again if this batch fails. */
  track(session: Session, delivery: Delivery): void {
    if (!this.#store.durable) {
      this.touch();
      return;
    }
    this.#tracked.push({ session, delivery });
    this.touch();
  }

  /** Something in memory that is to be taken back if this batch fails. */
  undoOnFailure(undo: () => void): void {
    if (this.#store.durable) this.#undos.push(undo);
    this.touch();
  }

  /** Resolves when nothing is waiting for the store any more. */
  async settled(): Promise<void> {
    while (this.#isCommitting || this.#isScheduled)
      await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  readonly #commit = (): void => {
    this.#isScheduled = false;
    if (this.#isStopped) return;
    if (!this.#store.dirty && this.#waiters.length === 0 && this.#sends.length === 0) {
      this.#tracked.length = 0;
      this.#undos.length = 0;
      this.#wakeIdle();
      return;
    }
    const batch = this.batch++;
    const waiters = this.#waiters;
    const sends = this.#sends;
    const tracked = this.#tracked;
    const undos = this.#undos;
    this.#waiters = [];
    this.#sends = [];
    this.#tracked = [];
    this.#undos = [];
    this.#isCommitting = true;
    this.#metrics.commits++;
    this.#store.commit().then(
      () => {
        this.#failures = 0;
        for (const waiter of waiters) waiter.committed(batch);
        for (const { session, delivery, link } of sends) sendStored(session, delivery, link);
        this.#finish();
      },
      (error: unknown) => {
        for (const undo of undos) undo();
        const isRestDurable = (error as Partial<MessagesRefused>).isRestDurable === true;
        // What was stored before, and only its packet id was not, goes out with the next batch.
        if (!isRestDurable) this.#sends = sends.concat(this.#sends);
        this.#fail(batch, waiters, tracked, error, isRestDurable);
        if (isRestDurable)
          for (const { session, delivery, link } of sends) sendStored(session, delivery, link);
        this.#finish();
      },
    );
  };

  #fail(
    batch: number,
    waiters: readonly BatchWaiter[],
    tracked: readonly TrackedDelivery[],
    error: unknown,
    isRestDurable: boolean,
  ): void {
    this.#metrics.storeFailures++;
    // One loud line for an outage, not one for each batch of it.
    if (this.#failures++ === 0 && !isRestDurable)
      this.#logger.log('error', 'store-failed', { operation: 'commit', error });
    for (const { session, delivery } of tracked) this.#forget(session, delivery);
    for (const waiter of waiters) waiter.failed(batch, error, isRestDurable);
    // What was forgotten has left places in the windows.
    for (const session of new Set(tracked.map((message) => message.session))) pump(session);
  }

  /** The store has forgotten a message of the failed batch; so does its session, unless it was sent already. */
  #forget(session: Session, delivery: Delivery): void {
    if (session.hasEnded || delivery.isDone) return;
    const outbound = session.outbound;
    if (delivery.packetId > 0 && outbound?.inflight.get(delivery.packetId) === delivery) {
      if (delivery.qos === 1) {
        delivery.isUnstored = true;
        return;
      }
      outbound.inflight.delete(delivery.packetId);
      if (delivery.isOpen) outbound.openCount--;
    } else {
      outbound?.remove(delivery);
    }
    session.release(delivery);
    session.drop('store-unavailable', delivery.message.topic);
  }

  #finish(): void {
    this.#isCommitting = false;
    if (this.#store.dirty || this.#waiters.length > 0 || this.#sends.length > 0) this.touch();
    else this.#wakeIdle();
  }

  #wakeIdle(): void {
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }
}
