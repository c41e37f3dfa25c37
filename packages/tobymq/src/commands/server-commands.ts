// The commands that run and administer the server.

import type { Command, CommandOption } from './command.ts';

const configArgument = {
  name: 'FILE',
  description: 'A configuration of TobyMQ (YAML or JSON), or a mosquitto.conf.',
};

/** How the commands that talk to a running server find it. */
const apiOptions: readonly CommandOption[] = [
  {
    name: 'data',
    value: 'DIR',
    description: 'The data folder of the server; its address and token are read from there',
    default: './data',
  },
  {
    name: 'url',
    value: 'URL',
    description: 'The address of its HTTP API, instead of looking in the data folder',
  },
  { name: 'token', value: 'TOKEN', description: 'The token of its HTTP API (or the variable TOBYMQ_TOKEN)' },
];

export const serverCommands: readonly Command[] = [
  {
    name: 'serve',
    group: 'Server',
    summary: 'Run the MQTT server',
    description:
      'Without options: MQTT on 127.0.0.1:1883, MQTT over WebSocket on 127.0.0.1:18083/mqtt, the HTTP API beside it, and data in ./data. Everybody may connect, because only this machine can. SIGHUP reloads the configuration.',
    options: [
      {
        name: 'config',
        short: 'c',
        value: 'FILE',
        description: 'A configuration of TobyMQ (YAML or JSON), or a mosquitto.conf',
      },
      { name: 'host', value: 'HOST', description: 'The address to listen on', default: '127.0.0.1' },
      {
        name: 'port',
        short: 'p',
        value: 'PORT',
        description: 'The port of MQTT; 0 takes any',
        default: '1883',
      },
      { name: 'ws-port', value: 'PORT', description: 'The port of MQTT over WebSocket', default: '18083' },
      {
        name: 'http-port',
        value: 'PORT',
        description: 'The port of the HTTP API',
        default: 'that of WebSocket',
      },
      { name: 'no-http', description: 'No HTTP API and no metrics' },
      { name: 'data', value: 'DIR', description: 'The folder of the store', default: './data' },
      { name: 'memory', description: 'Keep everything in memory and forget it at the end' },
      { name: 'repair', description: 'If the store is damaged, start with what is readable' },
      { name: 'allow-anonymous', description: 'Let everybody in, whoever can reach the server' },
      { name: 'verbose', short: 'v', description: 'Log everything that clients do' },
      {
        name: 'log-level',
        value: 'LEVEL',
        values: ['error', 'warn', 'info', 'debug', 'trace'],
        description: 'What is logged',
        default: 'info',
      },
      {
        name: 'log-format',
        value: 'FORMAT',
        values: ['pretty', 'json', 'mosquitto'],
        description: 'How',
        default: 'pretty on a terminal, else json',
      },
      { name: 'check', description: 'Check the configuration and its files, and do not start' },
    ],
    examples: [
      { command: 'tobymq serve', description: 'A server for this machine' },
      { command: 'tobymq serve -c tobymq.yaml', description: 'With a configuration file' },
      {
        command: 'tobymq serve --host 0.0.0.0 --allow-anonymous',
        description: 'Open to everybody in the network',
      },
    ],
    load: async () => (await import('./serve.ts')).serve,
  },
  {
    name: 'mosquitto',
    group: 'Mosquitto',
    summary: 'Run the server as the program mosquitto: its flags, files, log lines and exit codes',
    ownParser: true,
    load: async () => (await import('./mosquitto.ts')).mosquitto,
  },
  {
    name: 'reload',
    group: 'Administration',
    summary: 'Make a running server take its changed configuration and files',
    description:
      'Clients that are still allowed stay connected. If anything is wrong, nothing changes. SIGHUP does the same.',
    options: apiOptions,
    load: async () => (await import('./admin.ts')).reload,
  },
  {
    name: 'explain',
    group: 'Administration',
    summary: 'Say who would get a message to a topic, who would not, and why',
    args: [{ name: 'TOPIC', description: 'The topic name.' }],
    options: [
      { name: 'client', value: 'ID', description: 'Only about this receiver' },
      { name: 'publisher', value: 'ID', description: 'The client that would publish; its rules are asked' },
      {
        name: 'qos',
        short: 'q',
        value: 'QOS',
        values: ['0', '1', '2'],
        description: 'The QoS of the message',
        default: '1',
      },
      { name: 'json', description: 'Print JSON' },
      ...apiOptions,
    ],
    examples: [
      {
        command: 'tobymq explain rooms/kitchen/light --client display-2',
        description: 'Why does display-2 see nothing?',
      },
    ],
    load: async () => (await import('./admin.ts')).explain,
  },
  {
    name: 'backup',
    group: 'Administration',
    summary: 'Copy the store of a running server to a file',
    args: [{ name: 'FILE', description: 'Where to write the copy; it must not exist yet.' }],
    options: apiOptions,
    load: async () => (await import('./admin.ts')).backup,
  },
  {
    name: 'config check',
    group: 'Administration',
    summary: 'Say what is wrong with a configuration file',
    description:
      'Lists every problem with file, line and key. Of a mosquitto.conf it also tells for each line whether it is supported.',
    args: [configArgument],
    examples: [
      {
        command: 'tobymq config check /etc/mosquitto/mosquitto.conf',
        description: 'Would my Mosquitto configuration work?',
      },
    ],
    load: async () => (await import('./config.ts')).checkConfig,
  },
  {
    name: 'config convert',
    group: 'Administration',
    summary: 'Turn a mosquitto.conf into a configuration of TobyMQ',
    args: [{ name: 'FILE', description: 'A mosquitto.conf.' }],
    options: [
      {
        name: 'output',
        short: 'o',
        value: 'FILE',
        description: 'Where to write it; it must not exist yet',
        default: 'standard output',
      },
    ],
    examples: [
      {
        command: 'tobymq config convert mosquitto.conf -o tobymq.yaml',
        description: 'Move over from Mosquitto',
      },
    ],
    load: async () => (await import('./config.ts')).convertConfig,
  },
  {
    name: 'config reference',
    group: 'Administration',
    summary: 'Print what can be configured',
    args: [{ name: 'FOLDER', description: 'Write the reference pages there instead.', optional: true }],
    load: async () => (await import('./config.ts')).writeReference,
  },
  {
    name: 'passwd',
    group: 'Administration',
    summary: 'Add, change or remove a user of a password file',
    description: 'The password is asked for, or read from standard input. Hashes are argon2id.',
    args: [
      { name: 'FILE', description: 'The password file; it is made if it does not exist.' },
      { name: 'NAME', description: 'The user name.' },
    ],
    options: [
      { name: 'delete', short: 'D', description: 'Remove the user' },
      { name: 'scram', description: 'Write a line for an authenticator of type scram' },
      {
        name: 'hash',
        value: 'KIND',
        values: ['argon2id', 'scrypt', 'sha512-pbkdf2', 'sha512'],
        description: 'How it is hashed',
        default: 'argon2id, or scrypt where there is no argon2',
      },
    ],
    examples: [
      { command: 'tobymq passwd users.txt anna', description: 'Add anna; her password is asked for' },
      { command: 'echo "$SECRET" | tobymq passwd users.txt sensor-7', description: 'In a script' },
    ],
    load: async () => (await import('./passwd.ts')).passwd,
  },
];
