// `tobymq mosquitto_pub`.

import { readFileSync } from 'node:fs';
import { addAbortSignal } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import type { ClientError, MessageInput } from '@tobymq/client';
import { lines, readAll } from '../lines.ts';
import { untilFailed, WAIT_SECONDS_MAX } from '../run-client.ts';
import { type Flags, propertiesOf, qosOf, table, userPropertiesOf, wholeNumber } from './client-flags.ts';
import { MosquittoUsageError } from './errors.ts';
import { program } from './run.ts';

export const payloadFlags = [
  ['t topic', 1],
  ['m message', 1],
  ['f file', 1],
  ['l stdin-line', 0],
  ['s stdin-file', 0],
  ['n null-message', 0],
  ['r retain', 0],
] as const;

/** QoS 1 and 2 messages that may be open before more lines are read. */
const OPEN_MAX = 1000;

export const run = program({
  name: 'mosquitto_pub',
  version: 4,
  flags: table([...payloadFlags, ['repeat', 1], ['repeat-delay', 1]]),
  usage: `Usage: mosquitto_pub {[-h host] [--unix path] [-p port] [-u username] [-P password] -t topic | -L URL}
                     {-f file | -l | -n | -m message | -s} [-q qos] [-r] [-V 5|311|31]
                     [-c] [-x seconds] [-i id] [-I id_prefix] [-k keepalive] [-M inflight] [-d] [--quiet]
                     [--repeat N] [--repeat-delay seconds] [-D command property value]
                     [--will-topic topic [--will-payload payload] [--will-qos qos] [--will-retain]]
                     [--cafile file | --capath dir] [--cert file --key file] [--insecure] [--ws] [-o file]
`,
  async prepare({ stdin, stderr }, flags, connection) {
    const topic = flags.text('topic') ?? connection.topic;
    if (topic === undefined) throw new MosquittoUsageError('Error: Both topic and message must be supplied.');
    const fields = { ...publishFields(flags), topic };
    const isLines = flags.has('stdin-line');
    const payload = isLines ? '' : await payloadOf(flags, stdin);
    const count = wholeNumber(flags.text('repeat') ?? '1', '--repeat', 1, 0x7fff_ffff);
    const delayMs = Number(flags.text('repeat-delay') ?? 0) * 1000;
    if (!(delayMs >= 0)) throw new MosquittoUsageError('Error: --repeat-delay must be a number of seconds.');
    return {
      reconnect: false,
      run: async (client, signal) => {
        const open = new Set<Promise<void>>();
        let failure: ClientError | undefined;
        const ended = new AbortController();
        const end = AbortSignal.any([signal, ended.signal]);
        const fail = (error: ClientError): void => {
          failure ??= error;
          ended.abort(error);
        };
        untilFailed(client).catch(fail);
        // Whoever writes into standard input may be silent for hours.
        addAbortSignal(end, stdin);
        const messages = isLines
          ? eachLine(fields, lines(stdin))
          : repeated({ ...fields, payload }, count, delayMs, end);
        try {
          for await (const message of messages) {
            end.throwIfAborted();
            const tracked: Promise<void> = client.publish(message).then(
              () => void open.delete(tracked),
              (error: ClientError) => {
                open.delete(tracked);
                // A refused message is a warning and no failure of the program, as with Mosquitto's.
                if (error.code !== 'TOBYMQ_PUBLISH_REFUSED') fail(error);
                else if (!flags.has('quiet')) stderr.write(`Warning: Publish ${error.message}.\n`);
              },
            );
            open.add(tracked);
            if (open.size >= OPEN_MAX) await Promise.race(open);
          }
        } catch (error) {
          if (!end.aborted) throw error;
        }
        await Promise.all(open);
        if (failure !== undefined) throw failure;
        return 0;
      },
    };
  },
});

/** Everything of a PUBLISH but topic and payload. */
export function publishFields(flags: Flags): Omit<MessageInput, 'topic' | 'payload'> {
  const properties = propertiesOf(flags, 'publish');
  const userProperties = userPropertiesOf(flags, 'publish');
  const expiry = properties.get('message-expiry-interval');
  const contentType = properties.get('content-type');
  const responseTopic = properties.get('response-topic');
  const correlation = properties.get('correlation-data');
  return {
    qos: qosOf(flags.text('qos')),
    retain: flags.has('retain'),
    ...(properties.get('payload-format-indicator') === '1' ? { payloadFormat: 'text' as const } : {}),
    ...(expiry === undefined
      ? {}
      : { expiry: wholeNumber(expiry, 'message-expiry-interval', 0, 0xffff_ffff) * 1000 }),
    ...(contentType === undefined ? {} : { contentType }),
    ...(responseTopic === undefined ? {} : { responseTopic }),
    ...(correlation === undefined ? {} : { correlationData: Buffer.from(correlation) }),
    ...(userProperties.length === 0 ? {} : { userProperties }),
  };
}

/** The one payload that `-m`, `-f`, `-s` or `-n` give. */
export async function payloadOf(
  flags: Flags,
  stdin: Parameters<typeof readAll>[0],
): Promise<string | Uint8Array> {
  const given = ['message', 'file', 'stdin-file', 'null-message'].filter((name) => flags.has(name));
  if (given.length > 1) throw new MosquittoUsageError('Error: Only one type of message can be sent at once.');
  const message = flags.text('message');
  if (message !== undefined) return message;
  const file = flags.text('file');
  if (file !== undefined) {
    try {
      return readFileSync(file);
    } catch {
      throw new MosquittoUsageError(`Error: Unable to open file "${file}".`);
    }
  }
  if (flags.has('stdin-file')) return readAll(stdin);
  if (flags.has('null-message')) return '';
  throw new MosquittoUsageError('Error: Both topic and message must be supplied.');
}

async function* eachLine(
  fields: Omit<MessageInput, 'payload'>,
  input: AsyncIterable<Buffer>,
): AsyncGenerator<MessageInput> {
  for await (const payload of input) yield { ...fields, payload };
}

async function* repeated(
  message: MessageInput,
  count: number,
  delayMs: number,
  signal: AbortSignal,
): AsyncGenerator<MessageInput> {
  const waitMs = Math.min(delayMs, WAIT_SECONDS_MAX * 1000);
  for (let i = 0; i < count; i++) {
    if (i > 0 && waitMs > 0) await wait(waitMs, undefined, { signal });
    yield message;
  }
}
