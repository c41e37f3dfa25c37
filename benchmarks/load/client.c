// See client.h.
#include "client.h"
#include "options.h"
#include <errno.h>
#include <stdio.h>

enum { CONNECT = 1, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK,
       PINGREQ, PINGRESP, DISCONNECT };

// Properties as a device might send them: a content type, an expiry and two of its own.
static const uint8_t typical_properties[] = {
    0x01, 0x01,                                                     // payload format: text
    0x02, 0x00, 0x00, 0x0e, 0x10,                                   // message expiry: one hour
    0x03, 0x00, 0x10, 'a', 'p', 'p', 'l', 'i', 'c', 'a', 't', 'i', 'o', 'n', '/', 'j', 's', 'o', 'n',
    0x26, 0x00, 0x04, 'u', 'n', 'i', 't', 0x00, 0x07, 'c', 'e', 'l', 's', 'i', 'u', 's',
    0x26, 0x00, 0x04, 's', 'i', 't', 'e', 0x00, 0x06, 'n', 'o', 'r', 't', 'h', '1',
};

static uint8_t *put_length(uint8_t *at, size_t value) {
  do {
    *at++ = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
    value >>= 7;
  } while (value > 0);
  return at;
}

static uint8_t *put_u16(uint8_t *at, size_t value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
  return at + 2;
}

static uint8_t *put_string(uint8_t *at, const char *text, size_t length) {
  at = put_u16(at, length);
  memcpy(at, text, length);
  return at + length;
}

// Begins a packet: room for it, and its fixed header. The caller fills in exactly `length` bytes from the answer on.
static uint8_t *begin_packet(Client *client, uint8_t first, size_t length) {
  Buffer *out = connection_writer(&client->connection);
  uint8_t *at = buffer_reserve(out, length + 5);
  *at = first;
  uint8_t *body = put_length(at + 1, length);
  out->end += (size_t)(body - at) + length;
  return body;
}

static uint16_t next_packet_id(Client *client) {
  if (++client->last_packet_id == 0) client->last_packet_id = 1;
  return client->last_packet_id;
}

static void send_connect(Connection *connection) {
  Client *client = (Client *)connection;
  size_t id = strlen(client->id);
  size_t username = options.username ? strlen(options.username) : 0;
  size_t password = options.password ? strlen(options.password) : 0;
  bool lasting = options.version == 5 && !client->clean;
  size_t properties = options.version == 5 ? (lasting ? 6 : 1) : 0;
  size_t length = 10 + properties + 2 + id + (options.username ? 2 + username : 0) + (options.password ? 2 + password : 0);
  uint8_t *at = begin_packet(client, CONNECT << 4, length);
  at = put_string(at, "MQTT", 4);
  *at++ = (uint8_t)options.version;
  *at++ = (uint8_t)((client->clean ? 0x02 : 0) | (options.username ? 0x80 : 0) | (options.password ? 0x40 : 0));
  at = put_u16(at, 0);  // no keep-alive: a generator that is busy must not be thrown out
  if (lasting) {
    memcpy(at, "\x05\x11\x00\x01\x51\x80", 6);  // session expiry: a day
    at += 6;
  } else if (options.version == 5) {
    *at++ = 0;
  }
  at = put_string(at, client->id, id);
  if (options.username) at = put_string(at, options.username, username);
  if (options.password) put_string(at, options.password, password);
  client_flush(client);
}

void client_publish(Client *client, const char *topic, int qos, bool retain, const Stamp *stamp, size_t payload) {
  size_t topic_length = strlen(topic);
  size_t properties = options.properties ? sizeof typical_properties : 0;
  size_t length = 2 + topic_length + (qos ? 2 : 0) + (options.version == 5 ? 1 + properties : 0) + payload;
  uint8_t *at = begin_packet(client, (uint8_t)(PUBLISH << 4 | qos << 1 | retain), length);
  at = put_string(at, topic, topic_length);
  if (qos) at = put_u16(at, next_packet_id(client));
  if (options.version == 5) {
    *at++ = (uint8_t)properties;
    memcpy(at, typical_properties, properties);
    at += properties;
  }
  size_t stamped = payload < sizeof *stamp ? payload : sizeof *stamp;
  memcpy(at, stamp, stamped);
  memset(at + stamped, 'x', payload - stamped);
  client->sent++;
}

void client_subscribe(Client *client, const char *const *filters, int count, int qos) {
  size_t length = 2 + (options.version == 5);
  for (int i = 0; i < count; i++) length += 3 + strlen(filters[i]);
  uint8_t *at = begin_packet(client, SUBSCRIBE << 4 | 2, length);
  at = put_u16(at, next_packet_id(client));
  if (options.version == 5) *at++ = 0;
  for (int i = 0; i < count; i++) {
    at = put_string(at, filters[i], strlen(filters[i]));
    *at++ = (uint8_t)qos;
  }
  client->subscribing++;
}

void client_unsubscribe(Client *client, const char *const *filters, int count) {
  size_t length = 2 + (options.version == 5);
  for (int i = 0; i < count; i++) length += 2 + strlen(filters[i]);
  uint8_t *at = begin_packet(client, UNSUBSCRIBE << 4 | 2, length);
  at = put_u16(at, next_packet_id(client));
  if (options.version == 5) *at++ = 0;
  for (int i = 0; i < count; i++) at = put_string(at, filters[i], strlen(filters[i]));
  client->subscribing++;
}

void client_flush(Client *client) { connection_flush(&client->connection); }

void client_disconnect(Client *client) {
  uint8_t *at = begin_packet(client, DISCONNECT << 4, 0);
  (void)at;
  client_flush(client);
  connection_close(&client->connection);
}

static void answer(Client *client, uint8_t first, const uint8_t *packet_id) {
  memcpy(begin_packet(client, first, 2), packet_id, 2);
}

static void receive_publish(Client *client, uint8_t first, const uint8_t *body, size_t length) {
  Message message = {.qos = first >> 1 & 3, .retain = first & 1, .topic = body + 2};
  message.topic_length = (size_t)(body[0] << 8 | body[1]);
  const uint8_t *at = body + 2 + message.topic_length;
  const uint8_t *packet_id = at;
  if (message.qos) at += 2;
  if (options.version == 5) {
    size_t properties = 0;
    int shift = 0;
    do {
      properties |= (size_t)(*at & 0x7f) << shift;
      shift += 7;
    } while (*at++ & 0x80);
    at += properties;
  }
  message.payload = at;
  message.payload_length = length - (size_t)(at - body);
  if (message.qos == 1) answer(client, PUBACK << 4, packet_id);
  if (message.qos == 2) answer(client, PUBREC << 4, packet_id);
  if (client->on_message) client->on_message(client, &message);
}

static void acknowledged(Client *client, const uint8_t *body, size_t length) {
  if (options.version == 5 && length > 2 && body[2] >= 0x80) fail("the broker refused a message");
  client->acknowledged++;
  if (client->on_acknowledged) client->on_acknowledged(client);
}

static void receive_packet(Client *client, uint8_t first, const uint8_t *body, size_t length) {
  switch (first >> 4) {
    case CONNACK:
      if (length < 2 || body[1] != 0) fail("the broker refused a connection");
      client->connected = true;
      if (client->on_connected) client->on_connected(client);
      break;
    case PUBLISH: receive_publish(client, first, body, length); break;
    case PUBREC: answer(client, PUBREL << 4 | 2, body); break;
    case PUBREL: answer(client, PUBCOMP << 4, body); break;
    case PUBACK:
    case PUBCOMP: acknowledged(client, body, length); break;
    case SUBACK:
      if (body[length - 1] >= 0x80) fail("the broker refused a subscription");
      // falls through
    case UNSUBACK:
      client->subscribing--;
      if (client->on_subscribed) client->on_subscribed(client);
      break;
    case DISCONNECT: fail("the broker sent DISCONNECT");
  }
}

static void receive_bytes(Connection *connection) {
  Client *client = (Client *)connection;
  Buffer *in = &connection->in;
  while (!connection->closed) {
    size_t available = buffer_length(in), length = 0, size = 1;
    const uint8_t *bytes = in->bytes + in->start;
    bool whole = false;
    for (int shift = 0; size < available && size < 5 && !whole; shift += 7, size++) {
      length |= (size_t)(bytes[size] & 0x7f) << shift;
      whole = !(bytes[size] & 0x80);
    }
    if (!whole || available - size < length) return;
    receive_packet(client, bytes[0], bytes + size, length);
    // A callback may have closed the connection, and its buffers with it.
    if (!connection->closed) in->start += size + length;
  }
}

static void closed_by_broker(Connection *connection) {
  Client *client = (Client *)connection;
  errno = 0;
  if (!client->on_disconnected) fail("the broker closed a connection");
  client->on_disconnected(client);
}

void client_connect(Client *client) {
  client->connection = (Connection){.on_open = send_connect, .on_bytes = receive_bytes, .on_closed = closed_by_broker};
  client->connected = false;
  client->subscribing = 0;
  connection_open(&client->connection);
}
