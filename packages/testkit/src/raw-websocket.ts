// A WebSocket client for tests, as a byte stream under a RawPeer: every write is one binary frame, and frames of any
// other kind or cut can be sent on purpose. Written by hand so that each frame on the wire is the test's own decision.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Duplex } from 'node:stream';

export interface WebSocketTarget {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  /** Subprotocols to offer; none leaves the header out. */
  readonly protocols: readonly string[];
}

export const opcode = { CONTINUATION: 0, TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 } as const;

/** Reads the answer to the handshake; what follows it stays in the socket's buffer. */
async function readHeaders(
  socket: Socket,
): Promise<{ readonly status: number; readonly headers: Map<string, string> }> {
  let text = '';
  while (!text.includes('\r\n\r\n')) {
    const byte: Buffer | null = socket.read(1);
    if (byte !== null) {
      text += byte.toString('latin1');
    } else if (socket.readableEnded || socket.destroyed) {
      throw new Error(`the server closed during the handshake: ${JSON.stringify(text)}`);
    } else {
      await Promise.race([once(socket, 'readable'), once(socket, 'end')]);
    }
  }
  const [statusLine = '', ...lines] = text.trimEnd().split('\r\n');
  const pairs = lines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return { status: Number(statusLine.split(' ')[1]), headers: new Map(pairs) };
}

export class RawWebSocket extends Duplex {
  /** The subprotocol that the server chose. */
  readonly subprotocol: string | undefined;
  /** Opcodes of the data frames that came in. */
  readonly opcodes: number[] = [];
  readonly #socket: Socket;
  #pending: Buffer = Buffer.alloc(0);

  private constructor(socket: Socket, subprotocol: string | undefined) {
    super();
    this.#socket = socket;
    this.subprotocol = subprotocol;
    socket.on('data', (chunk: Buffer) => this.#feed(chunk));
    socket.on('end', () => this.push(null));
    socket.on('error', () => this.push(null));
    socket.on('close', () => this.destroy());
  }

  /** Opens the connection; throws with the status if the server does not upgrade. */
  static async connect(target: WebSocketTarget): Promise<RawWebSocket> {
    const { host, port, path, protocols } = target;
    const socket = connect({ host, port });
    await once(socket, 'connect');
    const lines = [
      `GET ${path} HTTP/1.1`,
      `Host: ${host}:${port}`,
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
      'Sec-WebSocket-Version: 13',
      ...(protocols.length > 0 ? [`Sec-WebSocket-Protocol: ${protocols.join(', ')}`] : []),
    ];
    socket.write(`${lines.join('\r\n')}\r\n\r\n`);
    const { status, headers } = await readHeaders(socket);
    if (status !== 101) {
      socket.destroy();
      throw new Error(`the server answered the WebSocket handshake with ${status}`);
    }
    return new RawWebSocket(socket, headers.get('sec-websocket-protocol'));
  }

  /** Sends one frame, masked as a client has to. */
  sendFrame(code: number, payload: Uint8Array, isLast = true): void {
    const mask = randomBytes(4);
    const masked = Buffer.from(payload).map((byte, index) => byte ^ mask.readUInt8(index % 4));
    const length = payload.length;
    const head = Buffer.alloc(length < 126 ? 2 : 4);
    head.writeUInt8((isLast ? 0x80 : 0) | code, 0);
    head.writeUInt8(0x80 | (length < 126 ? length : 126), 1);
    if (length >= 126) {
      head.writeUInt16BE(length, 2);
    }
    this.#socket.write(Buffer.concat([head, mask, masked]));
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.sendFrame(opcode.BINARY, chunk);
    done();
  }

  override _read(): void {
    // Frames are pushed as they come; tests read all of them.
  }

  override _final(done: () => void): void {
    this.sendFrame(opcode.CLOSE, Buffer.alloc(0));
    this.#socket.end();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  #feed(chunk: Buffer): void {
    this.#pending = Buffer.concat([this.#pending, chunk]);
    for (;;) {
      const buffer = this.#pending;
      if (buffer.length < 2) {
        return;
      }
      const short = buffer.readUInt8(1) & 0x7f;
      const start = short === 127 ? 10 : short === 126 ? 4 : 2;
      if (buffer.length < start) {
        return;
      }
      const length =
        short === 127 ? Number(buffer.readBigUInt64BE(2)) : short === 126 ? buffer.readUInt16BE(2) : short;
      if (buffer.length < start + length) {
        return;
      }
      this.#pending = buffer.subarray(start + length);
      this.#take(buffer.readUInt8(0) & 0x0f, buffer.subarray(start, start + length));
    }
  }

  #take(code: number, payload: Buffer): void {
    if (code === opcode.PING) {
      this.sendFrame(opcode.PONG, payload);
    } else if (code === opcode.CLOSE) {
      this.push(null);
      this.#socket.end();
    } else if (code !== opcode.PONG) {
      this.opcodes.push(code);
      this.push(payload);
    }
  }
}
