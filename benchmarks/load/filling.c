// See filling.h.
#include "filling.h"
#include "clock.h"
#include <errno.h>

#define WINDOW 500
#define REFILL 250  // messages go out in groups, which keeps the generator out of the way

static Client *sender;
static uint64_t needed;

static bool enough_acknowledged(void) { return sender->acknowledged >= needed; }

void publish_acknowledged(Client *publisher, int count, bool retain, size_t payload,
                          void (*topic_of)(int number, char *topic)) {
  char topic[TOPIC_MAX];
  sender = publisher;
  uint64_t before = publisher->sent;
  for (int number = 0; number < count; number++) {
    topic_of(number, topic);
    Stamp stamp = {.sent_at = now_ns(), .sequence = (uint64_t)number};
    client_publish(publisher, topic, 1, retain, &stamp, payload);
    bool last = number == count - 1;
    if (!last && publisher->sent - publisher->acknowledged < WINDOW) continue;
    client_flush(publisher);
    needed = last ? before + (uint64_t)count : publisher->sent - REFILL;
    errno = 0;
    if (!run_until(60, enough_acknowledged)) fail("acknowledgements stopped coming");
  }
}
