// The commands that send and receive messages.

import type { Command } from '../commands/command.ts';
import { connectionOptions } from './connection-options.ts';

const qos = {
  name: 'qos',
  short: 'q',
  value: 'QOS',
  description: 'The QoS',
  default: '0',
  values: ['0', '1', '2'],
} as const;

export const messageCommands: readonly Command[] = [
  {
    name: 'pub',
    group: 'Messages',
    summary: 'Publish messages',
    description:
      'Publishes MESSAGE to TOPIC, or what a file or standard input holds. Ends with 0 when the server has taken everything; 4 refused, 5 not authorized, 6 timed out, 7 nobody is subscribed (QoS 1 and 2 in MQTT 5), 3 unreachable, 8 TLS failure, 9 beyond a limit of the server.',
    args: [
      { name: 'TOPIC', description: 'where to publish', optional: true },
      { name: 'MESSAGE', description: 'the payload', optional: true },
    ],
    options: [
      { name: 'message', short: 'm', value: 'TEXT', description: 'The payload' },
      { name: 'file', short: 'f', value: 'FILE', description: 'The payload is what the file holds' },
      { name: 'stdin', short: 's', description: 'The payload is all of standard input' },
      { name: 'lines', short: 'l', description: 'A message for each line of standard input' },
      {
        name: 'json-lines',
        description: 'A message for each line, as {"topic": …, "payload": …, "qos": …, "retain": …}',
      },
      {
        name: 'null',
        short: 'n',
        description: 'An empty payload; with --retain it deletes the retained message',
      },
      qos,
      { name: 'retain', short: 'r', description: 'Ask the server to keep the message for later subscribers' },
      { name: 'repeat', value: 'N', description: 'Publish it N times', default: '1' },
      { name: 'rate', value: 'N', description: 'At most N messages in a second' },
      { name: 'expiry', value: 'SECONDS', description: 'The message is worthless after this time' },
      { name: 'content-type', value: 'TYPE', description: 'The content type' },
      { name: 'response-topic', value: 'TOPIC', description: 'Where an answer is expected' },
      { name: 'correlation', value: 'TEXT', description: 'The correlation data' },
      { name: 'property', short: 'D', value: 'NAME=VALUE', description: 'A user property', multiple: true },
      { name: 'text', description: 'Say that the payload is UTF-8 text' },
      { name: 'timeout', value: 'SECONDS', description: 'How long to wait for the server', default: '30' },
      { name: 'quiet', description: 'Say nothing; the exit code tells' },
      ...connectionOptions,
    ],
    examples: [
      { command: 'tobymq pub room/light on', description: 'one message' },
      {
        command: 'tobymq pub -q 1 -r room/temp \'{"celsius":21}\'',
        description: 'acknowledged and retained',
      },
      { command: 'tail -f app.log | tobymq pub logs/app --lines', description: 'each line as it comes' },
      {
        command: 'tobymq sub -h old --json "#" | tobymq pub -h new --json-lines',
        description: 'copy between servers',
      },
    ],
    load: async () => (await import('./pub.ts')).run,
  },
  {
    name: 'sub',
    group: 'Messages',
    summary: 'Subscribe and show messages',
    description:
      'Shows the messages of one or more topic filters until Ctrl-C, --count or --timeout. Payloads that are no text are shown in hex. Ends with 5 when a filter was refused, 6 when --timeout came before --count.',
    args: [{ name: 'FILTER', description: 'what to subscribe to', optional: true, many: true }],
    options: [
      qos,
      { name: 'json', description: 'One JSON object for each message, with everything that came with it' },
      {
        name: 'format',
        short: 'F',
        value: 'FORMAT',
        description: "text, json, hex, raw, or a format string such as '%I %t %p'",
        default: 'text',
      },
      {
        name: 'verbose',
        short: 'v',
        description: 'The topic before the payload (default with several topics)',
      },
      { name: 'timestamps', description: 'The time of arrival before each message' },
      { name: 'pretty', description: 'Indent JSON payloads' },
      { name: 'count', short: 'C', value: 'N', description: 'End after N messages' },
      { name: 'timeout', short: 'W', value: 'SECONDS', description: 'End after this time' },
      { name: 'retained-only', description: 'Show retained messages only' },
      { name: 'no-retained', short: 'R', description: 'Show no retained messages' },
      {
        name: 'filter-out',
        short: 'T',
        value: 'FILTER',
        description: 'Do not show topics that match',
        multiple: true,
      },
      {
        name: 'unsubscribe',
        short: 'U',
        value: 'FILTER',
        description: 'End a subscription of the kept session first',
        multiple: true,
      },
      ...connectionOptions,
    ],
    examples: [
      { command: "tobymq sub 'room/+/temp'", description: 'everything about temperatures' },
      { command: 'tobymq sub --json "#" | jq .payload', description: 'for programs' },
      {
        command: 'tobymq sub -C 1 -W 5 room/door',
        description: 'the next message, or exit code 6 after 5 s',
      },
    ],
    load: async () => (await import('./sub.ts')).run,
  },
];
