// What `tobymq pub` publishes: one message from the command line, a file or standard input, or a message for each line.

import { readFile } from 'node:fs/promises';
import type { MessageInput } from '@tobymq/client';
import { type CommandContext, CommandError, UsageError } from '../commands/command.ts';
import { pair } from './connection-options.ts';
import { memberOf, withoutSpace } from './json-text.ts';
import { lines, readAll } from './lines.ts';

type Fields = Omit<MessageInput, 'topic' | 'payload'>;

/** All messages in order; `total` when their number is known. */
export interface MessageSource {
  readonly messages: AsyncIterable<MessageInput>;
  readonly total: number | undefined;
}

export async function messageSource(context: CommandContext): Promise<MessageSource> {
  const { options, args, stdin } = context;
  const [topic, text] = args;
  const chosen = ['message', 'file', 'stdin', 'lines', 'json-lines', 'null'].filter(
    (name) => options.flag(name) || options.text(name) !== undefined,
  );
  if (text !== undefined) chosen.push('MESSAGE');
  if (chosen.length > 1) throw new UsageError(`give one payload, not ${chosen.join(' and ')}.`);
  const fields = messageFields(context);
  if (options.flag('json-lines')) {
    return { messages: jsonLines(stdin, topic, fields), total: undefined };
  }
  if (topic === undefined) throw new UsageError('TOPIC is missing: where to publish.');
  if (options.flag('lines')) {
    return { messages: eachLine(stdin, topic, fields), total: undefined };
  }
  const payload = await onePayload(context, text);
  const total = options.integer('repeat', 1, Number.MAX_SAFE_INTEGER) ?? 1;
  return { messages: repeated({ ...fields, topic, payload }, total), total };
}

function messageFields({ options }: CommandContext): Fields {
  const expiry = options.integer('expiry', 0, 0xffff_ffff);
  const userProperties = options.list('property').map((text) => pair(text, '=', 'property'));
  const contentType = options.text('content-type');
  const responseTopic = options.text('response-topic');
  const correlation = options.text('correlation');
  return {
    qos: (options.integer('qos', 0, 2) ?? 0) as 0 | 1 | 2,
    retain: options.flag('retain'),
    ...(options.flag('text') ? { payloadFormat: 'text' as const } : {}),
    ...(expiry === undefined ? {} : { expiry: expiry * 1000 }),
    ...(contentType === undefined ? {} : { contentType }),
    ...(responseTopic === undefined ? {} : { responseTopic }),
    ...(correlation === undefined ? {} : { correlationData: Buffer.from(correlation) }),
    ...(userProperties.length === 0 ? {} : { userProperties }),
  };
}

async function onePayload(
  { options, stdin }: CommandContext,
  text: string | undefined,
): Promise<Uint8Array | string> {
  const message = text ?? options.text('message');
  if (message !== undefined) return message;
  const file = options.text('file');
  if (file !== undefined) {
    try {
      return await readFile(file);
    } catch (error) {
      throw new CommandError('TOBYMQ_FILE', `--file ${file} cannot be read: ${(error as Error).message}`);
    }
  }
  if (options.flag('stdin')) return readAll(stdin);
  if (options.flag('null')) return '';
  throw new UsageError(
    'the payload is missing: give MESSAGE, --file, --stdin, --lines, --json-lines or --null.',
  );
}

async function* repeated(message: MessageInput, count: number): AsyncGenerator<MessageInput> {
  for (let i = 0; i < count; i++) yield message;
}

async function* eachLine(
  stdin: CommandContext['stdin'],
  topic: string,
  fields: Fields,
): AsyncGenerator<MessageInput> {
  for await (const payload of lines(stdin)) yield { ...fields, topic, payload };
}

async function* jsonLines(
  stdin: CommandContext['stdin'],
  topic: string | undefined,
  fields: Fields,
): AsyncGenerator<MessageInput> {
  let number = 0;
  for await (const line of lines(stdin)) {
    number++;
    if (line.length > 0) yield parseJsonLine(line.toString(), number, topic, fields);
  }
}

/** One line such as `{"topic":"a/b","payload":{"on":true},"qos":1,"retain":true}`, with all that `sub --json` prints. */
export function parseJsonLine(
  line: string,
  number: number,
  topic: string | undefined,
  fields: Fields,
): MessageInput {
  let value: Readonly<Record<string, unknown>>;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw new CommandError('TOBYMQ_INPUT', `line ${number} is not JSON: ${(error as Error).message}`);
  }
  const wrong: WrongMember = (name, expected) =>
    new CommandError('TOBYMQ_INPUT', `line ${number}: "${name}" must be ${expected}.`);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new CommandError('TOBYMQ_INPUT', `line ${number} is not a JSON object.`);
  }
  const { payload, payloadBase64, qos = fields.qos, retain = fields.retain } = value;
  const target = value.topic ?? topic;
  if (typeof target !== 'string') throw wrong('topic', 'a text (or give TOPIC on the command line)');
  if (qos !== undefined && qos !== 0 && qos !== 1 && qos !== 2) throw wrong('qos', '0, 1 or 2');
  if (retain !== undefined && typeof retain !== 'boolean') throw wrong('retain', 'true or false');
  if (payloadBase64 !== undefined && typeof payloadBase64 !== 'string')
    throw wrong('payloadBase64', 'a text');
  const bytes =
    typeof payloadBase64 === 'string'
      ? Buffer.from(payloadBase64, 'base64')
      : typeof payload === 'string'
        ? payload
        : payload === undefined || payload === null
          ? ''
          : withoutSpace(memberOf(line, 'payload') ?? '');
  return {
    ...fields,
    ...propertiesOf(value, wrong),
    ...(qos === undefined ? {} : { qos }),
    ...(retain === undefined ? {} : { retain }),
    topic: target,
    payload: bytes,
  };
}

type WrongMember = (name: string, expected: string) => CommandError;

/** The properties of MQTT 5 in a line. */
function propertiesOf(value: Readonly<Record<string, unknown>>, wrong: WrongMember): Fields {
  const { contentType, responseTopic, correlationData, payloadFormat, expiry, userProperties } = value;
  const texts = { contentType, responseTopic, correlationData };
  for (const [name, text] of Object.entries(texts))
    if (text !== undefined && typeof text !== 'string') throw wrong(name, 'a text');
  if (payloadFormat !== undefined && payloadFormat !== 'text') throw wrong('payloadFormat', '"text"');
  if (expiry !== undefined && !isSeconds(expiry)) throw wrong('expiry', 'a whole number of seconds');
  if (userProperties !== undefined && !isPairs(userProperties))
    throw wrong('userProperties', 'pairs such as [["name","value"]]');
  return {
    ...(contentType === undefined ? {} : { contentType: contentType as string }),
    ...(responseTopic === undefined ? {} : { responseTopic: responseTopic as string }),
    ...(correlationData === undefined
      ? {}
      : { correlationData: Buffer.from(correlationData as string, 'base64') }),
    ...(payloadFormat === undefined ? {} : { payloadFormat }),
    ...(expiry === undefined ? {} : { expiry: expiry * 1000 }),
    ...(userProperties === undefined ? {} : { userProperties }),
  };
}

function isSeconds(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 0xffff_ffff;
}

function isPairs(value: unknown): value is [string, string][] {
  const isPair = (pair: unknown): boolean =>
    Array.isArray(pair) && pair.length === 2 && pair.every((text) => typeof text === 'string');
  return Array.isArray(value) && value.every(isPair);
}
