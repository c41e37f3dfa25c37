// Latencies as counts in buckets of about 1.5 % width: every power of two of nanoseconds is cut into 64 equal parts,
// so that a percentile costs no memory per message.
#pragma once
#include <stdint.h>

#define HISTOGRAM_BUCKETS (64 * 58)

typedef struct {
  uint64_t counts[HISTOGRAM_BUCKETS];
  uint64_t total;
} Histogram;

void histogram_add(Histogram *histogram, uint64_t nanoseconds);

// The latency in microseconds that the given share of all entries (0.99 for p99) did not exceed; 0 when empty.
double histogram_microseconds(const Histogram *histogram, double share);
