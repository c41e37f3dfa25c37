// The table of the tools: the commands that send and receive messages, and the families of their own files.

import type { Command } from '../commands/command.ts';
import { connectionOptions } from './connection-options.ts';
import { diagnosisCommands } from './diagnosis-commands.ts';

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
        description: 'A message for each line, as `sub --json` prints it: {"topic": …, "payload": …, …}',
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
      {
        command: "tobymq profile save home -h broker.local -u ana && tobymq sub --profile home '#'",
        description: 'save the connection under a name, then use it',
      },
    ],
    load: async () => (await import('./sub.ts')).run,
  },
  {
    name: 'request',
    group: 'Messages',
    summary: 'Ask whoever serves a topic and print the answer',
    description:
      'Publishes a request with a response topic (MQTT 5), or by the topic convention of TobyMQ before 5, and waits for the answer. Ends with 7 when nobody serves the topic, 6 when no answer came.',
    args: [
      { name: 'TOPIC', description: 'whom to ask' },
      { name: 'PAYLOAD', description: 'the question', optional: true },
    ],
    options: [
      { name: 'stdin', short: 's', description: 'The question is standard input' },
      { name: 'timeout', short: 'W', value: 'SECONDS', description: 'How long to wait', default: '10' },
      { name: 'repeat', value: 'N', description: 'Ask N times, one after the other', default: '1' },
      { name: 'latency', description: 'Tell how long each answer took, on standard error' },
      { name: 'no-newline', short: 'N', description: 'Nothing behind the answer' },
      ...connectionOptions,
    ],
    examples: [{ command: "tobymq request math/square '7'", description: 'one question' }],
    load: async () => (await import('./request.ts')).request,
  },
  {
    name: 'respond',
    group: 'Messages',
    summary: 'Answer requests with a command',
    description:
      'Runs COMMAND for each request, with the payload as its standard input; what it prints is the answer. A command that fails answers with an error.',
    args: [
      { name: 'TOPIC', description: 'what to answer' },
      { name: 'COMMAND', description: 'a program and its arguments, behind --', optional: true, many: true },
    ],
    options: [
      { name: 'reply', value: 'TEXT', description: 'Always answer this, instead of running a command' },
      {
        name: 'share',
        value: 'NAME',
        description: 'Share the requests with all who respond under this name',
      },
      { name: 'count', short: 'C', value: 'N', description: 'End after N requests' },
      ...connectionOptions,
    ],
    examples: [
      { command: 'tobymq respond text/upper -- tr a-z A-Z', description: 'capital letters as a service' },
    ],
    load: async () => (await import('./request.ts')).respond,
  },
  {
    name: 'retained list',
    group: 'Messages',
    summary: 'List retained messages',
    args: [{ name: 'FILTER', description: 'which; # without', optional: true }],
    options: [{ name: 'json', description: 'One JSON object for each' }, ...connectionOptions],
    load: async () => (await import('./retained.ts')).list,
  },
  {
    name: 'retained get',
    group: 'Messages',
    summary: 'Print one retained message',
    args: [{ name: 'TOPIC', description: 'its topic' }],
    options: connectionOptions,
    load: async () => (await import('./retained.ts')).get,
  },
  {
    name: 'retained set',
    group: 'Messages',
    summary: 'Set a retained message',
    args: [
      { name: 'TOPIC', description: 'its topic' },
      { name: 'VALUE', description: 'its payload' },
    ],
    options: connectionOptions,
    load: async () => (await import('./retained.ts')).set,
  },
  {
    name: 'retained clear',
    group: 'Messages',
    summary: 'Delete retained messages',
    args: [{ name: 'FILTER', description: 'which' }],
    options: [{ name: 'yes', short: 'y', description: 'Do not ask' }, ...connectionOptions],
    examples: [{ command: "tobymq retained clear 'homeassistant/#'", description: 'a whole branch' }],
    load: async () => (await import('./retained.ts')).clear,
  },
  {
    name: 'kv watch',
    group: 'Messages',
    summary: 'Follow retained values as they change',
    args: [{ name: 'FILTER', description: 'which' }],
    options: connectionOptions,
    load: async () => (await import('./retained.ts')).watch,
  },
  ...diagnosisCommands,
  {
    name: 'profile save',
    group: 'Shell',
    summary: 'Save connection options under a name',
    description:
      'The file is readable only by you. Later commands take the profile named by --profile, or the default one.',
    args: [{ name: 'NAME', description: 'its name' }],
    options: [{ name: 'default', description: 'Use it when no other is named' }, ...connectionOptions],
    examples: [
      {
        command: 'tobymq profile save home -h broker.local -u ana --password-file secret.txt',
        description: 'save a connection',
      },
      { command: "tobymq sub --profile home '#'", description: 'use it' },
    ],
    load: async () => (await import('./profile.ts')).save,
  },
  {
    name: 'profile list',
    group: 'Shell',
    summary: 'List saved profiles',
    load: async () => (await import('./profile.ts')).list,
  },
  {
    name: 'profile show',
    group: 'Shell',
    summary: 'Show a profile without its secrets',
    args: [{ name: 'NAME', description: 'its name' }],
    load: async () => (await import('./profile.ts')).show,
  },
  {
    name: 'profile use',
    group: 'Shell',
    summary: 'Make a profile the default',
    args: [{ name: 'NAME', description: 'its name' }],
    load: async () => (await import('./profile.ts')).use,
  },
  {
    name: 'profile remove',
    group: 'Shell',
    summary: 'Remove a profile',
    args: [{ name: 'NAME', description: 'its name' }],
    load: async () => (await import('./profile.ts')).remove,
  },
  {
    name: 'completion',
    group: 'Shell',
    summary: 'Print a completion script for bash, zsh or fish',
    args: [{ name: 'SHELL', description: 'bash, zsh or fish' }],
    examples: [{ command: 'source <(tobymq completion bash)', description: 'for this shell' }],
    load: async () => (await import('./completion.ts')).run,
  },
  {
    name: 'mosquitto_pub',
    group: 'Mosquitto',
    summary: 'Publish, with the flags of mosquitto_pub',
    ownParser: true,
    load: async () => (await import('./mosquitto/pub.ts')).run,
  },
  {
    name: 'mosquitto_sub',
    group: 'Mosquitto',
    summary: 'Subscribe, with the flags of mosquitto_sub',
    ownParser: true,
    load: async () => (await import('./mosquitto/sub.ts')).run,
  },
  {
    name: 'mosquitto_rr',
    group: 'Mosquitto',
    summary: 'Request and response, with the flags of mosquitto_rr',
    ownParser: true,
    load: async () => (await import('./mosquitto/rr.ts')).run,
  },
  {
    name: 'mosquitto_passwd',
    group: 'Mosquitto',
    summary: 'Change password files, with the flags of mosquitto_passwd',
    ownParser: true,
    load: async () => (await import('./mosquitto/passwd.ts')).run,
  },
];
