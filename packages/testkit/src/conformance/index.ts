// The conformance suite: all cases in the order of the standard.

import { acknowledgementCases } from './acknowledgements.ts';
import { aliasCases } from './aliases.ts';
import { authCases } from './auth.ts';
import type { ConformanceCase } from './case.ts';
import { connackCases } from './connack.ts';
import { connectCases } from './connect.ts';
import { connectFormatCases } from './connect-format.ts';
import { connectionCases } from './connection.ts';
import { flowControlCases } from './flow-control.ts';
import { formatCases } from './format.ts';
import { publishCases } from './publish.ts';
import { qosCases } from './qos.ts';
import { retainedCases } from './retained.ts';
import { sessionCases } from './session.ts';
import { sharedCases } from './shared.ts';
import { stringCases } from './strings.ts';
import { subscribeCases } from './subscribe.ts';
import { topicCases } from './topics.ts';
import { unsubscribeCases } from './unsubscribe.ts';
import { v31Cases } from './v31.ts';
import { webSocketCases } from './websocket.ts';
import { willCases } from './will.ts';

export const conformanceCases: readonly ConformanceCase[] = [
  ...stringCases,
  ...formatCases,
  ...connectFormatCases,
  ...connectCases,
  ...connackCases,
  ...willCases,
  ...publishCases,
  ...retainedCases,
  ...aliasCases,
  ...acknowledgementCases,
  ...subscribeCases,
  ...unsubscribeCases,
  ...sessionCases,
  ...connectionCases,
  ...qosCases,
  ...topicCases,
  ...sharedCases,
  ...flowControlCases,
  ...authCases,
  ...webSocketCases,
  ...v31Cases,
];
