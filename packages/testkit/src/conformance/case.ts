// What a conformance case is: a claim about a server, the ids of the statements behind it, and a scenario that runs
// against any server. Scenarios are written once for all versions in which the claim holds.

import type { MqttVersion } from '../packet.ts';
import type { Context } from './context.ts';

/** Optional abilities of a server; cases that need a missing one are reported as "not offered". */
export type Feature =
  | 'qos1'
  | 'qos2'
  | 'retain'
  | 'wildcard'
  | 'subid'
  | 'share'
  | 'alias'
  | 'anonymous'
  | 'ws';

/** One statement, checked in one version of the protocol. */
export interface ConformanceCase {
  readonly id: string;
  readonly version: MqttVersion;
  /** The section file that the case comes from. */
  readonly section: string;
  /** The claim in our own words. */
  readonly title: string;
  readonly needs: readonly Feature[];
  run(t: Context): Promise<void>;
}

type Ids = string | readonly string[];

/** A scenario with the statements that it shows, by version. Several ids make several cases. */
export interface Scenario {
  readonly v5?: Ids;
  readonly v311?: Ids;
  readonly v31?: Ids;
  readonly title: string;
  readonly needs?: readonly Feature[];
  run(t: Context): Promise<void>;
}

function listOf(ids: Ids | undefined): readonly string[] {
  return ids === undefined ? [] : typeof ids === 'string' ? [ids] : ids;
}

/** Turns scenarios into cases: one for each id in each version. */
export function casesOf(section: string, scenarios: readonly Scenario[]): ConformanceCase[] {
  return scenarios.flatMap(({ title, needs = [], run, ...ids }) => {
    const expand = (version: MqttVersion, list: readonly string[]): ConformanceCase[] =>
      list.map((id) => ({ id, version, section, title, needs, run }));
    return [...expand(5, listOf(ids.v5)), ...expand(4, listOf(ids.v311)), ...expand(3, listOf(ids.v31))];
  });
}
