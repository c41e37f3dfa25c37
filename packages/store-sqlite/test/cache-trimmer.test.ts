import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { CacheTrimmer } from '../src/cache-trimmer.ts';
import { type Database, openSqlite } from '../src/sqlite.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A real database that tells what it was asked to execute. */
function watched(): { readonly database: Database; readonly executed: string[] } {
  const executed: string[] = [];
  const real = openSqlite(':memory:');
  const database: Database = {
    exec: (sql) => {
      real.exec(sql);
      executed.push(sql);
    },
    prepare: (sql) => real.prepare(sql),
    close: () => real.close(),
  };
  return { database, executed };
}

test('a store that was used and then left alone gives its cache back, once', () => {
  const { database, executed } = watched();
  const trimmer = new CacheTrimmer(database);
  vi.advanceTimersByTime(60_000);
  expect(executed).toEqual([]);
  for (let i = 0; i < 10; i++) {
    trimmer.used();
    vi.advanceTimersByTime(1_000);
  }
  expect(executed).toEqual([]);
  vi.advanceTimersByTime(60_000);
  expect(executed).toEqual(['PRAGMA shrink_memory']);
  trimmer.used();
  vi.advanceTimersByTime(60_000);
  expect(executed).toHaveLength(2);
  trimmer.stop();
});

test('nothing is done after the end', () => {
  const { database, executed } = watched();
  const trimmer = new CacheTrimmer(database);
  trimmer.used();
  trimmer.stop();
  vi.advanceTimersByTime(60_000);
  expect(executed).toEqual([]);
});
