// What the client needs of a network: bytes in order in both directions, a sign when the other side reads too slowly,
// and the news that it is over. TCP, TLS, Unix sockets, WebSockets and memory are all given this one shape, and so can
// be anything an application brings along.

/**
 * One end of an ordered, lossless connection. The handlers are assigned by the user of the pipe; nothing is delivered
 * before the turn after it was handed out, so there is time to assign them.
 *
 * @example
 * const [ours, theirs] = memoryPipe();
 * const client = await connect({ transport: () => ours });
 */
export interface BytePipe {
  /**
   * Sends bytes. They belong to the pipe from now on and must not be changed. Returns false when the pipe would like
   * its user to wait for `onDrain`; the bytes were taken nevertheless.
   */
  send(bytes: Uint8Array): boolean;
  /** Without an error: flush and end. With one: drop everything at once. `onClose` follows in both cases, once. */
  close(error?: Error): void;
  /**
   * How much of what was sent waits for the network. A pipe that tells it keeps its connection while a large message
   * takes longer than a ping may; without it such a connection counts as dead.
   */
  unsentBytes?(): number;
  /** Bytes came in. The memory must stay unchanged afterwards: messages may refer to it. */
  onData: (chunk: Uint8Array) => void;
  /** After `send` returned false: there is room again. */
  onDrain: () => void;
  /** The pipe is gone in both directions. */
  onClose: (error?: Error) => void;
}

/** TLS settings, as `tls.connect` of Node knows them. Browsers decide these things themselves. */
export interface TlsOptions {
  readonly ca?: string | Uint8Array | readonly (string | Uint8Array)[];
  readonly cert?: string | Uint8Array;
  readonly key?: string | Uint8Array;
  readonly pfx?: string | Uint8Array;
  readonly passphrase?: string;
  /** The name to verify and to send by SNI; the host of the URL unless given. */
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
  readonly alpnProtocols?: readonly string[];
}

/** Where and how to open a transport. */
export interface TransportTarget {
  readonly url: URL;
  readonly tls: TlsOptions | undefined;
  /** Headers of the WebSocket handshake; browsers do not allow any. */
  readonly headers: Readonly<Record<string, string>> | undefined;
  /** `mqtt`, or `mqttv3.1` for MQTT 3.1. */
  readonly subprotocol: string;
  /** Aborted when the attempt is over: the transport must not open any more. */
  readonly signal: AbortSignal;
}

/** Opens a transport. A rejection is one failed attempt to connect. */
export type OpenTransport = (target: TransportTarget) => BytePipe | Promise<BytePipe>;

/** What differs between Node and browsers. */
export interface Platform {
  /** By URL scheme with its colon: `mqtt:`, `wss:` ... */
  readonly transports: Readonly<Record<string, OpenTransport>>;
  /** Runs the callback after the input of this turn was handled, before the process can go to sleep. */
  defer(callback: () => void): void;
  /** Calls back whenever the network may have come back or gone; returns the function that ends it. */
  watchNetwork(onChange: (isOnline: boolean) => void): () => void;
}
