// Reads a property section of 5.0 into an object, by the table of the properties that the packet may have.

import { type CodecError, malformed, protocolError } from './errors.ts';
import type { PacketReader } from './packet-reader.ts';
import type { PropertySet, PropertySpec } from './property-table.ts';
import { checkTopicName } from './topics.ts';

/** The properties at the reader's position, `undefined` if there are none. */
export function readProperties<T>(reader: PacketReader, set: PropertySet<T>): T | undefined {
  const length = reader.variableByteInteger('the property length');
  if (length === 0) return undefined;
  const packetEnd = reader.end;
  if (reader.position + length > packetEnd)
    throw malformed(`the properties of ${reader.packet} go beyond the packet`);
  reader.end = reader.position + length;
  const values: Record<string, unknown> = {};
  while (reader.position < reader.end) {
    const id = reader.variableByteInteger('a property identifier');
    const spec = set.find((candidate) => candidate.id === id);
    if (spec === undefined) throw unknownProperty(id, reader.packet);
    if (spec.type === 'pairs') {
      const pair = [reader.text('a user property'), reader.text('a user property')];
      const pairs = values[spec.name];
      if (Array.isArray(pairs)) pairs.push(pair);
      else values[spec.name] = [pair];
    } else {
      if (values[spec.name] !== undefined) throw repeatedProperty(spec.name, reader.packet);
      values[spec.name] = readValue(reader, spec);
    }
  }
  reader.end = packetEnd;
  // The table gives each field the type that T declares for it; the compiler cannot follow that.
  return values as T;
}

function readValue(reader: PacketReader, spec: PropertySpec): unknown {
  switch (spec.type) {
    case 'boolean': {
      const value = reader.byte(spec.name);
      if (value > 1) throw badValue(spec.name, reader.packet, value);
      return value === 1;
    }
    case 'byte':
      return inRange(reader.byte(spec.name), spec, reader.packet);
    case 'uint16':
      return inRange(reader.uint16(spec.name), spec, reader.packet);
    case 'uint32':
      return inRange(reader.uint32(spec.name), spec, reader.packet);
    case 'variable':
      return inRange(reader.variableByteInteger(spec.name), spec, reader.packet);
    case 'binary':
      return reader.binary(spec.name);
    case 'topic': {
      const topic = reader.text(spec.name);
      const problem = checkTopicName(topic);
      if (problem !== undefined) throw protocolError(`${spec.name} of ${reader.packet} ${problem}`);
      return topic;
    }
    default:
      return reader.text(spec.name);
  }
}

function inRange(value: number, spec: PropertySpec, packet: string): number {
  if (value < spec.min || value > spec.max) throw badValue(spec.name, packet, value);
  return value;
}

export function unknownProperty(id: number, packet: string): CodecError {
  return malformed(
    `${packet} has the property 0x${id.toString(16).padStart(2, '0')}, which it must not have`,
  );
}

export function repeatedProperty(name: string, packet: string): CodecError {
  return protocolError(`${packet} has the property ${name} more than once`);
}

export function badValue(name: string, packet: string, value: number): CodecError {
  return protocolError(`the property ${name} of ${packet} has the value ${value}, which is not allowed`);
}
