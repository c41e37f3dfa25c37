// The scenarios, one file each (traffic.c has those that send messages in a closed loop). Each prints its phases and
// answers whether every message arrived once and in order.
#pragma once
#include "client.h"

bool run_pairs(void);
bool run_fan_out(void);
bool run_fan_in(void);
bool run_churn(void);
bool run_tree(void);
bool run_retained(void);
bool run_queue(void);
bool run_offline_fill(void);
bool run_offline_drain(void);
bool run_storm(void);
bool run_idle(void);

// Connects clients, at most 200 at a time, and waits until all are connected.
void connect_all(Client *clients, int count);

// Waits until none of the clients waits for a SUBACK or UNSUBACK.
void await_subscribed(Client *clients, int count, double seconds);

// Names and prepares clients: `kind-PROCESS-index`, clean sessions.
Client *make_clients(const char *kind, int count);
void disconnect_all(Client *clients, int count);
