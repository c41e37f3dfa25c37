// JSON that tools show or pass on without taking it apart.

import type { Message } from '@tobymq/client';
import { describe, expect, test } from 'vitest';
import { indented, memberOf, withoutSpace } from '../../src/tools/json-text.ts';
import { painter } from '../../src/tools/paint.ts';
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

describe('sub --pretty', () => {
  const show = (payload: string): string => {
    const render = renderer({
      format: 'text',
      topic: false,
      timestamps: false,
      pretty: true,
      colors: false,
      tell: () => {},
    });
    return String(render({ topic: 'a', payload: Buffer.from(payload) } as unknown as Message, new Date()));
  };

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
