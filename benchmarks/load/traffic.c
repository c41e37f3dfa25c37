// Messages in a closed loop: pairs, fan-out, fan-in, and pairs beside clients that subscribe and unsubscribe.
//
// Every payload carries when and by whom it was sent and its number in its publisher's sequence. A subscriber checks
// that the numbers of one publisher come one after the other: what is missing, repeated or out of order is reported.
#include "clock.h"
#include "options.h"
#include "report.h"
#include "scenarios.h"
#include <errno.h>
#include <stdio.h>

#define UNSENT_MAX (1 << 20)
#define CHURN_CLIENTS 10
#define CHURN_EVERY 20  // deliveries for each subscribe or unsubscribe: the mix stays the same at every speed

static Client *publishers, *subscribers, *churners;
static char (*topics)[TOPIC_MAX];
static int copies;           // deliveries per message
static uint64_t *expected;   // next sequence number, per subscriber and publisher
static uint64_t deliveries, repeated, disordered, churned;
static bool measuring, stopped;
static Phase phase;

static bool may_send(const Client *publisher) {
  if (stopped || connection_unsent(&publisher->connection) > UNSENT_MAX) return false;
  uint64_t copies_sent = publisher->sent * (uint64_t)copies;
  if (copies_sent - publisher->delivered >= (uint64_t)(options.window * copies)) return false;
  return options.qos == 0 || publisher->sent - publisher->acknowledged < (uint64_t)options.window;
}

// What a read makes room for goes out together, as from a client that handles what it has read before it writes. With
// single writes the generator spends most of its time in the kernel, and is the limit where a broker is fast.
static void send_more(Client *publisher) {
  bool any = false;
  while (may_send(publisher)) {
    Stamp stamp = {.sent_at = now_ns(), .sequence = publisher->sent, .publisher = (uint32_t)publisher->index};
    client_publish(publisher, topics[publisher->index], options.qos, false, &stamp, (size_t)options.payload);
    any = true;
  }
  if (!any) return;
  if (!options.single_writes) connection_flush_soon(&publisher->connection);
  else if (!publisher->connection.waits_writable) client_flush(publisher);
}

static void churn_once(void);

static void received(Client *subscriber, const Message *message) {
  Stamp stamp;
  memcpy(&stamp, message->payload, sizeof stamp);
  if (stamp.publisher >= (uint32_t)options.publishers) fail("a payload arrived damaged");
  uint64_t *next = &expected[(size_t)subscriber->index * (size_t)options.publishers + stamp.publisher];
  if (stamp.sequence < *next) repeated++;
  else if (stamp.sequence > *next) disordered++;
  *next = stamp.sequence + 1;
  deliveries++;
  if (measuring) histogram_add(&phase.latency, now_ns() - stamp.sent_at);
  if (churners && deliveries % CHURN_EVERY == 0) churn_once();
  Client *publisher = &publishers[stamp.publisher];
  if (++publisher->delivered % (uint64_t)copies == 0) send_more(publisher);
}

// One client at a time subscribes to four filters that match nothing that is sent, or gives them up again.
static void churn_once(void) {
  Client *client = &churners[churned % CHURN_CLIENTS];
  if (client->subscribing > 0) return;
  static char texts[4][TOPIC_MAX];
  const char *filters[4] = {texts[0], texts[1], texts[2], texts[3]};
  unsigned turn = (unsigned)(churned / (2 * CHURN_CLIENTS));
  snprintf(texts[0], TOPIC_MAX, "plant/%u/line/%u/state", turn % 50, turn % 1000);
  snprintf(texts[1], TOPIC_MAX, "plant/+/line/%u/alarm", turn % 1000);
  snprintf(texts[2], TOPIC_MAX, "plant/%u/orders/#", turn % 50);
  snprintf(texts[3], TOPIC_MAX, "office/%u/+/light", turn % 300);
  bool subscribe = churned / CHURN_CLIENTS % 2 == 0;
  if (subscribe) client_subscribe(client, filters, 4, 0);
  else client_unsubscribe(client, filters, 4);
  client_flush(client);
  churned++;
}

static bool all_arrived(void) {
  uint64_t sent = 0;
  for (int i = 0; i < options.publishers; i++) {
    if (options.qos > 0 && publishers[i].acknowledged < publishers[i].sent) return false;
    sent += publishers[i].sent;
  }
  return deliveries >= sent * (uint64_t)copies;
}

static uint64_t sent_in_all(void) {
  uint64_t sent = 0;
  for (int i = 0; i < options.publishers; i++) sent += publishers[i].sent;
  return sent;
}

static void set_up(const char *shared_topic, const char *shared_filter) {
  topics = calloc((size_t)options.publishers, sizeof *topics);
  expected = calloc((size_t)options.publishers * (size_t)options.subscribers, sizeof *expected);
  for (int i = 0; i < options.publishers; i++) {
    if (shared_topic) snprintf(topics[i], TOPIC_MAX, "%s", shared_topic);
    else snprintf(topics[i], TOPIC_MAX, "plant/%d/line/%d/temp", i % 50, i);
  }
  subscribers = make_clients("subscriber", options.subscribers);
  publishers = make_clients("publisher", options.publishers);
  for (int i = 0; i < options.subscribers; i++) subscribers[i].on_message = received;
  for (int i = 0; i < options.subscribers; i++) subscribers[i].clean = !options.persistent;
  for (int i = 0; i < options.publishers; i++) publishers[i].on_acknowledged = send_more;
  connect_all(subscribers, options.subscribers);
  for (int i = 0; i < options.subscribers; i++) {
    const char *filter = shared_filter ? shared_filter : topics[i];
    client_subscribe(&subscribers[i], &filter, 1, options.qos);
    client_flush(&subscribers[i]);
  }
  await_subscribed(subscribers, options.subscribers, 60);
  connect_all(publishers, options.publishers);
}

static bool run_traffic(const char *name) {
  if (options.payload < (int)sizeof(Stamp)) options.payload = (int)sizeof(Stamp);
  for (int i = 0; i < options.publishers; i++) send_more(&publishers[i]);
  run_until(options.warmup, NULL);
  uint64_t deliveries_before = deliveries, sent_before = sent_in_all(), churned_before = churned;
  phase_begin(&phase, name, "message");
  measuring = true;
  run_until(options.seconds, NULL);
  measuring = false;
  phase_end(&phase);
  phase.count = deliveries - deliveries_before;
  phase.incoming = sent_in_all() - sent_before;
  stopped = true;
  run_until(10, all_arrived);
  uint64_t due = sent_in_all() * (uint64_t)copies;
  phase.lost = due > deliveries - repeated ? due - (deliveries - repeated) : 0;
  phase.repeated = repeated;
  phase.disordered = disordered;
  phase_print(&phase);
  if (churners) fprintf(stderr, "load: %llu subscription changes\n", (unsigned long long)(churned - churned_before));
  disconnect_all(publishers, options.publishers);
  disconnect_all(subscribers, options.subscribers);
  if (churners) disconnect_all(churners, CHURN_CLIENTS);
  return phase.lost + phase.repeated + phase.disordered == 0;
}

bool run_pairs(void) {
  options.subscribers = options.publishers;
  copies = 1;
  set_up(NULL, NULL);
  return run_traffic("pairs");
}

bool run_fan_out(void) {
  copies = options.subscribers;
  set_up("plant/all/notice", "plant/all/notice");
  return run_traffic("fan-out");
}

bool run_fan_in(void) {
  options.subscribers = 1;
  copies = 1;
  set_up(NULL, "plant/+/line/#");
  return run_traffic("fan-in");
}

bool run_churn(void) {
  options.subscribers = options.publishers;
  copies = 1;
  churners = make_clients("churner", CHURN_CLIENTS);
  connect_all(churners, CHURN_CLIENTS);
  set_up(NULL, NULL);
  return run_traffic("churn");
}
