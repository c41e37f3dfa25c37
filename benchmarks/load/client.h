// One MQTT client of the generator (3.1.1 or 5.0): it connects, subscribes, publishes and acknowledges, and tells the
// scenario what happened. It keeps nothing of a message; what is measured travels in the payload (see Stamp).
#pragma once
#include "connection.h"

#define TOPIC_MAX 200

typedef struct Client Client;

typedef struct {
  const uint8_t *topic;
  size_t topic_length;
  const uint8_t *payload;
  size_t payload_length;
  int qos;
  bool retain;
} Message;

struct Client {
  Connection connection;  // first, so that a pointer to one is a pointer to the other
  char id[40];
  int index;
  bool clean;             // clean start; otherwise the session stays for a day
  bool connected;         // CONNACK has arrived
  uint16_t last_packet_id;
  uint64_t sent;          // messages published
  uint64_t acknowledged;  // QoS 1 and 2: finished with PUBACK or PUBCOMP
  uint64_t delivered;     // for the scenario: deliveries of this client's messages
  uint32_t subscribing;   // SUBSCRIBE and UNSUBSCRIBE packets without an answer
  void (*on_connected)(Client *);
  void (*on_message)(Client *, const Message *);
  void (*on_acknowledged)(Client *);
  void (*on_subscribed)(Client *);  // any SUBACK or UNSUBACK
  void (*on_disconnected)(Client *);
};

// The first bytes of every payload that is long enough.
typedef struct {
  uint64_t sent_at;
  uint64_t sequence;
  uint32_t publisher;
} __attribute__((packed)) Stamp;

// Starts to connect. The callbacks have to be set before.
void client_connect(Client *client);

// These append to what is to be sent; client_flush sends it.
void client_publish(Client *client, const char *topic, int qos, bool retain, const Stamp *stamp, size_t payload);
void client_subscribe(Client *client, const char *const *filters, int count, int qos);
void client_unsubscribe(Client *client, const char *const *filters, int count);
void client_flush(Client *client);

// Sends DISCONNECT and closes.
void client_disconnect(Client *client);
