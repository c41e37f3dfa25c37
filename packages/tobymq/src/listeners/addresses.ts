// From the `host` of a listener to the addresses that are opened: one for most, two for `localhost`, all of a network
// interface for `interface:NAME`.

import { networkInterfaces } from 'node:os';
import { ConfigError } from '../config/errors.ts';

export interface BindAddress {
  readonly host: string;
  readonly ipv6Only: boolean;
  /** The server starts without it where the machine does not have it (`::1` without IPv6). */
  readonly optional: boolean;
}

/** `*` is every address, IPv6 included where the machine has it. */
export function bindAddresses(host: string, ipv6Only: boolean): BindAddress[] {
  if (host === '*') return [{ host: hasIpv6() ? '::' : '0.0.0.0', ipv6Only: false, optional: false }];
  if (host === 'only-ipv6') return [{ host: '::', ipv6Only: true, optional: false }];
  if (host === 'localhost') {
    return [
      { host: '127.0.0.1', ipv6Only: false, optional: false },
      { host: '::1', ipv6Only: true, optional: true },
    ];
  }
  if (host.startsWith('interface:')) return interfaceAddresses(host.slice('interface:'.length));
  return [{ host, ipv6Only, optional: false }];
}

function hasIpv6(): boolean {
  return Object.values(networkInterfaces()).some((addresses) =>
    addresses?.some(({ family }) => family === 'IPv6'),
  );
}

function interfaceAddresses(name: string): BindAddress[] {
  const addresses = networkInterfaces()[name];
  if (!addresses) {
    const known = Object.keys(networkInterfaces()).join(', ');
    throw ConfigError.of(`there is no network interface "${name}"; this machine has ${known}`);
  }
  return addresses.map(({ address, family, scopeid }) => ({
    host: family === 'IPv6' && scopeid ? `${address}%${name}` : address,
    ipv6Only: family === 'IPv6',
    optional: false,
  }));
}

/** Whether only this machine can reach an address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.') || host === 'interface:lo';
}

/** How an address and port are written: `127.0.0.1:1883`, `[::1]:1883`. */
export function endpoint(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
