// Who is examined: the address taken apart, and what was asked for.

import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { ConnectOptions } from '@tobymq/client';
import type { Finding } from './finding.ts';

export interface Patient {
  readonly url: URL;
  readonly options: ConnectOptions;
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
  readonly isSecure: boolean;
  readonly isWebSocket: boolean;
  readonly isUnix: boolean;
  /** How long each step may take. */
  readonly timeoutMs: number;
  /** How long an idle connection is watched; 0 for not at all. */
  readonly idleMs: number;
  /** The topic of the round trip; undefined for one of our own. */
  readonly topic: string | undefined;
  /** Bytes of the payload of the round trip. */
  readonly size: number;
  /** Tells a finding. */
  readonly tell: (finding: Finding) => void;
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = {
  'mqtt:': 1883,
  'tcp:': 1883,
  'mqtts:': 8883,
  'tls:': 8883,
  'ssl:': 8883,
  'ws:': 80,
  'wss:': 443,
};

export function patientOf(
  address: string,
  options: ConnectOptions,
  rest: Pick<Patient, 'timeoutMs' | 'idleMs' | 'topic' | 'size' | 'tell'>,
): Patient {
  const url = new URL(address);
  return {
    ...rest,
    url,
    options,
    host: url.hostname.replace(/^\[|\]$/g, '') || 'localhost',
    port: Number(url.port || DEFAULT_PORTS[url.protocol] || 1883),
    isSecure: /^(mqtts|tls|ssl|wss):$/.test(url.protocol),
    isWebSocket: /^wss?:$/.test(url.protocol),
    isUnix: url.protocol === 'unix:',
  };
}

/** The settings of the client, but with every certificate accepted. */
export function tlsOptions({ host, port, options }: Patient): ConnectionOptions {
  const { alpnProtocols, ...rest } = options.tls ?? {};
  return {
    host,
    port,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(rest as ConnectionOptions),
    ...(alpnProtocols === undefined ? {} : { ALPNProtocols: [...alpnProtocols] }),
    rejectUnauthorized: false,
  };
}
