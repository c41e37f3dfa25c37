// The client in a real browser: Chromium, over WebSocket, to `tobymq serve`, which also serves the page. Sessions live in
// IndexedDB through a reload.

import { expect, test } from 'vitest';
import { inChromium } from './chromium.ts';

test('everyday use, the entry for MQTT.js programs, and sessions that survive a reload', async () => {
  await inChromium(async ({ page, run, client }) => {
    // Everyday use.
    expect(
      await run(`
        const client = await kit.connect(kit.url);
        const seen = [];
        const room = kit.topic('room/{n}', kit.json());
        const three = new Promise((resolve) => client.on(room, (m) => {
          seen.push([m.params.n, m.value, m.qos]);
          if (seen.length === 3) resolve();
        }, { qos: 2 }).then(async () => {
          for (const qos of [0, 1, 2]) await client.publish(room.at({ n: String(qos) }), { qos }, { qos });
        }));
        await three;
        await client.close({ drain: true });
        return seen.sort();
      `),
    ).toEqual([
      ['0', { qos: 0 }, 0],
      ['1', { qos: 1 }, 1],
      ['2', { qos: 2 }, 2],
    ]);

    // A program for MQTT.js.
    expect(
      await run(`
        const client = await kit.connectAsync(kit.url);
        await client.subscribeAsync('old');
        const text = new Promise((resolve) => client.on('message', (t, payload) => resolve(t + ' ' + payload.toString())));
        client.publish('old', 'grüße');
        const result = await text;
        await client.endAsync();
        return result;
      `),
    ).toBe('old grüße');

    // The store has what was written; of two tabs with one client identifier the older one stops.
    expect(
      await run(`
        const message = {
          key: 3, topic: 't', payload: new Uint8Array([0, 1, 2, 3]).subarray(1), qos: 1, retain: true,
          properties: { userProperties: [['a', 'b']] }, expiresAt: Infinity,
        };
        const first = kit.indexedDbStore('contract');
        await first.open('c');
        await first.write([{ op: 'publish', message }, { op: 'publish', message: { ...message, key: 20 } }]);
        await first.write([{ op: 'sent', key: 3, packetId: 7 }, { op: 'received', packetId: 9 }, { op: 'received', packetId: 8 }]);
        await first.write([{ op: 'forgotten', packetId: 9 }, { op: 'done', key: 20 }]);
        const second = kit.indexedDbStore('contract');
        const found = await second.open('c');
        const other = await second.open('d');
        await second.open('c');
        const refused = await first.write([{ op: 'received', packetId: 1 }]).catch((error) => error.message);
        const [stored] = found.messages;
        return [
          found.messages.length, [...stored.message.payload], stored.message.payload.buffer.byteLength, stored.message.expiresAt,
          stored.packetId, found.received, other.messages.length, refused,
        ];
      `),
    ).toEqual([1, [1, 2, 3], 3, Number.POSITIVE_INFINITY, 7, [8], 0, expect.stringMatching(/taken over/)]);

    // The page is reloaded when its messages are stored, before the server can have acknowledged any of them.
    const arrived: string[] = [];
    await client.on('up', ({ text }) => void arrived.push(text), { qos: 2 });
    const reloaded = page.waitForEvent('load');
    await run(`
      const client = await kit.persistent((operations) => {
        if (operations.some(({ op }) => op === 'publish')) {
          location.reload();
          return new Promise(() => {});
        }
      });
      for (let i = 0; i < 50; i++) client.publish('up', String(i), { qos: 2 }).catch(() => {});
    `);
    await reloaded;
    expect(arrived).toEqual([]);
    const expected = Array.from({ length: 50 }, (_, i) => String(i));
    expect(
      await run(`
        const client = await kit.persistent();
        await client.publish('up', 'last', { qos: 2 });
        const { isResumed } = client.state;
        await client.close({ drain: true });
        return isResumed;
      `),
    ).toBe(true);
    await expect.poll(() => arrived).toEqual([...expected, 'last']);

    // The page is reloaded when a message was handled and that is stored, before PUBREC leaves: it must not come again.
    const again = page.waitForEvent('load');
    await run(`
      const client = await kit.persistent((operations) => {
        if (operations.some(({ op }) => op === 'received')) {
          location.reload();
          return new Promise(() => {});
        }
      });
      await client.on('down', (message) => localStorage.setItem('seen', (localStorage.getItem('seen') ?? '') + message.text), { qos: 2 });
      void client.publish('ready', '');
    `);
    await client.publish('down', 'once ', { qos: 2 });
    await again;
    await client.publish('down', 'after', { qos: 2 });
    expect(
      await run(`
        const client = await kit.persistent();
        const arrived = new Promise((resolve) => client.on('down', (message) => {
          localStorage.setItem('seen', localStorage.getItem('seen') + message.text);
          resolve();
        }, { qos: 2 }));
        await arrived;
        await client.close({ drain: true });
        return localStorage.getItem('seen');
      `),
    ).toBe('once after');
  });
}, 60_000);
