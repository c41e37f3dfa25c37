// The conformance suite: all cases in the order of the standard.

import type { ConformanceCase } from './case.ts';
import { connackCases } from './connack.ts';
import { connectCases } from './connect.ts';
import { formatCases } from './format.ts';
import { qosCases } from './qos.ts';
import { sessionCases } from './session.ts';
import { stringCases } from './strings.ts';
import { willCases } from './will.ts';

export const conformanceCases: readonly ConformanceCase[] = [
  ...stringCases,
  ...formatCases,
  ...connectCases,
  ...connackCases,
  ...willCases,
  ...sessionCases,
  ...qosCases,
];
