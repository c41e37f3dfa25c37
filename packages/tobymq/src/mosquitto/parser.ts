// Reads a mosquitto.conf: one option per line, a keyword and its value to the end of the line. `#` begins a comment
// only as the first character of a line. Faults are worded as Mosquitto words them, because people search for that.
//
// The result is as flat as the file: global options, one block per listener, one per bridge. What the options mean is
// decided in to-config.ts.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, type ConfigProblem, fileFault } from '../config/errors.ts';
import { findOption, type MosquittoOption } from './options.ts';

/** One line that sets something. */
export interface Directive {
  readonly option: MosquittoOption;
  /** The keyword as written; differs from the option's name for `plugin_opt_...`. */
  readonly name: string;
  readonly value: string;
  readonly file: string;
  readonly line: number;
}

/** Options that belong together: those of one listener, or the global ones. */
export class Block {
  readonly #directives = new Map<string, Directive[]>();

  add(directive: Directive): void {
    const list = this.#directives.get(directive.name);
    if (list) list.push(directive);
    else this.#directives.set(directive.name, [directive]);
  }

  has(name: string): boolean {
    return this.#directives.has(name);
  }

  get size(): number {
    return this.#directives.size;
  }

  /** The last line that sets an option. */
  directive(name: string): Directive | undefined {
    return this.#directives.get(name)?.at(-1);
  }

  text(name: string): string | undefined {
    return this.directive(name)?.value;
  }

  texts(name: string): string[] {
    return (this.#directives.get(name) ?? []).map((directive) => directive.value);
  }

  boolean(name: string): boolean | undefined {
    const value = this.text(name);
    return value === undefined ? undefined : value === 'true' || value === '1';
  }

  integer(name: string): number | undefined {
    const value = this.text(name);
    return value === undefined ? undefined : parseInteger(value);
  }
}

export interface MosquittoFile {
  readonly path: string | undefined;
  readonly global: Block;
  /** Listener options before the first `listener`. */
  readonly defaultListener: Block;
  readonly listeners: readonly { readonly start: Directive; readonly block: Block }[];
  readonly bridges: readonly Directive[];
  /** Every line that set something, in order: what `config check` lists. */
  readonly directives: readonly Directive[];
}

/** Reads the file and what it includes. Throws {@link ConfigError} at the first fault, as Mosquitto stops there too. */
export function readMosquittoFile(path: string): MosquittoFile {
  return new Reader(path).read();
}

class Reader {
  readonly #path: string;
  readonly #global = new Block();
  readonly #defaultListener = new Block();
  readonly #listeners: { start: Directive; block: Block }[] = [];
  readonly #bridges: Directive[] = [];
  readonly #directives: Directive[] = [];
  #perListener = false;

  constructor(path: string) {
    this.#path = path;
  }

  read(): MosquittoFile {
    this.#readFile(this.#path, true);
    return {
      path: this.#path,
      global: this.#global,
      defaultListener: this.#defaultListener,
      listeners: this.#listeners,
      bridges: this.#bridges,
      directives: this.#directives,
    };
  }

  #readFile(path: string, isMain: boolean): void {
    let text: string;
    try {
      text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
    } catch (error) {
      const fault = error instanceof TypeError ? 'it is not valid UTF-8' : fileFault(error);
      throw ConfigError.of(`Unable to open config file ${path}: ${fault}.`);
    }
    for (const [index, raw] of text.split('\n').entries()) {
      const directive = parseLine(raw, path, index + 1);
      if (directive) this.#take(directive, isMain);
    }
  }

  #take(directive: Directive, isMain: boolean): void {
    const { option, name, value } = directive;
    this.#directives.push(directive);
    if (name === 'include_dir') {
      if (!isMain) return;
      for (const file of includedFiles(directive)) this.#readFile(file, false);
    } else if (name === 'per_listener_settings') {
      this.#perListener = value === 'true' || value === '1';
      this.#global.add(directive);
    } else if (name === 'listener') {
      this.#listeners.push({ start: directive, block: new Block() });
    } else if (option.scope === 'bridge') {
      if (name !== 'connection' && this.#bridges.length === 0) {
        throw fault(directive, 'Invalid bridge configuration: there is no "connection" before it.');
      }
      if (name === 'connection') this.#bridges.push(directive);
    } else {
      const block = this.#blockFor(option);
      if (option.type !== 'texts' && block.has(name) && option.type === 'text') {
        throw fault(directive, `Duplicate ${name} value in configuration.`);
      }
      block.add(directive);
    }
  }

  #blockFor({ scope }: MosquittoOption): Block {
    if (scope === 'global' || (scope === 'security' && !this.#perListener)) return this.#global;
    return this.#listeners.at(-1)?.block ?? this.#defaultListener;
  }
}

function parseLine(raw: string, file: string, line: number): Directive | undefined {
  if (raw.startsWith('#')) return undefined;
  const text = raw.trim();
  if (text === '') return undefined;
  const [, name, value] = /^(\S+)\s*(.*)$/s.exec(text) as unknown as [string, string, string];
  const at = { file, line, key: undefined };
  const option = findOption(name);
  if (!option) throw new ConfigError([{ ...at, message: `Unknown configuration variable "${name}".` }]);
  if (value === '') throw new ConfigError([{ ...at, message: `Empty ${name} value in configuration.` }]);
  const directive: Directive = { option, name, value, file, line };
  checkValue(directive);
  return directive;
}

function checkValue(directive: Directive): void {
  const { option, name, value } = directive;
  if (option.type === 'boolean' && !['true', 'false', '1', '0'].includes(value)) {
    throw fault(directive, `Invalid ${name} value (${value}). It must be true or false.`);
  }
  if (option.type === 'integer') {
    const number = parseInteger(value);
    if (number === undefined || number < option.min || number > option.max) {
      throw fault(
        directive,
        `Invalid ${name} value (${value}). It must be a number from ${option.min} to ${option.max}.`,
      );
    }
  }
}

/** An integer as C reads it: decimal, `0x` hexadecimal, or octal with a leading zero. */
function parseInteger(text: string): number | undefined {
  if (/^-?(?:0|[1-9]\d*)$/.test(text)) return Number(text);
  if (/^0x[0-9a-f]+$/i.test(text)) return Number(text);
  if (/^0[0-7]+$/.test(text)) return Number.parseInt(text, 8);
  return undefined;
}

/** An error about one line. */
export function fault({ file, line }: Pick<Directive, 'file' | 'line'>, message: string): ConfigError {
  const problem: ConfigProblem = { file, line, key: undefined, message };
  return new ConfigError([problem]);
}

function includedFiles(directive: Directive): string[] {
  let names: string[];
  try {
    names = readdirSync(directive.value);
  } catch (error) {
    throw fault(directive, `Unable to open include_dir '${directive.value}': ${fileFault(error)}.`);
  }
  const fold = (name: string): string => name.toLowerCase();
  return names
    .filter((name) => name.endsWith('.conf') && name.length > '.conf'.length)
    .sort((a, b) => compare(fold(a), fold(b)) || compare(a, b))
    .map((name) => join(directive.value, name));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
