// How a view of the server looks on a screen of a given size.

import type { Paint } from '../paint.ts';
import type { Size } from '../screen/screen.ts';
import { bytes, cut, duration, fit, fitRight, harmless, number } from '../screen/text.ts';
import type { TopView } from './view.ts';

interface Column<Row> {
  readonly title: string;
  /** 0 takes what is left. */
  readonly width: number;
  readonly text: (row: Row) => string;
}

export function renderTop(view: TopView, { columns, rows }: Size, paint: Paint): string[] {
  const head = [
    title(view, columns, paint),
    line('clients', [
      ['connected', view.connected],
      ['sessions', view.sessions],
      ['subscriptions', view.subscriptions],
      ['retained', view.retained],
      ['stored', view.stored],
    ]),
    line('messages', [
      ['in/s', view.messagesIn],
      ['out/s', view.messagesOut],
    ]),
    `${fit('bytes', LABEL)}${rate(view.bytesIn)} in/s   ${rate(view.bytesOut)} out/s`,
    dropsLine(view, columns, paint),
    ...view.notes.map((note) => paint.dim(cut(note, columns))),
  ].map((text) => (text.includes('\u001b') ? text : cut(text, columns)));
  const tables = [
    table('slowest consumers', view.slowest, columns, paint, [
      { title: 'client', width: 0, text: ({ clientId }) => clientId },
      { title: 'waiting', width: 10, text: ({ bufferedBytes }) => bytes(bufferedBytes) },
      { title: 'unacknowledged', width: 15, text: ({ unacknowledged }) => number(unacknowledged) },
      { title: 'blocked', width: 8, text: ({ isBlocked }) => (isBlocked ? 'yes' : '') },
    ]),
    table('biggest queues', view.queues, columns, paint, [
      { title: 'session', width: 0, text: ({ clientId }) => clientId },
      { title: 'messages', width: 10, text: ({ queuedMessages }) => number(queuedMessages) },
      { title: 'bytes', width: 15, text: ({ queuedBytes }) => bytes(queuedBytes) },
      { title: 'online', width: 8, text: ({ isConnected }) => (isConnected ? 'yes' : 'no') },
    ]),
    table('busiest topics', view.topics, columns, paint, [
      { title: 'topic', width: 0, text: ({ topic }) => topic },
      { title: 'per second', width: 12, text: ({ perSecond }) => number(perSecond) },
      { title: 'seen', width: 12, text: ({ total }) => number(total) },
    ]),
  ].filter((each) => each.length > 0);
  return [...head, ...share(tables, rows - head.length)];
}

const LABEL = 11;

function title(view: TopView, columns: number, paint: Paint): string {
  const version = view.version === undefined ? '' : `   ${harmless(view.version)}`;
  const uptime = view.uptimeSeconds === undefined ? '' : `   up ${duration(view.uptimeSeconds)}`;
  return paint.topic(cut(`${view.url}${version}${uptime}`, columns));
}

function line(label: string, values: readonly (readonly [string, number | undefined])[]): string {
  const known = values.filter(([, value]) => value !== undefined);
  const text = known.map(([name, value]) => `${number(value as number)} ${name}`).join('   ');
  return `${fit(label, LABEL)}${known.length === 0 ? '-' : text}`;
}

function rate(perSecond: number | undefined): string {
  return perSecond === undefined ? '-' : bytes(perSecond);
}

function dropsLine({ drops }: TopView, columns: number, paint: Paint): string {
  if (drops.length === 0) return `${fit('drops', LABEL)}none`;
  const text = drops
    .map(({ reason, total, perSecond }) => `${reason} ${number(total)} (${number(perSecond)}/s)`)
    .join('   ');
  const shown = cut(`${fit('drops', LABEL)}${text}`, columns);
  return drops.some(({ perSecond }) => perSecond > 0) ? paint.bad(shown) : shown;
}

/** Lines of a table with its heading; empty if nobody could tell its rows. */
function table<Row>(
  heading: string,
  rows: readonly Row[] | undefined,
  columns: number,
  paint: Paint,
  definition: readonly Column<Row>[],
): string[] {
  if (rows === undefined) return [];
  const fixed = definition.reduce((sum, { width }) => sum + width, 0);
  const wide = Math.max(10, columns - fixed);
  const write = (cell: (column: Column<Row>) => string): string =>
    definition
      .map((column) => (column.width === 0 ? fit(cell(column), wide) : fitRight(cell(column), column.width)))
      .join('');
  const first = write((column) => (column.width === 0 ? heading : column.title));
  const body = rows.slice(0, 100).map((row) => write((column) => harmless(column.text(row))));
  return [paint.good(first), ...(body.length === 0 ? [paint.dim('none')] : body)];
}

/** Divides the room among the tables: none takes more than its share as long as others need theirs. */
function share(tables: readonly (readonly string[])[], room: number): string[] {
  let left = room - tables.length;
  const wanted = tables.map((lines) => lines.length);
  const given = wanted.map(() => 0);
  for (let isGrowing = true; isGrowing && left > 0; ) {
    isGrowing = false;
    for (let index = 0; index < wanted.length && left > 0; index++) {
      if ((given[index] as number) >= (wanted[index] as number)) continue;
      given[index] = (given[index] as number) + 1;
      left--;
      isGrowing = true;
    }
  }
  return tables.flatMap((lines, index) => ['', ...lines.slice(0, given[index])]);
}
