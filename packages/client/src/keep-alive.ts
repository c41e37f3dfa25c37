// Keeps the connection alive and notices when it is dead. Looks at two flags four times per keep-alive interval instead
// of restarting a timer with each packet. A ping goes out when nothing was sent for a quarter to half of the interval,
// or nothing was received for longer: a browser may hold timers back by a minute, and the server grants one and a half
// intervals.
//
// After a ping anything that arrives proves life. If the timer for that comes much too late, the machine was asleep and
// the answer had no chance: then a second ping decides.

import type { Clock, Timer } from './clock.ts';

/** What the keep-alive needs of its connection. */
export interface KeepAliveTarget {
  /** Whether anything was sent, or received, since the last call; resets the answer. */
  takeSent(): boolean;
  takeReceived(): boolean;
  sendPing(): void;
  onDead(): void;
}

export class KeepAlive {
  readonly #clock: Clock;
  readonly #periodMs: number;
  readonly #timeoutMs: number;
  readonly #target: KeepAliveTarget;
  #ticker: Timer;
  #deadline: Timer;
  #isWaiting = false;
  #silentTicks = 0;
  #dueAt = 0;

  /** With `seconds` 0 nothing is sent unless `probe()` is called. [MQTT-3.2.2-21] */
  constructor(clock: Clock, seconds: number, timeoutMs: number, target: KeepAliveTarget) {
    this.#clock = clock;
    this.#periodMs = (seconds * 1000) / 4;
    this.#timeoutMs = timeoutMs;
    this.#target = target;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#periodMs > 0) this.#ticker = this.#clock.setTimeout(() => this.#tick(), this.#periodMs);
  }

  #tick(): void {
    this.#schedule();
    const hasSent = this.#target.takeSent();
    const hasReceived = this.#target.takeReceived();
    this.#silentTicks = hasReceived ? 0 : this.#silentTicks + 1;
    if (this.#isWaiting) {
      if (hasReceived) this.#isWaiting = false;
      else return;
    }
    // [MQTT-3.1.2-20]
    if (!hasSent || this.#silentTicks >= 3) this.probe();
  }

  /** Pings now, and declares the connection dead if nothing comes back. */
  probe(): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    this.#target.takeReceived();
    this.#target.sendPing();
    this.#awaitLife(false);
  }

  #awaitLife(isSecondChance: boolean): void {
    this.#clock.clearTimeout(this.#deadline);
    this.#dueAt = this.#clock.now() + this.#timeoutMs;
    this.#deadline = this.#clock.setTimeout(() => {
      if (!this.#isWaiting || this.#target.takeReceived()) {
        this.#isWaiting = false;
        return;
      }
      const isLate = this.#clock.now() - this.#dueAt > this.#timeoutMs / 2;
      if (isLate && !isSecondChance) {
        this.#target.sendPing();
        this.#awaitLife(true);
      } else {
        this.#target.onDead();
      }
    }, this.#timeoutMs);
  }

  stop(): void {
    this.#clock.clearTimeout(this.#ticker);
    this.#clock.clearTimeout(this.#deadline);
  }
}
