// TLS through OpenSSL, without verification: the generator measures, it trusts nobody with anything. Built without
// OpenSSL's headers, tls_supported is false and nothing else may be called.
#pragma once
#include "connection.h"
#include <sys/types.h>

extern const bool tls_supported;

void tls_start(Connection *connection);

// Goes on with the handshake. Answers true when it is finished; `wants_write` says what it waits for otherwise.
bool tls_handshake(Connection *connection, bool *wants_write);

// Like read and write: bytes, 0 at the end, or -1 with errno EAGAIN when the socket has to be waited for.
ssize_t tls_read(Connection *connection, void *bytes, size_t length);
ssize_t tls_write(Connection *connection, const void *bytes, size_t length);

void tls_free(Connection *connection);
