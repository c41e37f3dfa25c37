// JSON as it is written. A number of a JSON text may have more digits than JavaScript keeps, such as an identifier of 64
// bits, so what is only passed on is not taken apart. All of these texts have been parsed before.

const spaceOutsideTexts = /("(?:[^"\\]|\\.)*")|\s+/g;
const textsAndMarks = /"(?:[^"\\]|\\.)*"|[[\]{}:,]/g;

/** The same JSON in one line. */
export function withoutSpace(json: string): string {
  return json.replace(spaceOutsideTexts, '$1');
}

/** What the object has under this name; the last one counts, as it does for `JSON.parse`. */
export function memberOf(object: string, name: string): string | undefined {
  let found: string | undefined;
  let depth = 0;
  let key: unknown;
  let start = 0;
  let last = '';
  for (const { 0: token, index } of object.matchAll(textsAndMarks)) {
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
