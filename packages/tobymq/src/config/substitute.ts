// `${NAME}`, `${NAME:-otherwise}` and `${file:PATH}` in the values of a configuration, so that one file serves several
// machines and secrets stay out of it. `$${` writes a literal `${`.

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileFault } from './errors.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** The text with everything replaced, or what is wrong with it. */
export function substitute(
  text: string,
  environment: Environment,
  folder: string,
): { readonly text: string } | { readonly fault: string } {
  let fault: string | undefined;
  const replaced = text.replace(/\$\$\{|\$\{([^}]*)\}/g, (whole, inner: string | undefined) => {
    if (inner === undefined) return '${';
    const answer = replacement(inner, environment, folder);
    if (typeof answer === 'string') return answer;
    fault ??= answer.fault;
    return whole;
  });
  return fault === undefined ? { text: replaced } : { fault };
}

function replacement(inner: string, environment: Environment, folder: string): string | { fault: string } {
  if (inner.startsWith('file:')) {
    const path = resolve(folder, inner.slice('file:'.length));
    try {
      return readFileSync(path, 'utf8').replace(/\r?\n$/, '');
    } catch (error) {
      return { fault: `the file ${path} of \${${inner}} cannot be read: ${fileFault(error)}` };
    }
  }
  const match = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s.exec(inner);
  if (!match) return { fault: `\${${inner}} is neither \${NAME} nor \${file:PATH}` };
  const value = environment[match[1] as string] ?? match[2];
  if (value !== undefined) return value;
  return {
    fault: `the environment variable ${match[1]} is not set; set it, or write \${${match[1]}:-DEFAULT}`,
  };
}
