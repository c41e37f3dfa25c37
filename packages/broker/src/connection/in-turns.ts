// Work on the many parts of one packet, over as many turns of the event loop as it needs.
//
// A SUBSCRIBE or UNSUBSCRIBE can name tens of thousands of filters. Handled in one go it would hold everybody up for as
// long as a flood of packets, so it keeps to the same budget: when the time of a turn is spent, the rest waits for the next
// one, in line with the connections that are held up. The caller suspends reading meanwhile, as for every promise of a
// handler, so the order of the client's packets stays as it is. What fits in one turn is done at once, without a promise.

import type { HeldUp, TurnBudget } from './turn-budget.ts';

/** Does `step` for 0, 1, … `count` - 1; each waits for the promise of the one before. A promise if not all is done yet. */
export function inTurns(
  turn: TurnBudget,
  count: number,
  step: (index: number) => Promise<void> | undefined,
): Promise<void> | undefined {
  return new Steps(turn, count, step).start();
}

/** Goes on with `next`: at once if there is nothing to wait for. */
export function after(
  earlier: Promise<void> | undefined,
  next: () => Promise<void> | undefined,
): Promise<void> | undefined {
  return earlier === undefined ? next() : earlier.then(next);
}

class Steps implements HeldUp {
  readonly #turn: TurnBudget;
  readonly #count: number;
  readonly #step: (index: number) => Promise<void> | undefined;
  #next = 0;
  #resolve: () => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor(turn: TurnBudget, count: number, step: (index: number) => Promise<void> | undefined) {
    this.#turn = turn;
    this.#count = count;
    this.#step = step;
  }

  /** What goes wrong before the first pause is thrown, as by a plain loop. */
  start(): Promise<void> | undefined {
    if (this.#isFinished()) return undefined;
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  goOn(): void {
    try {
      if (this.#isFinished()) this.#resolve();
    } catch (error) {
      this.#reject(error);
    }
  }

  /** Goes on until all is done; false if there was a pause, after which `goOn` is called. */
  #isFinished(): boolean {
    const turn = this.#turn;
    while (this.#next < this.#count) {
      const answer = this.#step(this.#next++);
      if (answer !== undefined) {
        answer.then(
          () => this.goOn(),
          (error: unknown) => this.#reject(error),
        );
        return false;
      }
      turn.count();
      if (this.#next < this.#count && turn.isSpent()) {
        turn.holdUp(this);
        return false;
      }
    }
    return true;
  }
}
