// Log lines for machines: one JSON object per line, written by pino.

import pino from 'pino';
import type { LogEvent, LogFormat, LogLine } from './log.ts';

const topics = { error: 'E', warn: 'W', info: 'I', debug: 'D', trace: 'D' } as const;

export function jsonFormat(): LogFormat {
  let line = '';
  const keep = (text: string): void => {
    line = text;
  };
  const writer = pino(
    {
      level: 'trace',
      base: undefined,
      messageKey: 'event',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: pino.stdSerializers.err },
    },
    { write: keep },
  );
  return ({ level, event, fields }: LogEvent): readonly LogLine[] => {
    writer[level](fields, event);
    return [{ text: line.trimEnd(), topic: topics[level] }];
  };
}
