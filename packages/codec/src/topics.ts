// Topic names and topic filters: what is valid, and which filter matches which topic.
//
// What is asked for every new subscription or topic is a regular expression each; matches(), which a server asks for
// every new topic and every filter, goes by character code.

import { textProblem } from './utf8.ts';

const SLASH = 0x2f;
const PLUS = 0x2b;
const HASH = 0x23;
const DOLLAR = 0x24;

/**
 * Why a topic name is invalid, as the end of a sentence, or `undefined` if it is valid.
 *
 * @example
 * checkTopicName('rooms/+/light'); // 'contains the wildcard "+"'
 */
export function checkTopicName(name: string): string | undefined {
  if (typeof name !== 'string') return 'is not a string';
  if (name === '') return 'is empty'; // [MQTT-4.7.3-1]
  const wildcard = /[+#]/.exec(name);
  // [MQTT-4.7.0-1], [MQTT-3.3.2-2]
  if (wildcard !== null) return `contains the wildcard "${wildcard[0]}"`;
  return textProblem(name); // [MQTT-4.7.3-2], [MQTT-4.7.3-3]
}

/** What `checkTopicFilter` may be told. */
export interface TopicFilterOptions {
  /** Whether `$share/...` means a shared subscription and has its rules. Default: true. */
  readonly shared?: boolean | undefined;
}

/**
 * Why a topic filter is invalid, as the end of a sentence, or `undefined` if it is valid. Filters that begin with
 * `$share/` are held to the rules of shared subscriptions, unless the option `shared` is false: MQTT 3.1.1 does not
 * know them, though most servers offer them to its clients.
 *
 * @example
 * checkTopicFilter('a/#/b'); // 'has "#" not as the whole last level'
 * checkTopicFilter('$share/group/a/+'); // undefined
 */
export function checkTopicFilter(filter: string, options?: TopicFilterOptions): string | undefined {
  if (filter === '') return 'is empty'; // [MQTT-4.7.3-1]
  const problem = textProblem(filter); // [MQTT-4.7.3-2], [MQTT-4.7.3-3]
  // `$share` alone is a shared filter too, one that lacks everything; `$shared/x` is an ordinary filter.
  if (options?.shared !== false && /^\$share(\/|$)/.test(filter)) {
    const parts = parseSharedFilter(filter);
    // [MQTT-4.8.2-1], [MQTT-4.8.2-2]
    if (parts === undefined) return 'has a bad share name or filter';
    filter = parts.filter;
  }
  if (/[^/]#|#[\s\S]/.test(filter)) return 'has "#" not as the whole last level'; // [MQTT-4.7.1-1]
  if (/[^/]\+|\+[^/]/.test(filter)) return 'has "+" not as the whole level'; // [MQTT-4.7.1-2]
  return problem;
}

/** A shared filter in its two parts. */
export interface SharedFilter {
  readonly shareName: string;
  readonly filter: string;
}

/**
 * Splits a shared filter; `undefined` if it is not a valid one. It does not check the wildcards of the filter.
 *
 * @example
 * parseSharedFilter('$share/workers/jobs/#'); // { shareName: 'workers', filter: 'jobs/#' }
 * parseSharedFilter('$share/workers//jobs'); // { shareName: 'workers', filter: '/jobs' }
 */
export function parseSharedFilter(filter: string): SharedFilter | undefined {
  const parts = /^\$share\/([^/+#]+)\/([\s\S]+)$/.exec(filter);
  return parts === null ? undefined : { shareName: parts[1]!, filter: parts[2]! };
}

/**
 * Whether a filter matches a topic name. Both have to be valid; for a shared filter pass its `filter` part.
 *
 * @example
 * matches('rooms/+/light', 'rooms/kitchen/light'); // true
 * matches('#', '$SYS/uptime'); // false: wildcards at the beginning do not match topics that begin with "$"
 */
export function matches(filter: string, topic: string): boolean {
  const filterLength = filter.length;
  const topicLength = topic.length;
  let f = 0;
  let t = 0;
  const first = filter.charCodeAt(0);
  // [MQTT-4.7.2-1]
  if ((first === PLUS || first === HASH) && topic.charCodeAt(0) === DOLLAR) return false;
  // Both positions stand at the beginning of a level, or in the middle of a level that was equal so far.
  while (f < filterLength) {
    const unit = filter.charCodeAt(f);
    if (unit === HASH) return true;
    if (unit === PLUS) {
      while (t < topicLength && topic.charCodeAt(t) !== SLASH) t++;
      f++;
    } else {
      // No case, no normalization: code units are equal or they are not [MQTT-4.7.3-4].
      // `a/#` matches `a` as well.
      if (t === topicLength) return filter.slice(f) === '/#';
      if (unit !== topic.charCodeAt(t)) return false;
      f++;
      t++;
    }
  }
  return t === topicLength;
}

/**
 * Whether a string has characters that MQTT advises against: control characters (U+0001 to U+001F, U+007F to U+009F)
 * and non-characters (U+FDD0 to U+FDEF and the last two code points of each plane). They are valid; a server may
 * choose to refuse them, as they serve mostly to break terminals and logs.
 */
export function hasDiscouragedCharacters(text: string): boolean {
  return /[\p{Cc}\p{NChar}]/u.test(text);
}
