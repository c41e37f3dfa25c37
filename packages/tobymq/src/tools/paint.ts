// Colours, for terminals that want them.

import type { Writable } from 'node:stream';
import { styleText } from 'node:util';
import { tokensOf } from './json-text.ts';

export interface Paint {
  dim(text: string): string;
  topic(text: string): string;
  good(text: string): string;
  bad(text: string): string;
  /** JSON with keys, strings and other values told apart. */
  json(text: string): string;
}

const PLAIN: Paint = {
  dim: (text) => text,
  topic: (text) => text,
  good: (text) => text,
  bad: (text) => text,
  json: (text) => text,
};

type Style = Parameters<typeof styleText>[0];

// `styleText` of newer Node versions looks at stdout by itself; we have decided already.
function style(format: Style, text: string): string {
  return (styleText as (format: Style, text: string, options?: object) => string)(format, text, {
    validateStream: false,
  });
}

/** The colour of a part of JSON that ends at `end`. */
function colorOf(token: string, json: string, end: number): Style {
  if (token[0] !== '"') return 'yellow';
  beforeColon.lastIndex = end;
  return beforeColon.test(json) ? 'blue' : 'green';
}

const beforeColon = /\s*:/y;

const COLORED: Paint = {
  dim: (text) => style('gray', text),
  topic: (text) => style('cyan', text),
  good: (text) => style('green', text),
  bad: (text) => style('red', text),
  json: (text) => {
    let painted = '';
    let end = 0;
    for (const { token, index } of tokensOf(text)) {
      const space = text.slice(end, index);
      end = index + token.length;
      painted += space + (/^[[\]{}:,]/.test(token) ? token : style(colorOf(token, text, end), token));
    }
    return painted + text.slice(end);
  },
};

export function painter(colors: boolean): Paint {
  return colors ? COLORED : PLAIN;
}

/** Whether a stream is a terminal that wants colours. */
export function wantsColors(stream: Writable, env: Readonly<Record<string, string | undefined>>): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR) return true;
  return (stream as { isTTY?: boolean }).isTTY === true && env.TERM !== 'dumb';
}
