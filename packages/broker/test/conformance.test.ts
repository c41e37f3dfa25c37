// The whole conformance suite against this broker, strictly: one test per case, with the id of its statement in its name.
// The suite runs once, many cases at a time, because most of its time is spent waiting; the tests report its results.
// Cases about WebSocket need that transport and run where it is.

import * as broker from '@tobymq/broker';
import { type CaseResult, conformanceCases, embeddedServers, runSuite, versionName } from '@tobymq/testkit';
import { beforeAll, expect, test } from 'vitest';

const cases = conformanceCases.filter((item) => !item.needs.includes('ws'));
let results: readonly CaseResult[] = [];

beforeAll(async () => {
  const withServer = embeddedServers(broker);
  const { host, port, close } = await withServer({});
  try {
    results = await runSuite(cases, { target: { host, port }, withServer, strict: true });
  } finally {
    await close();
  }
}, 120_000);

for (const [index, { id, version, title }] of cases.entries()) {
  test(`[${id}] ${title} (${versionName(version)})`, () => {
    const { outcome, detail } = results[index]!;
    expect(detail ?? outcome).toBe('pass');
  });
}
