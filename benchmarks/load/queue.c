// The queue of an offline session: --count messages (QoS 1) while its client is away, then all of them at its return.
// Brokers bound their queues; configure them so that --count fits, or see the loss in the report.
#include "filling.h"
#include "options.h"
#include "report.h"
#include "scenarios.h"
#include <errno.h>
#include <stdio.h>

static Phase phase;
static uint64_t drained, next_number, disordered;

static void topic_of(int number, char *topic) {
  (void)number;
  snprintf(topic, TOPIC_MAX, "orders/north/1");
}

static void count_drained(Client *client, const Message *message) {
  (void)client;
  Stamp stamp;
  memcpy(&stamp, message->payload, sizeof stamp);
  if (stamp.sequence != next_number) disordered++;
  next_number = stamp.sequence + 1;
  drained++;
}

static bool all_drained(void) { return drained >= (uint64_t)options.count; }

static void connect_sleeper(Client *sleeper, bool clean) {
  sleeper->clean = clean;
  connect_all(sleeper, 1);
}

bool run_queue(void) {
  if (options.payload < (int)sizeof(Stamp)) options.payload = (int)sizeof(Stamp);
  Client *sleeper = make_clients("sleeper", 1);
  sleeper->on_message = count_drained;
  connect_sleeper(sleeper, false);
  const char *filter = "orders/north/1";
  client_subscribe(sleeper, &filter, 1, 1);
  client_flush(sleeper);
  await_subscribed(sleeper, 1, 10);
  client_disconnect(sleeper);

  Client *publisher = make_clients("filler", 1);
  connect_all(publisher, 1);
  phase_begin(&phase, "queue-fill", "message");
  publish_acknowledged(publisher, options.count, false, (size_t)options.payload, topic_of);
  phase_end(&phase);
  phase.count = (uint64_t)options.count;
  phase_print(&phase);
  disconnect_all(publisher, 1);

  phase_begin(&phase, "queue-drain", "message");
  connect_sleeper(sleeper, false);
  run_until(60, all_drained);
  phase_end(&phase);
  phase.count = drained;
  phase.lost = (uint64_t)options.count - drained;
  phase.disordered = disordered;
  phase_print(&phase);
  client_disconnect(sleeper);

  connect_sleeper(sleeper, true);  // which ends the session, so that nothing stays behind
  disconnect_all(sleeper, 1);
  return drained == (uint64_t)options.count && disordered == 0;
}
