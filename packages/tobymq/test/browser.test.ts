// MQTT over WebSocket from a real browser: Chromium opens a page of the server and talks MQTT to where it came from.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { expect, onTestFinished, test } from 'vitest';
import { connect, nextMessage, portOf, publish, startServer, subscribe } from './harness.ts';

const chromiumPath = process.env.CHROMIUM ?? '/usr/bin/chromium';

// A client of a few lines, so that nothing but the browser's own WebSocket is between the page and the server.
const page = `<!doctype html><title>MQTT</title><script type="module">
const text = (value) => { const bytes = new TextEncoder().encode(value); return [bytes.length >> 8, bytes.length & 255, ...bytes]; };
const packet = (first, body) => new Uint8Array([first, body.length, ...body]);
const socket = new WebSocket('ws://' + location.host + '/mqtt', 'mqtt');
socket.binaryType = 'arraybuffer';
socket.onopen = () => {
  // One packet in two frames, and then two packets in one frame.
  const connect = packet(0x10, [...text('MQTT'), 4, 2, 0, 60, ...text('browser')]);
  socket.send(connect.slice(0, 5));
  socket.send(connect.slice(5));
};
window.received = [];
socket.onmessage = ({ data }) => {
  const bytes = new Uint8Array(data);
  if (bytes[0] === 0x20) {
    const subscribe = packet(0x82, [0, 1, ...text('to/browser'), 0]);
    const publish = packet(0x30, [...text('from/browser'), ...new TextEncoder().encode('hello from chromium')]);
    const both = new Uint8Array(subscribe.length + publish.length);
    both.set(subscribe);
    both.set(publish, subscribe.length);
    socket.send(both);
  } else if (bytes[0] === 0x90) {
    window.isSubscribed = true;
  } else if (bytes[0] === 0x30) {
    window.received.push(new TextDecoder().decode(bytes.slice(2 + 2 + 'to/browser'.length)));
  }
};
socket.onclose = ({ code }) => { window.closedWith = code; };
</script>`;

test('a page in Chromium publishes and receives, and is told when the server stops', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'tobymq-browser-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  writeFileSync(join(directory, 'index.html'), page);
  const server = await startServer({ listeners: [{ port: 0 }, { type: 'ws', port: 0, httpDir: directory }] });
  const { peer } = await connect({ host: '127.0.0.1', port: portOf(server) });
  await subscribe(peer, 'from/browser');
  const browser = await chromium.launch({
    executablePath: chromiumPath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--no-first-run',
      '--disable-background-networking',
    ],
  });
  onTestFinished(() => browser.close());
  const tab = await browser.newPage();
  await tab.goto(`http://127.0.0.1:${portOf(server, 1)}/`);
  expect(await nextMessage(peer)).toEqual({ topic: 'from/browser', payload: 'hello from chromium' });
  await tab.waitForFunction('window.isSubscribed');
  expect(server.broker.client('browser')?.peer.transport).toBe('ws');
  expect(await publish(peer, 'to/browser', 'hello from Node')).toBe(0);
  await tab.waitForFunction('window.received.length === 1');
  expect(await tab.evaluate('window.received[0]')).toBe('hello from Node');
  await server.stop();
  await tab.waitForFunction('window.closedWith !== undefined');
}, 60_000);
