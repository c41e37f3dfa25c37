// What the package exports for programs that run the whole server inside themselves: configuration, listeners, security,
// HTTP API and all. Those who want only the broker take `@tobymq/broker`.

export { ConfigError, type ConfigProblem } from './config/errors.ts';
export { defaultConfig, loadConfig } from './config/load.ts';
export { type Config, type ConfigInput, configSchema } from './config/schema.ts';
export { type ReloadReport, Server, type ServerOptions } from './server.ts';
