// When memory is given back: only by a quiet server that has grown.

import { expect, test } from 'vitest';
import { MemoryCare } from '../src/memory-care.ts';

function careOf(state: {
  bytes: number;
  cpuMs: number;
  afterBytes: number;
  collections: number;
  usedBytes?: number;
  thorough?: boolean[];
}): MemoryCare {
  return new MemoryCare(
    {
      residentBytes: () => state.bytes,
      cpuMs: () => state.cpuMs,
      usedBytes: () => state.usedBytes ?? 0,
      collect: (isThorough) => {
        state.thorough?.push(isThorough);
        state.collections += 1;
        state.bytes = state.afterBytes;
      },
    },
    1_000_000,
  );
}

test('a quiet server that has grown collects until that brings nothing', () => {
  const state = { bytes: 100, cpuMs: 0, afterBytes: 150, collections: 0 };
  const care = careOf(state);
  state.bytes = 200;
  care.look(1000);
  expect(state.collections).toBe(1);
  state.cpuMs += 10;
  care.look(1000);
  expect(state.collections).toBe(2);
  // What remains is in use: nothing more is tried until it has grown again.
  care.look(1000);
  expect(state.collections).toBe(2);
  state.bytes = 196;
  care.look(1000);
  expect(state.collections).toBe(3);
  care.stop();
});

test('a busy server is not interrupted', () => {
  const state = { bytes: 100, cpuMs: 0, afterBytes: 100, collections: 0 };
  const care = careOf(state);
  state.bytes = 1000;
  state.cpuMs = 500;
  care.look(1000);
  expect(state.collections).toBe(0);
  care.stop();
});

test('a server that has not grown has nothing to give back', () => {
  const state = { bytes: 100, cpuMs: 0, afterBytes: 100, collections: 0 };
  const care = careOf(state);
  state.bytes = 120;
  care.look(1000);
  expect(state.collections).toBe(0);
  care.stop();
});

test('a collection that brings nothing is followed by a thorough one, and then it is enough', () => {
  const state = { bytes: 100, cpuMs: 0, afterBytes: 200, collections: 0, thorough: [] as boolean[] };
  const care = careOf(state);
  state.bytes = 200;
  for (const _ of Array.from({ length: 5 })) care.look(1000);
  expect(state.thorough).toEqual([false, true]);
  care.stop();
});

test('with much in use there is no thorough collection, which would take long', () => {
  const usedBytes = 100 * 1024 * 1024;
  const state = {
    bytes: 100,
    cpuMs: 0,
    afterBytes: 200,
    collections: 0,
    usedBytes,
    thorough: [] as boolean[],
  };
  const care = careOf(state);
  state.bytes = 200;
  for (const _ of Array.from({ length: 5 })) care.look(1000);
  expect(state.thorough).toEqual([false, false]);
  care.stop();
});
