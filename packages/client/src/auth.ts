// The hook for enhanced authentication of MQTT 5.0: what an authentication method has to provide.

type Answer = Uint8Array | undefined;

/**
 * One authentication method. `start` is called for each connection and each re-authentication, so an implementation
 * may keep the state of one exchange between the calls.
 *
 * @example
 * const auth: EnhancedAuth = {
 *   method: 'TOKEN',
 *   start: async () => encode(await freshToken()),
 *   respond: () => undefined,
 * };
 */
export interface EnhancedAuth {
  readonly method: string;
  /** Authentication Data for CONNECT, or for the AUTH packet that starts a re-authentication. */
  start(): Answer | Promise<Answer>;
  /** Answers what the server sent with Continue authentication (0x18). */
  respond(data: Answer): Answer | Promise<Answer>;
  /** Sees the data that came with success; throws if it does not prove that the server is the right one. */
  finish?(data: Answer): void | Promise<void>;
}
