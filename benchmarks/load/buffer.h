// A growing byte buffer with a read end and a write end: bytes are appended at `end` and taken at `start`.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  uint8_t *bytes;
  size_t start, end, capacity;
} Buffer;

void fail(const char *what);

static inline size_t buffer_length(const Buffer *buffer) { return buffer->end - buffer->start; }

// Makes room for `more` bytes behind `end` and returns where they go. The caller moves `end` itself.
static inline uint8_t *buffer_reserve(Buffer *buffer, size_t more) {
  if (buffer->start > 0 && buffer->start == buffer->end) buffer->start = buffer->end = 0;
  if (buffer->end + more > buffer->capacity && buffer->start > 0) {
    memmove(buffer->bytes, buffer->bytes + buffer->start, buffer_length(buffer));
    buffer->end -= buffer->start;
    buffer->start = 0;
  }
  if (buffer->end + more > buffer->capacity) {
    size_t capacity = buffer->capacity ? buffer->capacity : 256;
    while (capacity < buffer->end + more) capacity *= 2;
    buffer->bytes = realloc(buffer->bytes, capacity);
    if (!buffer->bytes) fail("out of memory");
    buffer->capacity = capacity;
  }
  return buffer->bytes + buffer->end;
}

static inline void buffer_append(Buffer *buffer, const void *bytes, size_t length) {
  memcpy(buffer_reserve(buffer, length), bytes, length);
  buffer->end += length;
}

static inline void buffer_free(Buffer *buffer) {
  free(buffer->bytes);
  *buffer = (Buffer){0};
}
