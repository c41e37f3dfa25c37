// Holds what the clients have received against what the reference owes them, and writes into the reference what is open
// now. What came by a shared subscription could have gone to several clients, so those packets are assigned together:
// several groups may have handed out copies that look the same.

import { expect } from 'vitest';
import type { ModelClient } from './client.ts';
import type { Choice, Copy, ModelSession, Owed, Reference } from './reference.ts';

/** A packet that a client got. */
interface Receipt {
  readonly session: ModelSession;
  readonly copy: Copy;
  readonly packetId: number;
  /** What it was owed; undefined until it is found. */
  owed: Owed | undefined;
}

export function judge(reference: Reference, clients: ReadonlyMap<string, ModelClient>): void {
  const all: Receipt[] = [];
  const missing: (Copy & { readonly clientId: string })[] = [];
  for (const [clientId, client] of clients) {
    const session = reference.sessions.get(clientId)!;
    for (const { topic, payload, qos, retain, dup, packetId, properties } of client.received) {
      const ids = [...(properties?.subscriptionIdentifiers ?? [])].sort(byNumber);
      const copy = { topic, payload: Buffer.from(payload).toString(), qos, retain, dup, ids };
      all.push({ session, copy, packetId, owed: takeFromInbox(session, copy, packetId) });
    }
    client.received = [];
    missing.push(
      ...session.inbox.filter((owed) => owed.isRequired).map((owed) => ({ clientId, ...owed.copy })),
    );
    session.inbox = [];
  }
  expect(missing, 'messages that clients did not get').toEqual([]);
  judgeShared(reference, all);
  for (const { session, copy, packetId, owed } of all) {
    const { acknowledging } = clients.get(session.clientId)!;
    if (copy.qos === 0 || acknowledging === 'all') continue;
    const isReleased = copy.qos === 2 && acknowledging === 'half';
    if (isReleased) session.releases.push(packetId);
    session.open.push({ owed: owed!, packetId, isReleased });
  }
  for (const [clientId, client] of clients) judgeReleases(reference.sessions.get(clientId)!, client);
}

/** What a client is owed by its own subscriptions, or from an earlier connection. */
function takeFromInbox(session: ModelSession, copy: Copy, packetId: number): Owed | undefined {
  const index = session.inbox.findIndex(
    (owed) => isSame(owed.copy, copy) && (owed.packetId === 0 || owed.packetId === packetId),
  );
  const owed = session.inbox[index];
  if (owed === undefined) return undefined;
  const earlier = session.inbox
    .slice(0, index)
    .filter((each) => each.isRequired && each.order === owed.order)
    .map((each) => each.copy);
  expect(earlier, `${session.clientId} got ${JSON.stringify(copy)} before`).toEqual([]);
  session.inbox.splice(index, 1);
  return owed;
}

function judgeShared(reference: Reference, all: readonly Receipt[]): void {
  const receipts = all.filter((receipt) => receipt.owed === undefined);
  const pairs = pair(reference.choices, receipts, (choice, { session, copy }) => {
    const expected = choice.candidates.get(session.clientId);
    return expected !== undefined && isSame(expected, copy);
  });
  for (const [choice, receipt] of pairs) {
    const { message, group, isDueNow: isLive } = choice;
    receipt.owed = { copy: receipt.copy, message, order: '', isRequired: true, packetId: 0, group, isLive };
  }
  const unexpected = receipts.filter((receipt) => receipt.owed === undefined);
  expect(
    unexpected.map(({ session, copy }) => ({ ...copy, clientId: session.clientId })),
    'messages that nobody was owed',
  ).toEqual([]);
  const open = reference.choices.filter((choice) => !pairs.has(choice));
  const overdue = open.filter((choice) => choice.isDueNow && choice.isRequired);
  expect(overdue, 'messages of shared subscriptions that nobody got').toEqual([]);
  // What was due and did not come, though it might have, never will.
  reference.choices = open.filter((choice) => !choice.isDueNow);
}

/**
 * Finds a pair for each of `receipts` and for each choice that has to be met, if there is a way (augmenting paths in a
 * bipartite graph: a pair may be broken to make two).
 */
function pair(
  choices: readonly Choice[],
  receipts: readonly Receipt[],
  canPair: (choice: Choice, receipt: Receipt) => boolean,
): Map<Choice, Receipt> {
  const receiptOf = new Map<Choice, Receipt>();
  const choiceOf = new Map<Receipt, Choice>();
  const join = (choice: Choice, receipt: Receipt): true => {
    receiptOf.set(choice, receipt);
    choiceOf.set(receipt, choice);
    return true;
  };
  const placeChoice = (choice: Choice, seen: Set<Receipt>): boolean =>
    receipts.some((receipt) => {
      if (seen.has(receipt) || !canPair(choice, receipt)) return false;
      seen.add(receipt);
      const rival = choiceOf.get(receipt);
      return (rival === undefined || placeChoice(rival, seen)) && join(choice, receipt);
    });
  const placeReceipt = (receipt: Receipt, seen: Set<Choice>): boolean =>
    choices.some((choice) => {
      if (seen.has(choice) || !canPair(choice, receipt)) return false;
      seen.add(choice);
      const rival = receiptOf.get(choice);
      return (rival === undefined || placeReceipt(rival, seen)) && join(choice, receipt);
    });
  for (const choice of choices) if (choice.isRequired && choice.isDueNow) placeChoice(choice, new Set());
  // Before those that need not be met at all: a member may be in several groups, and gets the same copy from each.
  for (const choice of choices) if (choice.isRequired && !choice.isDueNow) placeChoice(choice, new Set());
  for (const receipt of receipts) if (!choiceOf.has(receipt)) placeReceipt(receipt, new Set());
  return receiptOf;
}

const RELEASED_BEFORE: Owed = {
  copy: { topic: '', payload: '', qos: 2, retain: false, dup: false, ids: [] },
  message: { topic: '', payload: '', qos: 2, retain: false, publisher: '' },
  order: '',
  isRequired: false,
  packetId: 0,
  group: '',
  isLive: false,
};

/** PUBREL comes for what was received: now, if PUBREC was sent now, or again after a new connection. */
function judgeReleases(session: ModelSession, client: ModelClient): void {
  const expected = session.releases;
  session.releases = [];
  const actual = client.releases;
  client.releases = [];
  if (client.acknowledging === 'all') {
    for (const packetId of expected) expect(actual, `PUBREL to ${session.clientId}`).toContain(packetId);
    return;
  }
  expect(actual.toSorted(byNumber), `PUBREL to ${session.clientId}`).toEqual(expected.toSorted(byNumber));
  // What was released before this connection stays open if the client does not answer.
  for (const packetId of expected) {
    if (session.open.some((open) => open.packetId === packetId)) continue;
    session.open.unshift({ owed: RELEASED_BEFORE, packetId, isReleased: true });
  }
}

function isSame(a: Copy, b: Copy): boolean {
  return (
    a.topic === b.topic &&
    a.payload === b.payload &&
    a.qos === b.qos &&
    a.retain === b.retain &&
    a.dup === b.dup &&
    a.ids.join() === b.ids.join()
  );
}

function byNumber(a: number, b: number): number {
  return a - b;
}
