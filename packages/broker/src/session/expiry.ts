// When a session that nobody is connected to publishes its Will, and when it ends. One entry in the timing wheel of the
// broker serves both.

import { WheelEntry } from '../timing-wheel.ts';
import { NEVER_EXPIRES, type Session } from './session.ts';

export class SessionTimer extends WheelEntry {
  readonly #session: Session;

  constructor(session: Session) {
    super();
    this.#session = session;
  }

  override onDue(nowMs: number): void {
    const session = this.#session;
    if (session.link !== undefined || session.hasEnded) return;
    if (session.willDueAt > 0 && session.willDueAt <= nowMs) session.core.publishWill(session);
    if (expiresAt(session) <= nowMs) session.core.sessions.end(session, 'expired');
    else scheduleSession(session);
  }
}

/** When a disconnected session ends, in milliseconds since the epoch; Infinity if it never does. */
export function expiresAt(session: Session): number {
  if (session.expiryInterval === NEVER_EXPIRES) return Number.POSITIVE_INFINITY;
  return session.disconnectedAt + session.expiryInterval * 1000;
}

/** Sets the timer of a session that has just lost its connection to whatever comes first. */
export function scheduleSession(session: Session): void {
  const due = Math.min(
    expiresAt(session),
    session.willDueAt > 0 ? session.willDueAt : Number.POSITIVE_INFINITY,
  );
  if (due === Number.POSITIVE_INFINITY) return;
  session.timer ??= new SessionTimer(session);
  session.core.wheel.schedule(session.timer, due);
}

/**
 * The clock was set: the session and its Will have the time that was left to them. What was written down while the
 * clock was set already counts from now at the latest.
 */
export function followClock(session: Session, jumpMs: number, nowMs: number): void {
  if (session.timer === undefined) return;
  const { core } = session;
  const leftAt = session.disconnectedAt;
  const forwardMs = Math.max(jumpMs, 0);
  session.disconnectedAt = Math.min(session.disconnectedAt + forwardMs, nowMs);
  if (session.willDueAt > 0) {
    const delayMs = (session.will?.delayInterval ?? 0) * 1000;
    session.willDueAt = Math.min(session.willDueAt + forwardMs, nowMs + delayMs);
  }
  scheduleSession(session);
  // What other runs have written down stands; this one has done so by a clock that was wrong.
  const isOfThisRun = leftAt >= core.metrics.startedAt && leftAt <= nowMs - jumpMs;
  if (!isOfThisRun || !session.isPersistent) return;
  core.store.putSession(session.toStored());
  core.gate.touch();
}

/** A connection has come: nothing is due any more. */
export function unscheduleSession(session: Session): void {
  session.willDueAt = 0;
  if (session.timer === undefined) return;
  session.core.wheel.cancel(session.timer);
  session.timer = undefined;
}
