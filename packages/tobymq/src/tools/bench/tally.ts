// What a run has measured. Operations are counted by the time at which they were due, not at which they were done: only
// those that were due inside the measured time count, so that a server that falls behind cannot push its slow answers
// out of the report.

import { Histogram } from './histogram.ts';

export class Tally {
  readonly latency = new Histogram();
  /** How late the load generator itself was. Large values mean that this machine was measured, not the server. */
  readonly lateness = new Histogram();
  readonly errors = new Map<string, number>();
  /** Operations begun. */
  sent = 0;
  /** Operations whose effect was seen: messages received, answers that came. */
  done = 0;
  /** Effects that should have been seen. */
  expected = 0;
  /** Everything that was seen, also outside of the measured time: for the live line. */
  seen = 0;
  startsAt = Number.POSITIVE_INFINITY;
  endsAt = Number.POSITIVE_INFINITY;

  /** Sets the measured time on the clock of `performance.now()`. */
  measure(startsAt: number, durationMs: number): void {
    this.startsAt = startsAt;
    this.endsAt = startsAt + durationMs;
  }

  isMeasured(due: number): boolean {
    return due >= this.startsAt && due < this.endsAt;
  }

  /** An operation that was due at `due` begins, and will have so many effects. */
  begin(due: number, effects: number, now: number): void {
    if (!this.isMeasured(due)) return;
    this.sent++;
    this.expected += effects;
    this.lateness.record(now - due);
  }

  /** One effect of an operation that was due at `due`. */
  effect(due: number, now: number): void {
    this.seen++;
    if (!this.isMeasured(due)) return;
    this.done++;
    this.latency.record(now - due);
  }

  fail(error: unknown): void {
    const code = (error as { code?: unknown }).code;
    // We closed the client ourselves at the end of the run, with handshakes of QoS 2 still open.
    if (code === 'TOBYMQ_CLOSED') return;
    const name = typeof code === 'string' ? code : String(error);
    this.errors.set(name, (this.errors.get(name) ?? 0) + 1);
  }

  /** Takes over what another run has measured. */
  add(other: Tally): void {
    this.latency.add(other.latency);
    this.lateness.add(other.lateness);
    for (const [code, count] of other.errors) this.errors.set(code, (this.errors.get(code) ?? 0) + count);
    this.sent += other.sent;
    this.done += other.done;
    this.expected += other.expected;
  }
}
