// Many clients at once; see scenarios.h.
#include "scenarios.h"
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define CONNECTING_MAX 200  // the broker's backlog must not overflow, which would cost a second per lost SYN

static Client *awaited;
static int awaited_count, awaited_from;

Client *make_clients(const char *kind, int count) {
  Client *clients = calloc((size_t)count, sizeof *clients);
  if (!clients) fail("out of memory");
  for (int i = 0; i < count; i++) {
    clients[i].index = i;
    clients[i].clean = true;
    snprintf(clients[i].id, sizeof clients[i].id, "%s-%d-%d", kind, (int)getpid(), i);
  }
  return clients;
}

static bool all_connected(void) {
  while (awaited_from < awaited_count && awaited[awaited_from].connected) awaited_from++;
  return awaited_from == awaited_count;
}

void connect_all(Client *clients, int count) {
  awaited = clients;
  awaited_from = 0;
  for (int begun = 0; begun < count;) {
    int batch = count - begun < CONNECTING_MAX ? count - begun : CONNECTING_MAX;
    for (int i = 0; i < batch; i++) client_connect(&clients[begun++]);
    awaited_count = begun;
    errno = 0;
    if (!run_until(60, all_connected)) fail("no CONNACK within a minute");
  }
}

static bool all_subscribed(void) {
  while (awaited_from < awaited_count && awaited[awaited_from].subscribing == 0) awaited_from++;
  return awaited_from == awaited_count;
}

void await_subscribed(Client *clients, int count, double seconds) {
  awaited = clients;
  awaited_count = count;
  awaited_from = 0;
  errno = 0;
  if (!run_until(seconds, all_subscribed)) fail("no SUBACK in time");
}

void disconnect_all(Client *clients, int count) {
  for (int i = 0; i < count; i++) client_disconnect(&clients[i]);
  free(clients);
}
