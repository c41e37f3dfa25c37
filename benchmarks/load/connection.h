// One connection to the broker: a non-blocking socket, what has arrived and what has still to be written, and the
// transport in between (nothing, WebSocket frames or TLS). Knows nothing of MQTT.
#pragma once
#include "buffer.h"
#include <stdbool.h>

typedef struct Connection Connection;

struct Connection {
  int fd;
  bool open;            // bytes of the layer above may go out
  bool closed;
  bool waits_writable;
  bool flush_due;       // stands in the list of connection_flush_soon
  Buffer in;            // bytes for the layer above
  Buffer out;           // bytes for the socket (for TLS: before encryption)
  size_t frame_at;      // WebSocket: where the unfinished frame begins in `out`
  bool frame_begun;
  Buffer raw;           // WebSocket: bytes from the socket, frames not yet taken apart
  uint64_t frame_left;  // WebSocket: payload bytes of the current frame still to come
  bool frame_is_data;
  void *tls;
  void (*on_open)(Connection *);    // the transport is ready
  void (*on_bytes)(Connection *);   // `in` has grown; the callee takes what it can
  void (*on_closed)(Connection *);  // by the broker
};

// Starts to connect; `on_open` says when the connection can be used.
void connection_open(Connection *connection);

// Bytes to send are appended to this buffer and go out with connection_flush.
Buffer *connection_writer(Connection *connection);
void connection_flush(Connection *connection);

// The same at the end of the event that is being handled: what one read brings about on a connection is one write.
void connection_flush_soon(Connection *connection);

// Bytes that the socket has not taken yet.
size_t connection_unsent(const Connection *connection);

void connection_close(Connection *connection);

// Runs the event loop until `done` answers true or the time is over. Answers whether `done` was reached.
bool run_until(double seconds, bool (*done)(void));

// Ends the process with a message: the measurement would be worthless.
void fail(const char *what);
