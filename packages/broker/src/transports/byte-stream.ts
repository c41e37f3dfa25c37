// The one thing that the broker knows of a transport: a duplex stream of bytes with back-pressure. TCP, TLS, WebSocket,
// Unix sockets and the in-memory pipe each adapt themselves to it in a file of their own.

/** What a connection is told by its transport. The broker sets these before the first byte may arrive. */
export interface ByteStreamHandler {
  /** Bytes came in. The chunk's memory may be reused by the transport after the call. */
  onData(chunk: Uint8Array): void;
  /** After a `write` that returned false: everything was taken by the network. */
  onDrain(): void;
  /** The peer will send no more. */
  onEnd(): void;
  /** The stream is gone in both directions; called exactly once, also after `destroy()`. */
  onClose(error: Error | undefined): void;
}

/** For a stream whose events concern nobody: before `start()`, or because it was turned away. */
export const ignoreEvents: ByteStreamHandler = { onData() {}, onDrain() {}, onEnd() {}, onClose() {} };

export interface ByteStream {
  /** Where the peer is, for logs and limits per address: an IP address, or a name such as `unix` or `memory`. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** The name of the listener that accepted it. */
  readonly listener: string;
  /** What the transport knows of the peer beyond its address, for authenticators. */
  readonly peer: PeerInfo;
  /** Bytes that were written and that the network has not taken yet. */
  readonly bufferedBytes: number;
  /** Whoever reads at the other end may keep the bytes themselves, because there is no network between. */
  readonly keepsBytes?: true;
  start(handler: ByteStreamHandler): void;
  /**
   * Hands bytes to the network. The stream may keep a reference until they are written, so the caller must not change
   * them afterwards. Returns false when the caller should wait for `onDrain`.
   */
  write(bytes: Uint8Array): boolean;
  /** Writes several pieces in order with one system call if the transport can. */
  writev(pieces: readonly Uint8Array[]): boolean;
  /** Stops reading until `resume()`: this is how a publisher is slowed down. */
  pause(): void;
  resume(): void;
  /**
   * Half-closes after everything written has gone out. A peer that `isGone` sends nothing more, so nothing of it needs to be
   * awaited either.
   */
  end(isGone: boolean): void;
  /** Drops the stream at once. */
  destroy(): void;
}

/** What a transport knows of its peer beyond the address. */
export interface PeerInfo {
  /** `tcp`, `tls`, `ws`, `wss`, `unix`, `memory`. */
  readonly transport: string;
  /** The TLS server name that the peer asked for. */
  readonly serverName?: string | undefined;
  /** The client certificate, when one was presented and verified. */
  readonly certificate?: PeerCertificateInfo | undefined;
  /** The identity of a pre-shared key. */
  readonly pskIdentity?: string | undefined;
}

export interface PeerCertificateInfo {
  readonly commonName: string | undefined;
  /** The whole subject in one line, as in RFC 2253. */
  readonly subject: string;
  readonly subjectAltNames: readonly string[];
  readonly fingerprint256: string;
}
