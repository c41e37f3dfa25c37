// The main thread's end of the line to a worker: sends requests, matches answers, and fails what is open when the
// worker ends.

import { Worker } from 'node:worker_threads';
import { StoreError } from './errors.ts';
import {
  type Answers,
  type Reply,
  type Request,
  type RequestKind,
  type Requests,
  transferOf,
} from './worker-protocol.ts';

// Sources run without a build only in tests; a worker cannot be started from TypeScript on Node 20, so those use the
// built one.
const workerUrl = new URL(
  import.meta.url.endsWith('.ts') ? '../dist/worker.js' : './worker.js',
  import.meta.url,
);

interface Waiting {
  readonly resolve: (answer: never) => void;
  readonly reject: (error: StoreError) => void;
}

export class WorkerLink {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #failure: StoreError | undefined;

  /** `onFailure` is told when the worker ended without being asked to. */
  constructor(workerData: { readonly backupOf?: string }, onFailure: (error: StoreError) => void) {
    // `node:sqlite` announces itself as experimental on some versions of Node; that is no news to a server's log.
    this.#worker = new Worker(workerUrl, { workerData, execArgv: ['--disable-warning=ExperimentalWarning'] });
    this.#worker.on('message', (reply: Reply) => this.#settle(reply));
    const fail = (cause: unknown): void => {
      const reason = cause instanceof Error ? cause.message : `it ended with code ${String(cause)}`;
      this.#fail(new StoreError('TOBYMQ_STORE_FAILED', `the store's worker thread failed: ${reason}`, cause));
      onFailure(this.#failure!);
    };
    this.#worker.once('error', fail);
    this.#worker.once('exit', (code) => {
      if (this.#failure === undefined) fail(code);
    });
  }

  request<Kind extends RequestKind>(kind: Kind, body: Requests[Kind]): Promise<Answers[Kind]> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const request: Request<Kind> = { id: ++this.#lastId, kind, body };
    this.#worker.postMessage(request, transferOf(body));
    return new Promise((resolve, reject) => this.#waiting.set(request.id, { resolve, reject }));
  }

  async end(): Promise<void> {
    this.#fail(new StoreError('TOBYMQ_STORE_CLOSED', 'the store is closed'));
    await this.#worker.terminate();
  }

  #settle(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if ('error' in reply) waiting?.reject(new StoreError(reply.error.code, reply.error.message));
    else waiting?.resolve(reply.answer as never);
  }

  #fail(error: StoreError): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#failure);
    this.#waiting.clear();
  }
}
