// A queue that many publishers fill, in two runs so that the disk can be measured between them:
//   offline-fill   --count messages (QoS 1) of all publishers together into the queue of a session whose client is away
//   offline-drain  the client comes back, takes --count messages and ends its session
// A message is what counts, from the first to the last acknowledgement.
#include "clock.h"
#include "options.h"
#include "report.h"
#include "scenarios.h"
#include <errno.h>
#include <stdio.h>

#define TOPIC "orders/north/1"
#define WAIT_SECONDS 120

static Phase phase;
static uint64_t sent, acknowledged, drained;

static Client *away_client(bool clean) {
  Client *client = make_clients("away", 1);
  // The same name in both runs.
  snprintf(client->id, sizeof client->id, "away");
  client->clean = clean;
  return client;
}

static void fill_window(Client *publisher) {
  while (sent < (uint64_t)options.count && publisher->sent - publisher->acknowledged < (uint64_t)options.window) {
    Stamp stamp = {.sent_at = now_ns(), .sequence = publisher->sent, .publisher = (uint32_t)publisher->index};
    client_publish(publisher, TOPIC, 1, false, &stamp, (size_t)options.payload);
    sent++;
  }
  client_flush(publisher);
}

// A publisher goes on when half of its window is free, which keeps the generator out of the way.
static void on_acknowledged(Client *publisher) {
  acknowledged++;
  if (publisher->sent - publisher->acknowledged <= (uint64_t)options.window / 2) fill_window(publisher);
}

static bool all_acknowledged(void) { return acknowledged >= (uint64_t)options.count; }

bool run_offline_fill(void) {
  if (options.payload < (int)sizeof(Stamp)) options.payload = (int)sizeof(Stamp);
  Client *client = away_client(false);
  connect_all(client, 1);
  const char *filter = TOPIC;
  client_subscribe(client, &filter, 1, 1);
  client_flush(client);
  await_subscribed(client, 1, 10);
  disconnect_all(client, 1);

  Client *publishers = make_clients("publisher", options.publishers);
  for (int i = 0; i < options.publishers; i++) publishers[i].on_acknowledged = on_acknowledged;
  connect_all(publishers, options.publishers);
  phase_begin(&phase, "offline-fill", "message");
  for (int i = 0; i < options.publishers; i++) fill_window(&publishers[i]);
  errno = 0;
  if (!run_until(WAIT_SECONDS, all_acknowledged)) fail("acknowledgements stopped coming");
  phase_end(&phase);
  phase.count = (uint64_t)options.count;
  phase_print(&phase);
  disconnect_all(publishers, options.publishers);
  return true;
}

static void count_drained(Client *client, const Message *message) {
  (void)client;
  (void)message;
  drained++;
}

static bool all_drained(void) { return drained >= (uint64_t)options.count; }

bool run_offline_drain(void) {
  Client *client = away_client(false);
  client->on_message = count_drained;
  phase_begin(&phase, "offline-drain", "message");
  connect_all(client, 1);
  run_until(WAIT_SECONDS, all_drained);
  phase_end(&phase);
  phase.count = drained;
  phase.lost = (uint64_t)options.count - drained;
  phase_print(&phase);
  client_disconnect(client);

  client->clean = true;
  connect_all(client, 1);
  disconnect_all(client, 1);
  return drained == (uint64_t)options.count;
}
