// `tobymq config check`, `config convert` and `config reference`.

import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ConfigError, fileFault, formatProblem } from '../config/errors.ts';
import { formatOf, loadConfig } from '../config/load.ts';
import { configurationReference } from '../config/reference.ts';
import { toYaml } from '../config/to-yaml.ts';
import { metricsReference } from '../metrics/reference.ts';
import { findOption, type Support } from '../mosquitto/options.ts';
import { readMosquittoFile } from '../mosquitto/parser.ts';
import { mosquittoReference } from '../mosquitto/reference.ts';
import { translateMosquittoFile } from '../mosquitto/to-config.ts';
import { prepare } from '../prepare.ts';
import { CommandError, type CommandRun } from './command.ts';

const supportWords: Readonly<Record<Support, string>> = {
  supported: 'supported',
  difference: 'supported with a difference',
  'not supported': 'not supported',
  ignored: 'ignored',
};

/** Lists what is wrong, and for a mosquitto.conf what is made of each line. */
export const checkConfig: CommandRun = async ({ args, env, stdout, stderr }) => {
  const path = args[0] as string;
  try {
    if (formatOf(path, readText(path)) === 'mosquitto') stdout.write(listOptions(path));
    const config = loadConfig(path, env);
    await prepare(config);
    const names = config.listeners?.length ?? 2;
    stdout.write(`${path} is valid: ${names} listener${names === 1 ? '' : 's'}.\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    stderr.write(`${error.problems.map(formatProblem).join('\n')}\n`);
    return 1;
  }
};

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw ConfigError.of(`cannot be read: ${fileFault(error)}`, { file: path });
  }
}

function listOptions(path: string): string {
  return readMosquittoFile(path)
    .directives.map(({ name, file, line }) => {
      const option = findOption(name);
      const note = option?.note ? ` (${option.note})` : '';
      return `${file}:${line}: ${name}: ${supportWords[option?.support ?? 'supported']}${note}\n`;
    })
    .join('');
}

/** Writes the settings of a mosquitto.conf as a configuration of ours. */
export const convertConfig: CommandRun = async ({ args, env, options, stdout }) => {
  const path = args[0] as string;
  let text: string;
  try {
    const { config, notes } = translateMosquittoFile(resolve(path), env);
    text = toYaml(config, [
      `Converted from ${path} by "tobymq config convert".`,
      ...notes.map(formatProblem),
    ]);
  } catch (error) {
    if (error instanceof ConfigError) throw new CommandError(error.code, error.message);
    throw error;
  }
  const output = options.text('output');
  if (output === undefined) stdout.write(text);
  else writeFileSync(output, text, { flag: 'wx' });
  return 0;
};

/** Writes the reference pages. */
export const writeReference: CommandRun = async ({ args, stdout }) => {
  const folder = args[0];
  if (folder === undefined) {
    stdout.write(configurationReference());
    return 0;
  }
  writeFileSync(join(folder, 'configuration.md'), configurationReference());
  writeFileSync(join(folder, 'mosquitto-conf.md'), mosquittoReference());
  writeFileSync(join(folder, 'metrics.md'), metricsReference());
  return 0;
};
