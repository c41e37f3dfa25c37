// Faults of a client that only the server can see, as errors of the codec: the connection turns them into a DISCONNECT
// with the reason code and ends.

import { CodecError } from '@tobymq/codec';

export function fault(reasonCode: number, message: string): CodecError {
  return new CodecError('TOBYMQ_PACKET_INVALID', reasonCode, message);
}

export function protocolError(message: string): CodecError {
  return fault(0x82, message);
}
