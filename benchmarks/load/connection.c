// See connection.h. One thread, one epoll instance, level-triggered.
#include "connection.h"
#include "clock.h"
#include "options.h"
#include "tls.h"
#include "websocket.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE 65536
#define READS_PER_EVENT 4  // a connection that never runs dry must not starve the others

static int epoll = -1;

void fail(const char *what) {
  fprintf(stderr, "load: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
  exit(3);
}

static void watch(Connection *connection, int operation, bool writable) {
  struct epoll_event event = {.events = EPOLLIN | (writable ? EPOLLOUT : 0), .data.ptr = connection};
  if (epoll_ctl(epoll, operation, connection->fd, &event)) fail("epoll_ctl");
  connection->waits_writable = writable;
}

static void wait_writable(Connection *connection, bool writable) {
  if (connection->waits_writable != writable) watch(connection, EPOLL_CTL_MOD, writable);
}

void connection_open(Connection *connection) {
  if (epoll < 0) epoll = epoll_create1(0);
  connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (connection->fd < 0) fail("socket");
  int on = 1;
  setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port)};
  if (inet_pton(AF_INET, options.host, &address.sin_addr) != 1) fail("--host is not an IPv4 address");
  if (connect(connection->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS) fail("connect");
  errno = 0;
  watch(connection, EPOLL_CTL_ADD, true);
}

static void opened(Connection *connection) {
  connection->open = true;
  connection->on_open(connection);
}

// The first time that the socket is writable it is connected; the transport takes over from there.
static void start_transport(Connection *connection) {
  if (options.transport == TRANSPORT_TCP) {
    wait_writable(connection, false);
    opened(connection);
  } else if (options.transport == TRANSPORT_WEBSOCKET) {
    if (buffer_length(&connection->out) == 0) websocket_request_upgrade(connection);
    connection_flush(connection);
  } else {
    if (!connection->tls) tls_start(connection);
    bool wants_write = false;
    bool finished = tls_handshake(connection, &wants_write);
    wait_writable(connection, wants_write);
    if (finished) opened(connection);
  }
}

Buffer *connection_writer(Connection *connection) {
  if (options.transport == TRANSPORT_WEBSOCKET) websocket_begin_frame(connection);
  return &connection->out;
}

size_t connection_unsent(const Connection *connection) { return buffer_length(&connection->out); }

void connection_flush(Connection *connection) {
  if (options.transport == TRANSPORT_WEBSOCKET) websocket_end_frame(connection);
  Buffer *out = &connection->out;
  while (buffer_length(out) > 0) {
    const uint8_t *bytes = out->bytes + out->start;
    ssize_t written = connection->tls ? tls_write(connection, bytes, buffer_length(out))
                                      : send(connection->fd, bytes, buffer_length(out), MSG_NOSIGNAL);
    if (written < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) fail("the broker closed a connection while it was written to");
      break;
    }
    out->start += (size_t)written;
  }
  wait_writable(connection, buffer_length(out) > 0);
}

// Connections that are to be flushed; the list only grows, because there are as many at most as connections.
static Connection **due;
static size_t due_count, due_capacity;

void connection_flush_soon(Connection *connection) {
  if (connection->flush_due) return;
  connection->flush_due = true;
  if (due_count == due_capacity) {
    due_capacity = due_capacity ? due_capacity * 2 : 256;
    due = realloc(due, due_capacity * sizeof *due);
    if (!due) fail("out of memory");
  }
  due[due_count++] = connection;
}

static void flush_due(void) {
  for (size_t i = 0; i < due_count; i++) {
    due[i]->flush_due = false;
    if (!due[i]->closed && !due[i]->waits_writable) connection_flush(due[i]);
  }
  due_count = 0;
}

static void broker_closed(Connection *connection) {
  connection->closed = true;
  if (!connection->on_closed) fail("the broker closed a connection");
  connection->on_closed(connection);
}

static void receive(Connection *connection) {
  Buffer *target = options.transport == TRANSPORT_WEBSOCKET ? &connection->raw : &connection->in;
  for (int reads = 0; reads < READS_PER_EVENT; reads++) {
    uint8_t *bytes = buffer_reserve(target, READ_SIZE);
    size_t room = target->capacity - target->end;
    ssize_t length = connection->tls ? tls_read(connection, bytes, room) : recv(connection->fd, bytes, room, 0);
    if (length == 0 || (length < 0 && errno == ECONNRESET)) return broker_closed(connection);
    if (length < 0) {
      if (errno == EAGAIN || errno == EINTR) break;
      fail("read");
    }
    target->end += (size_t)length;
    if (options.transport == TRANSPORT_WEBSOCKET && websocket_receive(connection)) connection->on_open(connection);
    connection->on_bytes(connection);
    if (connection->closed) return;
    // TLS records can wait inside OpenSSL without the socket being readable: read on until it says EAGAIN.
    if (connection->tls) reads = 0;
    else if (length < READ_SIZE) break;
  }
  if (connection_unsent(connection) > 0 && !connection->waits_writable) connection_flush(connection);
}

static void handle(Connection *connection, uint32_t events) {
  if (events & EPOLLOUT) {
    if (connection->open) connection_flush(connection);
    else start_transport(connection);
  }
  if ((events & EPOLLIN) && !connection->closed) {
    if (options.transport == TRANSPORT_TLS && !connection->open) start_transport(connection);
    else receive(connection);
  }
  if ((events & EPOLLERR) && !connection->closed) fail("a connection failed");
}

bool run_until(double seconds, bool (*done)(void)) {
  struct epoll_event events[256];
  uint64_t end = now_ns() + (uint64_t)(seconds * 1e9);
  while (now_ns() < end) {
    flush_due();
    if (done && done()) return true;
    int count = epoll_wait(epoll, events, 256, 5);
    for (int i = 0; i < count; i++) {
      Connection *connection = events[i].data.ptr;
      if (!connection->closed) handle(connection, events[i].events);
      flush_due();
    }
  }
  return done && done();
}

void connection_close(Connection *connection) {
  tls_free(connection);
  close(connection->fd);
  connection->closed = true;
  buffer_free(&connection->in);
  buffer_free(&connection->out);
  buffer_free(&connection->raw);
}
