// Lets the event loop rest for a moment after each turn when this saves work, as a network card does with its interrupts.
//
// A read, a write and what the kernel does for them cost several times as much as a small message. When many clients send
// many messages, a server that reads at once gets them in small portions; a third of a millisecond later it gets what has
// come meanwhile with one read, and passes it on with one write. So each message costs less CPU time, and more of them
// pass in a second, each of them sooner.
//
// When clients wait for an answer before they send more, resting gains nothing. So the gain is measured, in packets per
// read:
//
//     off ──busy for a while──▶ trial ──more packets per read──▶ on
//      ▲                          │ no gain                      │ not busy any more, or time to look again
//      └──────────────────────────┴──────────────────────────────┘

/** The server is busy when a rest is as long as it takes to so many reads. */
const BUSY_READS = 8;
/** So many times the packets per read have to come while the loop rests. */
const GAIN = 1.25;
/** When the loop does not rest, reads are counted in stretches. */
const STRETCH_READS = 32;
/** Busy stretches before a trial; after a trial without a gain twice as many, up to the second. */
const INTERVAL_MIN = 16;
const INTERVAL_MAX = 16_384;
/** The traffic has changed when it brings so many times more or less packets per read: that calls for a new trial. */
const CHANGE = 1.5;
/** A stretch that takes so long was hardly any traffic; what comes after it is something else. */
const QUIET_MS = 1_000;
/** Turns of a trial: the first half is for the clients to get used to it, the second half counts. */
const TRIAL_TURNS = 16;
/** Turns with a rest until it is tried again what it gains. */
const REVIEW_TURNS = 8_192;
/** The weight of the newest stretch in the average. */
const WEIGHT = 0.25;

const nothing = new Int32Array(new SharedArrayBuffer(4));

/** What the moderation needs of the world. */
export interface Loop {
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  rest(milliseconds: number): void;
}

const eventLoop: Loop = {
  now: () => performance.now(),
  // Nothing is missed meanwhile: what arrives waits in the kernel.
  rest: (milliseconds) => void Atomics.wait(nothing, 0, 0, milliseconds),
};

type State = 'off' | 'trial' | 'on';

export class Moderation {
  /** How long a rest is, in milliseconds; 0 for none at all. */
  restMs: number;
  readonly #loop: Loop;
  #state: State = 'off';
  #reads = 0;
  #packets = 0;
  #stretchBeganMs = 0;
  /** Packets per read without a rest: of late, and at the last trial. */
  #usual = 0;
  #atTrial = 0;
  /** Stretches or turns in this state. */
  #steps = 0;
  #interval = INTERVAL_MIN;

  constructor(restMs: number, loop: Loop = eventLoop) {
    this.restMs = restMs;
    this.#loop = loop;
  }

  /** Whether every turn has to be told to `turnEnds`. */
  get isActive(): boolean {
    return this.#state !== 'off';
  }

  /** A read brought so many packets. */
  count(packets: number): void {
    this.#reads++;
    this.#packets += packets;
  }

  /** A turn is over. */
  turnEnds(): void {
    if (this.#state === 'off') this.#watch();
    else if (this.#state === 'trial') this.#try();
    else this.#goOn();
    if (this.#state !== 'off') this.#loop.rest(this.restMs);
  }

  #watch(): void {
    if (this.#reads < STRETCH_READS || this.restMs === 0) return;
    const nowMs = this.#loop.now();
    const elapsedMs = nowMs - this.#stretchBeganMs;
    this.#stretchBeganMs = nowMs;
    const isBusy = this.#reads * this.restMs >= elapsedMs * BUSY_READS;
    const packetsPerRead = this.#packetsPerRead();
    if (elapsedMs > QUIET_MS) this.#interval = INTERVAL_MIN;
    if (!isBusy) return;
    this.#usual += (packetsPerRead - this.#usual) * WEIGHT;
    if (this.#usual > this.#atTrial * CHANGE || this.#atTrial > this.#usual * CHANGE) {
      this.#interval = INTERVAL_MIN;
    }
    if (++this.#steps >= this.#interval) {
      this.#atTrial = this.#usual;
      this.#enter('trial');
    }
  }

  #try(): void {
    this.#steps++;
    if (this.#steps === TRIAL_TURNS / 2) this.#packetsPerRead();
    if (this.#steps < TRIAL_TURNS) return;
    if (this.#packetsPerRead() >= this.#usual * GAIN) {
      this.#interval = INTERVAL_MIN;
      this.#enter('on');
    } else {
      this.#interval = Math.min(this.#interval * 2, INTERVAL_MAX);
      this.#enter('off');
    }
  }

  #goOn(): void {
    const isBusy = this.#reads >= BUSY_READS;
    this.#packetsPerRead();
    if (!isBusy || ++this.#steps >= REVIEW_TURNS) this.#enter('off');
  }

  #enter(state: State): void {
    this.#state = state;
    this.#steps = 0;
    this.#stretchBeganMs = this.#loop.now();
  }

  /** Of what was counted since the last call. */
  #packetsPerRead(): number {
    const packetsPerRead = this.#reads === 0 ? 0 : this.#packets / this.#reads;
    this.#reads = 0;
    this.#packets = 0;
    return packetsPerRead;
  }
}
