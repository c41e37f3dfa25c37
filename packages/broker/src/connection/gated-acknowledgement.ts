// PUBACK, PUBREC, PUBREL or PUBCOMP that waits for the store, or for what stands before it.

import { PacketType } from '@tobymq/codec';
import type { Gated } from './acknowledgements.ts';
import type { Connection } from './connection.ts';
import type { AcknowledgementType } from './sender.ts';

export class GatedAcknowledgement implements Gated {
  batch = 0;
  readonly bytes: number;
  readonly #connection: Connection;
  readonly #type: AcknowledgementType;
  readonly #packetId: number;
  readonly #reasonCode: number;

  constructor(
    connection: Connection,
    type: AcknowledgementType,
    packetId: number,
    reasonCode: number,
    bytes: number,
  ) {
    this.#connection = connection;
    this.#type = type;
    this.#packetId = packetId;
    this.#reasonCode = reasonCode;
    this.bytes = bytes;
  }

  send(): void {
    if (this.#type === PacketType.Puback) this.#connection.receiveCount--;
    this.#connection.sender.acknowledge(this.#type, this.#packetId, this.#reasonCode);
  }

  refuse(): boolean {
    const connection = this.#connection;
    // PUBREL and PUBCOMP say what is known already; they wait until it can be written.
    if (this.#type === PacketType.Pubrel || this.#type === PacketType.Pubcomp) return false;
    connection.receiveCount--;
    // 5.0 is told; in 3.1.1 there is no refusal, so the client sends again.
    if (connection.sender.isV5) {
      connection.sender.acknowledge(this.#type, this.#packetId, 0x97, 'the message could not be stored');
    }
    return true;
  }
}
