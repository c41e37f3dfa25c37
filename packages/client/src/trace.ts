// The debug hook: every packet in both directions as data, with secrets taken out.

import { type Packet, type PacketInput, PacketType } from '@tobymq/codec';

/** One packet that was sent or received. */
export interface TraceEvent {
  readonly direction: 'sent' | 'received';
  /** The packet; passwords and authentication data are replaced by a placeholder. */
  readonly packet: Packet | PacketInput;
}

const placeholder = new TextEncoder().encode('<redacted>');

/** The packet without what a log must not contain. */
export function redact(packet: Packet | PacketInput): Packet | PacketInput {
  let safe = packet;
  if (safe.type === PacketType.Connect && safe.password !== undefined)
    safe = { ...safe, password: placeholder };
  if (
    (safe.type === PacketType.Connect || safe.type === PacketType.Connack || safe.type === PacketType.Auth) &&
    safe.properties?.authenticationData !== undefined
  ) {
    return { ...safe, properties: { ...safe.properties, authenticationData: placeholder } } as PacketInput;
  }
  return safe;
}
