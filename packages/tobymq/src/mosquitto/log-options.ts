// The log options of a mosquitto.conf.

import type { ConfigInput } from '../config/schema.ts';
import { type Block, fault } from './parser.ts';
import type { MosquittoFlags } from './to-config.ts';

const types = [
  'error',
  'warning',
  'notice',
  'information',
  'debug',
  'subscribe',
  'unsubscribe',
  'websockets',
  'internal',
] as const;
type LogType = (typeof types)[number];
const defaultTypes: readonly LogType[] = ['error', 'warning', 'notice', 'information'];
const verboseTypes: readonly LogType[] = [...defaultTypes, 'debug', 'subscribe', 'unsubscribe', 'websockets'];

/** `-v` turns every kind of line on, `-q` turns all off; both win over the file, as in Mosquitto. */
export function logOf(global: Block, flags: Pick<MosquittoFlags, 'verbose' | 'quiet'>): ConfigInput['log'] {
  const format = global.text('log_timestamp_format');
  const timestamp = global.boolean('log_timestamp') ?? true;
  return {
    format: 'mosquitto',
    to: flags.quiet ? ['none'] : destinationsOf(global),
    types: [...(flags.verbose ? verboseTypes : typesOf(global))],
    timestamp: timestamp && format !== undefined ? format : timestamp,
    connections: global.boolean('connection_messages') ?? true,
  };
}

function destinationsOf(global: Block): string[] {
  const given = global.texts('log_dest');
  if (given.length === 0) return ['stderr'];
  if (given.includes('none')) return ['none'];
  const last = global.directive('log_dest');
  return given.map((dest) => {
    if (dest === 'syslog') {
      const facility = global.integer('log_facility');
      return facility === undefined ? dest : `syslog:local${facility}`;
    }
    if (['stdout', 'stderr', 'topic'].includes(dest)) return dest;
    const path = /^file\s+(.+)$/.exec(dest)?.[1];
    if (path !== undefined) return path;
    throw fault(
      last as { file: string; line: number },
      `Invalid log_dest value (${dest}). It must be stdout, stderr, syslog, topic, none, or file and a path.`,
    );
  });
}

function typesOf(global: Block): readonly LogType[] {
  const given = global.texts('log_type');
  if (given.length === 0) return defaultTypes;
  if (given.includes('none')) return [];
  if (given.includes('all')) return types;
  const wrong = given.find((type) => !types.includes(type as LogType));
  if (wrong !== undefined) {
    throw fault(
      global.directive('log_type') as { file: string; line: number },
      `Invalid log_type value (${wrong}). It must be all, none, or one of ${types.join(', ')}.`,
    );
  }
  return given as LogType[];
}
