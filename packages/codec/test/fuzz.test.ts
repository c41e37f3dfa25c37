import { expect, test } from 'vitest';
import { fuzz } from './fuzz.ts';

test('50,000 mutated inputs give packets or a CodecError, and nothing else', () => {
  const seed = Date.now() % 1_000_000_000;
  const result = fuzz(50_000, seed); // A failure names the seed and the input.
  // Otherwise the inputs would be too broken, or too little, to say anything.
  expect(result.packets).toBeGreaterThan(5000);
  expect(result.rejections).toBeGreaterThan(5000);
  expect(result.reencoded).toBeGreaterThan(5000);
});
