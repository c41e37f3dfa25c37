// Topics that are declared once and used for publishing and subscribing: `{name}` stands for one level, `{name...}` at
// the end for all further levels. The names become typed parameters, the codec gives the type of the value.

import { checkTopicFilter } from '@tobymq/codec';
import { causedBy, invalidTopic } from './errors.ts';
import type { WillOptions } from './options.ts';
import type { Payload, PublishOptions } from './outgoing-message.ts';
import { bytes, type ValueCodec } from './value-codecs.ts';

/** The parameter names of a topic template, as an object type. */
export type TopicParams<T extends string> = T extends `${string}{${infer Name}}${infer Rest}`
  ? { readonly [K in Name extends `${infer Short}...` ? Short : Name]: string } & TopicParams<Rest>
  : unknown;

/** One topic name with its codec: what `publish()` takes in place of a string. */
export class TopicAddress<V> {
  readonly name: string;
  readonly codec: ValueCodec<V>;

  constructor(name: string, codec: ValueCodec<V>) {
    this.name = name;
    this.codec = codec;
  }

  /** A whole message as data, for `birth` and `will`. */
  message(value: V, options: PublishOptions & Pick<WillOptions, 'delay'> = {}): WillOptions {
    return {
      contentType: this.codec.contentType as string,
      ...options,
      topic: this.name,
      payload: encodeValue(this.codec, value, this.name),
    };
  }

  toString(): string {
    return this.name;
  }
}

/** The payload of a value; what the codec throws becomes a typed error. */
export function encodeValue<V>(codec: ValueCodec<V>, value: V, name: string): Payload {
  try {
    return codec.encode(value);
  } catch (cause) {
    throw causedBy(cause, 'TOBYMQ_VALUE_INVALID', `the value for ${name} cannot be encoded`, name);
  }
}

interface Level {
  readonly literal: string;
  /** The name in the braces, if it is a parameter. */
  readonly param: string | undefined;
  /** It stands for all further levels. */
  readonly isRest: boolean;
}

/** A declared topic: a filter to subscribe to, and a factory of names to publish to. */
export class TopicPattern<V, P> {
  readonly template: string;
  /** The template as a topic filter: `site/+/sensor/+`. */
  readonly filter: string;
  readonly codec: ValueCodec<V>;
  readonly #levels: readonly Level[];

  constructor(template: string, codec: ValueCodec<V>) {
    this.template = template;
    this.codec = codec;
    this.#levels = template.split('/').map((literal, i, { length }) => {
      const [, param, dots] = /^\{(\w+)(\.\.\.)?\}$/.exec(literal) ?? [];
      const isRest = dots !== undefined;
      if (param === undefined ? /[{}+#]/.test(literal) : isRest && i < length - 1) {
        const rules = 'braces take a whole level, {name...} is the last one, wildcards have no place';
        throw invalidTopic(template, `the topic template ${template} is wrong at "${literal}": ${rules}`);
      }
      return { literal, param, isRest };
    });
    this.filter = this.#levels
      .map(({ literal, param, isRest }) => (param === undefined ? literal : isRest ? '#' : '+'))
      .join('/');
    const problem = checkTopicFilter(this.filter);
    if (problem !== undefined) throw invalidTopic(template, `the topic template ${template} ${problem}`);
  }

  /** The topic name with these parameters. */
  at(...args: keyof P extends never ? [params?: P] : [params: P]): TopicAddress<V> {
    const params = (args[0] ?? {}) as Readonly<Record<string, string>>;
    const levels = this.#levels.map(({ literal, param, isRest }) => {
      if (param === undefined) return literal;
      const value = params[param];
      if (typeof value !== 'string' || /[+#\0]/.test(value) || (!isRest && value.includes('/'))) {
        const expected = `expected ${isRest ? 'levels' : 'one level'} without wildcards`;
        const what = `the parameter ${param} of ${this.template} is ${String(value)}: ${expected}`;
        throw invalidTopic(this.template, what);
      }
      return value;
    });
    return new TopicAddress(levels.join('/'), this.codec);
  }

  /** The parameters of a topic name, `undefined` if it is not one of this topic. */
  match(name: string): P | undefined {
    const given = name.split('/');
    const levels = this.#levels;
    const last = levels.length - 1;
    // `{name...}` may stand for no level at all.
    if (levels[last]!.isRest ? given.length < last : given.length !== levels.length) return undefined;
    const params: Record<string, string> = {};
    for (let i = 0; i <= last; i++) {
      const { literal, param, isRest } = levels[i]!;
      if (param !== undefined) params[param] = isRest ? given.slice(i).join('/') : given[i]!;
      else if (given[i] !== literal) return undefined;
    }
    return params as P;
  }
}

/**
 * Declares a topic.
 *
 * @example
 * const reading = topic('site/{site}/sensor/{id}', json<{ celsius: number }>());
 * await client.publish(reading.at({ site: 'york', id: 's1' }), { celsius: 20.5 });
 */
export function topic<const T extends string>(template: T): TopicPattern<Uint8Array, TopicParams<T>>;
export function topic<const T extends string, V>(
  template: T,
  codec: ValueCodec<V>,
): TopicPattern<V, TopicParams<T>>;
export function topic<const T extends string>(
  template: T,
  codec: ValueCodec<unknown> = bytes as ValueCodec<unknown>,
): unknown {
  return new TopicPattern<unknown, TopicParams<T>>(template, codec);
}
