// What the command line asks for.
#pragma once
#include <stdbool.h>

typedef enum { TRANSPORT_TCP, TRANSPORT_WEBSOCKET, TRANSPORT_TLS } Transport;

typedef struct {
  const char *scenario;
  const char *host;
  const char *path;  // of the WebSocket
  const char *username, *password;
  Transport transport;
  int port;
  int broker_pid;    // 0: the broker's CPU and memory are not watched
  int publishers;
  int subscribers;
  int count;         // messages, topics, filters or connections of the scenarios that are not timed
  int qos;
  int payload;       // bytes
  int window;        // messages of one publisher on the way at a time
  int version;       // 4 (MQTT 3.1.1) or 5
  bool properties;   // MQTT 5: a typical set of properties on every message
  bool single_writes;  // each message of the publishers is a write of its own
  bool persistent;   // subscribers of pairs and fan-in keep their sessions, as devices do
  double seconds;    // measured
  double warmup;     // seconds before that
} Options;

extern Options options;

// Fills `options`; prints the usage and ends the process when they make no sense.
void parse_options(int argc, char **argv);
