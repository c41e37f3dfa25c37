// Keeps the connection alive and notices when it is dead. Looks at what was sent and received four times per keep-alive
// interval instead of restarting a timer with each packet. A ping goes out when nothing was sent for a quarter to half
// of the interval, or nothing was received for longer. A look that comes late, because a browser holds the timers of a
// hidden tab back by a minute, always pings: what was sent since the look before may be a minute old, and the server
// grants no more than one and a half intervals.
//
// After a ping anything that arrives proves life. If the timer for that comes much too late, the machine was asleep and
// the answer had no chance: then a second ping decides. And a ping may stand behind a large message that a slow network
// takes minutes for: as long as that moves, the connection lives.

import type { Clock, Timer } from './clock.ts';

/** Bytes in both directions. */
export interface Traffic {
  sent: number;
  received: number;
}

/** What the keep-alive needs of its connection. */
export interface KeepAliveTarget {
  readonly traffic: Readonly<Traffic>;
  /** What was sent and waits for the network. */
  readonly unsentBytes: number;
  ping(): void;
  onDead(): void;
}

export class KeepAlive {
  readonly #clock: Clock;
  readonly #periodMs: number;
  readonly #timeoutMs: number;
  readonly #target: KeepAliveTarget;
  #ticker: Timer;
  #tickDueAt = 0;
  #deadline: Timer;
  /** What had been sent and received at the last tick. */
  #last: Traffic;
  #silentTicks = 0;
  /** What had been received when a ping was sent; as long as it is no more, the answer is waited for. */
  #receivedAtPing = -1;

  /** With `seconds` 0 nothing is sent unless `probe()` is called. [MQTT-3.2.2-21] */
  constructor(clock: Clock, seconds: number, timeoutMs: number, target: KeepAliveTarget) {
    this.#clock = clock;
    this.#periodMs = (seconds * 1000) / 4;
    this.#timeoutMs = timeoutMs;
    this.#target = target;
    this.#last = { ...target.traffic };
    this.#schedule();
  }

  #schedule(): void {
    if (this.#periodMs === 0) return;
    this.#tickDueAt = this.#clock.now() + this.#periodMs;
    this.#ticker = this.#clock.setTimeout(() => this.#tick(), this.#periodMs);
  }

  #tick(): void {
    const isLate = this.#clock.now() - this.#tickDueAt > this.#periodMs;
    this.#schedule();
    const { sent, received } = this.#target.traffic;
    const hasSent = sent > this.#last.sent;
    this.#silentTicks = received > this.#last.received ? 0 : this.#silentTicks + 1;
    this.#last = { sent, received };
    // [MQTT-3.1.2-20]
    if (isLate || !hasSent || this.#silentTicks >= 3) this.probe();
  }

  get #isWaiting(): boolean {
    return this.#receivedAtPing === this.#target.traffic.received;
  }

  /** Pings now, and declares the connection dead if nothing comes back. */
  probe(): void {
    if (!this.#isWaiting) this.#ping(false);
  }

  #ping(isSecondChance: boolean): void {
    this.#receivedAtPing = this.#target.traffic.received;
    this.#target.ping();
    this.#awaitAnswer(isSecondChance);
  }

  #awaitAnswer(isSecondChance: boolean): void {
    const dueAt = this.#clock.now() + this.#timeoutMs;
    const { unsentBytes } = this.#target;
    this.#clock.clearTimeout(this.#deadline);
    this.#deadline = this.#clock.setTimeout(() => {
      if (!this.#isWaiting) return;
      const isLate = this.#clock.now() - dueAt > this.#timeoutMs / 2;
      const isMoving = unsentBytes > 0 && this.#target.unsentBytes !== unsentBytes;
      if (isMoving) this.#awaitAnswer(isSecondChance);
      else if (isLate && !isSecondChance) this.#ping(true);
      else this.#target.onDead();
    }, this.#timeoutMs);
  }

  stop(): void {
    this.#clock.clearTimeout(this.#ticker);
    this.#clock.clearTimeout(this.#deadline);
  }
}
