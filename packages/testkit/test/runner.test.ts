// The runner itself: what it makes of cases that pass, fail, hang on to work, or cannot run, and the table of it.

import {
  type ConformanceCase,
  decode,
  formatResults,
  packet,
  packetType,
  type RawPeer,
  RawServer,
  runSuite,
} from '@tobymq/testkit';
import { expect, onTestFinished, test } from 'vitest';

/** A server that accepts every CONNECT but answers nothing else but pings, and those as the test says. */
async function startServer(
  options: { readonly pong?: string; readonly versions?: readonly number[] } = {},
): Promise<number> {
  const server = await RawServer.listen();
  onTestFinished(() => server.close());
  const serve = async (peer: RawPeer): Promise<void> => {
    const connect = decode.connect(await peer.expect(packetType.CONNECT));
    if (!(options.versions ?? [3, 4, 5]).includes(connect.level)) {
      peer.end();
      return;
    }
    peer.send(packet.connack({ version: connect.level === 5 ? 5 : 4 }));
    for (;;) {
      const frame = await peer.next({ timeout: 60_000 });
      if (frame.type === packetType.PINGREQ) {
        peer.send(options.pong ?? 'd000');
      }
    }
  };
  const acceptAll = async (): Promise<void> => {
    for (;;) {
      // A connection ends when its client has gone; that is the end of serving it.
      serve(await server.accept({ timeout: 60_000 })).catch(() => {});
    }
  };
  acceptAll().catch(() => {});
  return server.port;
}

function makeCase(run: ConformanceCase['run'], other: Partial<ConformanceCase> = {}): ConformanceCase {
  return { id: 'T-1', version: 5, section: 'Test', title: 'a claim', needs: [], run, ...other };
}

const ping = makeCase(async (t) => (await t.connect()).ping());

async function outcomeOf(
  item: ConformanceCase,
  port: number,
): Promise<[outcome: string, detail: string | undefined]> {
  const [result] = await runSuite([item], { target: { host: '127.0.0.1', port } });
  return [result!.outcome, result!.detail];
}

test('a case that ends without an error passes', async () => {
  expect(await outcomeOf(ping, await startServer())).toEqual(['pass', undefined]);
});

test('a case that throws fails with its message', async () => {
  const failing = makeCase(() => Promise.reject(new Error('expected this, got that')));
  expect(await outcomeOf(failing, await startServer())).toEqual(['fail', 'expected this, got that']);
});

test('a packet that breaks a general rule fails a case that was content', async () => {
  const [outcome, detail] = await outcomeOf(ping, await startServer({ pong: 'd000 d100' }));
  expect(outcome).toBe('fail');
  expect(detail).toContain('reserved flags');
});

test('a case for a version or feature that the server does not have is not offered', async () => {
  const port = await startServer({ versions: [4] });
  expect(await outcomeOf(ping, port)).toEqual(['not offered', 'version 5']);
  const overWebSocket = makeCase(ping.run, { version: 4, needs: ['ws'] });
  expect(await outcomeOf(overWebSocket, port)).toEqual(['not offered', 'ws']);
});

test('a case that needs a server of its own is not run where nobody can start one', async () => {
  const special = makeCase(async (t) => {
    await t.withServer({ receiveMaximum: 1 });
  });
  expect((await outcomeOf(special, await startServer()))[0]).toBe('needs settings');
});

test('the server of a case is closed after it, whether it passed or not', async () => {
  const port = await startServer();
  const closed: string[] = [];
  const withServer = async () => ({
    host: '127.0.0.1',
    port,
    close: async () => {
      closed.push('closed');
    },
  });
  const passes = makeCase(async (t) => (await (await t.withServer({})).connect()).ping());
  const fails = makeCase(async (t) => {
    await t.withServer({});
    throw new Error('no');
  });
  const results = await runSuite([passes, fails], { target: { host: '127.0.0.1', port }, withServer });
  expect(results.map(({ outcome }) => outcome)).toEqual(['pass', 'fail']);
  expect(closed).toEqual(['closed', 'closed']);
});

test('the table counts by section and prints failures in full', () => {
  const common = { version: 5, section: 'Test', milliseconds: 1 } as const;
  const text = formatResults([
    { ...common, id: 'T-1', title: 'good', outcome: 'pass' },
    { ...common, id: 'T-2', title: 'bad', outcome: 'fail', detail: 'expected 1, got 2' },
  ]);
  expect(text).toContain('  T-1             5.0    pass            good');
  expect(text).toMatch(/^all +1 +1 +0 +0$/m);
  expect(text).toMatch(/T-2 \(5\.0\): bad\n {2}expected 1, got 2$/);
});
