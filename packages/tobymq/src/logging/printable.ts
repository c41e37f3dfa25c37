// Clients choose their names and topics, and these stand in lines of text. A control character among them would end the
// line and begin one that nobody has written, or tell the terminal of whoever reads it what to do.

/** All control characters but the tab, the other ends of lines, and what turns the direction of writing. */
const unprintable = /(?!\t)[\p{Cc}\u2028-\u202e\u2066-\u2069]/gu;

/** A text that stays what it is on a terminal and in a file: what is not printable is written as in JSON. */
export function printable(text: string): string {
  return text.replace(
    unprintable,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
