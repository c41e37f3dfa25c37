import { expect, test } from 'vitest';
import { PacketMemory } from '../src/delivery/packet-memory.ts';

// Compared with `===`, because toBe() also compares the contents of what is not the same.

const NOTHING = new Uint8Array(0);
const MB = 1024 * 1024;

test('what the last user has released is given out again', () => {
  const memory = new PacketMemory();
  const first = memory.exchange(NOTHING, MB, MB);
  const loan = memory.lend(first);
  loan.use();
  loan.release();
  expect(memory.exchange(NOTHING, MB, MB) === first).toBe(false);
  loan.release();
  expect(memory.exchange(NOTHING, MB, MB) === first).toBe(true);
});

test('what is kept by somebody is never given out again', () => {
  const memory = new PacketMemory();
  const first = memory.exchange(NOTHING, MB, MB);
  const loan = memory.lend(first);
  loan.keep();
  loan.release();
  expect(memory.exchange(NOTHING, MB, MB) === first).toBe(false);
});

test('a declared size reserves nothing, but is given what is there', () => {
  const memory = new PacketMemory();
  const cautious = memory.exchange(NOTHING, 10_000, MB);
  expect(cautious.length).toBeGreaterThanOrEqual(10_000);
  expect(cautious.length).toBeLessThan(65_536);
  memory.giveBack(memory.exchange(NOTHING, MB, MB));
  expect(memory.exchange(cautious, 20_000, MB).length).toBe(MB);
});

test('memory that was exchanged serves another packet', () => {
  const memory = new PacketMemory();
  const small = memory.exchange(NOTHING, 10_000, MB);
  const large = memory.exchange(small, 400_000, MB);
  expect(memory.exchange(NOTHING, 10_000, small.length) === small).toBe(true);
  expect(large.length).toBeGreaterThanOrEqual(400_000);
});

test('a packet does not get memory that is far too large for it', () => {
  const memory = new PacketMemory();
  memory.giveBack(memory.exchange(NOTHING, 2 * MB, 2 * MB));
  expect(memory.exchange(NOTHING, 10_000, 10_000).length).toBeLessThan(65_536);
});

test('what is kept for reuse is bounded, in bytes and in number', () => {
  const memory = new PacketMemory();
  const bytesOf = (size: number): number => {
    const given = Array.from({ length: 100 }, () => memory.exchange(NOTHING, size, size));
    for (const each of given) memory.giveBack(each);
    const again = Array.from({ length: 100 }, () => memory.exchange(NOTHING, size, size));
    return again.filter((each) => given.includes(each)).length * size;
  };
  expect(bytesOf(MB)).toBe(16 * MB);
  expect(bytesOf(8_192)).toBe(64 * 8_192);
});

test('what was of no use for a while is let go', () => {
  const memory = new PacketMemory();
  const first = memory.exchange(NOTHING, MB, MB);
  memory.giveBack(first);
  expect(memory.exchange(NOTHING, MB, MB) === first).toBe(true);
  memory.giveBack(first);
  memory.age(); // It was used since the last time.
  memory.age();
  expect(memory.exchange(NOTHING, MB, MB) === first).toBe(false);
});
