// Durations and sizes as people write them: `30s`, `5m`, `never`, `2MB`, `64KiB`. In the configuration they become plain
// numbers: seconds and bytes.

import { z } from 'zod';

const secondsPer: Readonly<Record<string, number>> = {
  ms: 0.001,
  s: 1,
  m: 60,
  min: 60,
  h: 3600,
  d: 86_400,
  w: 604_800,
  y: 31_536_000,
};

const bytesPer: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1000,
  mb: 1000 ** 2,
  gb: 1000 ** 3,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
};

/** Seconds of `90`, `90s`, `1.5m`, `250ms`; infinity for `never`; undefined when it is none of these. */
export function parseDuration(value: string | number): number | undefined {
  if (typeof value === 'number') return value;
  if (value === 'never') return Number.POSITIVE_INFINITY;
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d|w|y)?$/.exec(value);
  if (!match) return undefined;
  return Number(match[1]) * (secondsPer[match[2] ?? 's'] as number);
}

/** Bytes of `2000`, `64KiB`, `2MB`; infinity for `unlimited`; undefined when it is none of these. */
export function parseSize(value: string | number): number | undefined {
  if (typeof value === 'number') return value;
  if (value === 'unlimited') return Number.POSITIVE_INFINITY;
  const match = /^(\d+(?:\.\d+)?)\s*(b|kb|mb|gb|kib|mib|gib)?$/i.exec(value);
  if (!match) return undefined;
  return Math.floor(Number(match[1]) * (bytesPer[(match[2] ?? 'b').toLowerCase()] as number));
}

/** The shortest text that `parseDuration` reads as these seconds. */
export function durationText(seconds: number): string {
  if (!Number.isFinite(seconds)) return 'never';
  if (seconds % 1 !== 0) return `${seconds * 1000}ms`;
  return (
    inLargest(seconds, [
      ['d', 86_400],
      ['h', 3600],
      ['m', 60],
    ]) ?? `${seconds}s`
  );
}

/** The shortest text that `parseSize` reads as these bytes. */
export function sizeText(bytes: number): string {
  if (!Number.isFinite(bytes)) return 'unlimited';
  return (
    inLargest(bytes, [
      ['GiB', 1024 ** 3],
      ['MiB', 1024 ** 2],
      ['KiB', 1024],
    ]) ?? String(bytes)
  );
}

function inLargest(value: number, units: readonly (readonly [string, number])[]): string | undefined {
  const unit = value > 0 ? units.find(([, each]) => value % each === 0) : undefined;
  return unit && `${value / unit[1]}${unit[0]}`;
}

export interface Range {
  readonly min?: number;
  readonly max?: number;
}

/** A duration in the configuration; its value is in seconds. */
export function duration({ min = 0, max = Number.POSITIVE_INFINITY }: Range = {}) {
  return z
    .union([z.string(), z.number()], { error: durationExpected })
    .transform((value, context) => {
      const seconds = parseDuration(value);
      if (seconds !== undefined && seconds >= min && seconds <= max) return seconds;
      const bounds = Number.isFinite(max)
        ? ` from ${min} s to ${max} s`
        : min > 0
          ? ` of at least ${min} s`
          : '';
      context.issues.push({ code: 'custom', input: value, message: `${durationExpected}${bounds}` });
      return z.NEVER;
    })
    .meta({ unit: 'duration' });
}

const durationExpected = 'expected a duration such as 30s, 5m, 2h or never';
const sizeExpected = 'expected a size such as 2000, 64KiB, 2MB or unlimited';

/** A size in the configuration; its value is in bytes. */
export function size({ min = 0, max = Number.POSITIVE_INFINITY }: Range = {}) {
  return z
    .union([z.string(), z.number()], { error: sizeExpected })
    .transform((value, context) => {
      const bytes = parseSize(value);
      if (bytes !== undefined && bytes >= min && bytes <= max) return bytes;
      const bounds = Number.isFinite(max)
        ? ` from ${min} to ${max} bytes`
        : min > 0
          ? ` of at least ${min} bytes`
          : '';
      context.issues.push({ code: 'custom', input: value, message: `${sizeExpected}${bounds}` });
      return z.NEVER;
    })
    .meta({ unit: 'size' });
}

/** A whole number, or `unlimited`, which becomes infinity. */
export function count({ min = 0, max = Number.MAX_SAFE_INTEGER }: Range = {}) {
  return z
    .union([z.int().min(min).max(max), z.literal('unlimited')], {
      error: `expected a whole number from ${min} to ${max}, or unlimited`,
    })
    .transform((value) => (value === 'unlimited' ? Number.POSITIVE_INFINITY : value));
}
