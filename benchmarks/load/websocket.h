// WebSocket (RFC 6455) as a client needs it: the upgrade, masked binary frames out, frames in.
#pragma once
#include "connection.h"

void websocket_request_upgrade(Connection *connection);

// Takes the bytes in `raw` apart and moves the payload to `in`. Answers whether the upgrade was finished just now.
bool websocket_receive(Connection *connection);

// Begins a frame at the end of `out` if none is begun; the bytes appended from there on are its payload.
void websocket_begin_frame(Connection *connection);

// Puts the header before the payload of the frame that was begun.
void websocket_end_frame(Connection *connection);
