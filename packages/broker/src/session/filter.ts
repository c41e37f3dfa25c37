// A topic filter as clients send it, in its two parts.

import { parseSharedFilter } from '@tobymq/codec';

export interface FilterParts {
  /** Without `$share/name/`. */
  readonly filter: string;
  /** Empty if the subscription is not shared. */
  readonly shareName: string;
}

const DOLLAR = 0x24;

export function splitFilter(fullFilter: string): FilterParts {
  const shared = fullFilter.charCodeAt(0) === DOLLAR ? parseSharedFilter(fullFilter) : undefined;
  return shared ?? { filter: fullFilter, shareName: '' };
}
