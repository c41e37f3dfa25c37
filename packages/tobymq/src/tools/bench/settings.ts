// What `tobymq bench` was asked to do, read from its options once, with everything decided.

import type { QoS } from '@tobymq/client';
import { type CommandContext, UsageError } from '../../commands/command.ts';

const scenarioNames = [
  'pairs',
  'fan-in',
  'fan-out',
  'shared',
  'publish',
  'subscribe',
  'connect',
  'retained',
  'offline',
] as const;

export type ScenarioName = (typeof scenarioNames)[number];

export interface BenchSettings {
  readonly scenario: ScenarioName;
  readonly publishers: number;
  readonly subscribers: number;
  readonly qos: QoS;
  /** Bytes of each payload. */
  readonly size: number;
  /** The measured time. */
  readonly durationMs: number;
  /** Runs before the measured time and is not counted. */
  readonly warmupMs: number;
  /** Comes before the warm-up: the load grows evenly from nothing. */
  readonly rampMs: number;
  /** Open loop: operations per second, whatever the server does. Undefined: closed loop. */
  readonly rate: number | undefined;
  /** Closed loop: operations that each client has open at the same time. */
  readonly window: number;
  /** Messages of the scenarios that work through a fixed number of them. */
  readonly messages: number;
  /** How long a missing message is waited for before it counts as lost. */
  readonly patienceMs: number;
  /** Each topic of this run begins with it, so that two runs do not meet. */
  readonly prefix: string;
}

/** Time and sender of a message travel in the first bytes of its payload. */
export const STAMP_BYTES = 12;

export function benchSettings({ options, args }: CommandContext): BenchSettings {
  const [name = 'pairs'] = args;
  if (!(scenarioNames as readonly string[]).includes(name)) {
    throw new UsageError(`SCENARIO must be one of ${scenarioNames.join(', ')}, but is "${name}".`);
  }
  const scenario = name as ScenarioName;
  const clients = options.integer('clients', 1, 100_000);
  const size = options.integer('size', 0, 268_000_000) ?? 64;
  if (size < STAMP_BYTES) {
    throw new UsageError(
      `--size must be at least ${STAMP_BYTES}: the payload carries the time, but is "${size}".`,
    );
  }
  const window = options.integer('window', 1, 65_535);
  const rate = positive(options.text('rate'), 'rate');
  if (window !== undefined && rate !== undefined) {
    throw new UsageError('give --rate (open loop) or --window (closed loop), not both.');
  }
  return {
    scenario,
    ...clientCounts(scenario, clients ?? 10, options.integer('subscribers', 1, 100_000)),
    qos: (options.integer('qos', 0, 2) ?? 0) as QoS,
    size,
    durationMs: (positive(options.text('duration'), 'duration') ?? 10) * 1000,
    warmupMs: (notNegative(options.text('warmup'), 'warmup') ?? 1) * 1000,
    rampMs: (notNegative(options.text('ramp'), 'ramp') ?? 0) * 1000,
    rate,
    window: window ?? (scenario === 'connect' || scenario === 'subscribe' ? 1 : 10),
    messages: options.integer('messages', 1, 10_000_000) ?? 10_000,
    patienceMs: (options.integer('patience', 1, 3600) ?? 5) * 1000,
    prefix: `bench/${Math.random().toString(36).slice(2, 10)}`,
  };
}

/** `--clients` means the many side of a scenario; the other side has one unless it is said. */
function clientCounts(
  scenario: ScenarioName,
  clients: number,
  subscribers: number | undefined,
): { readonly publishers: number; readonly subscribers: number } {
  switch (scenario) {
    case 'fan-in':
    case 'shared':
      return { publishers: clients, subscribers: subscribers ?? (scenario === 'shared' ? clients : 1) };
    case 'fan-out':
    case 'retained':
    case 'offline':
      return { publishers: 1, subscribers: subscribers ?? clients };
    default:
      return { publishers: clients, subscribers: clients };
  }
}

function positive(text: string | undefined, name: string): number | undefined {
  const value = notNegative(text, name);
  if (value === 0) throw new UsageError(`--${name} must be above 0.`);
  return value;
}

function notNegative(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!(value >= 0 && Number.isFinite(value))) {
    throw new UsageError(`--${name} must be a number, but is "${text}".`);
  }
  return value;
}
