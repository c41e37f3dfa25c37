// Assertions of the conformance cases. Their messages name the claim, what was expected and what came, because they
// are printed in a table for people who do not have the source at hand.

/** A case that did not see what the standard demands. */
export class ConformanceFailure extends Error {
  override readonly name = 'ConformanceFailure';
}

/** A case that cannot run here: it needs a server with special settings. */
export class NeedsSettings extends Error {
  override readonly name = 'NeedsSettings';
}

function show(value: unknown): string {
  if (Buffer.isBuffer(value)) {
    return value.toString('hex');
  }
  if (value instanceof Map) {
    return show([...value]);
  }
  if (typeof value === 'number' && value > 9) {
    return `${value} (0x${value.toString(16)})`;
  }
  return JSON.stringify(value) ?? String(value);
}

function same(a: unknown, b: unknown): boolean {
  return show(a) === show(b);
}

export function equal<T>(actual: T, expected: T, what: string): void {
  if (!same(actual, expected)) {
    throw new ConformanceFailure(`${what}: expected ${show(expected)}, got ${show(actual)}`);
  }
}

export function oneOf<T>(actual: T, expected: readonly T[], what: string): void {
  if (!expected.some((value) => same(value, actual))) {
    throw new ConformanceFailure(
      `${what}: expected one of ${expected.map(show).join(', ')}, got ${show(actual)}`,
    );
  }
}

export function ok(condition: boolean, what: string): asserts condition {
  if (!condition) {
    throw new ConformanceFailure(what);
  }
}
