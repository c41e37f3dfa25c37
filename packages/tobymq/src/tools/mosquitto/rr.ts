// `tobymq mosquitto_rr`: one request, and the first answer that carries our correlation data.

import { randomBytes } from 'node:crypto';
import type { ClientError, Message } from '@tobymq/client';
import { UsageError } from '../../commands/command.ts';
import { parseFormat, type TellFault } from '../format-string.ts';
import { table, timeoutMsOf } from './client-flags.ts';
import { MosquittoUsageError } from './errors.ts';
import { payloadFlags, payloadOf, publishFields } from './pub.ts';
import { program } from './run.ts';

const TIMED_OUT = 27;

export const run = program({
  name: 'mosquitto_rr',
  version: 5,
  flags: table([
    ...payloadFlags,
    ['e response-topic', 1],
    ['latency', 0],
    ['F', 1],
    ['N', 0],
    ['R', 0],
    ['v verbose', 0],
    ['pretty', 0],
    ['retain-handling', 1],
    ['W', 1],
  ]),
  usage: `Usage: mosquitto_rr {[-h host] [--unix path] [-p port] [-u username] [-P password] -t topic | -L URL}
                    -e response-topic {-f file | -n | -m message | -s} [-q qos] [-F format | -v] [-N]
                    [--latency] [-W seconds] [-V 5|311] [-i id] [-d] [--quiet] [-D command property value]
                    [--cafile file | --capath dir] [--cert file --key file] [--insecure] [--ws] [-o file]
`,
  async prepare({ stdin, stdout, stderr }, flags, connection) {
    const topic = flags.text('topic') ?? connection.topic;
    const responseTopic = flags.text('response-topic');
    if (topic === undefined || responseTopic === undefined) {
      throw new MosquittoUsageError('Error: All of topic, message, and response topic must be supplied.');
    }
    const payload = await payloadOf(flags, stdin);
    const timeoutMs = timeoutMsOf(flags);
    const tell = (text: string): void => void stderr.write(`Error: ${text}\n`);
    const render = rendererOf(flags.text('F'), flags.has('verbose'), tell);
    return {
      reconnect: false,
      run: async (client, signal) => {
        const correlationData = randomBytes(16);
        const end =
          timeoutMs === undefined ? signal : AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
        const answers = client.subscribe(responseTopic, {
          qos: publishFields(flags).qos ?? 0,
          retained: flags.has('R') ? 'never' : 'always',
          signal: end,
        });
        await answers.ready;
        const sentAt = performance.now();
        const isV5 = connection.version === 5;
        await client.publish(topic, payload, {
          ...publishFields(flags),
          ...(isV5 ? { responseTopic, correlationData } : {}),
        });
        for await (const message of answers as AsyncIterable<Message>) {
          const theirs = message.properties?.correlationData;
          // A responder that gives no correlation data back can only be believed.
          if (isV5 && theirs !== undefined && !correlationData.equals(theirs)) continue;
          if (flags.has('latency'))
            stdout.write(`Latency: ${((performance.now() - sentAt) / 1000).toFixed(6)}s\n`);
          stdout.write(render(message));
          if (!flags.has('N')) stdout.write('\n');
          return 0;
        }
        return signal.aborted ? 0 : TIMED_OUT;
      },
    };
  },
});

function rendererOf(
  format: string | undefined,
  isVerbose: boolean,
  tell: TellFault,
): (message: Message) => Uint8Array {
  if (format === undefined) {
    return ({ topic, payload }) => Buffer.concat([Buffer.from(isVerbose ? `${topic} ` : ''), payload]);
  }
  try {
    const render = parseFormat(format, tell);
    return (message) => render({ message, receivedAt: new Date() });
  } catch (error) {
    if (error instanceof UsageError) throw new MosquittoUsageError(`Error: ${error.message}`);
    throw error as ClientError;
  }
}
