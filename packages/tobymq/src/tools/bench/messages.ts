// The scenarios in which messages travel from publishers to subscribers, and `publish`, which looks at the publishers only.
//
//   pairs     publisher i  →  subscriber i
//   fan-in    all publishers  →  one subscriber (or several, each of which gets everything)
//   fan-out   one publisher  →  all subscribers
//   shared    all publishers  →  one shared subscription with several members
//   publish   publishers  →  nobody; an operation is done when it is acknowledged (QoS 0: when it is written)

import type { Client, Message } from '@tobymq/client';
import { type BenchTarget, Crowd, settle } from './crowd.ts';
import { type Load, startLoad } from './load.ts';
import { type BenchSettings, STAMP_BYTES } from './settings.ts';
import type { Tally } from './tally.ts';

/** Runs one scenario and returns when all its clients are closed. */
export type Scenario = (
  settings: BenchSettings,
  target: BenchTarget,
  tally: Tally,
  signal: AbortSignal,
) => Promise<void>;

/** How the topics of a scenario connect publishers and subscribers. */
interface Shape {
  topic(publisher: number): string;
  filter(subscriber: number): string;
  readonly share?: string;
  /** How many subscribers get each message. */
  readonly copies: number;
}

function shapeOf({ scenario, prefix, subscribers }: BenchSettings): Shape {
  switch (scenario) {
    case 'fan-in':
      return { topic: (i) => `${prefix}/in/${i}`, filter: () => `${prefix}/in/+`, copies: subscribers };
    case 'fan-out':
      return { topic: () => `${prefix}/out`, filter: () => `${prefix}/out`, copies: subscribers };
    case 'shared':
      return {
        topic: (i) => `${prefix}/job/${i}`,
        filter: () => `${prefix}/job/+`,
        share: 'bench',
        copies: 1,
      };
    default:
      return { topic: (i) => `${prefix}/pair/${i}`, filter: (i) => `${prefix}/pair/${i}`, copies: 1 };
  }
}

export const endToEnd: Scenario = async (settings, target, tally, signal) => {
  const shape = shapeOf(settings);
  const crowd = new Crowd(target, tally);
  try {
    // Credits of the closed loop come back with the messages; a message to several subscribers counts at the last copy.
    const copiesSeen = new Uint32Array(settings.publishers);
    let load: Load | undefined;
    const onMessage = (message: Message): void => {
      const stamp = readStamp(message.payload);
      tally.effect(stamp.due, performance.now());
      const seen = (copiesSeen[stamp.publisher] as number) + 1;
      copiesSeen[stamp.publisher] = seen % shape.copies;
      if (seen === shape.copies) load?.done(stamp.publisher);
    };
    const subscribers = await crowd.open(settings.subscribers, 'sub');
    await Promise.all(
      subscribers.map((client, i) =>
        client.on(shape.filter(i), onMessage, {
          qos: settings.qos,
          ...(shape.share === undefined ? {} : { share: shape.share }),
        }),
      ),
    );
    const publishers = await crowd.open(settings.publishers, 'pub');
    const send = sender(settings, publishers, shape);
    load = startLoad(settings, settings.publishers, tally, signal, (publisher, due) => {
      tally.begin(due, shape.copies, performance.now());
      send(publisher, due).catch((error: unknown) => {
        tally.fail(error);
        load?.done(publisher);
      });
    });
    await finish(settings, tally, load, signal);
  } finally {
    await crowd.closeAll();
  }
};

export const publish: Scenario = async (settings, target, tally, signal) => {
  const crowd = new Crowd(target, tally);
  try {
    const publishers = await crowd.open(settings.publishers, 'pub');
    const send = sender(settings, publishers, shapeOf(settings));
    const load = startLoad(settings, settings.publishers, tally, signal, (publisher, due) => {
      tally.begin(due, 1, performance.now());
      send(publisher, due).then(
        () => {
          tally.effect(due, performance.now());
          load.done(publisher);
        },
        (error: unknown) => {
          tally.fail(error);
          load.done(publisher);
        },
      );
    });
    await finish(settings, tally, load, signal);
  } finally {
    await crowd.closeAll();
  }
};

async function finish(settings: BenchSettings, tally: Tally, load: Load, signal: AbortSignal): Promise<void> {
  await load.finished;
  await settle(
    () => tally.done >= tally.expected,
    () => tally.done,
    settings.patienceMs,
    signal,
  );
}

function sender(
  { qos, size }: BenchSettings,
  publishers: readonly Client[],
  shape: Shape,
): (publisher: number, due: number) => Promise<unknown> {
  const topics = publishers.map((_, i) => shape.topic(i));
  const options = { qos };
  return (publisher, due) => {
    const payload = new Uint8Array(size);
    writeStamp(payload, due, publisher);
    return (publishers[publisher] as Client).publish(topics[publisher] as string, payload, options);
  };
}

/** The time at which a message was due, on the clock of this process, and who sent it. */
function writeStamp(payload: Uint8Array, due: number, publisher: number): void {
  const view = new DataView(payload.buffer, payload.byteOffset, STAMP_BYTES);
  view.setFloat64(0, due);
  view.setUint32(8, publisher);
}

function readStamp(payload: Uint8Array): { readonly due: number; readonly publisher: number } {
  const view = new DataView(payload.buffer, payload.byteOffset, STAMP_BYTES);
  return { due: view.getFloat64(0), publisher: view.getUint32(8) };
}
