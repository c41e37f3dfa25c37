// The configuration of the server: every key with its type, its default and what it is for. The checks, the types, and
// docs/reference/configuration.md all come from here.
//
// A mosquitto.conf is translated into the same shape (mosquitto/to-config.ts), so that the server knows one form only.

import { z } from 'zod';
import { accessSchema } from './schema-access.ts';
import { authenticatorSchema } from './schema-auth.ts';
import { limitsSchema } from './schema-limits.ts';
import { listenerSchema } from './schema-listener.ts';
import { tobySchema } from './schema-toby.ts';
import { duration } from './units.ts';

const logSchema = z.strictObject({
  level: z
    .enum(['error', 'warn', 'info', 'debug', 'trace'])
    .default('info')
    .describe(
      'The least important lines that are written. `debug` adds each subscription, `trace` each packet.',
    ),
  format: z
    .enum(['auto', 'pretty', 'json', 'mosquitto'])
    .default('auto')
    .describe(
      '`pretty` for people, `json` for machines, `mosquitto` for tools that read the lines of Mosquitto. `auto` is pretty on a terminal and JSON elsewhere.',
    ),
  to: z
    .array(z.string())
    .default(['stderr'])
    .describe(
      'Where lines go: `stderr`, `stdout`, `syslog` (`syslog:local3` for another facility than daemon), `topic` (below `$SYS/broker/log/`), `none`, or the path of a file. Files are reopened on reload.',
    ),
  clients: z
    .array(z.string())
    .default([])
    .describe('Client ids whose every event is written whatever `level` says.'),
  timestamp: z
    .union([z.boolean(), z.string()])
    .default(true)
    .describe('Time stamps; a text is a strftime pattern, for the format `mosquitto` only.'),
  types: z
    .array(
      z.enum([
        'error',
        'warning',
        'notice',
        'information',
        'debug',
        'subscribe',
        'unsubscribe',
        'websockets',
        'internal',
      ]),
    )
    .optional()
    .describe(
      'For the format `mosquitto` only: the kinds of lines that are written, as with `log_type`. Default: by `level`.',
    ),
  connections: z.boolean().default(true).describe('Write a line for each connect and disconnect.'),
});

const httpSchema = z.strictObject({
  enabled: z.boolean().default(true).describe('Serve the HTTP API, the metrics and the health checks.'),
  host: z.string().default('127.0.0.1').describe('The address to listen on.'),
  port: z
    .int()
    .min(0)
    .max(65_535)
    .default(18_083)
    .describe('The port. It may be the one of a `ws` listener with the same host; they share it then.'),
  token: z
    .string()
    .regex(/^[\x21-\x7e]{16,}$/, 'expected a token of at least 16 characters without blanks')
    .optional()
    .describe(
      'What clients of the API send as `Authorization: Bearer TOKEN`. Default: made at the first start and kept in `api-token` of the data folder, readable by its owner only.',
    ),
  metricsToken: z
    .string()
    .regex(/^[\x21-\x7e]+$/, 'expected a token without blanks')
    .optional()
    .describe('A token for `/metrics`. Default: the metrics need none, for they name no client.'),
});

const sysSchema = z.strictObject({
  enabled: z.boolean().default(true).describe('Publish counters below `$SYS/`.'),
  interval: duration({ min: 1, max: 65_535 })
    .default(10)
    .describe('How often they are published; only what changed is.'),
});

const throttleSchema = z.strictObject({
  enabled: z
    .boolean()
    .default(true)
    .describe(
      'Slow down, and ban for a time, addresses that fail to log in again and again, and clients that connect again and again.',
    ),
  failures: z
    .int()
    .min(1)
    .default(10)
    .describe('Failed logins of one address within `window` before it is banned.'),
  window: duration({ min: 1 }).default(60).describe('How long a failure is remembered.'),
  delay: duration({ max: 30 })
    .default(0.25)
    .describe(
      'How long the answer to a failed login is held back; it doubles with each failure, up to 16 times as long.',
    ),
  ban: duration({ min: 1 }).default(300).describe('How long a ban lasts.'),
  flapping: z
    .int()
    .min(2)
    .default(60)
    .describe('Connections of one client id within `window` before the client is banned.'),
  exempt: z
    .array(z.string())
    .default(['127.0.0.0/8', '::1', 'unix', 'memory'])
    .describe('Addresses and networks that are never slowed down or banned.'),
});

const storeSchema = z.strictObject({
  type: z
    .enum(['sqlite', 'memory'])
    .default('sqlite')
    .describe(
      '`sqlite` keeps sessions, queues and retained messages in the data folder; `memory` forgets them at the end.',
    ),
  durability: z
    .enum(['fsync', 'commit', 'memory'])
    .default('fsync')
    .describe(
      'What an acknowledged message survives: `fsync` a power cut, `commit` the end of the process, `memory` nothing.',
    ),
  repair: z
    .boolean()
    .default(false)
    .describe('If the store is damaged: keep what is readable, set the damaged file aside, and start.'),
});

/** The whole file. */
export const configSchema = z.strictObject({
  data: z
    .string()
    .default('./data')
    .describe('The folder of the store and of the API token. Relative to the configuration file.'),
  store: storeSchema.prefault({}).describe('What is kept, and how safely.'),
  listeners: z
    .array(listenerSchema)
    .optional()
    .describe(
      'Where clients connect. Default: MQTT on 127.0.0.1:1883 and MQTT over WebSocket on 127.0.0.1:18083/mqtt.',
    ),
  authentication: z
    .array(authenticatorSchema)
    .optional()
    .describe(
      'Who may connect: asked in this order, the first that knows the client decides. Default: everybody, but on addresses that only this machine can reach.',
    ),
  access: accessSchema
    .optional()
    .describe('Who may publish and subscribe to what. Default: everybody everything.'),
  throttle: throttleSchema
    .prefault({})
    .describe('Defence against guessing and against clients that connect in a loop.'),
  limits: limitsSchema
    .prefault({})
    .describe('Bounds for clients, sessions and messages; a listener may have its own.'),
  log: logSchema.prefault({}).describe('What is logged, how and where.'),
  sys: sysSchema.prefault({}).describe('The `$SYS` topics.'),
  http: httpSchema.prefault({}).describe('The HTTP API, `/metrics`, `/health` and `/ready`.'),
  toby: tobySchema
    .optional()
    .describe('The bots layer: accounts, bots that follow tags, web hooks. Off unless this is there.'),
  stopDeadline: duration({ max: 600 })
    .default(10)
    .describe('How long a stop may take before connections are cut.'),
  pidFile: z.string().optional().describe('A file to write the process id into.'),
  user: z
    .string()
    .optional()
    .describe('The account to change to after the listeners are open, if started as root.'),
});

export type Config = z.output<typeof configSchema>;
export type ConfigInput = z.input<typeof configSchema>;
export type LogConfig = Config['log'];
export type HttpConfig = Config['http'];
export type ThrottleConfig = Config['throttle'];
