// The special settings that some statements can only be shown with. A host that can start servers of its own gives
// the suite a factory for them; a foreign host cannot, and the cases that need one are reported as not run.

/** A server for one case. Everything left out has the server's default. */
export interface ServerSettings {
  readonly maximumQoS?: 0 | 1;
  readonly retainAvailable?: false;
  readonly wildcardSubscriptionAvailable?: false;
  readonly sharedSubscriptionAvailable?: false;
  readonly subscriptionIdentifierAvailable?: false;
  readonly maximumPacketSize?: number;
  readonly receiveMaximum?: number;
  readonly topicAliasMaximum?: number;
  /** The longest session that the server grants, in seconds. */
  readonly sessionExpiryMaximum?: number;
  /** Server Keep Alive in seconds, sent in CONNACK. */
  readonly serverKeepAlive?: number;
  /** Milliseconds until a connection without CONNECT is closed. */
  readonly connectTimeoutMs?: number;
  /** ClientIDs longer than this are refused. */
  readonly clientIdLengthMaximum?: number;
  /** User names and passwords; anonymous clients are refused when given. */
  readonly users?: Readonly<Record<string, string>>;
  /** Topic filters that nobody may publish or subscribe to. */
  readonly deny?: { readonly publish?: readonly string[]; readonly subscribe?: readonly string[] };
  /** Refusals (of credentials, publishing, subscribing) carry a reason string of 200 characters. */
  readonly talkative?: true;
  /**
   * Enhanced authentication by the method `TEST-METHOD`: the client's first data is `hello`, the server asks with
   * `more`, the client answers `please` and is let in. Anything else is refused. Re-authentication is the same.
   */
  readonly enhancedAuthentication?: true;
  /** Response Information for clients that ask for it. */
  readonly responseInformation?: string;
  /** Every write to the store fails. */
  readonly storeFails?: true;
}

/** A server that was started for a case. */
export interface StartedServer {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}

export type ServerFactory = (settings: ServerSettings) => Promise<StartedServer>;
