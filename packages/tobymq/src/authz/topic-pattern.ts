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
    return levels.join('/');
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

/** Whether every topic that `filter` matches is matched by `wide`, too. `$share/GROUP/` is looked through. */
export function covers(wide: string, filter: string): boolean {
  const wanted = (parseSharedFilter(filter)?.filter ?? filter).split('/');
  const own = wide.split('/');
  // `#` and `+` do not reach topics that begin with $.
  if (wanted[0]?.startsWith('$') && !own[0]?.startsWith('$')) return false;
  for (let index = 0; ; index++) {
    const level = own[index];
    const other = wanted[index];
    // `sport/#` covers `sport`, so the end of the other filter does not matter here.
    if (level === '#') return true;
    if (level === undefined || other === undefined) return level === other;
    if (other === '#' || (level !== '+' && level !== other)) return false;
  }
}
