// Reads a YAML (or JSON) file into a value that a zod schema checks, and says of each problem on which line it is.

import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import {
  type Document,
  isMap,
  isScalar,
  LineCounter,
  parseDocument,
  parse as parseYaml,
  Scalar,
  visit,
} from 'yaml';
import type { z } from 'zod';
import { ConfigError, type ConfigProblem, fileFault } from './errors.ts';
import { type Environment, substitute } from './substitute.ts';

/** Reads and checks a file; throws a {@link ConfigError} with everything that is wrong. */
export function readYaml<T extends z.ZodType>(
  path: string,
  schema: T,
  environment: Environment,
): Parsed<z.output<T>> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw ConfigError.of(`cannot be read: ${fileFault(error)}`, { file: path });
  }
  return parseWithLines(text, path, schema, environment);
}

/** What a file holds, and on which line a part of it stands. */
export interface Parsed<T> {
  readonly value: T;
  lineOf(path: readonly PropertyKey[]): number | undefined;
}

/** The same for text that was read already. */
export function parseChecked<T extends z.ZodType>(
  text: string,
  path: string,
  schema: T,
  environment: Environment,
): z.output<T> {
  return parseWithLines(text, path, schema, environment).value;
}

function parseWithLines<T extends z.ZodType>(
  text: string,
  path: string,
  schema: T,
  environment: Environment,
): Parsed<z.output<T>> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  if (document.errors.length > 0) {
    throw new ConfigError(
      document.errors.map((error) => ({
        file: path,
        line: lines.linePos(error.pos[0]).line,
        key: undefined,
        message: `not valid YAML: ${firstSentence(error.message)}`,
      })),
    );
  }
  const problems = replaceInValues(document, path, lines, environment);
  if (problems.length > 0) throw new ConfigError(problems);
  const result = schema.safeParse(document.toJS() ?? {}, { reportInput: true });
  if (result.success) return { value: result.data, lineOf: (key) => lineOfKey(key, document, lines) };
  throw new ConfigError(
    flatten(result.error.issues).flatMap((issue) => describe(issue, document, path, lines)),
  );
}

function firstSentence(message: string): string {
  return (message.split('\n')[0] as string).replace(/ at line \d+, column \d+:?$/, '');
}

function replaceInValues(
  document: Document,
  path: string,
  lines: LineCounter,
  environment: Environment,
): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  visit(document, {
    Scalar(key, node) {
      if (key === 'key' || typeof node.value !== 'string' || !node.value.includes('${')) return;
      const answer = substitute(node.value, environment, dirname(path));
      if ('fault' in answer) {
        problems.push({ file: path, line: lineOf(node, lines), key: undefined, message: answer.fault });
      } else if (node.type === Scalar.PLAIN) {
        // Without quotes the replaced text is what counts: `port: ${PORT}` is a number.
        const value: unknown = parseYaml(answer.text);
        node.value = typeof value === 'object' && value !== null ? answer.text : value;
      } else {
        node.value = answer.text;
      }
    },
  });
  return problems;
}

function lineOf(node: unknown, lines: LineCounter): number | undefined {
  const range = (node as { range?: readonly number[] } | null | undefined)?.range;
  return range?.[0] === undefined ? undefined : lines.linePos(range[0]).line;
}

/** The issues inside the branches of a union that fits best, instead of "invalid union". */
function flatten(
  issues: readonly z.core.$ZodIssue[],
  prefix: readonly PropertyKey[] = [],
): z.core.$ZodIssue[] {
  return issues.flatMap((issue) => {
    const path = [...prefix, ...issue.path];
    if (issue.code === 'invalid_union' && issue.errors.length > 0 && issue.message === 'Invalid input') {
      const nearest = [...issue.errors].sort((a, b) => nearness(b[0]) - nearness(a[0]))[0];
      return flatten(nearest ?? [], path);
    }
    return [{ ...issue, path }];
  });
}

/** A branch that a part of the value fits is meant, or else one for values of its type. */
function nearness(issue: z.core.$ZodIssue | undefined): number {
  if (issue === undefined) return 0;
  return issue.path.length + (issue.code === 'invalid_type' ? 0 : 0.5);
}

function describe(
  issue: z.core.$ZodIssue,
  document: Document,
  file: string,
  lines: LineCounter,
): ConfigProblem[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      file,
      line: lineOfKey([...issue.path, key], document, lines),
      key: writePath([...issue.path, key]),
      message: 'there is no such key',
    }));
  }
  const found = valueAt(document, issue.path);
  return [
    {
      file,
      line: lineOfKey(issue.path, document, lines),
      key: writePath(issue.path),
      message: `${expectation(issue)}${issue.code === 'custom' && (found === undefined || typeof found === 'object') ? '' : `, found ${show(found)}`}`,
    },
  ];
}

const articles: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a section with keys',
  record: 'a section with keys',
};

function expectation(issue: z.core.$ZodIssue): string {
  if (issue.message.startsWith('expected') || issue.code === 'custom') return issue.message;
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${articles[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return `expected ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map(String).join(', ')}`;
    case 'too_small':
      return issue.origin === 'string'
        ? `expected a text of at least ${issue.minimum} characters`
        : `expected at least ${issue.minimum}`;
    case 'too_big':
      return issue.origin === 'string'
        ? `expected a text of at most ${issue.maximum} characters`
        : `expected at most ${issue.maximum}`;
    default:
      return `${issue.message.charAt(0).toLowerCase()}${issue.message.slice(1)}`;
  }
}

function show(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a section';
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}..."` : text;
}

function valueAt(document: Document, path: readonly PropertyKey[]): unknown {
  const node = document.getIn(path as unknown[], true);
  if (isScalar(node)) return node.value;
  return node === undefined ? undefined : (node as { toJSON(): unknown }).toJSON();
}

/** The line of the key if it is there, else of what it would stand in. */
function lineOfKey(path: readonly PropertyKey[], document: Document, lines: LineCounter): number | undefined {
  for (let length = path.length; length > 0; length--) {
    const parent = document.getIn(path.slice(0, length - 1) as unknown[], true);
    const last = path[length - 1];
    if (isMap(parent)) {
      const pair = parent.items.find((item) => isScalar(item.key) && item.key.value === last);
      if (pair) return lineOf(pair.key, lines);
    } else {
      const line = lineOf(document.getIn(path.slice(0, length) as unknown[], true), lines);
      if (line !== undefined) return line;
    }
  }
  return lineOf(document.contents, lines);
}

function writePath(path: readonly PropertyKey[]): string {
  return path
    .map((part, index) =>
      typeof part === 'number' ? `[${part}]` : index === 0 ? String(part) : `.${String(part)}`,
    )
    .join('');
}
