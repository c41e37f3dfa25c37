// Writes a property section of 5.0 by the table of the properties that the packet may have.

import type { ByteWriter } from './byte-writer.ts';
import { notEncodable } from './errors.ts';
import type { PropertySet, PropertySpec } from './property-table.ts';
import { checkTopicName } from './topics.ts';

/** Writes the property length and the properties. A property of the object that the packet cannot have is refused. */
export function writeProperties<T extends object>(
  writer: ByteWriter,
  packet: string,
  set: PropertySet<T>,
  properties: T | undefined,
): void {
  if (properties === undefined) {
    writer.byte(0); // [MQTT-2.2.2-1]
    return;
  }
  const values = properties as Readonly<Record<string, unknown>>;
  refuseUnknown(values, packet, set);
  writer.lengthPrefixed(() => {
    for (const spec of set) {
      const value = values[spec.name];
      if (value !== undefined) writeProperty(writer, packet, spec, value);
    }
  });
}

function refuseUnknown(
  values: Readonly<Record<string, unknown>>,
  packet: string,
  set: readonly PropertySpec[],
): void {
  for (const name of Object.keys(values)) {
    if (values[name] !== undefined && !set.some((spec) => spec.name === name)) {
      throw notEncodable(`${packet} cannot have the property ${name}`);
    }
  }
}

function writeProperty(writer: ByteWriter, packet: string, spec: PropertySpec, value: unknown): void {
  const what = `the property ${spec.name} of ${packet}`;
  switch (spec.type) {
    case 'pairs':
      if (!Array.isArray(value)) throw notEncodable(`${what} is not an array of pairs`);
      for (const pair of value) {
        writer.byte(spec.id);
        writer.text(pair[0], `a name in ${what}`); // [MQTT-1.5.7-1]
        writer.text(pair[1], `a value in ${what}`);
      }
      return;
    case 'boolean':
      if (typeof value !== 'boolean') throw notEncodable(`${what} is not true or false`);
      writer.byte(spec.id);
      writer.byte(value ? 1 : 0);
      return;
    case 'text':
      writer.byte(spec.id);
      writer.text(value, what);
      return;
    case 'topic': {
      const problem = typeof value === 'string' ? checkTopicName(value) : 'is not a string';
      if (problem !== undefined) throw notEncodable(`${what} ${problem}`);
      writer.byte(spec.id);
      writer.text(value, what);
      return;
    }
    case 'binary':
      writer.byte(spec.id);
      writer.binary(value, what);
      return;
    default:
      writer.byte(spec.id);
      writeNumber(writer, what, spec, value);
  }
}

function writeNumber(writer: ByteWriter, what: string, spec: PropertySpec, value: unknown): void {
  const number = checkedInteger(value, spec.min, spec.max, what);
  if (spec.type === 'byte') writer.byte(number);
  else if (spec.type === 'uint16') writer.uint16(number);
  else if (spec.type === 'uint32') writer.uint32(number);
  else writer.variableByteInteger(number);
}

/** The value as a whole number within the bounds; anything else is refused. */
export function checkedInteger(value: unknown, min: number, max: number, what: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    throw notEncodable(`${what} is ${String(value)}, but must be a whole number from ${min} to ${max}`);
  }
  return value;
}
