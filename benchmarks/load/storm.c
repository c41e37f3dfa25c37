// Connections: many short ones one after the other, and many idle ones at the same time.
#include "clock.h"
#include "options.h"
#include "report.h"
#include "scenarios.h"
#include <errno.h>
#include <unistd.h>

#define AT_A_TIME 200
#define IDLE_SECONDS 2.0  // for the broker to settle before its memory is read

static Client *clients;
static uint64_t *begun_at;
static int begun, finished;
static Phase phase;

static void next_connection(void) {
  if (begun == options.count) return;
  begun_at[begun] = now_ns();
  client_connect(&clients[begun++]);
}

static void leave_and_go_on(Client *client) {
  histogram_add(&phase.latency, now_ns() - begun_at[client->index]);
  client_disconnect(client);
  finished++;
  next_connection();
}

static bool all_finished(void) { return finished == options.count; }

static void storm(const char *name) {
  clients = make_clients("storm", options.count);
  begun_at = calloc((size_t)options.count, sizeof *begun_at);
  begun = finished = 0;
  for (int i = 0; i < options.count; i++) clients[i].on_connected = leave_and_go_on;
  phase_begin(&phase, name, "connection");
  for (int i = 0; i < AT_A_TIME; i++) next_connection();
  errno = 0;
  if (!run_until(300, all_finished)) fail("the storm did not end in five minutes");
  phase_end(&phase);
  phase.count = (uint64_t)options.count;
  phase_print(&phase);
}

// Two phases: what a broker costs that has just been started, and what it costs from then on. They differ for brokers
// whose code is compiled while they run.
bool run_storm(void) {
  storm("storm-first");
  storm("storm-again");
  return true;
}

// Three phases: connecting (the memory of one connection is what the broker has grown by), sitting there, and leaving.
bool run_idle(void) {
  clients = make_clients("idle", options.count);
  phase_begin(&phase, "idle-connect", "connection");
  connect_all(clients, options.count);
  phase_end(&phase);
  run_until(IDLE_SECONDS, NULL);
  phase.after.resident_kb = process_usage(options.broker_pid).resident_kb;
  phase.count = (uint64_t)options.count;
  phase_print(&phase);

  phase_begin(&phase, "idle", "connection");
  run_until(options.seconds, NULL);
  phase_end(&phase);
  phase.count = (uint64_t)options.count;
  phase_print(&phase);

  phase_begin(&phase, "idle-leave", "connection");
  disconnect_all(clients, options.count);
  sleep((unsigned)IDLE_SECONDS);
  phase_end(&phase);
  phase.count = (uint64_t)options.count;
  phase_print(&phase);
  return true;
}
