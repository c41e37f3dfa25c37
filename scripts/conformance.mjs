// `npm run conformance`: runs the conformance suite against a server and prints a table.
//
//   npm run conformance                                      our own server, started for it on free ports
//   npm run conformance -- --host 127.0.0.1 --port 1883      any server
//
// Our own server is the program as people run it, with its durable store; cases that need special settings start brokers
// inside this process. Nothing is left out then, and our documented choices are demanded. A foreign server may choose
// wherever the standard lets it, and cases that need special settings are reported as not run.
// The exit code is 1 if any case failed, 2 if the suite could not run.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from './run.mjs';

const help = `Usage: npm run conformance -- [options]

  --host HOST          server to examine; without host and port our own is started
  --port PORT          its port (1883)
  --ws-port PORT       its port for MQTT over WebSocket, if it has one
  --ws-path PATH       path of that listener (/mqtt)
  --versions LIST      protocol levels: 3 is MQTT 3.1, 4 is 3.1.1, 5 is 5.0 (3,4,5)
  --filter TEXT        only cases whose id, section or claim contains this
  --strict             demand the choices that our own broker documents
  --concurrency N      cases at the same time (24)
  --json               results as JSON instead of the table
  --help               this text`;

async function main() {
  const { values } = parseArgs({
    options: {
      host: { type: 'string' },
      port: { type: 'string' },
      'ws-port': { type: 'string' },
      'ws-path': { type: 'string', default: '/mqtt' },
      versions: { type: 'string', default: '3,4,5' },
      filter: { type: 'string', default: '' },
      strict: { type: 'boolean', default: false },
      concurrency: { type: 'string', default: '24' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(help);
    return 0;
  }
  const testkit = await builtModule('@tobymq/testkit');
  const cases = selectCases(testkit.conformanceCases, values);
  if (cases.length === 0) {
    throw new Error(`no case of versions ${values.versions} contains ${JSON.stringify(values.filter)}`);
  }
  const isOurs = values.host === undefined && values.port === undefined;
  const server = isOurs ? await startOurs(testkit) : foreignServer(values);
  try {
    const results = await testkit.runSuite(cases, {
      ...server.options,
      concurrency: numberOf(values.concurrency, '--concurrency'),
      strict: isOurs || values.strict,
      onResult: progressOf(cases.length),
    });
    console.log(values.json ? JSON.stringify(results, null, 2) : testkit.formatResults(results));
    return results.some((result) => result.outcome === 'fail') ? 1 : 0;
  } finally {
    await server.close();
  }
}

function selectCases(cases, { versions, filter }) {
  const wanted = versions.split(',').map((text) => numberOf(text, '--versions'));
  const needle = filter.toLowerCase();
  return cases.filter(({ version, id, section, title }) => {
    return wanted.includes(version) && `${id} ${section} ${title}`.toLowerCase().includes(needle);
  });
}

/** Counts on a terminal how far the suite has come. */
function progressOf(total) {
  let done = 0;
  return () => {
    done += 1;
    if (process.stderr.isTTY) {
      process.stderr.write(done < total ? `\r${done} of ${total} ` : '\r\x1b[K');
    }
  };
}

function foreignServer(values) {
  const webSocket = values['ws-port'] && {
    port: numberOf(values['ws-port'], '--ws-port'),
    path: values['ws-path'],
  };
  const target = {
    host: values.host ?? '127.0.0.1',
    port: numberOf(values.port ?? '1883', '--port'),
    ...(webSocket && { webSocket }),
  };
  return { options: { target }, close: async () => {} };
}

async function startOurs({ embeddedServers, TestProcess }) {
  const withServer = embeddedServers(await builtModule('@tobymq/broker'));
  const folder = await mkdtemp(join(tmpdir(), 'tobymq-conformance-'));
  const cli = join(root, 'packages', 'tobymq', 'dist', 'cli.js');
  const ports = ['--port', '0', '--ws-port', '0'];
  const program = TestProcess.start(process.execPath, [cli, 'serve', ...ports, '--data', folder]);
  const close = async () => {
    await program.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const [, host, port, wsPort, path] = await program.line(
      /ready: mqtt:\/\/(.+):(\d+) +ws:\/\/.+:(\d+)(\/\S*)/,
    );
    const webSocket = { port: Number(wsPort), path };
    return { options: { target: { host, port: Number(port), webSocket }, withServer }, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function builtModule(name) {
  try {
    return await import(name);
  } catch (error) {
    throw new Error(`${name} cannot be loaded; run "npm run build" first (${error.message})`, {
      cause: error,
    });
  }
}

function numberOf(text, option) {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) {
    throw new Error(`${option} takes a whole number above 0, not ${JSON.stringify(text)}`);
  }
  return number;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`conformance: ${error.message}`);
  process.exitCode = 2;
}
