// The broker on this store when the disk is full, seen by clients over real connections.

import { Broker, type LogFields, type LogLevel } from '@tobymq/broker';
import { decode, packet, packetType, property, RawPeer } from '@tobymq/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { SqliteStore } from '../src/index.ts';
import { temporaryFolder } from './support.ts';

interface LogLine {
  readonly level: LogLevel;
  readonly event: string;
  readonly fields: LogFields;
}

class Log {
  readonly lines: LogLine[] = [];
  #waiting: (() => void)[] = [];

  log(level: LogLevel, event: string, fields: LogFields): void {
    this.lines.push({ level, event, fields });
    for (const wake of this.#waiting.splice(0)) wake();
  }

  async until(event: string): Promise<LogLine> {
    for (;;) {
      const line = this.lines.find((entry) => entry.event === event);
      if (line !== undefined) return line;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }
}

async function connect(port: number, clientId: string, version: 4 | 5, clean: boolean): Promise<RawPeer> {
  const peer = await RawPeer.connect({ port });
  onTestFinished(() => peer.destroy());
  const properties = version === 5 && !clean ? [[property.sessionExpiryInterval, 3600] as const] : undefined;
  peer.send(packet.connect({ version, clientId, clean, properties }));
  expect(decode.connack(await peer.expect(packetType.CONNACK), version).reason).toBe(0);
  return peer;
}

async function subscribe(peer: RawPeer, filter: string, qos: number, version: 4 | 5): Promise<void> {
  peer.send(packet.subscribe({ version, id: 1, filters: [[filter, qos]] }));
  await peer.expect(packetType.SUBACK);
}

test('a full disk: durable messages are refused, everything else goes on, and it recovers by itself', async () => {
  const log = new Log();
  const store = new SqliteStore({
    folder: await temporaryFolder(),
    fileBytesMax: 2 * 1024 * 1024,
    retryDelayMs: 20,
  });
  const broker = await Broker.start({ store, logger: log, limits: { queueMessagesMax: 100_000 } });
  onTestFinished(() => broker.stop({ deadlineMs: 100 }));
  const { port } = await broker.listen({ port: 0 });

  for (const [clientId, filter] of [
    ['sleeper', 'durable/+'],
    ['patient', 'durable/later'],
  ] as const) {
    const peer = await connect(port, clientId, 5, false);
    await subscribe(peer, filter, 1, 5);
    peer.destroy();
  }
  const listener = await connect(port, 'listener', 4, true);
  await subscribe(listener, 'passing/#', 1, 4);
  const modern = await connect(port, 'modern', 5, true);
  const old = await connect(port, 'old', 4, true);

  const payload = 'x'.repeat(20_000);
  let stored = 0;
  let reason = 0;
  while (reason === 0) {
    modern.send(packet.publish({ version: 5, topic: 'durable/a', qos: 1, id: stored + 1, payload }));
    reason = decode.ack(await modern.expect(packetType.PUBACK), 5).reason;
    if (reason === 0) stored += 1;
  }
  expect(reason).toBe(0x97);
  expect(stored).toBeGreaterThan(50);
  expect(log.lines.filter(({ level, event }) => level === 'error' && event.startsWith('store'))).not.toEqual(
    [],
  );

  // MQTT 3.1.1 has no refusal: no PUBACK, and the connection stays.
  old.send(packet.publish({ version: 4, topic: 'durable/b', qos: 1, id: 1, payload }));
  old.send('c000');
  await old.expect(packetType.PINGRESP);

  // What needs no disk goes on, QoS 1 included.
  for (const [peer, version] of [[modern, 5] as const, [old, 4] as const]) {
    peer.send(packet.publish({ version, topic: 'passing/by', qos: 1, id: 900, payload: `from ${version}` }));
    expect(decode.ack(await peer.expect(packetType.PUBACK), version).id).toBe(900);
    const message = decode.publish(await listener.expect(packetType.PUBLISH), 4);
    expect(Buffer.from(message.payload).toString()).toBe(`from ${version}`);
    listener.send(packet.puback({ version: 4, id: message.id! }));
  }

  // The session whose queue filled the disk is ended, which makes space again.
  await broker.kick('sleeper', { endSession: true });
  await log.until('store-recovered');
  modern.send(packet.publish({ version: 5, topic: 'durable/later', qos: 1, id: 999, payload: 'again' }));
  const answer = decode.ack(await modern.expect(packetType.PUBACK), 5);
  expect([answer.id, answer.reason]).toEqual([999, 0]);
  const patient = await connect(port, 'patient', 5, false);
  const message = decode.publish(await patient.expect(packetType.PUBLISH), 5);
  expect(Buffer.from(message.payload).toString()).toBe('again');
});
