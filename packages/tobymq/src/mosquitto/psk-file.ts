// A PSK file: lines of `identity:key in hex`. Of an identity given twice the first counts, as in Mosquitto.

import { readFileSync } from 'node:fs';
import { ConfigError, fileFault } from '../config/errors.ts';

/** The keys by identity. Throws {@link ConfigError} for a file that cannot be used. */
export function readPskFile(path: string): ReadonlyMap<string, Buffer> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw ConfigError.of(`the file of pre-shared keys cannot be read: ${fileFault(error)}`, { file: path });
  }
  const keys = new Map<string, Buffer>();
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const colon = line.indexOf(':');
    const identity = line.slice(0, colon);
    const hex = line.slice(colon + 1);
    if (colon < 1 || hex.length === 0 || hex.length % 2 !== 0 || !/^[0-9a-f]+$/i.test(hex)) {
      throw ConfigError.of('expected "identity:key" with the key in hexadecimal digits', {
        file: path,
        line: index + 1,
      });
    }
    if (!keys.has(identity)) keys.set(identity, Buffer.from(hex, 'hex'));
  }
  return keys;
}
