// See tls.h.
#include "tls.h"

#ifdef WITH_TLS
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

const bool tls_supported = true;
static SSL_CTX *context;

void tls_start(Connection *connection) {
  if (!context) {
    context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  }
  SSL *session = SSL_new(context);
  if (!session || !SSL_set_fd(session, connection->fd)) fail("TLS cannot be set up");
  SSL_set_connect_state(session);
  connection->tls = session;
}

bool tls_handshake(Connection *connection, bool *wants_write) {
  int result = SSL_do_handshake(connection->tls);
  if (result == 1) return true;
  int error = SSL_get_error(connection->tls, result);
  if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) fail("the TLS handshake failed");
  *wants_write = error == SSL_ERROR_WANT_WRITE;
  return false;
}

static ssize_t result_of(Connection *connection, int result) {
  if (result > 0) return result;
  int error = SSL_get_error(connection->tls, result);
  ERR_clear_error();
  if (error == SSL_ERROR_ZERO_RETURN) return 0;
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) errno = EAGAIN;
  return -1;
}

ssize_t tls_read(Connection *connection, void *bytes, size_t length) {
  return result_of(connection, SSL_read(connection->tls, bytes, (int)length));
}

ssize_t tls_write(Connection *connection, const void *bytes, size_t length) {
  return result_of(connection, SSL_write(connection->tls, bytes, length > 1 << 30 ? 1 << 30 : (int)length));
}

void tls_free(Connection *connection) {
  if (connection->tls) SSL_free(connection->tls);
  connection->tls = NULL;
}

#else

const bool tls_supported = false;
void tls_start(Connection *connection) { (void)connection; fail("this generator was built without TLS"); }
bool tls_handshake(Connection *connection, bool *wants_write) { (void)connection, (void)wants_write; return false; }
ssize_t tls_read(Connection *c, void *bytes, size_t length) { (void)c, (void)bytes, (void)length; return -1; }
ssize_t tls_write(Connection *c, const void *bytes, size_t length) { (void)c, (void)bytes, (void)length; return -1; }
void tls_free(Connection *connection) { (void)connection; }

#endif
