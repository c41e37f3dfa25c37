// See websocket.h. The masking key is four zero bytes: it satisfies the protocol and leaves the payload as it is.
#include "websocket.h"
#include "options.h"
#include <stdio.h>

#define HEADER_MAX 14

void websocket_request_upgrade(Connection *connection) {
  char request[512];
  int length = snprintf(request, sizeof request,
                        "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Key: dG9ieW1xIGJlbmNobWFyaw==\r\nSec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Protocol: mqtt\r\n\r\n",
                        options.path, options.host, options.port);
  buffer_append(&connection->out, request, (size_t)length);
}

void websocket_begin_frame(Connection *connection) {
  if (connection->frame_begun) return;
  buffer_reserve(&connection->out, HEADER_MAX);
  connection->frame_at = buffer_length(&connection->out);
  connection->out.end += HEADER_MAX;
  connection->frame_begun = true;
}

void websocket_end_frame(Connection *connection) {
  if (!connection->frame_begun) return;
  connection->frame_begun = false;
  Buffer *out = &connection->out;
  uint8_t *gap = out->bytes + out->start + connection->frame_at;
  uint64_t length = buffer_length(out) - connection->frame_at - HEADER_MAX;
  uint8_t header[HEADER_MAX] = {0x82};
  size_t size = 2;
  if (length < 126) {
    header[1] = 0x80 | (uint8_t)length;
  } else if (length < 65536) {
    header[1] = 0x80 | 126;
    header[size++] = (uint8_t)(length >> 8);
    header[size++] = (uint8_t)length;
  } else {
    header[1] = 0x80 | 127;
    for (int shift = 56; shift >= 0; shift -= 8) header[size++] = (uint8_t)(length >> shift);
  }
  size += 4;
  size_t spare = HEADER_MAX - size;
  if (connection->frame_at == 0) {
    out->start += spare;  // Nothing stands before the frame: the spare bytes are simply passed over.
    memcpy(gap + spare, header, size);
  } else {
    memcpy(gap, header, size);
    memmove(gap + size, gap + HEADER_MAX, length);
    out->end -= spare;
  }
}

static bool take_upgrade(Connection *connection) {
  Buffer *raw = &connection->raw;
  char *text = (char *)raw->bytes + raw->start;
  char *end = memmem(text, buffer_length(raw), "\r\n\r\n", 4);
  if (!end) return false;
  if (strncmp(text, "HTTP/1.1 101", 12) != 0) fail("the broker refused the WebSocket upgrade");
  raw->start += (size_t)(end + 4 - text);
  connection->open = true;
  return true;
}

// Reads the header of the next frame. Answers false when it has not arrived whole.
static bool take_header(Connection *connection) {
  Buffer *raw = &connection->raw;
  const uint8_t *bytes = raw->bytes + raw->start;
  size_t available = buffer_length(raw);
  if (available < 2) return false;
  uint64_t length = bytes[1] & 0x7f;
  size_t size = length == 126 ? 4 : length == 127 ? 10 : 2;
  if (available < size) return false;
  if (size > 2) {
    length = 0;
    for (size_t i = 2; i < size; i++) length = length << 8 | bytes[i];
  }
  int opcode = bytes[0] & 0x0f;
  if (opcode == 8) fail("the broker closed a WebSocket");
  connection->frame_is_data = opcode <= 2;
  connection->frame_left = length;
  raw->start += size;
  return true;
}

bool websocket_receive(Connection *connection) {
  bool upgraded = false;
  if (!connection->open) {
    if (!take_upgrade(connection)) return false;
    upgraded = true;
  }
  Buffer *raw = &connection->raw;
  for (;;) {
    if (connection->frame_left == 0 && !take_header(connection)) return upgraded;
    size_t part = buffer_length(raw);
    if (part > connection->frame_left) part = connection->frame_left;
    if (connection->frame_is_data) buffer_append(&connection->in, raw->bytes + raw->start, part);
    raw->start += part;
    connection->frame_left -= part;
    if (connection->frame_left > 0) return upgraded;
  }
}
