// A deep subscription tree: --count filters, held by up to 1000 clients, then messages whose topics each match exactly
// one filter. Every topic is used once in a round through the tree, so that a broker's cache of routes cannot help.
//
// Half the filters are exact, a quarter has a `+`, a quarter ends in `#`.
#include "clock.h"
#include "options.h"
#include "report.h"
#include "scenarios.h"
#include <errno.h>
#include <stdio.h>

#define HOLDERS_MAX 1000
#define FILTERS_PER_PACKET 50
#define STRIDE 7919ull  // a prime: neighbouring messages go to distant places of the tree

static Client *holders, *publishers;
static int holder_count;
static uint64_t next_topic, deliveries;
static bool measuring, stopped;
static Phase phase;

static void filter_of(int number, char *text) {
  int region = number % 20, site = number / 20 % 500, device = number / 10000;
  if (number % 4 == 0) snprintf(text, TOPIC_MAX, "fleet/%d/site/%d/+/%d/state", region, site, device);
  else if (number % 4 == 1) snprintf(text, TOPIC_MAX, "fleet/%d/site/%d/device/%d/#", region, site, device);
  else snprintf(text, TOPIC_MAX, "fleet/%d/site/%d/device/%d/state", region, site, device);
}

static void topic_of(int number, char *text) {
  int region = number % 20, site = number / 20 % 500, device = number / 10000;
  snprintf(text, TOPIC_MAX, "fleet/%d/site/%d/device/%d/state", region, site, device);
}

static void send_more(Client *publisher) {
  char topic[TOPIC_MAX];
  while (!stopped && publisher->sent - publisher->delivered < (uint64_t)options.window) {
    topic_of((int)(next_topic++ * STRIDE % (uint64_t)options.count), topic);
    Stamp stamp = {.sent_at = now_ns(), .sequence = publisher->sent, .publisher = (uint32_t)publisher->index};
    client_publish(publisher, topic, 0, false, &stamp, (size_t)options.payload);
  }
  client_flush(publisher);
}

static void received(Client *holder, const Message *message) {
  (void)holder;
  Stamp stamp;
  memcpy(&stamp, message->payload, sizeof stamp);
  if (stamp.publisher >= (uint32_t)options.publishers) fail("a payload arrived damaged");
  if (measuring) histogram_add(&phase.latency, now_ns() - stamp.sent_at);
  deliveries++;
  publishers[stamp.publisher].delivered++;
  send_more(&publishers[stamp.publisher]);
}

static void change_all(void (*change)(Client *, const char *const *, int)) {
  static char texts[FILTERS_PER_PACKET][TOPIC_MAX];
  const char *filters[FILTERS_PER_PACKET];
  for (int i = 0; i < FILTERS_PER_PACKET; i++) filters[i] = texts[i];
  for (int holder = 0; holder < holder_count; holder++) {
    int filled = 0;
    for (int number = holder; number < options.count; number += holder_count) {
      filter_of(number, texts[filled++]);
      if (filled < FILTERS_PER_PACKET && number + holder_count < options.count) continue;
      change(&holders[holder], filters, filled);
      filled = 0;
    }
    client_flush(&holders[holder]);
    if (holder % 50 == 49) await_subscribed(holders, holder + 1, 120);
  }
  await_subscribed(holders, holder_count, 120);
}

static void subscribe(Client *client, const char *const *filters, int count) {
  client_subscribe(client, filters, count, 0);
}

static void end_subscriptions(void) {
  phase_end(&phase);
  phase.count = (uint64_t)options.count;
  phase_print(&phase);
}

static bool all_arrived(void) {
  uint64_t sent = 0;
  for (int i = 0; i < options.publishers; i++) sent += publishers[i].sent;
  return deliveries >= sent;
}

bool run_tree(void) {
  if (options.payload < (int)sizeof(Stamp)) options.payload = (int)sizeof(Stamp);
  holder_count = options.count < HOLDERS_MAX ? options.count : HOLDERS_MAX;
  holders = make_clients("holder", holder_count);
  publishers = make_clients("publisher", options.publishers);
  for (int i = 0; i < holder_count; i++) holders[i].on_message = received;
  connect_all(holders, holder_count);
  connect_all(publishers, options.publishers);

  phase_begin(&phase, "tree-subscribe", "subscription");
  change_all(subscribe);
  end_subscriptions();

  for (int i = 0; i < options.publishers; i++) send_more(&publishers[i]);
  run_until(options.warmup, NULL);
  phase_begin(&phase, "tree-match", "message");
  uint64_t before = deliveries;
  measuring = true;
  run_until(options.seconds, NULL);
  measuring = false;
  phase_end(&phase);
  phase.count = deliveries - before;
  stopped = true;
  run_until(10, all_arrived);
  uint64_t sent = 0;
  for (int i = 0; i < options.publishers; i++) sent += publishers[i].sent;
  phase.lost = sent > deliveries ? sent - deliveries : 0;
  phase.repeated = deliveries > sent ? deliveries - sent : 0;
  phase_print(&phase);
  bool complete = sent == deliveries;

  phase_begin(&phase, "tree-unsubscribe", "subscription");
  change_all(client_unsubscribe);
  end_subscriptions();
  disconnect_all(publishers, options.publishers);
  disconnect_all(holders, holder_count);
  return complete;
}
