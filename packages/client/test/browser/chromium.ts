// A page in Chromium with the client in it, and `tobymq serve`, which also serves the page. Chromium is started as people
// start it: a test runner's usual options keep every page awake and visible, and the tests here are about pages that are not.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TestProcess, withTempDir } from '@tobymq/testkit';
import { build } from 'esbuild';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { type Client, connect } from '../../src/node.ts';

const cli = fileURLToPath(new URL('../../../tobymq/dist/cli.js', import.meta.url));

export interface Setup {
  /** The server has a listener for TCP and one for WebSocket. */
  readonly server: TestProcess;
  /** Connected over TCP. */
  readonly client: Client;
  /** Where the server has the page. */
  readonly url: string;
  /** The window, whose first tab is `page`. */
  readonly window: BrowserContext;
  readonly page: Page;
  /** Runs code in the page, or in another tab with the same content. It has `kit` of page.mjs. */
  run(code: string, tab?: Page): Promise<unknown>;
}

/** Serves the page, opens it in Chromium, and ends everything after use. */
export async function inChromium(use: (setup: Setup) => Promise<void>): Promise<void> {
  await withTempDir(async (folder) => {
    const site = join(folder, 'site');
    await makeSite(site);
    const config = { data: './data', listeners: [{ port: 0 }, { type: 'ws', port: 0, httpDir: site }] };
    writeFileSync(join(folder, 'tobymq.yaml'), JSON.stringify(config));
    const args = [cli, 'serve', '-c', join(folder, 'tobymq.yaml'), '--no-http', '--log-format', 'json'];
    const server = TestProcess.start(process.execPath, args, { cwd: folder });
    const browser = startChromium(join(folder, 'profile'));
    let client: Client | undefined;
    try {
      const [, tcp, ws] = await server.line(/mqtt:\/\/127\.0\.0\.1:(\d+).*ws:\/\/127\.0\.0\.1:(\d+)/);
      client = await connect(`mqtt://127.0.0.1:${tcp}`);
      const window = await firstWindow(browser);
      const page = window.pages()[0]!;
      const url = `http://127.0.0.1:${ws}/`;
      await page.goto(url);
      const run = (code: string, tab = page): Promise<unknown> => tab.evaluate(`(async () => { ${code} })()`);
      await use({ server, client, url, window, page, run });
    } finally {
      await client?.close();
      await browser.stop();
      await server.stop();
    }
  });
}

/** A page with the client, and one without. */
async function makeSite(folder: string): Promise<void> {
  mkdirSync(folder);
  const page = (title: string, body: string): string => `<!doctype html><title>${title}</title>${body}`;
  writeFileSync(join(folder, 'index.html'), page('MQTT', '<script src="page.js"></script>'));
  writeFileSync(join(folder, 'elsewhere.html'), page('Elsewhere', ''));
  await build({
    entryPoints: [fileURLToPath(new URL('page.mjs', import.meta.url))],
    outfile: join(folder, 'page.js'),
    bundle: true,
    platform: 'browser',
    target: 'es2022',
    conditions: ['tobymq-source'],
  });
}

function startChromium(profile: string): TestProcess {
  return TestProcess.start(process.env.CHROMIUM ?? '/usr/bin/chromium', [
    '--headless=new',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--disable-background-networking',
    '--no-first-run',
    '--remote-debugging-port=0',
    `--user-data-dir=${profile}`,
    'about:blank',
  ]);
}

async function firstWindow(program: TestProcess): Promise<BrowserContext> {
  const [, endpoint] = await program.line(/DevTools listening on (ws:\S+)/, { timeout: 30_000 });
  const browser = await chromium.connectOverCDP(endpoint!, { noDefaults: true });
  return browser.contexts()[0]!;
}
