// How `tobymq sub` shows messages: one renderer for each format, and a writer that follows the reader of our output.

import type { Writable } from 'node:stream';
import type { Message } from '@tobymq/client';
import type { MessageProperties } from '@tobymq/codec';
import { UsageError } from '../commands/command.ts';
import { endWithoutOutput } from '../lost-output.ts';
import { parseFormat, type TellFault } from './format-string.ts';
import { indented, withoutSpace } from './json-text.ts';
import { type Paint, painter } from './paint.ts';

export type Render = (message: Message, receivedAt: Date) => string | Uint8Array;

export interface RenderOptions {
  readonly format: string;
  /** The topic before the payload. */
  readonly topic: boolean;
  readonly timestamps: boolean;
  readonly pretty: boolean;
  readonly colors: boolean;
  /** Hears what is wrong with a message. */
  readonly tell: TellFault;
}

// A byte order mark is part of the payload.
const strictText = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The renderer for the options; a format that is none of the names is a format string. */
export function renderer(options: RenderOptions): Render {
  const paint = painter(options.colors);
  if (/[%@\\]/.test(options.format)) {
    const format = parseFormat(`${options.format}\\n`, options.tell);
    return (message, receivedAt) => format({ message, receivedAt });
  }
  switch (options.format) {
    case 'json':
      return jsonLine;
    case 'hex':
      return (message, at) =>
        `${prefix(message, at, options, paint)}${Buffer.from(message.payload).toString('hex')}\n`;
    case 'raw':
      return (message) => message.payload;
    case 'text':
      return (message, at) =>
        `${prefix(message, at, options, paint)}${readable(message.payload, options, paint)}\n`;
    default:
      throw new UsageError(
        `--format must be text, json, hex, raw or a format string, but is "${options.format}".`,
      );
  }
}

function prefix(message: Message, at: Date, options: RenderOptions, paint: Paint): string {
  const time = options.timestamps ? `${paint.dim(at.toISOString())} ` : '';
  return options.topic ? `${time}${paint.topic(message.topic)} ` : time;
}

/** Text as it is, JSON in colours or indented, and bytes that are no text as hex. */
function readable(payload: Uint8Array, { pretty, colors }: RenderOptions, paint: Paint): string {
  const text = asText(payload);
  if (text === undefined) return paint.dim(`0x${Buffer.from(payload).toString('hex')}`);
  if (!pretty && !colors) return text;
  if (asJsonValue(text) === undefined) return text;
  return paint.json(pretty ? indented(text) : text);
}

/** One message as a line of JSON; everything that came with it is there. */
function jsonLine({ topic, qos, retain, duplicate, payload, properties }: Message, at: Date): string {
  const first = { time: at.toISOString(), topic, qos, retain, ...(duplicate ? { duplicate } : {}) };
  const members = [first, propertiesAsJson(properties)].map((part) => JSON.stringify(part).slice(1, -1));
  members.splice(1, 0, payloadMember(payload));
  return `{${members.filter((text) => text !== '').join(',')}}\n`;
}

/** JSON goes in as it came: its numbers may have more digits than JavaScript would keep. */
function payloadMember(payload: Uint8Array): string {
  const text = asText(payload);
  if (text === undefined) return `"payloadBase64":"${Buffer.from(payload).toString('base64')}"`;
  const value = asJsonValue(text);
  // A JSON text stays as it is: without its quotes it would be another payload, as null would be none.
  const isText = value === undefined || value === null || typeof value === 'string';
  return `"payload":${isText ? JSON.stringify(text) : withoutSpace(text)}`;
}

function propertiesAsJson(properties: MessageProperties | undefined): Record<string, unknown> {
  if (properties === undefined) return {};
  const { contentType, responseTopic, correlationData, messageExpiryInterval, userProperties } = properties;
  return {
    ...(properties.payloadFormatIndicator === 1 ? { payloadFormat: 'text' } : {}),
    ...(contentType === undefined ? {} : { contentType }),
    ...(responseTopic === undefined ? {} : { responseTopic }),
    ...(correlationData === undefined
      ? {}
      : { correlationData: Buffer.from(correlationData).toString('base64') }),
    ...(messageExpiryInterval === undefined ? {} : { expiry: messageExpiryInterval }),
    ...(userProperties === undefined || userProperties.length === 0 ? {} : { userProperties }),
  };
}

function asText(payload: Uint8Array): string | undefined {
  try {
    const text = strictText.decode(payload);
    // Control characters other than white space would disturb a terminal.
    return /[\u0000-\u0008\u000e-\u001f\u007f-\u009f]/.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

function asJsonValue(text: string): unknown {
  if (!/^\s*[[{"\-\dtfn]/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Writes at the pace of the reader. `isClosed` turns true when the reader has gone (`| head`), which is no error.
 */
export class PipeWriter {
  readonly #stream: Writable;
  isClosed = false;

  constructor(stream: Writable, onClosed: () => void) {
    this.#stream = stream;
    stream.on('error', (error: NodeJS.ErrnoException) => {
      this.isClosed = true;
      if (error.code !== 'EPIPE') endWithoutOutput(error);
      onClosed();
    });
  }

  /** Resolves when there is room for more. */
  write(data: string | Uint8Array): Promise<void> | undefined {
    if (this.isClosed || this.#stream.write(data)) return undefined;
    return new Promise((resolve) => {
      const go = (): void => {
        this.#stream.off('drain', go);
        this.#stream.off('close', go);
        this.#stream.off('error', go);
        resolve();
      };
      this.#stream.on('drain', go);
      this.#stream.on('close', go);
      this.#stream.on('error', go);
    });
  }
}
