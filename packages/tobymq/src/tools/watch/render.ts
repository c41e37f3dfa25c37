// How the topic tree looks. The lines are as stable as can be: topics keep their places, only values change.

import type { Paint } from '../paint.ts';
import type { Size } from '../screen/screen.ts';
import { cut, duration, fit, fitRight, harmless, number } from '../screen/text.ts';
import type { TopicNode, TopicTree } from './topic-tree.ts';

/** A value this young is highlighted. */
const FRESH_MS = 1500;
const AGE_WIDTH = 16;
const COUNT_WIDTH = 9;
const VALUE_BYTES_MAX = 4096;
const strictText = new TextDecoder('utf-8', { fatal: true });

interface Row {
  readonly name: string;
  readonly node: TopicNode;
}

/** The lines from `scroll` on that fit on the screen, below a heading. */
export function renderTree(
  tree: TopicTree,
  heading: string,
  { columns, rows }: Size,
  scroll: number,
  now: number,
  paint: Paint,
): string[] {
  const all = rowsOf(tree.root, '');
  const room = rows - 1;
  const from = Math.max(0, Math.min(scroll, all.length - room));
  const shown = all.slice(from, from + room);
  const nameWidth = Math.min(
    Math.max(12, ...shown.map(({ name }) => name.length)) + 2,
    Math.floor(columns / 2),
  );
  const valueWidth = Math.max(8, columns - nameWidth - AGE_WIDTH - COUNT_WIDTH);
  const ignored = tree.ignoredCount === 0 ? '' : `, ${number(tree.ignoredCount)} messages of further topics`;
  const place = all.length > room ? `, lines ${from + 1} to ${from + shown.length} of ${all.length}` : '';
  const title = `${heading}: ${number(tree.topicCount)} ${tree.topicCount === 1 ? 'topic' : 'topics'}${ignored}${place}`;
  return [
    paint.dim(cut(title, columns)),
    ...shown.map(({ name, node }) => line(name, node, nameWidth, valueWidth, now, paint)),
  ];
}

function line(
  name: string,
  node: TopicNode,
  nameWidth: number,
  valueWidth: number,
  now: number,
  paint: Paint,
): string {
  const left = paint.topic(fit(name, nameWidth));
  if (node.value === undefined) return left;
  const value = fit(valueText(node.value), valueWidth);
  const ageMs = now - node.changedAt;
  const painted = ageMs < FRESH_MS ? paint.good(value) : value;
  const age = fitRight(`${duration(ageMs / 1000)} ago`, AGE_WIDTH);
  return `${left}${painted}${paint.dim(age)}${paint.dim(fitRight(`×${number(node.count)}`, COUNT_WIDTH))}`;
}

/** Depth first, siblings in the order of their names. */
function rowsOf(node: TopicNode, indent: string): Row[] {
  const children = [...node.children.values()].sort((a, b) => (a.level < b.level ? -1 : 1));
  return children.flatMap((child, index) => {
    const isLast = index === children.length - 1;
    const isTop = node.level === '' && indent === '';
    const branch = isTop ? '' : isLast ? '└─ ' : '├─ ';
    // An empty level is a level, too: `a//b`.
    const name = `${indent}${branch}${child.level === '' ? '(empty)' : harmless(child.level)}`;
    const below = isTop ? ' ' : `${indent}${isLast ? '   ' : '│  '}`;
    return [{ name, node: child }, ...rowsOf(child, below)];
  });
}

export function valueText(value: Uint8Array): string {
  if (value.length === 0) return '(empty)';
  const part = value.subarray(0, VALUE_BYTES_MAX);
  try {
    // A cut in the middle of a character is no reason to show hex.
    return harmless(
      strictText.decode(part, { stream: value.length > VALUE_BYTES_MAX }).replaceAll(/\s+/g, ' '),
    );
  } catch {
    return `0x${Buffer.from(part).toString('hex')}`;
  } finally {
    // Forgets the rest of a character that was cut.
    resetDecoder();
  }
}

function resetDecoder(): void {
  try {
    strictText.decode();
  } catch {
    // The rest was no whole character; that is what it was cut for.
  }
}
