// A full-screen view on a terminal: frames are drawn over one another on the alternate screen, and the terminal is as it
// was when the view ends. Where the output is no terminal, frames are printed one below the other.

import type { Readable, Writable } from 'node:stream';

const ESC = '\u001b';
const ENTER = `${ESC}[?1049h${ESC}[?25l`;
const LEAVE = `${ESC}[?25h${ESC}[?1049l`;

export type Key = 'up' | 'down' | 'page-up' | 'page-down' | 'quit';

const KEYS: Readonly<Record<string, Key>> = {
  [`${ESC}[A`]: 'up',
  [`${ESC}[B`]: 'down',
  [`${ESC}[5~`]: 'page-up',
  [`${ESC}[6~`]: 'page-down',
  k: 'up',
  j: 'down',
  ' ': 'page-down',
  q: 'quit',
  // Ctrl-C and Ctrl-D are bytes like others while keys are read one by one.
  '\u0003': 'quit',
  '\u0004': 'quit',
};

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

type TerminalOut = Writable & { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number };
type TerminalIn = Readable & { readonly isTTY?: boolean; setRawMode?(isRaw: boolean): void };

export class Screen {
  readonly #out: TerminalOut;
  readonly #in: TerminalIn;
  readonly #onKey: (key: Key) => void;
  readonly #onResize: () => void;
  readonly isLive: boolean;

  constructor(out: Writable, input: Readable, onKey: (key: Key) => void, onResize: () => void) {
    this.#out = out;
    this.#in = input;
    this.#onKey = onKey;
    this.#onResize = onResize;
    this.isLive = this.#out.isTTY === true;
  }

  open(): void {
    if (!this.isLive) return;
    this.#out.write(ENTER);
    this.#out.on('resize', this.#onResize);
    if (this.#in.isTTY === true) {
      this.#in.setRawMode?.(true);
      this.#in.on('data', this.#onData);
      this.#in.resume();
    }
  }

  get size(): Size {
    return { columns: this.#out.columns ?? 100, rows: this.isLive ? (this.#out.rows ?? 30) : 1000 };
  }

  draw(lines: readonly string[]): void {
    if (!this.isLive) {
      this.#out.write(`${lines.map((line) => line.trimEnd()).join('\n')}\n`);
      return;
    }
    // Line by line over the old frame instead of clearing first, which would flicker.
    const shown = lines.slice(0, this.size.rows).map((line) => `${line}${ESC}[K`);
    this.#out.write(`${ESC}[H${shown.join('\r\n')}${ESC}[J`);
  }

  close(): void {
    if (!this.isLive) return;
    this.#out.off('resize', this.#onResize);
    if (this.#in.isTTY === true) {
      this.#in.off('data', this.#onData);
      this.#in.setRawMode?.(false);
      this.#in.pause();
    }
    this.#out.write(LEAVE);
  }

  readonly #onData = (data: Buffer): void => {
    const key = KEYS[data.toString('latin1')];
    if (key !== undefined) this.#onKey(key);
  };
}
