import {
  checkTopicFilter,
  checkTopicName,
  hasDiscouragedCharacters,
  matches,
  parseSharedFilter,
} from '@tobymq/codec';
import { expect, test } from 'vitest';

test('N62, M20: spaces, empty levels and a lone slash are valid topic names and filters', () => {
  for (const topic of [
    'a',
    '/',
    '//',
    'a/',
    '/a',
    'a//b',
    'a b',
    ' ',
    '$SYS/x',
    'ä/\u{1f600}',
    '\ufeff',
    '\u0001',
  ]) {
    expect(checkTopicName(topic), topic).toBeUndefined();
    expect(checkTopicFilter(topic), topic).toBeUndefined();
  }
});

test('MQTT-4.7.3-1, MQTT-4.7.3-2, MQTT-1.5.4-1: empty strings, U+0000 and lone surrogates are refused with the reason', () => {
  for (const check of [checkTopicName, checkTopicFilter]) {
    expect(check('')).toBe('is empty');
    expect(check('a\0b')).toBe('contains U+0000 or a lone surrogate');
    for (const text of ['\ud800', 'a\ud83d', '\ude00', '\ude00\ud83d', '\ud83dx']) {
      expect(check(text)).toBe('contains U+0000 or a lone surrogate');
    }
  }
});

test('MQTT-4.7.3-3: the length is counted in UTF-8 bytes', () => {
  for (const check of [checkTopicName, checkTopicFilter]) {
    expect(check('a'.repeat(65_535))).toBeUndefined();
    expect(check('a'.repeat(65_536))).toBe('is longer than 65,535 bytes');
    expect(check('ä'.repeat(32_767))).toBeUndefined();
    expect(check('ä'.repeat(32_768))).toBe('is longer than 65,535 bytes');
    expect(check('€'.repeat(21_845))).toBeUndefined();
    expect(check('€'.repeat(21_846))).toBe('is longer than 65,535 bytes');
    expect(check('\u{1f600}'.repeat(16_383))).toBeUndefined();
    expect(check('\u{1f600}'.repeat(16_384))).toBe('is longer than 65,535 bytes');
  }
});

test('MQTT-4.7.0-1, MQTT-3.3.2-2: a topic name has no wildcards', () => {
  for (const name of ['#', '+', 'a/#', 'a/+/b', 'a#b', 'a+']) {
    expect(checkTopicName(name), name).toMatch(/contains the wildcard "[+#]"/);
  }
});

test('MQTT-4.7.1-1: "#" stands alone or after "/", and last', () => {
  for (const filter of ['#', '/#', 'a/#', 'a/b/#', '+/#'])
    expect(checkTopicFilter(filter), filter).toBeUndefined();
  for (const filter of ['a#', 'a/#/b', '#/a', 'a/b#', '##', '#a', 'a/#b']) {
    expect(checkTopicFilter(filter), filter).toMatch(/"#"/);
  }
});

test('MQTT-4.7.1-2: "+" fills a whole level', () => {
  for (const filter of ['+', '/+', '+/', '+/+', 'a/+/b', '+/a/#', '+/+/+']) {
    expect(checkTopicFilter(filter), filter).toBeUndefined();
  }
  for (const filter of ['a+', '+a', 'a/+b', 'a/b+', '++', '+a/b', 'a/+#']) {
    expect(checkTopicFilter(filter), filter).toMatch(/"\+"|"#"/);
  }
});

test('MQTT-4.8.2-1, MQTT-4.8.2-2: a shared filter has a share name and a filter', () => {
  for (const filter of [
    '$share/g/t',
    '$share/g//t',
    '$share/g/#',
    '$share/g/+/t',
    '$share/g/$SYS/#',
    '$share/g//',
  ]) {
    expect(checkTopicFilter(filter), filter).toBeUndefined();
    expect(parseSharedFilter(filter), filter).toEqual({ shareName: 'g', filter: filter.slice(9) });
  }
  for (const filter of [
    '$share',
    '$share/',
    '$share//t',
    '$share/g',
    '$share/g/',
    '$share/a+/t',
    '$share/#/t',
  ]) {
    expect(checkTopicFilter(filter), filter).toMatch(/share name/);
    expect(parseSharedFilter(filter), filter).toBeUndefined();
  }
  expect(checkTopicFilter('$share/g/a#')).toMatch(/"#"/);
  expect(checkTopicFilter('$share/g/a/#/b')).toMatch(/"#"/);
});

test('filters that only look like shared ones are ordinary', () => {
  for (const filter of ['$shared/g/t', '$shar', '/$share/g/t', '$SHARE/g/t', '$share2']) {
    expect(parseSharedFilter(filter)).toBeUndefined();
    expect(checkTopicFilter(filter)).toBeUndefined();
  }
  expect(checkTopicFilter('$share//t', { shared: false })).toBeUndefined();
  expect(checkTopicFilter('$share/a+/t', { shared: false })).toBeDefined();
});

const TRUE: readonly (readonly [filter: string, topic: string])[] = [
  ['a', 'a'],
  ['a/b', 'a/b'],
  ['/', '/'],
  ['#', 'a'],
  ['#', 'a/b/c'],
  ['#', '/'],
  ['a/#', 'a'],
  ['a/#', 'a/'],
  ['a/#', 'a/b'],
  ['a/#', 'a/b/c'],
  ['a/b/#', 'a/b'],
  ['/#', '/'],
  ['/#', '/a'],
  ['+', 'a'],
  ['a/+', 'a/b'],
  ['a/+', 'a/'],
  ['+/+', '/a'],
  ['+/+', '/'],
  ['/+', '/a'],
  ['+/b', 'a/b'],
  ['a/+/c', 'a/b/c'],
  ['a/+/c', 'a//c'],
  ['+/#', 'a'],
  ['+/#', 'a/b/c'],
  ['+/+/#', 'a/b'],
  ['$SYS/#', '$SYS/a'],
  ['$SYS/+', '$SYS/a'],
  ['$SYS', '$SYS'],
  ['a/#', 'a/$b'],
  ['+/$b', 'a/$b'],
  ['ä/+', 'ä/\u{1f600}'],
];

const FALSE: readonly (readonly [filter: string, topic: string])[] = [
  ['a', 'b'],
  ['a', 'a/'],
  ['a/', 'a'],
  ['a', 'ab'],
  ['ab', 'a'],
  ['a/b', 'a'],
  ['a/+', 'a'],
  ['a/+', 'a/b/c'],
  ['+', '/a'],
  ['+', 'a/b'],
  ['+', 'a/'],
  ['+/+', 'a'],
  ['/+', 'a'],
  ['/#', 'a'],
  ['a/#', 'ab'],
  ['a/#', 'b'],
  ['a/b/#', 'a'],
  ['+/b/#', 'a'],
  ['a/+/c', 'a/b/d'],
  ['+/+/#', 'a'],
  ['A', 'a'],
  ['a//b', 'a/b'],
  ['\u00e9', 'e\u0301'],
];

test('matching follows the standard, level by level, without normalization (MQTT-4.7.1-1, MQTT-4.7.1-2, MQTT-4.7.3-4)', () => {
  for (const [filter, topic] of TRUE) expect(matches(filter, topic), `${filter} and ${topic}`).toBe(true);
  for (const [filter, topic] of FALSE) expect(matches(filter, topic), `${filter} and ${topic}`).toBe(false);
});

test('MQTT-4.7.2-1: a wildcard at the beginning does not match a topic that begins with "$"', () => {
  for (const filter of ['#', '+', '+/x', '+/#', '+/+']) {
    expect(matches(filter, '$test/x'), filter).toBe(false);
    expect(matches(filter, '$test'), filter).toBe(false);
  }
});

test('matching agrees with a plain definition by levels on all short filters and topics', () => {
  const plain = (filter: string, topic: string): boolean => {
    const f = filter.split('/');
    const t = topic.split('/');
    if ((f[0] === '#' || f[0] === '+') && topic.startsWith('$')) return false;
    for (let level = 0; level < f.length; level++) {
      if (f[level] === '#') return true;
      if (level >= t.length) return false;
      if (f[level] !== '+' && f[level] !== t[level]) return false;
    }
    return f.length === t.length;
  };
  const strings = (alphabet: string, max: number): string[] => {
    const all = [...alphabet];
    for (let last = all; last[0]!.length < max; ) {
      last = last.flatMap((text) => [...alphabet].map((character) => text + character));
      all.push(...last);
    }
    return all;
  };
  const filters = strings('a/+#$', 5).filter((filter) => checkTopicFilter(filter) === undefined);
  const topics = strings('a/$', 4);
  for (const filter of filters) {
    for (const topic of topics) {
      // One expect() per pair would take longer than everything else in this file.
      if (matches(filter, topic) !== plain(filter, topic)) expect.fail(`${filter} and ${topic}`);
    }
  }
  expect(filters.length * topics.length).toBeGreaterThan(50_000);
});

test('N07, M05: control characters and non-characters are found', () => {
  for (const text of [
    '\u0001',
    'a\u001f',
    '\u007f',
    '\u009f',
    '\ufdd0',
    '\ufdef',
    '\ufffe',
    '\uffff',
    '\u{1fffe}',
    '\u{10ffff}',
  ]) {
    expect(hasDiscouragedCharacters(text), text).toBe(true);
  }
  for (const text of [
    '',
    'a/b',
    ' ',
    '\u00a0',
    'ä',
    '\ufdcf',
    '\ufdf0',
    '\ufffd',
    '\ufeff',
    '\u{1f600}',
    '\u{1fffd}',
    '\u{10fffd}',
  ]) {
    expect(hasDiscouragedCharacters(text), text).toBe(false);
  }
});
