// The worker thread: takes requests one after the other, and answers each with its result or its error.
//
// With `{ backupOf }` as its data it does one thing only: it copies that store, beside the worker that goes on writing.

import { parentPort, workerData } from 'node:worker_threads';
import { copyDatabase } from './backup.ts';
import { errorRecord } from './errors.ts';
import { openSqlite } from './sqlite.ts';
import { type Reply, type Request, transferOf } from './worker-protocol.ts';
import { WorkerStore } from './worker-store.ts';

const port = parentPort!;
const { backupOf } = (workerData ?? {}) as { backupOf?: string };
const store = new WorkerStore();

port.on('message', (request: Request) => {
  try {
    const answer =
      backupOf === undefined ? store.handle(request.kind, request.body) : copyFile(backupOf, request);
    const reply: Reply = { id: request.id, answer };
    port.postMessage(reply, transferOf(answer));
  } catch (error) {
    const reply: Reply = { id: request.id, error: errorRecord(error, backupOf ?? store.file) };
    port.postMessage(reply);
  }
});

function copyFile(file: string, request: Request): undefined {
  const database = openSqlite(file, { readOnly: true });
  try {
    database.exec('PRAGMA busy_timeout = 5000');
    return copyDatabase(database, (request as Request<'backup'>).body.path);
  } finally {
    database.close();
  }
}
