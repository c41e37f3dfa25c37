// A raw MQTT peer: one end of a connection that can send anything and shows exactly what came back.
// It knows framing and nothing else of the protocol, so it plays a client or a server, a correct or a hostile one.
// Reading waits for events, never for time; the timeouts only end a test that would otherwise hang.

import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { describeFrame, type Frame, FrameSplitter, nameOfType, packetType } from './frames.ts';

/** Where a raw peer connects. */
export interface RawTarget {
  readonly host?: string;
  readonly port?: number;
  /** Unix socket instead of host and port. */
  readonly path?: string;
  readonly tls?: ConnectionOptions;
  /** Keep our half open when the other side has ended its own. */
  readonly allowHalfOpen?: boolean;
}

export interface WaitOptions {
  /** Milliseconds until waiting fails; 5000 unless said otherwise. */
  readonly timeout?: number;
}

/** Bytes to send; a string is hexadecimal, blanks allowed. */
export type RawBytes = Uint8Array | string;

const defaultTimeoutMs = 5000;

function toBytes(bytes: RawBytes): Buffer {
  if (typeof bytes !== 'string') {
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  const digits = bytes.replaceAll(/\s/g, '');
  if (!/^([0-9a-f]{2})*$/i.test(digits)) {
    throw new TypeError(`not hexadecimal bytes: ${bytes}`);
  }
  return Buffer.from(digits, 'hex');
}

/**
 * One end of an MQTT connection for tests.
 *
 * @example
 * const peer = await RawPeer.connect({ host: '127.0.0.1', port });
 * peer.send(packet.connect({ version: 4, clientId: 'c1' }));
 * decode.connack(await peer.expect(packetType.CONNACK), 4).reason; // 0
 * peer.send('c000');
 * await peer.expect(packetType.PINGRESP);
 * peer.destroy();
 */
export class RawPeer {
  /** The stream itself, for tests that pause, cork or half-close it. */
  readonly stream: Duplex;
  /** Every frame that ever arrived, read or not. */
  readonly history: Frame[] = [];
  readonly #unread: Frame[] = [];
  readonly #splitter = new FrameSplitter();
  readonly #watchers = new Set<() => void>();
  #closed = false;
  #fault: Error | undefined;

  constructor(stream: Duplex) {
    this.stream = stream;
    stream.on('data', (chunk: Buffer) => {
      try {
        for (const frame of this.#splitter.feed(chunk)) {
          this.history.push(frame);
          this.#unread.push(frame);
        }
      } catch (error) {
        this.#fault = error instanceof Error ? error : new Error(String(error));
      }
      this.#changed();
    });
    // A reset is one way for the other side to close; the test sees it as a close.
    stream.on('error', () => this.#markClosed());
    stream.on('end', () => this.#markClosed());
    stream.on('close', () => this.#markClosed());
  }

  /** Connects over TCP, TLS or a Unix socket. */
  static async connect(target: RawTarget): Promise<RawPeer> {
    const { host = '127.0.0.1', port = 1883, path, tls, allowHalfOpen = false } = target;
    const address = path === undefined ? { host, port } : { path };
    if (tls !== undefined) {
      const secure = connectTls({ ...address, ...tls });
      await once(secure, 'secureConnect');
      return new RawPeer(secure);
    }
    const socket = connectTcp({ ...address, allowHalfOpen });
    await once(socket, 'connect');
    socket.setNoDelay(true);
    return new RawPeer(socket);
  }

  /** Whether the other side has ended, closed or reset the connection. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Frames that arrived and were not read yet. */
  get unread(): readonly Frame[] {
    return this.#unread;
  }

  /** Writes bytes. A write on a connection that is gone is ignored: the test will see the close. */
  send(...parts: readonly RawBytes[]): void {
    if (this.stream.writable) {
      this.stream.write(Buffer.concat(parts.map(toBytes)));
    }
  }

  /** Writes bytes one by one, each in its own turn, so that the receiver sees every possible cut. */
  async sendByteByByte(bytes: RawBytes): Promise<void> {
    for (const byte of toBytes(bytes)) {
      this.send(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** The next frame, whatever it is. */
  next(options: WaitOptions = {}): Promise<Frame> {
    return this.#wait('a packet', options, () => this.#unread.shift());
  }

  /** The next frame, which has to be of this type. */
  async expect(type: number, options: WaitOptions = {}): Promise<Frame> {
    const frame = await this.#wait(nameOfType(type), options, () => this.#unread.shift());
    if (frame.type !== type) {
      throw new Error(`expected ${nameOfType(type)}, got ${describeFrame(frame)}`);
    }
    return frame;
  }

  /** The first frame of this type; frames before it stay unread, in order. */
  take(type: number, options: WaitOptions = {}): Promise<Frame> {
    return this.takeWhere(nameOfType(type), (frame) => frame.type === type, options);
  }

  /** The first frame for which the predicate holds; frames before it stay unread, in order. */
  takeWhere(what: string, predicate: (frame: Frame) => boolean, options: WaitOptions = {}): Promise<Frame> {
    return this.#wait(what, options, () => {
      const index = this.#unread.findIndex(predicate);
      return index < 0 ? undefined : this.#unread.splice(index, 1)[0];
    });
  }

  /** Reads up to and including the frame that the marker recognises; any other frame before it is an error. */
  async nothingUntil(marker: (frame: Frame) => boolean, options: WaitOptions = {}): Promise<Frame> {
    const frame = await this.#wait('the marker', options, () => this.#unread.shift());
    if (!marker(frame)) {
      throw new Error(`expected nothing before the marker, got ${describeFrame(frame)}`);
    }
    return frame;
  }

  /** PINGREQ to PINGRESP: everything that was sent before has been read by the other side. Other frames stay unread. */
  async ping(options: WaitOptions = {}): Promise<void> {
    this.send('c000');
    await this.take(packetType.PINGRESP, options);
  }

  /** Waits until the other side has closed, and returns the unread frames that came before that. */
  async expectClose(options: WaitOptions = {}): Promise<Frame[]> {
    const { timeout = defaultTimeoutMs } = options;
    const isClosed = await this.#watch(timeout, () => (this.#closed ? true : undefined));
    if (isClosed === undefined) {
      throw new Error(`expected the connection to be closed within ${timeout} ms; ${this.#seen()}`);
    }
    return this.#unread.splice(0);
  }

  /** Ends our side as a tidy TCP close. */
  end(): void {
    this.stream.end();
  }

  /** Drops the connection without a word. */
  destroy(): void {
    this.stream.destroy();
  }

  /** Drops the connection with a TCP reset. */
  reset(): void {
    const socket = this.stream as Partial<Socket>;
    if (typeof socket.resetAndDestroy === 'function') {
      socket.resetAndDestroy();
    } else {
      this.destroy();
    }
  }

  async #wait<T>(what: string, options: WaitOptions, probe: () => T | undefined): Promise<T> {
    const { timeout = defaultTimeoutMs } = options;
    const value = await this.#watch(timeout, () => {
      const found = probe();
      if (found === undefined && this.#fault !== undefined) {
        throw this.#fault;
      }
      if (found === undefined && this.#closed) {
        throw new Error(`the connection was closed while waiting for ${what}; ${this.#seen()}`);
      }
      return found;
    });
    if (value === undefined) {
      throw new Error(`waited ${timeout} ms for ${what}; ${this.#seen()}`);
    }
    return value;
  }

  /** Probes now and at every change, until there is a value or the time is over. */
  #watch<T>(timeoutMs: number, probe: () => T | undefined): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        clearTimeout(timer);
        this.#watchers.delete(check);
      };
      const check = (): void => {
        try {
          const value = probe();
          if (value !== undefined) {
            finish();
            resolve(value);
          }
        } catch (error) {
          finish();
          reject(error);
        }
      };
      const timer = setTimeout(() => {
        finish();
        resolve(undefined);
      }, timeoutMs);
      this.#watchers.add(check);
      check();
    });
  }

  #seen(): string {
    const last = this.history.slice(-4).map(describeFrame);
    const half =
      this.#splitter.pending.length > 0
        ? `, then half a packet ${this.#splitter.pending.subarray(0, 32).toString('hex')}`
        : '';
    return `received so far: ${last.length === 0 ? 'nothing' : last.join(', ')}${half}${this.#closed ? ', then the close' : ''}`;
  }

  #markClosed(): void {
    this.#closed = true;
    this.#changed();
  }

  #changed(): void {
    for (const check of [...this.#watchers]) {
      check();
    }
  }
}
