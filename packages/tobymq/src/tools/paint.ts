// Colours, for terminals that want them.

import type { Writable } from 'node:stream';
import { styleText } from 'node:util';

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

const COLORED: Paint = {
  dim: (text) => style('gray', text),
  topic: (text) => style('cyan', text),
  good: (text) => style('green', text),
  bad: (text) => style('red', text),
  json: (text) =>
    text.replaceAll(
      /("(?:[^"\\]|\\.)*")(\s*:)?|\b(?:true|false|null|-?\d[\d.eE+-]*)\b/g,
      (token, string?: string, colon?: string) =>
        string === undefined
          ? style('yellow', token)
          : colon === undefined
            ? style('green', string)
            : `${style('blue', string)}${colon}`,
    ),
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
