// Decides when the open batch goes to the worker, and who learns what became of it.
//
// One batch is on its way at a time, and while it is, the next one grows: under load a flush of the disk serves
// the writes of many turns, and whatever is put and taken out again meanwhile is never written. A second batch on its
// way would be faster by one trip between the threads, but it could succeed after the first had failed, and what the
// first has to write again would then overwrite something newer.
//
// After a failure the messages of the batch are forgotten and the rest stays. Until the store has recovered, commits
// are refused at once; the rest is tried again after a pause, together with a proof that there is room for messages. If
// the rest is written and the proof fails, all but messages is written from then on.

import { Batch } from './batch.ts';
import { ByteWriter } from './binary.ts';
import { MessagesRefusedError, type StoreError } from './errors.ts';

const retryDelayMaxMs = 5000;

export interface CommitQueueOptions {
  readonly send: (bytes: Uint8Array<ArrayBuffer>, probe: boolean) => Promise<{ readonly hasRoom: boolean }>;
  readonly onHealth: (healthy: boolean, error: StoreError | undefined) => void;
  readonly retryDelayMs: number;
}

export class CommitQueue {
  readonly #options: CommitQueueOptions;
  readonly #writer = new ByteWriter();
  #batch = new Batch();
  /** Settles with the open batch; made when somebody asks for it. */
  #outcome: Outcome | undefined;
  /** Batches that left before the turn that wrote them had called `commit()`. */
  #leftEarly: Promise<void>[] = [];
  /** The batch that is on its way. */
  #sent: Batch | undefined;
  #afterSend: (() => void)[] = [];
  /** Why messages are refused. */
  #failure: StoreError | undefined;
  /** While messages are refused: whether everything else is written. */
  #writesRest = false;
  #retryDelayMs: number;
  #retryTimer: NodeJS.Timeout | undefined;
  /** It is time to try again, as soon as the open batch has no messages. */
  #isRetryDue = false;
  #dirty = false;
  #isStopped = false;

  constructor(options: CommitQueueOptions) {
    this.#options = options;
    this.#retryDelayMs = options.retryDelayMs;
  }

  /** The batch to add a write to. */
  get open(): Batch {
    this.#dirty = true;
    return this.#batch;
  }

  /** What may not have reached the disk when a read was answered, the older first. */
  get pending(): readonly Batch[] {
    return this.#sent === undefined ? [this.#batch] : [this.#sent, this.#batch];
  }

  get dirty(): boolean {
    return this.#dirty;
  }

  commit(): Promise<void> {
    this.#dirty = false;
    const early = this.#leftEarly;
    if (early.length > 0) {
      this.#leftEarly = [];
      return Promise.all([...early, this.#commitOpen()]).then(() => undefined);
    }
    return this.#commitOpen();
  }

  /** Calls back when everything written so far is on its way to the worker, so that a read sent then sees it. */
  flush(then: () => void): void {
    if (this.#batch.isEmpty) {
      then();
      return;
    }
    this.#afterSend.push(then);
    this.#pump();
  }

  /** Before anything was written: everything but messages is, until there is room for them. */
  refuseMessages(why: StoreError): void {
    this.#failure = why;
    this.#writesRest = true;
    this.#options.onHealth(false, why);
    this.#retryLater();
  }

  /** No retries any more. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#retryTimer);
  }

  #commitOpen(): Promise<void> {
    // Also an empty batch waits for the one before it, so that commits resolve in the order in which they were asked for.
    if (this.#batch.isEmpty && this.#sent === undefined) return Promise.resolve();
    this.#outcome ??= new Outcome();
    const { promise } = this.#outcome;
    this.#pump();
    return promise;
  }

  #pump(): void {
    if (this.#sent !== undefined) return;
    const hasToWait = this.#outcome === undefined && this.#batch.hasMessages;
    if (this.#failure !== undefined && (hasToWait || !this.#writesRest)) this.#refuse(this.#failure);
    else if (this.#batch.isEmpty) this.#outcome?.resolve();
    else if (this.#outcome !== undefined || this.#afterSend.length > 0) {
      this.#send(this.#isRetryDue);
      return;
    } else return;
    this.#outcome = undefined;
    this.#runAfterSend();
  }

  #send(probe: boolean): void {
    const batch = this.#batch;
    const outcome = this.#outcome;
    const refused = batch.hasMessages ? this.#failure : undefined;
    this.#batch = new Batch();
    if (refused !== undefined) {
      batch.forgetMessages();
      batch.moveInbound(this.#batch);
    }
    if (probe) {
      this.#isRetryDue = false;
      this.#retryDelayMs = Math.min(this.#retryDelayMs * 2, retryDelayMaxMs);
    }
    this.#outcome = undefined;
    this.#sent = batch;
    batch.write(this.#writer);
    const sent = this.#options.send(this.#writer.take(), probe);
    if (this.#dirty) this.#leaveEarly(sent);
    sent.then(
      ({ hasRoom }) => this.#succeeded(outcome, refused, probe, hasRoom),
      (error: StoreError) => this.#failed(batch, outcome, error),
    );
    this.#runAfterSend();
  }

  #leaveEarly(sent: Promise<unknown>): void {
    const early = sent.then(() => undefined);
    // Handled by the `commit()` that follows; until then a failure must not count as unhandled.
    early.catch(() => undefined);
    this.#leftEarly.push(early);
  }

  #succeeded(
    outcome: Outcome | undefined,
    refused: StoreError | undefined,
    probe: boolean,
    hasRoom: boolean,
  ): void {
    this.#sent = undefined;
    if (this.#failure !== undefined) {
      this.#writesRest = true;
      if (probe && hasRoom) this.#recovered();
      else if (probe) this.#retryLater();
    }
    if (refused === undefined) outcome?.resolve();
    else outcome?.reject(new MessagesRefusedError(refused));
    this.#pump();
    if (this.#isRetryDue) this.#retry();
  }

  #recovered(): void {
    this.#failure = undefined;
    this.#writesRest = false;
    this.#retryDelayMs = this.#options.retryDelayMs;
    this.#options.onHealth(true, undefined);
  }

  #failed(batch: Batch, outcome: Outcome | undefined, error: StoreError): void {
    this.#sent = undefined;
    const wasHealthy = this.#failure === undefined;
    this.#failure = error;
    this.#writesRest = false;
    batch.forgetMessages();
    // Commits that had nothing to write do not fail with their neighbours.
    if (this.#batch.isEmpty) {
      this.#outcome?.resolve();
      this.#outcome = undefined;
    }
    batch.absorb(this.#batch);
    this.#batch = batch;
    if (wasHealthy) this.#options.onHealth(false, error);
    outcome?.reject(error);
    this.#isRetryDue = false;
    this.#retryLater();
    this.#pump();
  }

  /** While the store cannot write at all: the open batch keeps what it must, and whoever waits for it learns of it. */
  #refuse(error: StoreError): void {
    if (this.#outcome === undefined) return;
    this.#batch.forgetMessages();
    this.#outcome.reject(error);
    this.#outcome = undefined;
    if (this.#isRetryDue) this.#retry();
  }

  #retryLater(): void {
    clearTimeout(this.#retryTimer);
    // What is left would come into a store that was opened again, over what is newer.
    if (this.#isStopped) return;
    this.#retryTimer = setTimeout(() => {
      this.#isRetryDue = true;
      this.#retry();
    }, this.#retryDelayMs);
    this.#retryTimer.unref();
  }

  /** Writes what was kept, and asks for the proof that there is room. */
  #retry(): void {
    // Messages of a turn that has not called `commit()` yet must not be written without its knowledge: it will be refused.
    if (this.#sent !== undefined || this.#batch.hasMessages) return;
    this.#send(true);
  }

  #runAfterSend(): void {
    const callbacks = this.#afterSend;
    if (callbacks.length === 0) return;
    this.#afterSend = [];
    for (const callback of callbacks) callback();
  }
}

class Outcome {
  readonly promise: Promise<void>;
  resolve!: () => void;
  reject!: (error: StoreError) => void;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}
