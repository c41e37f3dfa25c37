// `tobymq profile save|list|show|use|remove`: saved connections.

import { type CommandContext, CommandError, UsageError } from '../commands/command.ts';
import { addressOf, connectionOptions } from './connection-options.ts';
import { ExitCode } from './exit-codes.ts';
import { type Profile, profilePath, readProfiles, SECRET_OPTIONS, writeProfiles } from './profiles.ts';
import { withoutSecrets } from './without-secrets.ts';

export async function save(context: CommandContext): Promise<number> {
  const name = nameOf(context);
  const values: Record<string, string | boolean | readonly string[]> = {};
  for (const option of connectionOptions) {
    if (option.name === 'profile') continue;
    const value =
      option.multiple === true ? context.options.list(option.name) : context.options.text(option.name);
    if (typeof value === 'string' || (Array.isArray(value) && value.length > 0)) values[option.name] = value;
    else if (context.options.flag(option.name)) values[option.name] = true;
  }
  const url = addressOf(context);
  if (url !== undefined) values.url = url;
  delete values.host;
  delete values.port;
  const path = profilePath(context.env);
  const file = await readProfiles(path);
  const isFirst = Object.keys(file.profiles).length === 0;
  await writeProfiles(path, {
    default: context.options.flag('default') || isFirst ? name : file.default,
    profiles: { ...file.profiles, [name]: values },
  });
  context.stdout.write(
    `Saved as "${name}"${isFirst ? ', and used when no other is named' : ''}. Try: tobymq sub --profile ${name} '#'\n`,
  );
  return ExitCode.Success;
}

export async function list(context: CommandContext): Promise<number> {
  const file = await readProfiles(profilePath(context.env));
  for (const [name, profile] of Object.entries(file.profiles)) {
    const mark = name === file.default ? '*' : ' ';
    context.stdout.write(`${mark} ${name}  ${withoutSecrets(String(profile.url ?? 'mqtt://localhost'))}\n`);
  }
  if (Object.keys(file.profiles).length === 0) {
    context.stdout.write('No profile is saved. Try: tobymq profile save home --url mqtt://localhost\n');
  }
  return ExitCode.Success;
}

export async function show(context: CommandContext): Promise<number> {
  const name = nameOf(context);
  const { profiles } = await readProfiles(profilePath(context.env));
  for (const [option, value] of Object.entries(required(profiles, name))) {
    const shown = option === 'url' ? withoutSecrets(String(value)) : String(value);
    context.stdout.write(`${option}: ${SECRET_OPTIONS.has(option) ? '(kept secret)' : shown}\n`);
  }
  return ExitCode.Success;
}

export async function use(context: CommandContext): Promise<number> {
  const name = nameOf(context);
  const path = profilePath(context.env);
  const file = await readProfiles(path);
  required(file.profiles, name);
  await writeProfiles(path, { ...file, default: name });
  return ExitCode.Success;
}

export async function remove(context: CommandContext): Promise<number> {
  const name = nameOf(context);
  const path = profilePath(context.env);
  const file = await readProfiles(path);
  required(file.profiles, name);
  const { [name]: _gone, ...profiles } = file.profiles;
  await writeProfiles(path, { default: file.default === name ? undefined : file.default, profiles });
  return ExitCode.Success;
}

function required(profiles: Readonly<Record<string, Profile>>, name: string): Profile {
  const profile = profiles[name];
  if (profile === undefined) throw new CommandError('TOBYMQ_PROFILE', `there is no profile "${name}".`);
  return profile;
}

function nameOf({ args }: CommandContext): string {
  const [name] = args;
  if (!name) throw new UsageError('NAME is missing: the profile.');
  return name;
}
