// One publisher that sends a fixed number of messages as fast as they are acknowledged.
#pragma once
#include "client.h"

// Sends messages 0 to count-1 with QoS 1, `window` at a time, topics from `topic_of`, and waits for the last PUBACK.
void publish_acknowledged(Client *publisher, int count, bool retain, size_t payload,
                          void (*topic_of)(int number, char *topic));
