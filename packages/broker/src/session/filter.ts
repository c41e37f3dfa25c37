// A topic filter as clients send it, in its two parts.

import { parseSharedFilter } from '@tobymq/codec';

export interface FilterParts {
  /** Without `$share/name/`. */
  readonly filter: string;
  /** Empty if the subscription is not shared. */
  readonly shareName: string;
}

export function splitFilter(fullFilter: string): FilterParts {
  return parseSharedFilter(fullFilter) ?? { filter: fullFilter, shareName: '' };
}
