// A request that is refused: the status that the bot is answered with, and a text that tells a person why. Statuses are
// those of HTTP, so that web hooks, sign-up and bots share one list.

export type RefusalStatus = 400 | 401 | 403 | 404 | 405 | 409 | 413 | 429 | 503;

/** Thrown by an endpoint; becomes `{"status": ..., "error": ...}`. Nothing has been changed when it is thrown. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code = 'TOBYMQ_TOBY_REFUSED';
  readonly status: RefusalStatus;

  constructor(status: RefusalStatus, message: string) {
    super(message);
    this.status = status;
  }
}

/** A request that was refused, for the log and the counters of the program. */
export interface RefusedRequest {
  /** How it came. */
  readonly via: 'bot' | 'hook' | 'signup';
  /** The bot that asked, or that the web hook was for. */
  readonly clientId?: string | undefined;
  readonly address?: string | undefined;
  /** What a bot asked for. */
  readonly endpoint?: string | undefined;
  readonly status: RefusalStatus;
  readonly reason: string;
}
