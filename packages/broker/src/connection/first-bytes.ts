// What comes to a listener by mistake. It is known by its first byte, long before it would make a whole packet, and whoever
// reads the log learns what the other side was talking.

const CONNECT = 0x10;

/** Why a connection that begins with these bytes cannot begin with CONNECT; `undefined` if it may. [MQTT-3.1.0-1] */
export function problemOfFirstBytes(bytes: Uint8Array): string | undefined {
  const first = bytes[0];
  if (first === CONNECT || first === undefined) return undefined;
  const head = Buffer.from(bytes.subarray(0, 5)).toString('latin1');
  const other = STRANGERS.find(([pattern]) => pattern.test(head))?.[1];
  if (other !== undefined) return `the first packet is not CONNECT but ${other}`;
  // CONNECT with wrong flags is the decoder's to refuse.
  return (first & 0xf0) === CONNECT ? undefined : 'the first packet is not CONNECT';
}

const STRANGERS: readonly (readonly [RegExp, string])[] = [
  [/^\x16(\x03|$)/, 'the beginning of TLS: this listener speaks MQTT without it'],
  [/^(PROXY|\r\n\r\n)/, 'a PROXY header: this listener does not expect one'],
  [/^[A-Z]{3}/, 'text, HTTP perhaps'],
];
