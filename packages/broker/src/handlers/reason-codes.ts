// Reason codes that come from outside, and the words for them: from extensions, from `kick`, from errors of the codec. Each
// packet may carry only some of the codes, so one that does not fit is replaced by one that says as much as possible.

const ALLOWED = {
  connack: [
    0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97, 0x99, 0x9a,
    0x9b, 0x9c, 0x9d, 0x9f,
  ],
  // [MQTT-3.14.2-1]
  disconnect: [
    0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8c, 0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94, 0x95, 0x96,
    0x97, 0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2,
  ],
  // PUBACK and PUBREC. [MQTT-3.4.2-1], [MQTT-3.5.2-1]
  publish: [0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99],
  // [MQTT-3.9.3-2]
  suback: [0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2],
} as const satisfies Record<string, readonly number[]>;

/** The code itself if the packet may carry it, else one that fits. */
export function fittingCode(packet: keyof typeof ALLOWED, code: number): number {
  const allowed: readonly number[] = ALLOWED[packet];
  if (allowed.includes(code)) return code;
  return packet === 'disconnect' ? 0x80 : 0x87;
}

/** A reason as a text field, which may hold 65,535 bytes and no U+0000. */
export function tellable(reason: string | undefined): string | undefined {
  // By way of bytes, half a surrogate pair becomes U+FFFD.
  return reason === undefined
    ? undefined
    : Buffer.from(reason.slice(0, 1_000)).toString().replaceAll('\0', '');
}
