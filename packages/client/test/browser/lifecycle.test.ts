// What a browser does to a page that nobody looks at, and to its network: hidden tabs whose timers are held back, the
// network that goes and comes, pages that are frozen, put into the back/forward cache or discarded. All of it is
// Chromium's own doing, and the server is ours.

import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { inChromium, type Setup } from './chromium.ts';

const timeout = 60_000;

/** Brings another tab to the front, so that the page is hidden. */
async function hide({ window, run }: Setup): Promise<void> {
  const other = await window.newPage();
  await other.bringToFront();
  await run('await kit.isHidden()');
}

/** Connects the page as `tab`, and collects what arrives for it. */
async function subscribeTab({ run }: Setup, options: string): Promise<void> {
  await run(`
    globalThis.seen = [];
    globalThis.client = await kit.connect(kit.url, { clientId: 'tab', ${options} });
    await client.on('down', ({ text }) => void seen.push(text), { qos: 1 });
  `);
}

const numbers = Array.from({ length: 20 }, (_, i) => String(i));

/** Publishes twenty messages to the page. */
async function publishDown({ client }: Setup): Promise<void> {
  for (const number of numbers) await client.publish('down', number, { qos: 1 });
}

/** What the page has received up to a message that is sent to it now. */
async function seenByTab({ client, run }: Setup, tab?: Page): Promise<unknown> {
  await client.publish('down', 'end', { qos: 1 });
  await expect.poll(() => run('return seen.at(-1)', tab), { timeout: 10_000 }).toBe('end');
  return run('return seen.slice(0, -1)', tab);
}

// The server grants one and a half seconds. A machine that is busy for half a second fails this test without our fault.
test('a hidden tab keeps its connection although its timers are held back for as long as its keep-alive', {
  timeout,
  retry: 3,
}, async () => {
  await inChromium(async (setup) => {
    const { run } = setup;
    await run(`globalThis.client = await kit.connect(kit.url, { keepAlive: '1 s' })`);
    await hide(setup);
    const took = (await run('return kit.timers(8)')) as number[];
    expect(Math.min(...took.slice(1))).toBeGreaterThan(900); // Chromium does hold them back.
    expect(await run('return [client.connected, client.stats().connects]')).toEqual([true, 1]);
    // Messages do not wait for timers: twenty acknowledgements would take twenty seconds.
    const twenty = await run(`
      const start = performance.now();
      for (let i = 0; i < 20; i++) await client.publish('up', '', { qos: 1 });
      return performance.now() - start;
    `);
    expect(twenty).toBeLessThan(5_000);
  });
});

test('a tab that is shown again notices a dead server at once, and resumes its session when the server lives', {
  timeout,
}, async () => {
  await inChromium(async (setup) => {
    const { client, page, run, server } = setup;
    await subscribeTab(setup, `keepAlive: '1 h', pingTimeout: '2 s'`);
    await hide(setup);
    // A round trip, so that whatever the client asked the server when the tab was hidden is answered.
    await run(`await client.publish('up', '', { qos: 1 })`);
    server.child.kill('SIGSTOP');
    await page.bringToFront();
    expect(await run(`return (await kit.reaches(client, 'offline')).reason.code`)).toBe(
      'TOBYMQ_KEEP_ALIVE_TIMEOUT',
    );
    server.child.kill('SIGCONT');
    expect(await run(`return (await kit.reaches(client, 'connected')).isResumed`)).toBe(true);
    await client.publish('down', 'alive', { qos: 1 });
    expect(await seenByTab(setup)).toEqual(['alive']);
  });
});

test('a tab notices that the network is gone, connects as soon as it is back, and what was published meanwhile arrives once', {
  timeout,
}, async () => {
  await inChromium(async (setup) => {
    const { client, run, window } = setup;
    const arrived: string[] = [];
    await client.on('up', ({ text }) => void arrived.push(text), { qos: 1 });
    await subscribeTab(
      setup,
      `keepAlive: '1 h', pingTimeout: '500 ms', reconnect: { min: '1 h', max: '1 h', jitter: 'none' }`,
    );
    await window.setOffline(true);
    expect(await run(`return (await kit.reaches(client, 'offline')).reason.code`)).toBe(
      'TOBYMQ_KEEP_ALIVE_TIMEOUT',
    );
    const queued = await run(`
      globalThis.published = Promise.all(${JSON.stringify(numbers)}.map((n) => client.publish('up', n, { qos: 1 })));
      return client.stats().queuedMessages;
    `);
    expect(queued).toBe(numbers.length);
    await publishDown(setup);
    expect(arrived).toEqual([]);
    await window.setOffline(false);
    expect(await run(`return (await kit.reaches(client, 'connected')).isResumed`)).toBe(true);
    await run(`await published; await client.publish('up', 'end', { qos: 1 })`);
    await expect.poll(() => arrived).toEqual([...numbers, 'end']);
    expect(await seenByTab(setup)).toEqual(numbers);
  });
});

test('a page that was frozen until the server gave it up comes back to its session', {
  timeout,
}, async () => {
  await inChromium(async (setup) => {
    const { page, run, server, window } = setup;
    await subscribeTab(setup, `keepAlive: '1 s'`);
    await hide(setup);
    const devtools = await window.newCDPSession(page);
    await run(`document.addEventListener('freeze', () => { globalThis.wasFrozen = true; })`);
    await devtools.send('Page.setWebLifecycleState', { state: 'frozen' });
    await server.line(/"clientId":"tab".*"client-disconnected"/);
    await publishDown(setup);
    await devtools.send('Page.setWebLifecycleState', { state: 'active' });
    await page.bringToFront();
    expect(await seenByTab(setup)).toEqual(numbers);
    expect(await run('return [wasFrozen, client.stats().connects, client.state.isResumed]')).toEqual([
      true,
      2,
      true,
    ]);
  });
});

test('a page that comes back from the back/forward cache comes back to its session', {
  timeout,
}, async () => {
  await inChromium(async (setup) => {
    const { page, run, url } = setup;
    await subscribeTab(setup, `keepAlive: '1 h'`);
    await run(`addEventListener('pageshow', ({ persisted }) => { globalThis.wasCached = persisted; })`);
    await page.goto(`${url}elsewhere.html`);
    await publishDown(setup);
    // A page from the cache does not load.
    await page.goBack({ waitUntil: 'commit' });
    expect(await seenByTab(setup)).toEqual(numbers);
    expect(await run('return [wasCached, client.stats().connects, client.state.isResumed]')).toEqual([
      true,
      2,
      true,
    ]);
  });
});

test('a tab that the browser discarded while it was offline comes back to its session with nothing lost', {
  timeout,
}, async () => {
  await inChromium(async (setup) => {
    const { client, page, run, url, window } = setup;
    const arrived: string[] = [];
    await client.on('up', ({ text }) => void arrived.push(text), { qos: 1 });
    await run(`
      let storedCount = 0;
      globalThis.allStored = new Promise((resolve) => {
        globalThis.client = kit.persistent((operations) => {
          storedCount += operations.filter(({ op }) => op === 'publish').length;
          if (storedCount === ${numbers.length}) resolve();
        });
      });
      await (await client).on('down', () => {}, { qos: 1 });
    `);
    await window.setOffline(true);
    await run(`
      for (const n of ${JSON.stringify(numbers)}) (await client).publish('up', n, { qos: 1 });
      await allStored;
    `);
    // Chromium discards no tab that is being watched. What a discarded page sees of it is this: nothing.
    const crashed = page.waitForEvent('crash');
    const devtools = await window.newCDPSession(page);
    devtools.send('Page.crash').catch(() => {});
    await crashed;
    await publishDown(setup);
    expect(arrived).toEqual([]);
    const tab = await window.newPage();
    await page.close();
    await window.setOffline(false);
    await tab.goto(url);
    const isResumed = await run(
      `
        globalThis.seen = [];
        globalThis.client = await kit.persistent();
        await client.on('down', ({ text }) => void seen.push(text), { qos: 1 });
        await client.publish('up', 'end', { qos: 1 });
        return client.state.isResumed;
      `,
      tab,
    );
    expect(isResumed).toBe(true);
    await expect.poll(() => arrived).toEqual([...numbers, 'end']);
    expect(await seenByTab(setup, tab)).toEqual(numbers);
  });
});
