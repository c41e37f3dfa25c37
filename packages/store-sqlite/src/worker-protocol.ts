// The requests that the main thread sends to the worker, and their answers. They are answered in the order in which
// they are sent, so a read sees every batch that was sent before it.

import type { StoreState } from '@tobymq/broker';
import type { ErrorRecord } from './errors.ts';
import type { Settings } from './options.ts';
import type { Page, SessionPage } from './read-pages.ts';
import type { RepairReport } from './repair.ts';

export interface Requests {
  open: { settings: Settings; now: number };
  /**
   * `probe` asks for proof that there is room for messages again: the worker writes and removes a block of bytes, and sets
   * the reserve aside again if it was given up.
   */
  commit: { bytes: Uint8Array<ArrayBuffer>; probe: boolean };
  sessions: { afterKey: number; count: number };
  queue: { sessionKey: number; afterId: number; countMax: number; bytesMax: number };
  retained: { afterTopic: Uint8Array | undefined; bytesMax: number };
  value: { space: Uint8Array; key: Uint8Array };
  values: { space: Uint8Array; prefix: Uint8Array; afterKey: Uint8Array | undefined; bytesMax: number };
  backup: { path: string };
  close: undefined;
}

export interface Answers {
  /** `refusal` is why the store begins with refusing messages: the disk is full, and its reserve serves the rest. */
  open: { state: StoreState; repairReport: RepairReport | undefined; refusal: ErrorRecord | undefined };
  /** The batch is written; `hasRoom` is false if the proof that was asked for failed. */
  commit: { hasRoom: boolean };
  sessions: SessionPage;
  queue: Page<number>;
  retained: Page<Uint8Array>;
  value: Uint8Array | undefined;
  values: Page<Uint8Array>;
  backup: undefined;
  close: undefined;
}

export type RequestKind = keyof Requests;

export interface Request<Kind extends RequestKind = RequestKind> {
  readonly id: number;
  readonly kind: Kind;
  readonly body: Requests[Kind];
}

export type Reply =
  | { readonly id: number; readonly answer: Answers[RequestKind] }
  | { readonly id: number; readonly error: ErrorRecord };

/** The memory that moves to the other thread with a request or an answer, instead of being copied. */
export function transferOf(message: Requests[RequestKind] | Answers[RequestKind]): ArrayBuffer[] {
  if (message === undefined || message instanceof Uint8Array || !('bytes' in message)) return [];
  return [message.bytes.buffer];
}
