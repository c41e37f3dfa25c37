// `tobymq reload`, `explain` and `backup`: what a person asks of a running server.

import { resolve } from 'node:path';
import type { Explanation } from '@tobymq/broker';
import type { ReloadReport } from '../server.ts';
import { ApiClient } from './api-client.ts';
import type { CommandRun } from './command.ts';

export const reload: CommandRun = async (context) => {
  const report = (await ApiClient.from(context).request('POST', '/reload')) as ReloadReport;
  const list = (names: readonly string[]): string => (names.length === 0 ? 'none' : names.join(', '));
  context.stdout.write(
    `Reloaded. Listeners added: ${list(report.added)}; removed: ${list(report.removed)}. Clients disconnected: ${report.disconnected}.\n`,
  );
  if (report.needRestart.length > 0)
    context.stdout.write(`These keys need a restart: ${report.needRestart.join(', ')}.\n`);
  return 0;
};

export const backup: CommandRun = async (context) => {
  const path = resolve(context.args[0] as string);
  await ApiClient.from(context).request('POST', '/backup', { path });
  context.stdout.write(`The store was copied to ${path}.\n`);
  return 0;
};

export const explain: CommandRun = async (context) => {
  const { options, args, stdout } = context;
  const query = new URLSearchParams({ topic: args[0] as string, qos: options.text('qos') ?? '1' });
  for (const name of ['client', 'publisher'] as const) {
    const value = options.text(name);
    if (value !== undefined) query.set(name, value);
  }
  const explanation = (await ApiClient.from(context).request('GET', `/explain?${query}`)) as Explanation;
  if (options.flag('json')) stdout.write(`${JSON.stringify(explanation, undefined, 2)}\n`);
  else stdout.write(write(explanation));
  return 0;
};

const words = {
  delivered: 'gets it',
  queued: 'gets it later',
  dropped: 'does not get it',
  'one-of-group': 'may get it',
  'not-subscribed': 'does not get it',
} as const;

function write({ topic, publisher, receivers, hasRetained }: Explanation): string {
  const lines = [`A message to ${topic}:`];
  if (publisher)
    lines.push(
      `  ${publisher.clientId} ${publisher.isAllowed ? 'may publish it' : 'may not publish it'}: ${publisher.reason}`,
    );
  for (const { clientId, outcome, reason, filters, qos } of receivers) {
    const by = outcome === 'not-subscribed' ? '' : ` (by ${filters.join(', ')}, QoS ${qos})`;
    lines.push(`  ${clientId === '' ? 'the server itself' : clientId} ${words[outcome]}: ${reason}${by}`);
  }
  if (receivers.length === 0) lines.push('  nobody has subscribed to it');
  lines.push(
    hasRetained
      ? '  The topic has a retained message; "tobymq retained get" shows it.'
      : '  The topic has no retained message.',
  );
  return `${lines.join('\n')}\n`;
}
