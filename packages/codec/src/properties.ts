// Property sections of 5.0, read and written by the table of the properties that the packet may have.

import {
  binary,
  end,
  enterSection,
  fail,
  forbid,
  isSkipping,
  isWriting,
  leaveSection,
  NEEDS_5,
  position,
  readByte,
  text,
  topic,
  uint,
  variableByteInteger,
  version,
  writeByte,
} from './cursor.ts';
import { type PropertySet, type PropertySpec, TOPIC_ALIAS } from './property-table.ts';

/** The property section of a packet, read or written; `undefined` if there are no properties. */
export function properties<T extends object>(set: PropertySet<T>, given: T | undefined): T | undefined {
  if (version !== 5) {
    // Leaving them out silently would lose what the caller wanted to say.
    if (given !== undefined) fail(NEEDS_5);
    return undefined;
  }
  const mark = enterSection('properties'); // [MQTT-2.2.2-1]
  let result = given;
  if (!isWriting) {
    if (position < end) {
      const values = readProperties(set);
      const fields: Record<string, unknown> = {};
      for (const { id, name } of set.specs) if (values[id] !== undefined) fields[name] = values[id];
      // The table gives each field the type that T declares for it; the compiler cannot follow that.
      result = fields as T;
    }
  } else if (given !== undefined) {
    for (const [name, field] of Object.entries(given)) {
      if (field !== undefined && !set.specs.some((spec) => spec.name === name)) forbid('a property', name);
    }
    for (const { id, name } of set.specs) values[id] = (given as Readonly<Record<string, unknown>>)[name];
    writeProperties(set);
  }
  leaveSection(mark);
  return result;
}

/** The properties from the position to the end, by identifier. The array is used again for the next packet. */
export function readProperties<T>(
  set: PropertySet<T>,
  onProperty?: (id: number, start: number) => void,
): readonly unknown[] {
  for (const { id } of set.specs) values[id] = undefined;
  while (position < end) {
    const start = position;
    const id = readByte('a property'); // None has an identifier above 127, which would take more.
    const spec = set.byId[id];
    if (spec === undefined) return forbid('a property', id, 0x81);
    const known = values[id];
    const field = value(spec);
    if (!spec.isList) {
      if (known !== undefined) fail(`${spec.name} is repeated`);
      values[id] = field;
    } else if (isSkipping) {
      values[id] = ((known as number | undefined) ?? 0) + 1; // A count does without a list.
    } else if (known === undefined) {
      values[id] = [field];
    } else {
      (known as unknown[]).push(field);
    }
    onProperty?.(id, start);
  }
  return values;
}

/** The properties that were read last, or are to be written, by identifier. */
export const values: unknown[] = new Array(43).fill(undefined);

/** Writes the properties that stand in `values`, without their length. */
export function writeProperties<T>({ specs }: PropertySet<T>): void {
  for (let index = 0; index < specs.length; index++) {
    const spec = specs[index]!;
    const field = values[spec.id];
    if (field === undefined) continue;
    if (!spec.isList) writeProperty(spec, field);
    else if (!Array.isArray(field)) forbid(spec.name, field);
    else for (const item of field) writeProperty(spec, item);
  }
}

function writeProperty(spec: PropertySpec, given: unknown): void {
  writeByte(spec.id);
  value(spec, given);
}

/** The value of one property, read or written. */
function value({ id, type, name, min }: PropertySpec, given?: unknown): unknown {
  switch (type) {
    case 's':
      return text(name, given);
    case 't':
      return topic(name, given); // [MQTT-3.3.2-14]
    case 'b':
      return binary(name, given);
    case 'p': {
      const pair = given as readonly unknown[] | undefined; // [MQTT-1.5.7-1]
      const key = text(name, pair?.[0]);
      const content = text(name, pair?.[1]);
      return isSkipping ? key : [key, content];
    }
    case 'v':
      return variableByteInteger(name, given, min);
    case 'f':
      if (isWriting && typeof given !== 'boolean') forbid(name, given);
      return uint(1, name, Number(given), 0, 1) === 1;
    default: {
      const number = uint(Number(type), name, given, min, type === '1' ? 1 : undefined);
      if (id === TOPIC_ALIAS && number === 0) forbid(name, 0, 0x94); // [MQTT-3.3.2-8]
      return number;
    }
  }
}
