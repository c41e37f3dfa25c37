// docs/reference/configuration.md, made from the schema: every key with its type, default and description. A test makes
// sure that the file in the repository is what this makes.

import { z } from 'zod';
import { configSchema } from './schema.ts';
import { durationText, sizeText } from './units.ts';

/** What this needs of JSON Schema. */
interface Schema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly unit?: 'duration' | 'size';
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
}

const introduction = `# Configuration

<!-- Made from packages/tobymq/src/config by "tobymq config reference". Do not edit. -->

\`tobymq serve -c FILE\` reads a file in YAML or JSON with the keys below; all of them have a default. Unknown keys and
wrong values are errors, and \`tobymq config check FILE\` lists them all. Paths are relative to the folder of the file.

- \`\${NAME}\` in a value is replaced by the environment variable, \`\${NAME:-otherwise}\` has a value for when it is not
  set, and \`\${file:PATH}\` is replaced by what is in the file, without the line end. \`$\${\` is a literal \`\${\`.
- Durations are numbers of seconds or texts such as \`250ms\`, \`30s\`, \`5m\`, \`2h\`, \`7d\` and \`never\`.
- Sizes are numbers of bytes or texts such as \`64KiB\`, \`2MB\` and \`unlimited\`.

`;

/** The whole page. */
export function configurationReference(): string {
  const schema = z.toJSONSchema(configSchema, {
    io: 'input',
    unrepresentable: 'any',
    reused: 'inline',
    override: ({ zodSchema, jsonSchema }) => {
      // zod leaves the defaults of durations, sizes and counts out: they are what the value becomes, not what is written.
      const { def } = zodSchema._zod;
      if (def.type === 'default') jsonSchema.default = def.defaultValue as typeof jsonSchema.default;
    },
  }) as Schema;
  const lines: string[] = [];
  section(schema, '', 2, lines);
  return `${introduction}${lines.join('\n')}\n`;
}

function section(schema: Schema, path: string, depth: number, lines: string[]): void {
  const entries = Object.entries(schema.properties ?? {});
  const simple = entries.filter(([, property]) => !isSection(property));
  if (simple.length > 0) {
    lines.push('| key | type | default | meaning |', '| --- | --- | --- | --- |');
    for (const [name, property] of simple) {
      lines.push(
        `| \`${name}\` | ${cell(typeOf(property))} | ${defaultOf(property)} | ${cell(property.description ?? '')} |`,
      );
    }
    lines.push('');
  }
  for (const [name, property] of entries.filter(([, candidate]) => isSection(candidate))) {
    const full = path === '' ? name : `${path}.${name}`;
    const list = property.items !== undefined;
    lines.push(
      `${'#'.repeat(Math.min(depth, 5))} \`${full}${list ? '[]' : ''}\``,
      '',
      property.description ?? '',
      '',
    );
    const inner = property.items ?? property;
    if (alternativesOf(inner).length > 0 && !inner.properties) {
      for (const alternative of alternativesOf(inner)) {
        lines.push(
          `**\`type: ${String(alternative.properties?.type?.const)}\`** ${alternative.description ?? ''}`,
          '',
        );
        section(withoutType(alternative), `${full}[]`, depth + 1, lines);
      }
    } else {
      section(inner, list ? `${full}[]` : full, depth + 1, lines);
    }
  }
}

function withoutType(schema: Schema): Schema {
  const { type: _, ...properties } = schema.properties ?? {};
  return { ...schema, properties };
}

function alternativesOf(schema: Schema): readonly Schema[] {
  return (schema.anyOf ?? schema.oneOf ?? []).filter((alternative) => alternative.properties !== undefined);
}

function isSection(schema: Schema): boolean {
  const inner = schema.items ?? schema;
  return inner.properties !== undefined || alternativesOf(inner).length > 0;
}

function typeOf(schema: Schema): string {
  if (schema.unit) return schema.unit;
  if (schema.enum) return schema.enum.map((value) => `\`${String(value)}\``).join(' \\| ');
  if (schema.const !== undefined) return `\`${String(schema.const)}\``;
  const alternatives = schema.anyOf ?? schema.oneOf;
  if (alternatives) return [...new Set(alternatives.map(typeOf))].join(' or ');
  if (schema.items) return `list of ${typeOf(schema.items)}`;
  if (typeof schema.type === 'object')
    return schema.type.map((type) => typeOf({ ...schema, type })).join(' or ');
  switch (schema.type) {
    case 'string':
      return 'text';
    case 'integer':
      return 'whole number';
    case 'boolean':
      return 'true or false';
    case 'object':
      return 'keys with values';
    default:
      return String(schema.type ?? 'any');
  }
}

function defaultOf(schema: Schema): string {
  // JSON has no infinity; zod writes null for it.
  const value = schema.default === null ? Number.POSITIVE_INFINITY : schema.default;
  if (value === undefined) return '';
  if (typeof value === 'number' && schema.unit === 'duration') return `\`${durationText(value)}\``;
  if (typeof value === 'number' && (schema.unit === 'size' || !Number.isFinite(value)))
    return `\`${sizeText(value)}\``;
  return `\`${cell(JSON.stringify(value))}\``;
}

function cell(text: string): string {
  return text.replaceAll('\n', ' ').replace(/(?<!\\)\|/g, '\\|');
}
