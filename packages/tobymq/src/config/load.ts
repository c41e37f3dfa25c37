// From a file on the command line to the settings of the server. The file is ours (YAML or JSON) or a mosquitto.conf;
// paths in it are relative to its folder, and become absolute here, so that nothing later depends on where it stands.

import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { translateMosquittoFile } from '../mosquitto/to-config.ts';
import { ConfigError, fileFault } from './errors.ts';
import { type Config, configSchema } from './schema.ts';
import type { AccessConfig } from './schema-access.ts';
import type { AuthenticatorConfig } from './schema-auth.ts';
import type { ListenerConfig, TlsConfig } from './schema-listener.ts';
import type { Environment } from './substitute.ts';
import { parseChecked } from './yaml.ts';

export type ConfigFormat = 'tobymq' | 'mosquitto';

/** Which of the two a file is: by its name, and by its first line if the name does not tell. */
export function formatOf(path: string, text: string): ConfigFormat {
  if (/\.(ya?ml|json)$/i.test(path)) return 'tobymq';
  if (/\.conf$/i.test(path)) return 'mosquitto';
  const first = text.split(/\r?\n/).find((line) => line.trim() !== '' && !line.startsWith('#'));
  return first !== undefined && /^[a-z_0-9.]+\s+\S/.test(first) ? 'mosquitto' : 'tobymq';
}

/** Reads a configuration file of either kind. Throws {@link ConfigError}. */
export function loadConfig(path: string, environment: Environment = process.env): Config {
  const absolute = resolve(path);
  let text: string;
  try {
    text = readFileSync(absolute, 'utf8');
  } catch (error) {
    throw ConfigError.of(`cannot be read: ${fileFault(error)}`, { file: path });
  }
  if (formatOf(absolute, text) === 'mosquitto') return translateMosquittoFile(absolute, environment).config;
  return withAbsolutePaths(parseChecked(text, path, configSchema, environment), dirname(absolute));
}

/** The settings of a server that nobody configured. */
export function defaultConfig(folder: string = process.cwd()): Config {
  return withAbsolutePaths(configSchema.parse({}), folder);
}

/** The same settings with every path made absolute. */
export function withAbsolutePaths(config: Config, folder: string): Config {
  const at = (path: string): string => resolve(folder, path);
  return {
    ...config,
    data: at(config.data),
    listeners: config.listeners?.map((listener) => listenerPaths(listener, at)),
    authentication: config.authentication?.map((entry) => authenticatorPaths(entry, at)),
    access: accessPaths(config.access, at),
    log: { ...config.log, to: config.log.to.map((to) => (isLogName(to) ? to : at(to))) },
    pidFile: config.pidFile === undefined ? undefined : at(config.pidFile),
  };
}

type At = (path: string) => string;

function isLogName(to: string): boolean {
  return ['stderr', 'stdout', 'syslog', 'topic', 'none'].includes(to) || /^syslog:\w+$/.test(to);
}

function listenerPaths(listener: ListenerConfig, at: At): ListenerConfig {
  return {
    ...listener,
    path: listener.type === 'unix' && listener.path !== undefined ? at(listener.path) : listener.path,
    httpDir: listener.httpDir === undefined ? undefined : at(listener.httpDir),
    tls: listener.tls && tlsPaths(listener.tls, at),
    authentication: listener.authentication?.map((entry) => authenticatorPaths(entry, at)),
    access: accessPaths(listener.access, at),
  };
}

function tlsPaths(tls: TlsConfig, at: At): TlsConfig {
  const maybe = (path: string | undefined): string | undefined => (path === undefined ? undefined : at(path));
  return {
    ...tls,
    cert: maybe(tls.cert),
    key: maybe(tls.key),
    ca: maybe(tls.ca),
    crl: maybe(tls.crl),
    pskFile: maybe(tls.pskFile),
    sni: tls.sni.map((entry) => ({ ...entry, cert: at(entry.cert), key: at(entry.key) })),
  };
}

function authenticatorPaths(entry: AuthenticatorConfig, at: At): AuthenticatorConfig {
  if (entry.type === 'password-file' || entry.type === 'scram') return { ...entry, file: at(entry.file) };
  if (entry.type === 'jwt' && entry.publicKeyFile !== undefined) {
    return { ...entry, publicKeyFile: at(entry.publicKeyFile) };
  }
  return entry;
}

function accessPaths(access: AccessConfig | undefined, at: At): AccessConfig | undefined {
  return (
    access && {
      ...access,
      file: access.file === undefined ? undefined : at(access.file),
      aclFile: access.aclFile === undefined ? undefined : at(access.aclFile),
    }
  );
}
