// Topic names and topic filters: what is valid, and which filter matches which topic.
//
// Everything works on strings by character code, without regular expressions or splitting, because a server asks these
// questions for every subscription and, for each new topic, for every message.

import { notEncodable } from './errors.ts';
import { MAX_STRING_BYTES, textProblem, textSize } from './utf8.ts';

const SLASH = 0x2f;
const PLUS = 0x2b;
const HASH = 0x23;
const DOLLAR = 0x24;
const SHARE_PREFIX = '$share/';

/**
 * Why a topic name is invalid, as the end of a sentence, or `undefined` if it is valid.
 *
 * @example
 * checkTopicName('rooms/+/light'); // 'contains the wildcard "+", which is for topic filters only'
 */
export function checkTopicName(name: string): string | undefined {
  if (name.length === 0) return 'is empty'; // [MQTT-4.7.3-1]
  for (let index = 0; index < name.length; index++) {
    const unit = name.charCodeAt(index);
    // [MQTT-4.7.0-1], [MQTT-3.3.2-2]
    if (unit === PLUS || unit === HASH) {
      return `contains the wildcard "${name[index]}", which is for topic filters only`;
    }
  }
  return textProblem(name); // [MQTT-4.7.3-2], [MQTT-4.7.3-3]
}

/** The UTF-8 bytes of a topic name; refuses a bad one. For ASCII, one loop does all checks. */
export function checkedTopicSize(name: string, what: string): number {
  if (typeof name !== 'string') throw notEncodable(`${what} is not a string`);
  let isPlain = name.length > 0 && name.length <= MAX_STRING_BYTES;
  for (let index = 0; isPlain && index < name.length; index++) {
    const unit = name.charCodeAt(index);
    isPlain = unit < 0x80 && unit !== 0 && unit !== HASH && unit !== PLUS;
  }
  if (isPlain) return name.length;
  const problem = checkTopicName(name);
  if (problem !== undefined) throw notEncodable(`${what} ${problem}`);
  return textSize(name);
}

/** Whether a string is a valid topic name. */
export function isTopicName(name: string): boolean {
  return checkTopicName(name) === undefined;
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
 * checkTopicFilter('a/#/b'); // 'has "#" in another place than as the whole last level'
 * checkTopicFilter('$share/group/a/+'); // undefined
 */
export function checkTopicFilter(filter: string, options?: TopicFilterOptions): string | undefined {
  if (filter.length === 0) return 'is empty'; // [MQTT-4.7.3-1]
  const problem = textProblem(filter); // [MQTT-4.7.3-2], [MQTT-4.7.3-3]
  if (problem !== undefined) return problem;
  if (options?.shared !== false && isShared(filter)) return checkSharedFilter(filter);
  return checkWildcards(filter, 0);
}

/** Whether a string is a valid topic filter. */
export function isTopicFilter(filter: string, options?: TopicFilterOptions): boolean {
  return checkTopicFilter(filter, options) === undefined;
}

/** `$share` alone is a shared filter too, one that lacks everything; `$shared/x` is an ordinary filter. */
function isShared(filter: string): boolean {
  return filter.startsWith(SHARE_PREFIX) || filter === '$share';
}

function checkSharedFilter(filter: string): string | undefined {
  const nameStart = SHARE_PREFIX.length;
  const nameEnd = filter.indexOf('/', nameStart);
  // [MQTT-4.8.2-1], [MQTT-4.8.2-2]
  if (filter.length <= nameStart || nameEnd === nameStart) return 'has an empty share name after "$share/"';
  if (nameEnd === -1 || nameEnd === filter.length - 1) return 'has no topic filter after its share name';
  for (let index = nameStart; index < nameEnd; index++) {
    const unit = filter.charCodeAt(index);
    if (unit === PLUS || unit === HASH) return `has the wildcard "${filter[index]}" in its share name`;
  }
  return checkWildcards(filter, nameEnd + 1);
}

function checkWildcards(filter: string, start: number): string | undefined {
  const last = filter.length - 1;
  for (let index = start; index <= last; index++) {
    const unit = filter.charCodeAt(index);
    if (unit !== PLUS && unit !== HASH) continue;
    const opensLevel = index === start || filter.charCodeAt(index - 1) === SLASH;
    if (unit === HASH) {
      // [MQTT-4.7.1-1]
      if (!opensLevel || index !== last) return 'has "#" in another place than as the whole last level';
    } else if (!opensLevel || (index !== last && filter.charCodeAt(index + 1) !== SLASH)) {
      return 'has "+" as a part of a level, but it must be the whole level'; // [MQTT-4.7.1-2]
    }
  }
  return undefined;
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
  if (!filter.startsWith(SHARE_PREFIX)) return undefined;
  const nameEnd = filter.indexOf('/', SHARE_PREFIX.length);
  if (nameEnd <= SHARE_PREFIX.length || nameEnd === filter.length - 1) return undefined;
  const shareName = filter.slice(SHARE_PREFIX.length, nameEnd);
  if (shareName.includes('+') || shareName.includes('#')) return undefined;
  return { shareName, filter: filter.slice(nameEnd + 1) };
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
      if (t === topicLength) return unit === SLASH && isParentOfRest(filter, f);
      if (unit !== topic.charCodeAt(t)) return false;
      f++;
      t++;
    }
  }
  return t === topicLength;
}

/** `a/#` matches `a` as well: at the topic's end, the rest of the filter may be `/#`. */
function isParentOfRest(filter: string, slash: number): boolean {
  return slash === filter.length - 2 && filter.charCodeAt(slash + 1) === HASH;
}

/**
 * Whether a string has characters that MQTT advises against: control characters (U+0001 to U+001F, U+007F to U+009F)
 * and non-characters (U+FDD0 to U+FDEF and the last two code points of each plane). They are valid; a server may
 * choose to refuse them, as they serve mostly to break terminals and logs.
 */
export function hasDiscouragedCharacters(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0x20 || (unit >= 0x7f && unit <= 0x9f)) return true;
    if (unit < 0xd800) continue;
    if (unit >= 0xfdd0 && (unit <= 0xfdef || unit >= 0xfffe)) return true;
    // Outside the basic plane a non-character is U+nFFFE or U+nFFFF: the ten low bits all set, but for the last, and
    // the six low bits of the upper half set.
    if (unit <= 0xdbff && (unit & 0x3f) === 0x3f && (text.charCodeAt(index + 1) & 0x3fe) === 0x3fe)
      return true;
  }
  return false;
}
