// load: a closed-loop load generator for MQTT brokers, light enough that the broker is what is measured.
//
// A publisher keeps a fixed number of messages on the way (the window) and sends the next one when one has arrived at
// all its subscribers. So no queue grows, no message may be lost, and the broker's CPU time per delivered message can
// be compared between brokers of very different speed. Linux only (epoll, /proc).
#include "options.h"
#include "scenarios.h"
#include "tls.h"
#include <stdio.h>
#include <sys/resource.h>

static const struct {
  const char *name;
  bool (*run)(void);
} scenarios[] = {
    {"pairs", run_pairs}, {"fan-out", run_fan_out}, {"fan-in", run_fan_in},   {"churn", run_churn}, {"tree", run_tree},
    {"retained", run_retained}, {"queue", run_queue}, {"storm", run_storm}, {"idle", run_idle},
    {"offline-fill", run_offline_fill}, {"offline-drain", run_offline_drain},
};

static void allow_many_files(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv) {
  parse_options(argc, argv);
  if (options.transport == TRANSPORT_TLS && !tls_supported) fail("this generator was built without TLS");
  allow_many_files();
  for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
    if (strcmp(scenarios[i].name, options.scenario) == 0) return scenarios[i].run() ? 0 : 1;
  }
  fprintf(stderr, "load: there is no scenario %s\n", options.scenario);
  return 2;
}
