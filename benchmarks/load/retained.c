// Retained messages: --count of them set (QoS 1), replayed to one new subscriber by a wildcard, and cleared again.
#include "filling.h"
#include "options.h"
#include "report.h"
#include "scenarios.h"
#include <errno.h>
#include <stdio.h>

static Phase phase;
static uint64_t replayed;

static void topic_of(int number, char *topic) {
  snprintf(topic, TOPIC_MAX, "site/%d/device/%d/temperature", number % 100, number);
}

static void count_replayed(Client *client, const Message *message) {
  (void)client;
  if (message->retain) replayed++;
}

static bool all_replayed(void) { return replayed >= (uint64_t)options.count; }

static void end_phase(uint64_t count) {
  phase_end(&phase);
  phase.count = count;
  phase.lost = (uint64_t)options.count - count;
  phase_print(&phase);
}

bool run_retained(void) {
  Client *publisher = make_clients("retainer", 1);
  connect_all(publisher, 1);
  phase_begin(&phase, "retained-set", "message");
  publish_acknowledged(publisher, options.count, true, (size_t)options.payload, topic_of);
  end_phase((uint64_t)options.count);

  Client *reader = make_clients("reader", 1);
  reader->on_message = count_replayed;
  connect_all(reader, 1);
  const char *filter = "site/+/device/#";
  phase_begin(&phase, "retained-replay", "message");
  client_subscribe(reader, &filter, 1, 0);
  client_flush(reader);
  run_until(60, all_replayed);
  end_phase(replayed);
  disconnect_all(reader, 1);

  phase_begin(&phase, "retained-clear", "message");
  publish_acknowledged(publisher, options.count, true, 0, topic_of);
  end_phase((uint64_t)options.count);
  disconnect_all(publisher, 1);
  return replayed == (uint64_t)options.count;
}
