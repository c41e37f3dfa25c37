// A topic filter as clients send it, in its two parts.

import { parseSharedFilter, type SharedFilter } from '@tobymq/codec';

const DOLLAR = 0x24;

/** The filter without `$share/name/`, and the share name, which is empty if the subscription is not shared. */
export function splitFilter(fullFilter: string): SharedFilter {
  const shared = fullFilter.charCodeAt(0) === DOLLAR ? parseSharedFilter(fullFilter) : undefined;
  return shared ?? { filter: fullFilter, shareName: '' };
}
