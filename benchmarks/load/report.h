// A measured phase: broker CPU and memory around it, and the JSON line that says what came out.
#pragma once
#include "histogram.h"
#include "process.h"

typedef struct {
  const char *name;  // of the phase
  const char *unit;  // what is counted: message, connection, subscription
  uint64_t count;
  uint64_t incoming;  // messages published; 0 when that is not what the phase is about
  uint64_t lost, repeated, disordered;
  Histogram latency;
  uint64_t began;
  double seconds, own_cpu;
  Usage before, after;
} Phase;

void phase_begin(Phase *phase, const char *name, const char *unit);
void phase_end(Phase *phase);
void phase_print(const Phase *phase);
