// The PROXY protocol, versions 1 and 2: what a load balancer writes in front of a connection to tell where the client
// really is. The parser takes the bytes as they come, one at a time if need be, and never keeps more than a header may
// have.
//
//   v1   PROXY TCP4 203.0.113.7 10.0.0.1 51234 1883\r\n                    at most 107 bytes
//   v2   12 bytes signature | version, command | family | length | addresses | TLVs

import { isIP } from 'node:net';

/** What a header says. `local` is the proxy's own health check: the socket's address counts then. */
export interface ProxyHeader {
  readonly version: 1 | 2;
  readonly local: boolean;
  readonly sourceAddress: string | undefined;
  readonly sourcePort: number | undefined;
  /** From the TLVs of version 2: the client used TLS towards the proxy. */
  readonly tls: ProxyTls | undefined;
  /** The server name that the client asked for (PP2_TYPE_AUTHORITY). */
  readonly authority: string | undefined;
}

export interface ProxyTls {
  /** A client certificate was given and verified. */
  readonly verified: boolean;
  readonly version: string | undefined;
  readonly commonName: string | undefined;
}

export type ProxyResult =
  | { readonly header: ProxyHeader; readonly length: number }
  | { readonly fault: string }
  /** The header is not complete. */
  | undefined;

const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const v1Prefix = Buffer.from('PROXY ');
const v1BytesMax = 107;
const v2FixedBytes = 16;
/** More than addresses and TLVs of real proxies need; haproxy writes some hundred bytes with a certificate. */
const v2BytesMax = 4096;

/** Reads a header from the bytes that have come so far. */
export function parseProxyHeader(bytes: Buffer): ProxyResult {
  if (startsLike(bytes, signature)) return bytes.length < signature.length ? undefined : parseV2(bytes);
  if (startsLike(bytes, v1Prefix)) return bytes.length < v1Prefix.length ? undefined : parseV1(bytes);
  return { fault: 'the connection does not begin with a PROXY header' };
}

function startsLike(bytes: Buffer, wanted: Buffer): boolean {
  const length = Math.min(bytes.length, wanted.length);
  return bytes.compare(wanted, 0, length, 0, length) === 0;
}

function parseV1(bytes: Buffer): ProxyResult {
  const end = bytes.indexOf('\r\n');
  if (end < 0)
    return bytes.length >= v1BytesMax ? { fault: 'the PROXY line is longer than 107 bytes' } : undefined;
  if (end + 2 > v1BytesMax) return { fault: 'the PROXY line is longer than 107 bytes' };
  const line = bytes.toString('latin1', 0, end);
  const length = end + 2;
  const [, protocol, source, , sourcePort, , ...rest] = line.split(' ');
  if (protocol === 'UNKNOWN') return { header: header(1, true), length };
  const family = protocol === 'TCP4' ? 4 : protocol === 'TCP6' ? 6 : 0;
  const port = /^\d{1,5}$/.test(sourcePort ?? '') ? Number(sourcePort) : Number.NaN;
  if (
    family === 0 ||
    source === undefined ||
    isIP(source) !== family ||
    !(port <= 65_535) ||
    rest.length > 0
  ) {
    return { fault: `the PROXY line "${line.slice(0, 60)}" is malformed` };
  }
  return { header: { ...header(1, false), sourceAddress: source, sourcePort: port }, length };
}

function header(version: 1 | 2, local: boolean): ProxyHeader {
  return {
    version,
    local,
    sourceAddress: undefined,
    sourcePort: undefined,
    tls: undefined,
    authority: undefined,
  };
}

function parseV2(bytes: Buffer): ProxyResult {
  if (bytes.length < v2FixedBytes) return undefined;
  const versionAndCommand = bytes[12] as number;
  const command = versionAndCommand & 0x0f;
  if (versionAndCommand >> 4 !== 2 || command > 1)
    return { fault: `the PROXY header has version and command 0x${versionAndCommand.toString(16)}` };
  const size = bytes.readUInt16BE(14);
  if (size > v2BytesMax)
    return { fault: `the PROXY header has ${size} bytes; at most ${v2BytesMax} are accepted` };
  const length = v2FixedBytes + size;
  if (bytes.length < length) return undefined;
  if (command === 0) return { header: header(2, true), length };
  return parseV2Body(bytes.subarray(v2FixedBytes, length), bytes[13] as number, length);
}

function parseV2Body(body: Buffer, family: number, length: number): ProxyResult {
  let source: { address: string | undefined; port: number | undefined };
  let used: number;
  switch (family >> 4) {
    case 1:
      used = 12;
      if (body.length < used) return { fault: 'the PROXY header is too short for its addresses' };
      source = { address: [...body.subarray(0, 4)].join('.'), port: body.readUInt16BE(8) };
      break;
    case 2:
      used = 36;
      if (body.length < used) return { fault: 'the PROXY header is too short for its addresses' };
      source = { address: ipv6(body.subarray(0, 16)), port: body.readUInt16BE(32) };
      break;
    case 3:
      used = 216;
      if (body.length < used) return { fault: 'the PROXY header is too short for its addresses' };
      source = { address: undefined, port: undefined };
      break;
    default:
      used = 0;
      source = { address: undefined, port: undefined };
  }
  const tlvs = readTlvs(body.subarray(used));
  if (!tlvs) return { fault: 'a TLV of the PROXY header is longer than the header' };
  const tls = tlvs.get(0x20);
  return {
    header: {
      ...header(2, false),
      sourceAddress: source.address,
      sourcePort: source.port,
      tls: tls && readTls(tls),
      authority: tlvs.get(0x02)?.toString('utf8'),
    },
    length,
  };
}

function ipv6(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16));
  // The URL parser writes IPv6 addresses in their short form.
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

function readTlvs(bytes: Buffer): Map<number, Buffer> | undefined {
  const tlvs = new Map<number, Buffer>();
  let offset = 0;
  while (offset < bytes.length) {
    if (offset + 3 > bytes.length) return undefined;
    const end = offset + 3 + bytes.readUInt16BE(offset + 1);
    if (end > bytes.length) return undefined;
    tlvs.set(bytes[offset] as number, bytes.subarray(offset + 3, end));
    offset = end;
  }
  return tlvs;
}

const usedTls = 0x01;

/** PP2_TYPE_SSL: one byte of flags, four of the verification's result, then TLVs of its own. */
function readTls(bytes: Buffer): ProxyTls | undefined {
  if (bytes.length < 5 || ((bytes[0] as number) & usedTls) === 0) return undefined;
  const tlvs = readTlvs(bytes.subarray(5));
  const hasCertificate = ((bytes[0] as number) & 0x06) !== 0;
  return {
    verified: hasCertificate && bytes.readUInt32BE(1) === 0,
    version: tlvs?.get(0x21)?.toString('utf8'),
    commonName: tlvs?.get(0x22)?.toString('utf8'),
  };
}
