// Log lines for people: time, level, what happened, and the details behind it.

import { styleText } from 'node:util';
import type { LogEvent, LogFormat } from './log.ts';
import { printable } from './printable.ts';

const styles = { error: 'red', warn: 'yellow', info: 'green', debug: 'blue', trace: 'gray' } as const;
const topics = { error: 'E', warn: 'W', info: 'I', debug: 'D', trace: 'D' } as const;

export function prettyFormat(colours: boolean): LogFormat {
  const paint = (style: (typeof styles)[keyof typeof styles] | 'dim' | 'bold', text: string): string =>
    colours ? styleText(style, text, { validateStream: false }) : text;
  return ({ level, event, fields, time }: LogEvent) => {
    const details = Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${paint('dim', `${name}=`)}${show(value)}`);
    const head = `${paint('dim', clock(time))} ${paint(styles[level], level.toUpperCase().padEnd(5))}`;
    return [
      {
        text: [head, paint('bold', event.replaceAll('-', ' ')), ...details].join(' '),
        topic: topics[level],
      },
    ];
  };
}

function clock(time: number): string {
  const date = new Date(time);
  const two = (number: number): string => String(number).padStart(2, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

function show(value: unknown): string {
  if (typeof value === 'string' && /^[^\s"=]+$/.test(value)) return printable(value);
  return printable(JSON.stringify(value instanceof Error ? value.message : value));
}
