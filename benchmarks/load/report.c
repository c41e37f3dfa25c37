// See report.h. The memory before the phase is measured when it begins, so a scenario can measure what it added.
#include "report.h"
#include "clock.h"
#include "options.h"
#include <stdio.h>
#include <string.h>

void phase_begin(Phase *phase, const char *name, const char *unit) {
  memset(phase, 0, sizeof *phase);
  phase->name = name;
  phase->unit = unit;
  phase->before = process_usage(options.broker_pid);
  phase->own_cpu = own_cpu_seconds();
  phase->began = now_ns();
}

void phase_end(Phase *phase) {
  phase->seconds = (double)(now_ns() - phase->began) / 1e9;
  phase->own_cpu = own_cpu_seconds() - phase->own_cpu;
  phase->after = process_usage(options.broker_pid);
}

void phase_print(const Phase *phase) {
  double count = phase->count ? (double)phase->count : 1;
  double cpu = phase->after.cpu_seconds - phase->before.cpu_seconds;
  double grown = phase->after.resident_kb - phase->before.resident_kb;
  printf("{\"phase\":\"%s\",\"unit\":\"%s\",\"count\":%llu,\"seconds\":%.3f,\"perSecond\":%.0f", phase->name, phase->unit,
         (unsigned long long)phase->count, phase->seconds, (double)phase->count / phase->seconds);
  if (phase->incoming) printf(",\"incomingPerSecond\":%.0f", (double)phase->incoming / phase->seconds);
  printf(",\"cpuMicroseconds\":%.3f,\"brokerCpuPercent\":%.1f,\"generatorCpuPercent\":%.1f", cpu * 1e6 / count,
         cpu * 100 / phase->seconds, phase->own_cpu * 100 / phase->seconds);
  printf(",\"residentMb\":%.1f,\"grownBytesEach\":%.0f", phase->after.resident_kb / 1024, grown * 1024 / count);
  if (phase->latency.total) {
    printf(",\"p50\":%.0f,\"p99\":%.0f,\"p999\":%.0f", histogram_microseconds(&phase->latency, 0.5),
           histogram_microseconds(&phase->latency, 0.99), histogram_microseconds(&phase->latency, 0.999));
  }
  printf(",\"lost\":%llu,\"repeated\":%llu,\"disordered\":%llu}\n", (unsigned long long)phase->lost,
         (unsigned long long)phase->repeated, (unsigned long long)phase->disordered);
  fflush(stdout);
}
