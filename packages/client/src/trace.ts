// The debug hook: every packet in both directions as data, with secrets taken out.

import type { Packet, PacketInput } from '@tobymq/codec';
import { bytesOf } from './outgoing-message.ts';

/** One packet that was sent or received. */
export interface TraceEvent {
  readonly direction: 'sent' | 'received';
  /** The packet; passwords and authentication data are replaced by a placeholder. */
  readonly packet: Packet | PacketInput;
}

const secrets: unknown[] = ['password', 'authenticationData'];
const placeholder = bytesOf('<redacted>');

/** The packet, or the properties of one, without what a log must not contain. */
export function redact<T extends object>(packet: T): T {
  const redacted = Object.entries(packet).map(([name, value]) => {
    if (value !== undefined && secrets.includes(name)) return [name, placeholder];
    return [name, name === 'properties' && value !== undefined ? redact(value) : value];
  });
  return Object.fromEntries(redacted) as T;
}
