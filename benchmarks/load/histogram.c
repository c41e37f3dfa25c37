// See histogram.h. Bucket 64 * e + f holds values from 2^(e+6) * (1 + f/64) on; values below 64 ns are exact.
#include "histogram.h"

static int bucket_of(uint64_t value) {
  if (value < 64) return (int)value;
  int exponent = 63 - __builtin_clzll(value);
  int fraction = (int)(value >> (exponent - 6)) & 63;
  int bucket = 64 * (exponent - 5) + fraction;
  return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

static double value_of(int bucket) {
  if (bucket < 64) return bucket;
  int exponent = bucket / 64 + 5;
  return (double)(1ull << exponent) * (1.0 + (bucket % 64 + 0.5) / 64.0);
}

void histogram_add(Histogram *histogram, uint64_t nanoseconds) {
  histogram->counts[bucket_of(nanoseconds)]++;
  histogram->total++;
}

double histogram_microseconds(const Histogram *histogram, double share) {
  uint64_t seen = 0;
  for (int bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
    seen += histogram->counts[bucket];
    if (seen > 0 && (double)seen >= (double)histogram->total * share) return value_of(bucket) / 1000.0;
  }
  return 0;
}
