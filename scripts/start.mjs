// `npm start`: from a fresh clone to a running server. Installs and builds what is missing or out of date, then
// becomes `tobymq serve` with the arguments given after `--`.
//
// The server runs in this very process, so that signals, exit code and terminal are its own, with nothing between.

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureInstalled, requireNode } from './install.mjs';
import { commands, root, run } from './run.mjs';

requireNode();
if (!(await ensureInstalled())) process.exit(1);

const buildCode = await run(process.execPath, [commands.tsc, '-b', 'packages/tobymq']);
if (buildCode !== 0) {
  console.error('The build failed; the server was not started.');
  process.exit(buildCode);
}

const cli = join(root, 'packages/tobymq/dist/cli.js');
process.argv.splice(1, 1, cli, 'serve');
await import(pathToFileURL(cli).href);
