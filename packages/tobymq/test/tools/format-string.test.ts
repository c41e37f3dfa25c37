import type { Message } from '@tobymq/client';
import { expect, test } from 'vitest';
import { parseFormat as parse } from '../../src/tools/format-string.ts';

const receivedAt = new Date(2026, 10, 20, 20, 15, 7, 42);

function message(payload: string | Uint8Array, more: Partial<Message> = {}): Message {
  const bytes = typeof payload === 'string' ? new TextEncoder().encode(payload) : payload;
  return {
    topic: 'room/light',
    payload: bytes,
    qos: 1,
    retain: true,
    duplicate: false,
    properties: undefined,
    ...more,
  } as Message;
}

const parseFormat = (text: string) => parse(text, () => {});

function format(text: string, of: Message = message('on')): string {
  return parseFormat(text)({ message: of, receivedAt, packetId: 7 }).toString();
}

test.each([
  ['%t %p', 'room/light on'],
  ['%t\\t%p\\n', 'room/light\ton\n'],
  ['100%% @@', '100% @'],
  ['%q %r %l %m', '1 1 2 7'],
  ['%x %X', '6f6e 6F6E'],
  ['%.1:x', '6f:6e'],
  ['[%-12t]', '[room/light  ]'],
  ['[%12t]', '[  room/light]'],
  ['%.4t', 'room'],
  ['%05l', '00002'],
  ['@Y-@m-@d @H:@M:@S', '2026-11-20 20:15:07'],
  ['@N', '042000000'],
  ['@j @a @b', '324 Fri Nov'],
  ['plain', 'plain'],
])('the format %j prints %j', (text, expected) => {
  expect(format(text)).toBe(expected);
});

test('fields of MQTT 5 properties are empty when the message has none', () => {
  expect(format('[%C%D%E%F%P%R%S]')).toBe('[]');
  const properties = {
    contentType: 'text/plain',
    responseTopic: 're',
    messageExpiryInterval: 9,
    userProperties: [
      ['a', '1'],
      ['b', '2'],
    ] as const,
    correlationData: Buffer.from('c'),
    payloadFormatIndicator: 1 as const,
  };
  expect(format('%C %R %E %F %D %P', message('x', { properties }))).toBe('text/plain re 9 1 c a:1 b:2');
});

test('numbers in the payload are little-endian floats', () => {
  const eight = new Uint8Array(new Float64Array([21.5]).buffer);
  expect(format('%d %.2d', message(eight))).toBe('21.5 21.50');
  const four = new Uint8Array(new Float32Array([0.25]).buffer);
  expect(format('%f', message(four))).toBe('0.25');
});

test('%j has the payload as a text, %J as JSON, null when it is empty', () => {
  const parsed = JSON.parse(format('%J', message('{"on":true}')));
  expect(parsed).toMatchObject({
    topic: 'room/light',
    qos: 1,
    retain: 1,
    payloadlen: 11,
    mid: 7,
    payload: { on: true },
  });
  expect(JSON.parse(format('%j', message('{"on":true}'))).payload).toBe('{"on":true}');
  expect(JSON.parse(format('%j', message(''))).payload).toBeNull();
});

test('binary payloads come through unchanged', () => {
  const bytes = Uint8Array.from([0, 255, 128, 10]);
  expect([...parseFormat('%p')({ message: message(bytes), receivedAt })]).toEqual([...bytes]);
});

test.each([
  ['%y', /unknown field %y at position 1/],
  ['a%', /incomplete field at position 2/],
  ['\\q', /unknown escape/],
  ['@', /incomplete time/],
  ['@Q', /unknown time @Q/],
])('the wrong format %j is refused', (text, error) => {
  expect(() => parseFormat(text)).toThrow(error);
});
