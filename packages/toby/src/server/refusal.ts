// A request that is refused: the status that the bot is answered with, and a text that tells a person why. Statuses are
// those of HTTP, so that web hooks, sign-up and bots share one list.

export type RefusalStatus = 400 | 401 | 403 | 404 | 409 | 413 | 429 | 503;

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
