// Declared topics: filters, names, parameters, and the types of all three.

import { expect, expectTypeOf, test } from 'vitest';
import { bytes, type Client, json, type Message, type TopicAddress, text, topic } from '../src/node.ts';

test('braces become wildcards, and the name is filled in from parameters', () => {
  const reading = topic('site/{site}/sensor/{id}', text);
  expect(reading.filter).toBe('site/+/sensor/+');
  expect(reading.at({ site: 'york', id: 's 1' }).name).toBe('site/york/sensor/s 1');
  expect(reading.match('site/york/sensor/s1')).toEqual({ site: 'york', id: 's1' });
  expect(reading.match('site/york/sensor')).toBeUndefined();
  expect(reading.match('site/york/sensor/s1/x')).toBeUndefined();
  expect(reading.match('plant/york/sensor/s1')).toBeUndefined();
});

test('braces with dots stand for all further levels', () => {
  const file = topic('files/{path...}', bytes);
  expect(file.filter).toBe('files/#');
  expect(file.at({ path: 'a/b/c' }).name).toBe('files/a/b/c');
  expect(file.match('files/a/b/c')).toEqual({ path: 'a/b/c' });
  expect(file.match('files')).toEqual({ path: '' });
});

test('a topic without braces has one name', () => {
  const all = topic('status', text);
  expect([all.filter, all.at().name, String(all.at())]).toEqual(['status', 'status', 'status']);
});

test.each(['a/{b}c', 'a/{rest...}/b', 'a/+', 'a/#', 'a/{}', 'a/{b', ''])(
  'the template %j is refused',
  (template) => {
    expect(() => topic(template, text)).toThrow(expect.objectContaining({ code: 'TOBYMQ_TOPIC_INVALID' }));
  },
);

test.each(['a/b', '+', '#', 'a\0', undefined])('the parameter %j is refused', (id) => {
  expect(() => topic('t/{id}', text).at({ id: id as string })).toThrow(
    expect.objectContaining({ code: 'TOBYMQ_TOPIC_INVALID' }),
  );
});

test('a message as data has topic, payload and content type', () => {
  const message = topic('t', json<number>()).at().message(7, { retain: true });
  expect(message).toEqual({ topic: 't', payload: '7', contentType: 'application/json', retain: true });
});

test('types: parameters by name, values by codec', () => {
  const reading = topic('site/{site}/sensor/{id}', json<{ celsius: number }>());
  expectTypeOf(reading.at).parameter(0).toEqualTypeOf<{ readonly site: string } & { readonly id: string }>();
  expectTypeOf(reading.at({ site: 's', id: 'i' })).toEqualTypeOf<TopicAddress<{ celsius: number }>>();
  const file = topic('files/{path...}');
  expectTypeOf(file.at).parameter(0).toEqualTypeOf<{ readonly path: string }>();

  const typed = (
    client: Client,
    message: Message<{ celsius: number }, { readonly site: string; readonly id: string }>,
  ): void => {
    expectTypeOf(message.value.celsius).toEqualTypeOf<number>();
    // @ts-expect-error a parameter that the topic does not have
    message.params.sight;
    // @ts-expect-error a missing parameter
    reading.at({ site: 's' });
    // @ts-expect-error a value of another type
    void client.publish(reading.at({ site: 's', id: 'i' }), { fahrenheit: 3 });
    // @ts-expect-error a plain topic takes text or bytes
    void client.publish('t', { celsius: 1 });
    // @ts-expect-error a unit that does not exist
    void client.publish('t', 'x', { expiry: '3 parsecs' });
    // @ts-expect-error there is no QoS 3
    void client.publish('t', 'x', { qos: 3 });
    void client.on(reading, (m) => {
      expectTypeOf(m.params.site).toEqualTypeOf<string>();
      expectTypeOf(m.value).toEqualTypeOf<{ celsius: number }>();
    });
    void client.on('plain/+', (m) => expectTypeOf(m.value).toEqualTypeOf<Uint8Array>());
  };
  expect(typed).toBeTypeOf('function');
});
