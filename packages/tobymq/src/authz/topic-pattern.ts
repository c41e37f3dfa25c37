// Topic filters of rules: with `%c` and `%u` for a whole level, and with the question that a SUBSCRIBE asks: does the
// rule's filter cover everything that the client's filter can match?

import { matches, parseSharedFilter } from '@tobymq/codec';

export interface Subject {
  readonly clientId: string;
  readonly username: string | undefined;
}

/** A filter of a rule, made ready to be asked often. */
export class TopicPattern {
  readonly text: string;
  readonly #levels: readonly string[];
  readonly #isPersonal: boolean;

  constructor(text: string) {
    this.text = text;
    this.#levels = text.split('/');
    this.#isPersonal = this.#levels.some((level) => level === '%c' || level === '%u');
  }

  /** The filter for one client; undefined if it needs a user name and the client has none. */
  forClient({ clientId, username }: Subject): string | undefined {
    if (!this.#isPersonal) return this.text;
    // A name with a wildcard or a slash would reach into the topics of others.
    const isSafe = (name: string): boolean => !/[+#/]/.test(name);
    const levels: string[] = [];
    for (const level of this.#levels) {
      const value = level === '%c' ? clientId : level === '%u' ? username : level;
      if (value === undefined || ((level === '%c' || level === '%u') && !isSafe(value))) return undefined;
      levels.push(value);
    }
    const filter = levels.join('/');
    return leadsToDollar(filter, this.text) ? undefined : filter;
  }

  matches(topic: string, subject: Subject): boolean {
    const filter = this.forClient(subject);
    return filter !== undefined && matches(filter, topic);
  }

  /** Whether every topic that `filter` matches is matched by this pattern. */
  covers(filter: string, subject: Subject): boolean {
    const own = this.forClient(subject);
    return own !== undefined && covers(own, filter);
  }
}

const DOLLAR = 0x24;

/**
 * Whether a name that was filled in leads to the topics that begin with $, such as what the server tells of itself and its
 * clients. Wildcards do not reach those either, and many clients choose their name.
 */
export function leadsToDollar(filter: string, pattern: string): boolean {
  return filter.charCodeAt(0) === DOLLAR && pattern.charCodeAt(0) !== DOLLAR;
}

/**
 * Whether every topic that `filter` matches is matched by `wide`, too. `$share/GROUP/` is looked through. Asked for each
 * filter of each SUBSCRIBE and each rule, so it goes along both texts and makes nothing.
 */
export function covers(wide: string, filter: string): boolean {
  const startsWithDollar = filter.charCodeAt(0) === DOLLAR;
  const wanted = (startsWithDollar ? parseSharedFilter(filter)?.filter : undefined) ?? filter;
  // `#` and `+` do not reach topics that begin with $.
  if (leadsToDollar(wanted, wide)) return false;
  // Both stand at the beginning of a level; behind the end of the text, no level is left.
  let own = 0;
  let other = 0;
  for (;;) {
    const ownEnd = levelEnd(wide, own);
    const isWildcard = ownEnd - own === 1;
    // `sport/#` covers `sport`, so the end of the other filter does not matter here.
    if (isWildcard && wide[own] === '#') return true;
    if (own > wide.length || other > wanted.length) return own > wide.length && other > wanted.length;
    const otherEnd = levelEnd(wanted, other);
    if (otherEnd - other === 1 && wanted[other] === '#') return false;
    const isAny = isWildcard && wide[own] === '+';
    if (!isAny && !isSameText(wide, own, ownEnd, wanted, other, otherEnd)) return false;
    own = ownEnd + 1;
    other = otherEnd + 1;
  }
}

function levelEnd(text: string, start: number): number {
  const slash = text.indexOf('/', start);
  return slash === -1 ? text.length : slash;
}

function isSameText(a: string, from: number, to: number, b: string, bFrom: number, bTo: number): boolean {
  if (to - from !== bTo - bFrom) return false;
  for (let i = from; i < to; i++) if (a.charCodeAt(i) !== b.charCodeAt(bFrom + i - from)) return false;
  return true;
}
