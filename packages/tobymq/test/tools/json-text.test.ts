// JSON that tools show or pass on without taking it apart.

import type { Message } from '@tobymq/client';
import { describe, expect, test } from 'vitest';
import { indented, memberOf, withoutSpace } from '../../src/tools/json-text.ts';
import { painter } from '../../src/tools/paint.ts';
import { parseJsonLine } from '../../src/tools/pub-source.ts';
import { renderer } from '../../src/tools/sub-output.ts';

const value = { a: [], b: {}, c: [1, [true, null]], 'd "e": {': ' ,[\\"\n', f: { g: -1.5e-7, h: '' } };

test.each([value, 1, '', [], [[{}]]])('%j is indented as JSON.stringify does it', (each) => {
  const pretty = JSON.stringify(each, null, 2);
  expect(indented(JSON.stringify(each))).toBe(pretty);
  expect(indented(pretty)).toBe(pretty);
  expect(withoutSpace(pretty)).toBe(JSON.stringify(each));
});

test('a text of many megabytes is a text like any other', () => {
  const text = JSON.stringify('x'.repeat(10_000_000));
  expect(withoutSpace(`{ "a" : ${text} }`)).toBe(`{"a":${text}}`);
  expect(memberOf(`{ "a":${text}, "b": 1 }`, 'a')).toBe(text);
});

test('keys, texts and other values have colours of their own, and the space stays', () => {
  const painted = painter(true).json('{ "k\\"" : ["v", 1,\tnull] }\n');
  const colors = { 34: 'key', 32: 'text', 33: 'other' };
  expect(
    painted.replace(
      /\u001b\[(\d+)m(.*?)\u001b\[39m/g,
      (_, color: '32', text) => `<${colors[color]} ${text}>`,
    ),
  ).toBe('{ <key "k\\""> : [<text "v">, <other 1>,\t<other null>] }\n');
});

function shown(format: string, message: object): string {
  const options = { topic: false, timestamps: false, pretty: true, colors: false, tell: () => {} };
  return String(renderer({ format, ...options })(message as Message, new Date()));
}

test('what sub --json prints, pub --json-lines publishes with all of its properties', () => {
  const properties = {
    payloadFormatIndicator: 1,
    messageExpiryInterval: 60,
    contentType: 'text/plain',
    responseTopic: 'answers',
    correlationData: Buffer.from([0, 255]),
    userProperties: [
      ['k', 'v'],
      ['k', 'w'],
    ],
  };
  const line = shown('json', { topic: 'a', payload: Buffer.from('x'), qos: 1, retain: true, properties });
  const { payloadFormatIndicator: _, messageExpiryInterval, ...same } = properties;
  expect(parseJsonLine(line, 1, undefined, {})).toEqual({
    topic: 'a',
    payload: 'x',
    qos: 1,
    retain: true,
    payloadFormat: 'text',
    expiry: messageExpiryInterval * 1000,
    ...same,
  });
});

test.each([
  ['contentType', '1'],
  ['responseTopic', 'null'],
  ['correlationData', '[]'],
  ['payloadFormat', '"bytes"'],
  ['expiry', '-1'],
  ['userProperties', '[["k"]]'],
])('pub --json-lines tells of a wrong %s', (name, json) => {
  const line = `{"topic":"a","${name}":${json}}`;
  expect(() => parseJsonLine(line, 7, undefined, {})).toThrow(`line 7: "${name}" must be`);
});

describe('sub --pretty', () => {
  const show = (payload: string): string => shown('text', { topic: 'a', payload: Buffer.from(payload) });

  test('keeps every digit', () => {
    expect(show('{"id":12345678901234567890,"x":1.0}')).toBe(
      '{\n  "id": 12345678901234567890,\n  "x": 1.0\n}\n',
    );
  });

  test('outlasts a payload of nothing but brackets', () => {
    const deep = '['.repeat(10_000) + ']'.repeat(10_000);
    expect(show(deep).replaceAll(/\s+/g, '')).toBe(deep);
  });
});
