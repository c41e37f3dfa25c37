// The `$SYS` topics as samples in time. Servers publish all of them in one go every few seconds; when such a wave has
// ended, what is known is a sample, and two samples make rates.

/** A wave has ended when nothing came for this long. */
const QUIET_MS = 200;

export interface SysSample {
  /** On the clock of `performance.now()`. */
  readonly at: number;
  /** By name below `$SYS/broker/`. */
  readonly values: ReadonlyMap<string, string>;
}

export class SysSamples {
  readonly #values = new Map<string, string>();
  readonly #onSample: () => void;
  #timer: NodeJS.Timeout | undefined;
  previous: SysSample | undefined;
  latest: SysSample | undefined;

  constructor(onSample: () => void) {
    this.#onSample = onSample;
  }

  take(topic: string, value: string): void {
    this.#values.set(topic.replace(/^\$SYS\/(broker\/)?/, ''), value);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.add(performance.now()), QUIET_MS);
  }

  /** Ends the wave. */
  add(at: number): void {
    this.previous = this.latest;
    this.latest = { at, values: new Map(this.#values) };
    this.#onSample();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

export function sysNumber(sample: SysSample | undefined, name: string): number | undefined {
  const value = Number.parseFloat(sample?.values.get(name) ?? '');
  return Number.isNaN(value) ? undefined : value;
}

/** How much a counter has grown per second. */
export function sysRate(
  previous: SysSample | undefined,
  latest: SysSample | undefined,
  name: string,
): number | undefined {
  const [before, now] = [sysNumber(previous, name), sysNumber(latest, name)];
  if (before === undefined || now === undefined || previous === undefined || latest === undefined)
    return undefined;
  // A counter that went down belongs to a server that was started anew.
  return now < before ? undefined : ((now - before) * 1000) / Math.max(1, latest.at - previous.at);
}
