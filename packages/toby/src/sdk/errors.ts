// What calls of a bot reject with.

export type TobyErrorCode =
  /** The server refused the request; `status` says how. */
  | 'TOBYMQ_TOBY_REFUSED'
  /** No answer came in time. */
  | 'TOBYMQ_TOBY_TIMEOUT'
  /** The bot was closed while the call waited. */
  | 'TOBYMQ_TOBY_CLOSED'
  /** What arrived is not a message of the bots' protocol. */
  | 'TOBYMQ_TOBY_MESSAGE_INVALID'
  /** This kind of bot cannot do that, for example a socket bot cannot be replied to. */
  | 'TOBYMQ_TOBY_UNSUPPORTED'
  /** Messages came faster than they were taken; the oldest waiting ones were dropped. */
  | 'TOBYMQ_TOBY_OVERFLOW';

export class TobyError extends Error {
  override readonly name = 'TobyError';
  readonly code: TobyErrorCode;
  /** The status of a refusal: 400, 403, 404, 409, 413, 429, 503; 0 for all other errors. */
  readonly status: number;

  constructor(code: TobyErrorCode, message: string, status = 0, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.status = status;
  }
}
