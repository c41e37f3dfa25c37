// Writes settings as a configuration file of ours: only what differs from the defaults, so that the result can be read.

import { stringify } from 'yaml';
import { type Config, configSchema } from './schema.ts';
import { listenerSchema } from './schema-listener.ts';

const durations = new Set(['sessionExpiry', 'retainedExpiry', 'keepAlive', 'connectTimeout']);

/** The file. `notes` become comments at its head. */
export function toYaml(config: Config, notes: readonly string[] = []): string {
  const defaults = configSchema.parse({});
  const { listeners, ...rest } = config;
  const plain = prune(rest, defaults) as Record<string, unknown>;
  const written = listeners?.map((listener) => {
    const { type } = listener;
    const base = listenerSchema.parse(minimalListener(type));
    return {
      type,
      ...(prune(listener, { ...base, path: undefined, tls: undefined }) as Record<string, unknown>),
    };
  });
  const head = notes.map((note) => `# ${note}\n`).join('');
  return head + stringify({ ...plain, ...(written ? { listeners: written } : {}) }, { lineWidth: 110 });
}

function minimalListener(type: string): object {
  return {
    type,
    ...(type === 'unix' ? { path: 'x' } : {}),
    ...(type === 'tls' || type === 'wss' ? { tls: { cert: 'x', key: 'x' } } : {}),
  };
}

/** What of `value` differs from `base`; undefined when nothing does. */
function prune(value: unknown, base: unknown, key = ''): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    return value === base ? undefined : durations.has(key) ? 'never' : 'unlimited';
  }
  if (Array.isArray(value)) {
    return JSON.stringify(value) === JSON.stringify(base)
      ? undefined
      : value.map((item) => prune(item, undefined, key) ?? item);
  }
  if (typeof value !== 'object' || value === null) return value === base ? undefined : value;
  const entries = Object.entries(value)
    .map(
      ([name, item]) =>
        [name, prune(item, (base as Record<string, unknown> | undefined)?.[name], name)] as const,
    )
    .filter(([, item]) => item !== undefined);
  return entries.length === 0 && base !== undefined ? undefined : Object.fromEntries(entries);
}
