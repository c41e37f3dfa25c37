// JSON as it is written. A number of a JSON text may have more digits than JavaScript keeps, such as an identifier of 64
// bits, so what is only passed on is not taken apart. All of these texts have been parsed before.

/** A mark such as `{` or `,`, a text with its quotes, or what is neither: a number, `true`, `false` or `null`. */
export interface JsonToken {
  readonly token: string;
  readonly index: number;
}

/** Deeper than this nobody follows the indent, and a payload of nothing but brackets would become gigabytes of it. */
const INDENTED_DEPTH_MAX = 50;

/** The tokens of a JSON text, without the space between them. */
export function* tokensOf(json: string): Generator<JsonToken> {
  const begins = /[[\]{}:,"]|[^\s[\]{}:,"]+/g;
  for (let begin = begins.exec(json); begin !== null; begin = begins.exec(json)) {
    const { index } = begin;
    // A regular expression would run out of memory within a text of some megabytes.
    if (begin[0] === '"') begins.lastIndex = endOfText(json, index);
    yield { token: json.slice(index, begins.lastIndex), index };
  }
}

function endOfText(json: string, start: number): number {
  let at = start + 1;
  while (json[at] !== '"') at += json[at] === '\\' ? 2 : 1;
  return at + 1;
}

/** The same JSON in one line. */
export function withoutSpace(json: string): string {
  let text = '';
  for (const { token } of tokensOf(json)) text += token;
  return text;
}

/** The same JSON with a line for each member, as `JSON.stringify` would indent it. */
export function indented(json: string): string {
  let text = '';
  let depth = 0;
  let last = '';
  for (const { token } of tokensOf(json)) {
    const isEnd = token === '}' || token === ']';
    const isFirst = last === '{' || last === '[';
    if (isEnd) depth--;
    if (isEnd ? !isFirst : isFirst || last === ',')
      text += `\n${'  '.repeat(Math.min(depth, INDENTED_DEPTH_MAX))}`;
    text += token === ':' ? ': ' : token;
    if (token === '{' || token === '[') depth++;
    last = token;
  }
  return text;
}

/** What the object has under this name; the last one counts, as it does for `JSON.parse`. */
export function memberOf(object: string, name: string): string | undefined {
  let found: string | undefined;
  let depth = 0;
  let key: unknown;
  let start = 0;
  let last = '';
  for (const { token, index } of tokensOf(object)) {
    if (depth === 1 && token === ':') {
      key = JSON.parse(last);
      start = index + 1;
    } else if (depth === 1 && key === name && (token === ',' || token === '}')) {
      found = object.slice(start, index);
      key = undefined;
    }
    if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') depth--;
    last = token;
  }
  return found;
}
