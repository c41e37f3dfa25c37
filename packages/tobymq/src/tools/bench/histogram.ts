// A histogram of durations in the manner of HdrHistogram: every value keeps about three significant digits, whatever its
// size, in a fixed number of counters, so that recording is two additions and percentiles of millions of values are exact
// to a tenth of a percent.
//
// Values are whole microseconds. Below 2048 every value has a counter of its own. Above, the range between two powers of
// two is divided into 1024 equal counters:
//
//   value          0 ... 2047   2048 ... 4095   4096 ... 8191   ...
//   counters         2048           1024            1024
//   width of one      1 µs           2 µs            4 µs

const HALF = 1024;
/** The largest value, 2^36 - 1 µs, is about 19 hours. */
const LARGEST = 2 ** 36 - 1;
const COUNTERS = HALF * (36 - 10 + 1);

export class Histogram {
  readonly #counts = new Float64Array(COUNTERS);
  #count = 0;
  #sum = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = 0;

  /** Records a duration in milliseconds. Less than nothing counts as nothing. */
  record(ms: number): void {
    const value = Math.min(LARGEST, Math.max(0, Math.round(ms * 1000)));
    const index = indexOf(value);
    this.#counts[index] = (this.#counts[index] as number) + 1;
    this.#count++;
    this.#sum += value;
    if (value < this.#min) this.#min = value;
    if (value > this.#max) this.#max = value;
  }

  get count(): number {
    return this.#count;
  }

  /** In milliseconds, like all answers; 0 when nothing was recorded. */
  get min(): number {
    return this.#count === 0 ? 0 : this.#min / 1000;
  }

  get max(): number {
    return this.#max / 1000;
  }

  get mean(): number {
    return this.#count === 0 ? 0 : this.#sum / this.#count / 1000;
  }

  /** The value that so many percent of all values do not exceed. Never beyond the largest value that was recorded. */
  percentile(percent: number): number {
    if (this.#count === 0) return 0;
    const wanted = Math.max(1, Math.ceil((this.#count * percent) / 100));
    let seen = 0;
    for (let index = 0; index < COUNTERS; index++) {
      seen += this.#counts[index] as number;
      if (seen >= wanted) return Math.min(highestOf(index), this.#max) / 1000;
    }
    return this.max;
  }

  /** Adds everything that another histogram has recorded. */
  add(other: Histogram): void {
    for (let index = 0; index < COUNTERS; index++) {
      this.#counts[index] = (this.#counts[index] as number) + (other.#counts[index] as number);
    }
    this.#count += other.#count;
    this.#sum += other.#sum;
    this.#min = Math.min(this.#min, other.#min);
    this.#max = Math.max(this.#max, other.#max);
  }
}

/** How many bits a value has beyond the eleven that are kept. Divisions, because bit operations end at 32 bits. */
function surplusBits(value: number): number {
  return value < 2 * HALF ? 0 : Math.floor(Math.log2(value)) - 10;
}

function indexOf(value: number): number {
  const bits = surplusBits(value);
  return bits * HALF + Math.floor(value / 2 ** bits);
}

/** The largest value that falls on a counter. */
function highestOf(index: number): number {
  if (index < 2 * HALF) return index;
  const bits = Math.floor(index / HALF) - 1;
  return (index - bits * HALF + 1) * 2 ** bits - 1;
}
