// Brings a store of an older format to the current one, one version at a time, after a copy was set aside
// and flushed: a power cut during the first start of a new version must not cost both.
//
// There is one format so far, so the list is empty. The next format adds `{ from: 1, run: (database) => ... }` here,
// raises FORMAT_VERSION, and changes the tables in `schema.ts`.

import { existsSync } from 'node:fs';
import { copyDatabase } from './backup.ts';
import { FORMAT_VERSION, readNumber } from './schema.ts';
import { type Database, transaction } from './sqlite.ts';

export interface Migration {
  /** The format that it starts from; it ends with the next one. */
  readonly from: number;
  readonly run: (database: Database) => void;
}

const migrations: readonly Migration[] = [];

/** Answers with the path of the copy, or undefined when there was nothing to do. */
export function migrate(
  database: Database,
  file: string,
  now: number,
  steps: readonly Migration[] = migrations,
  target: number = FORMAT_VERSION,
): string | undefined {
  const version = readNumber(database, 'PRAGMA user_version');
  if (version >= target) return undefined;
  const copy = datedName(file, `format-${version}`, now);
  copyDatabase(database, copy);
  transaction(database, () => {
    for (let from = version; from < target; from++) {
      const step = steps.find((migration) => migration.from === from);
      if (step === undefined)
        throw new RangeError(`there is no way from store format ${from} to ${from + 1}`);
      step.run(database);
    }
    database.exec(`PRAGMA user_version = ${target}`);
  });
  return copy;
}

/** `tobymq.db` becomes `tobymq.db.damaged-2026-11-20T19-45-00Z`, with a number if that is taken. */
export function datedName(file: string, why: string, now: number): string {
  const date = new Date(now)
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replaceAll(':', '-');
  const name = `${file}.${why}-${date}`;
  let free = name;
  for (let i = 2; existsSync(free); i++) free = `${name}-${i}`;
  return free;
}
