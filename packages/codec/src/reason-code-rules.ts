// Which reason codes a packet may carry, by version and by the side that sends it. Reader and writer both ask here.

const PUBLISH_CODES = '0 10< 80 83 87 90 91 97 99';
const RELEASE_CODES = '0 92';

/**
 * The codes of 5.0 by packet type (of 3.1 and 3.1.1 by its negative), in hexadecimal; `>` follows those that only a client
 * may send, `<` those for servers. In DISCONNECT, 8c (a method changed during re-authentication) and 9b (a client refuses
 * a QoS) stand in the standard's text but not in its table for that side; what the text asks for is accepted.
 */
const CODES: Readonly<Record<number, string>> = {
  2: '0 80 81 82 83 84 85 86 87 88 89 8a 8c 90 95 97 99 9a 9b 9c 9d 9f',
  4: PUBLISH_CODES,
  5: PUBLISH_CODES,
  6: RELEASE_CODES,
  7: RELEASE_CODES,
  9: '0 1 2 80 83 87 8f 91 97 9e a1 a2',
  11: '0 11 80 83 87 8f 91',
  14: '0 4> 80 81 82 83 87< 89< 8b< 8c 8d< 8e< 8f< 90 93 94 95 96 97 98 99 9a< 9b 9c< 9d< 9e< 9f< a0< a1< a2<',
  15: '0< 18 19>',
  // 3.1 and 3.1.1: the return codes of CONNACK; in SUBACK the granted QoS, or 0x80 for failure (not in 3.1).
  '-2': '0 1 2 3 4 5',
  '-9': '0 1 2 80',
};

/** Whether a code may stand in a packet of this type from the senders: `>` client, `<` server, `<>` either. */
export function isReasonCodeAllowed(version: number, type: number, code: number, senders: string): boolean {
  const allowed = ` ${CODES[version === 5 ? type : -type]} `;
  return ['', ...senders].some((sender) => allowed.includes(` ${code.toString(16)}${sender} `));
}
