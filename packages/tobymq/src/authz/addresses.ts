// Sets of addresses and networks, as they stand in rules and in the settings of proxies: `10.0.0.0/8`, `::1`,
// `192.168.1.7`, or names of transports without addresses such as `unix`.

import { BlockList, isIP } from 'node:net';
import { ConfigError } from '../config/errors.ts';

/** Answers that are remembered, because to ask a list costs more than everything else that is done with an address. */
const answersMax = 1_000;

export class AddressSet {
  readonly #list = new BlockList();
  readonly #names = new Set<string>();
  readonly #answers = new Map<string, boolean>();
  readonly #everything: boolean;

  /** Throws {@link ConfigError} for what is neither an address, a network, nor a name. */
  constructor(entries: readonly string[]) {
    this.#everything = entries.includes('*');
    for (const entry of entries) {
      const [address = '', bits] = entry.split('/');
      const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
      const max = family === 'ipv6' ? 128 : 32;
      if (isIP(address) === 0) {
        if (bits !== undefined || /[.:]/.test(entry))
          throw ConfigError.of(`"${entry}" is not an address or network such as 10.0.0.0/8`);
        this.#names.add(entry);
      } else if (bits === undefined) {
        this.#list.addAddress(address, family);
      } else {
        if (!/^\d+$/.test(bits) || Number(bits) > max)
          throw ConfigError.of(`"${entry}" is not a network: /${bits} must be /0 to /${max}`);
        this.#list.addSubnet(address, Number(bits), family);
      }
    }
  }

  has(address: string): boolean {
    if (this.#everything || this.#names.has(address)) return true;
    let isListed = this.#answers.get(address);
    if (isListed === undefined) {
      const family = isIP(address);
      isListed = family !== 0 && this.#list.check(address, family === 6 ? 'ipv6' : 'ipv4');
      if (this.#answers.size === answersMax) this.#answers.clear();
      this.#answers.set(address, isListed);
    }
    return isListed;
  }
}

/** `::ffff:10.0.0.1`, which a socket for both families reports, is 10.0.0.1. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address;
}
