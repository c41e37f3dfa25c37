// See options.h.
#include "options.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Options options = {
    .host = "127.0.0.1", .path = "/mqtt", .port = 1883, .publishers = 1, .subscribers = 1, .count = 10000,
    .payload = 64, .window = 1, .version = 4, .seconds = 3, .warmup = 1,
};

static const char usage[] =
    "usage: load SCENARIO [options]\n"
    "  pairs      publisher i -> its own topic -> subscriber i\n"
    "  fan-out    every message to all subscribers\n"
    "  fan-in     all publishers to one subscriber with a wildcard\n"
    "  churn      pairs, while other clients subscribe and unsubscribe\n"
    "  tree       --count filters, then pairs of topics that each match one of them, each topic once\n"
    "  retained   --count retained messages set, replayed and cleared\n"
    "  queue      --count messages for an offline session, then drained\n"
    "  offline-fill, offline-drain  --count messages of all publishers for an offline session; its return\n"
    "  storm      --count connections opened and closed, 200 at a time, twice\n"
    "  idle       --count connections held open\n"
    "options:\n"
    "  --host ADDRESS  --port N  --pid N (the broker, for CPU and memory)  --websocket | --tls  --path PATH\n"
    "  --username TEXT  --password TEXT  --version 4|5  --properties (MQTT 5)\n"
    "  --publishers N  --subscribers N  --persistent (subscribers)  --count N  --qos 0|1|2  --payload BYTES  --window N\n"
    "  --single-writes (each message is a write of its own, instead of one for what a read makes room for)\n"
    "  --seconds N  --warmup N\n"
    "Prints one JSON object per measured phase, each on its own line.\n";

static void refuse(const char *what, const char *value) {
  fprintf(stderr, "load: %s %s\n%s", what, value, usage);
  exit(2);
}

enum { HOST = 256, PORT, PID, WEBSOCKET, TLS, PATH, USERNAME, PASSWORD, VERSION, PROPERTIES,
       PUBLISHERS, SUBSCRIBERS, COUNT, QOS, PAYLOAD, WINDOW, SECONDS, WARMUP, PERSISTENT,
       SINGLE_WRITES };

static const struct option names[] = {
    {"host", 1, 0, HOST}, {"port", 1, 0, PORT}, {"pid", 1, 0, PID}, {"websocket", 0, 0, WEBSOCKET},
    {"tls", 0, 0, TLS}, {"path", 1, 0, PATH}, {"username", 1, 0, USERNAME}, {"password", 1, 0, PASSWORD},
    {"version", 1, 0, VERSION}, {"properties", 0, 0, PROPERTIES}, {"publishers", 1, 0, PUBLISHERS},
    {"subscribers", 1, 0, SUBSCRIBERS}, {"count", 1, 0, COUNT}, {"qos", 1, 0, QOS}, {"payload", 1, 0, PAYLOAD},
    {"window", 1, 0, WINDOW}, {"seconds", 1, 0, SECONDS}, {"warmup", 1, 0, WARMUP},
    {"persistent", 0, 0, PERSISTENT}, {"single-writes", 0, 0, SINGLE_WRITES}, {0, 0, 0, 0},
};

static int number(const char *text, int least, int most) {
  char *end;
  long value = strtol(text, &end, 10);
  if (*text == 0 || *end != 0 || value < least || value > most) refuse("not a possible value:", text);
  return (int)value;
}

void parse_options(int argc, char **argv) {
  for (int option; (option = getopt_long(argc, argv, "", names, NULL)) != -1;) {
    switch (option) {
      case HOST: options.host = optarg; break;
      case PORT: options.port = number(optarg, 1, 65535); break;
      case PID: options.broker_pid = number(optarg, 0, 1 << 22); break;
      case WEBSOCKET: options.transport = TRANSPORT_WEBSOCKET; break;
      case TLS: options.transport = TRANSPORT_TLS; break;
      case PATH: options.path = optarg; break;
      case USERNAME: options.username = optarg; break;
      case PASSWORD: options.password = optarg; break;
      case VERSION: options.version = number(optarg, 4, 5); break;
      case PROPERTIES: options.properties = true; break;
      case PUBLISHERS: options.publishers = number(optarg, 1, 100000); break;
      case SUBSCRIBERS: options.subscribers = number(optarg, 1, 100000); break;
      case COUNT: options.count = number(optarg, 1, 100000000); break;
      case QOS: options.qos = number(optarg, 0, 2); break;
      case PAYLOAD: options.payload = number(optarg, 0, 200000000); break;
      case WINDOW: options.window = number(optarg, 1, 60000); break;
      case PERSISTENT: options.persistent = true; break;
      case SINGLE_WRITES: options.single_writes = true; break;
      case SECONDS: options.seconds = atof(optarg); break;
      case WARMUP: options.warmup = atof(optarg); break;
      default: refuse("see the usage", "");
    }
  }
  if (optind != argc - 1) refuse("exactly one scenario is needed", "");
  options.scenario = argv[optind];
  if (options.properties && options.version != 5) refuse("--properties needs", "--version 5");
}
