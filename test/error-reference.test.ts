// The page of error codes: complete, and as the sources say.

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { root } from './repository.ts';

interface Generator {
  readonly undescribedCodes: () => string[];
  readonly errorReference: () => string;
  readonly writtenReference: () => string;
}

const generator = (await import(pathToFileURL(join(root, 'scripts/error-reference.mjs')).href)) as Generator;

test('every error code has a meaning that the reference tells', () => {
  expect(generator.undescribedCodes()).toEqual([]);
});

test('docs/reference/errors.md is what scripts/error-reference.mjs writes', () => {
  expect(generator.writtenReference()).toBe(generator.errorReference());
});
