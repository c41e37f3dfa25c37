// Output formats as Mosquitto's clients have them (`-F '%I %t %p'`): parsed once, then applied to each message.
//
//   %t %p %q ...   fields of the message, with optional flags, width and precision: %-20t, %.5p, %010l, %.:x
//   @H @M @N ...   parts of the time of arrival, as strftime names them; @N are nanoseconds
//   \n \t \0 ...   escapes

import type { Message } from '@tobymq/client';
import { UsageError } from '../commands/command.ts';

/** What a format string sees of a message beyond the message itself. */
export interface FormatContext {
  readonly message: Message;
  readonly receivedAt: Date;
  /** Packet identifier; 0 when it is not known. */
  readonly packetId?: number;
  readonly subscriptionIdentifier?: number;
}

type Part = (context: FormatContext) => string | Uint8Array;

/** Hears which message has no JSON for `%J`; the field stays empty. */
export type TellFault = (text: string) => void;

const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\',
  '0': '\0',
  a: '\u0007',
  e: '\u001b',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

interface Field {
  readonly code: string;
  readonly isLeft: boolean;
  readonly isZero: boolean;
  readonly width: number;
  readonly precision: number;
  /** For hex: what stands between two bytes. */
  readonly separator: string;
}

/** Parses a format string; a wrong one is a usage error that names the place. */
export function parseFormat(format: string, tell: TellFault): (context: FormatContext) => Buffer {
  const parts: Part[] = [];
  let index = 0;
  while (index < format.length) {
    const character = format[index] as string;
    if (character === '\\') {
      const escaped = ESCAPES[format[index + 1] ?? ''];
      if (escaped === undefined) throw wrong(format, index, 'an unknown escape');
      parts.push(() => escaped);
      index += 2;
    } else if (character === '@') {
      parts.push(timePart(format, index));
      index += 2;
    } else if (character === '%') {
      const match = /^%([0-]?)(\d*)(?:\.(\d*)(?:([^a-zA-Z0-9]))?)?([%A-Za-z])/.exec(format.slice(index));
      if (match === null) throw wrong(format, index, 'an incomplete field');
      const [whole, flag, width, precision, separator, code] = match;
      parts.push(
        fieldPart(format, index, tell, {
          code: code as string,
          isLeft: flag === '-',
          isZero: flag === '0',
          width: Number(width || 0),
          precision: precision ? Number(precision) : -1,
          separator: separator ?? '',
        }),
      );
      index += whole.length;
    } else {
      const end = format.slice(index).search(/[\\@%]/);
      const text = end === -1 ? format.slice(index) : format.slice(index, index + end);
      parts.push(() => text);
      index += text.length;
    }
  }
  return (context) => Buffer.concat(parts.map((part) => Buffer.from(part(context) as string)));
}

function wrong(format: string, index: number, what: string): UsageError {
  return new UsageError(`the format "${format}" has ${what} at position ${index + 1}.`);
}

function fieldPart(format: string, index: number, tell: TellFault, field: Field): Part {
  const { code } = field;
  if (code === '%') return () => '%';
  if (code === 'J') return jsonPart(tell);
  if (code === 'p') return payloadPart(field);
  if (code === 'x' || code === 'X') return hexPart(field);
  const value = FIELDS[code];
  if (value === undefined) throw wrong(format, index, `the unknown field %${code}`);
  return (context) => pad(cut(value(context, field), field), field);
}

const CUTTABLE: ReadonlySet<string> = new Set(['C', 'I', 'R', 't']);

function cut(text: string, { code, precision }: Field): string {
  return CUTTABLE.has(code) && precision >= 0 ? text.slice(0, precision) : text;
}

function pad(text: string, { isLeft, isZero, width }: Field): string {
  if (isLeft) return text.padEnd(width);
  return text.padStart(width, isZero ? '0' : ' ');
}

/** The payload as it is: bytes, so that nothing is lost. */
function payloadPart({ isLeft, width, precision }: Field): Part {
  return ({ message: { payload } }) => {
    const bytes = precision >= 0 ? payload.subarray(0, precision) : payload;
    const space = ' '.repeat(Math.max(0, width - bytes.length));
    return isLeft ? Buffer.concat([bytes, Buffer.from(space)]) : Buffer.concat([Buffer.from(space), bytes]);
  };
}

/** Hex, optionally in groups of `precision` bytes with a separator between them. */
function hexPart(field: Field): Part {
  const group = Math.max(1, field.precision);
  return ({ message: { payload } }) => {
    const digits = Buffer.from(payload).toString('hex');
    const grouped =
      field.separator === ''
        ? digits
        : (digits.match(new RegExp(`.{1,${group * 2}}`, 'g')) ?? []).join(field.separator);
    return pad(field.code === 'X' ? grouped.toUpperCase() : grouped, field);
  };
}

const FIELDS: Readonly<Record<string, (context: FormatContext, field: Field) => string>> = {
  A: () => '',
  C: ({ message }) => message.properties?.contentType ?? '',
  d: ({ message }, field) => float(message.payload, 8, field),
  D: ({ message }) => {
    const data = message.properties?.correlationData;
    return data === undefined ? '' : Buffer.from(data).toString();
  },
  E: ({ message }) => String(message.properties?.messageExpiryInterval ?? ''),
  f: ({ message }, field) => float(message.payload, 4, field),
  F: ({ message }) => String(message.properties?.payloadFormatIndicator ?? ''),
  I: ({ receivedAt }) => isoTime(receivedAt),
  j: (context) => JSON.stringify(mosquittoJson(context, textOf(context.message))),
  l: ({ message }) => String(message.payload.length),
  m: ({ packetId }) => String(packetId ?? 0),
  P: ({ message }) =>
    (message.properties?.userProperties ?? []).map(([name, value]) => `${name}:${value}`).join(' '),
  q: ({ message }) => String(message.qos),
  r: ({ message }) => (message.retain ? '1' : '0'),
  R: ({ message }) => message.properties?.responseTopic ?? '',
  S: ({ subscriptionIdentifier }) => String(subscriptionIdentifier ?? ''),
  t: ({ message }) => message.topic,
  U: ({ receivedAt }) => (receivedAt.getTime() / 1000).toFixed(9),
};

/** The message as JSON with its payload as JSON, too. */
function jsonPart(tell: TellFault): Part {
  return (context) => {
    const { message } = context;
    try {
      return JSON.stringify(mosquittoJson(context, JSON.parse(textOf(message) ?? 'null')));
    } catch {
      tell(`Message payload is not valid JSON on topic ${message.topic}.`);
      return '';
    }
  };
}

function textOf({ payload }: Message): string | null {
  return payload.length === 0 ? null : Buffer.from(payload).toString();
}

/** The payload as a little-endian floating-point number, as the C programs read it on common machines. */
function float(payload: Uint8Array, bytes: 4 | 8, { precision }: Field): string {
  if (payload.length !== bytes) return '';
  const view = new DataView(payload.buffer, payload.byteOffset, bytes);
  const value = bytes === 4 ? view.getFloat32(0, true) : view.getFloat64(0, true);
  return precision >= 0 ? value.toFixed(precision) : String(value);
}

/** Local time with the offset: 2026-11-20T20:15:07+0100. */
function isoTime(at: Date, fraction = ''): string {
  return `${strftime('F', at)}T${strftime('T', at)}${fraction}${strftime('z', at)}`;
}

/** The JSON object that Mosquitto prints for a message. */
function mosquittoJson({ message, receivedAt, packetId }: FormatContext, payload: unknown): object {
  const properties = jsonProperties(message);
  const microseconds = String(receivedAt.getMilliseconds() * 1000).padStart(6, '0');
  return {
    tst: isoTime(receivedAt, `.${microseconds}`),
    topic: message.topic,
    qos: message.qos,
    retain: message.retain ? 1 : 0,
    payloadlen: message.payload.length,
    ...(message.qos > 0 ? { mid: packetId ?? 0 } : {}),
    ...(properties === undefined ? {} : { properties }),
    payload,
  };
}

function jsonProperties({ properties }: Message): Record<string, unknown> | undefined {
  if (properties === undefined) return undefined;
  const {
    payloadFormatIndicator,
    messageExpiryInterval,
    contentType,
    responseTopic,
    correlationData,
    userProperties,
  } = properties;
  const users: Record<string, string> = {};
  for (const [name, value] of userProperties ?? []) users[name] = value;
  const found = {
    ...(payloadFormatIndicator === undefined ? {} : { 'payload-format-indicator': payloadFormatIndicator }),
    ...(messageExpiryInterval === undefined ? {} : { 'message-expiry-interval': messageExpiryInterval }),
    ...(contentType === undefined ? {} : { 'content-type': contentType }),
    ...(responseTopic === undefined ? {} : { 'response-topic': responseTopic }),
    ...(correlationData === undefined ? {} : { 'correlation-data': Buffer.from(correlationData).toString() }),
    ...(userProperties === undefined ? {} : { 'user-properties': users }),
  };
  return Object.keys(found).length === 0 ? undefined : found;
}

function timePart(format: string, index: number): Part {
  const letter = format[index + 1];
  if (letter === undefined) throw wrong(format, index, 'an incomplete time');
  if (letter === '@') return () => '@';
  if (strftime(letter, new Date(0)) === undefined) throw wrong(format, index, `the unknown time @${letter}`);
  return ({ receivedAt }) => strftime(letter, receivedAt) as string;
}

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];

/** One conversion of strftime in the C locale; `N` are nanoseconds. */
export function strftime(letter: string, at: Date): string | undefined {
  const two = (value: number): string => String(value).padStart(2, '0');
  const of = (letters: string): string => [...letters].map((each) => strftime(each, at) ?? each).join('');
  switch (letter) {
    case 'a':
      return (DAYS[at.getDay()] as string).slice(0, 3);
    case 'A':
      return DAYS[at.getDay()];
    case 'b':
    case 'h':
      return (MONTHS[at.getMonth()] as string).slice(0, 3);
    case 'B':
      return MONTHS[at.getMonth()];
    case 'c':
      return `${of('a')} ${of('b')} ${of('e')} ${of('T')} ${of('Y')}`;
    case 'C':
      return two(Math.floor(at.getFullYear() / 100));
    case 'd':
      return two(at.getDate());
    case 'D':
    case 'x':
      return `${of('m')}/${of('d')}/${of('y')}`;
    case 'e':
      return String(at.getDate()).padStart(2);
    case 'F':
      return `${of('Y')}-${of('m')}-${of('d')}`;
    case 'H':
      return two(at.getHours());
    case 'I':
      return two(at.getHours() % 12 || 12);
    case 'j':
      return String(dayOfYear(at)).padStart(3, '0');
    case 'm':
      return two(at.getMonth() + 1);
    case 'M':
      return two(at.getMinutes());
    case 'n':
      return '\n';
    case 'N':
      return String(at.getMilliseconds() * 1_000_000).padStart(9, '0');
    case 'p':
      return at.getHours() < 12 ? 'AM' : 'PM';
    case 'r':
      return `${of('I')}:${of('M')}:${of('S')} ${of('p')}`;
    case 'R':
      return `${of('H')}:${of('M')}`;
    case 's':
      return String(Math.floor(at.getTime() / 1000));
    case 'S':
      return two(at.getSeconds());
    case 't':
      return '\t';
    case 'T':
    case 'X':
      return `${of('H')}:${of('M')}:${of('S')}`;
    case 'u':
      return String(at.getDay() || 7);
    case 'w':
      return String(at.getDay());
    case 'y':
      return two(at.getFullYear() % 100);
    case 'Y':
      return String(at.getFullYear());
    case 'z': {
      const minutes = -at.getTimezoneOffset();
      return `${minutes < 0 ? '-' : '+'}${two(Math.floor(Math.abs(minutes) / 60))}${two(Math.abs(minutes) % 60)}`;
    }
    case 'Z':
      return /\(([^)]+)\)/.exec(at.toString())?.[1] ?? '';
    default:
      return undefined;
  }
}

function dayOfYear(at: Date): number {
  const start = Date.UTC(at.getFullYear(), 0, 1);
  return Math.floor((Date.UTC(at.getFullYear(), at.getMonth(), at.getDate()) - start) / 86_400_000) + 1;
}
