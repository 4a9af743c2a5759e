// SPDX-License-Identifier: Apache-2.0
// The server: AllSource over HTTP, built on <allsource.h> as anybody could.
//
// routes.def is the table of what it answers; each resource is a file of handlers. A handler runs
// on the loop thread of its connection, never blocks there, and answers exactly once.
// Threads: any one thread starts, turns and stops a server.
#pragma once

#include "base/err.h"
#include "base/own.h"
#include "base/str.h"

struct config;
struct server;

// Listens on every address, then opens the data directory and recovers its tenants; until that is
// done everything but health and metrics is answered 503. Fails with
// ALS_LOCKED, ALS_CORRUPT and so on as als_open() does, with ALS_INVALID_INPUT for an option that
// cannot be served, and with what http_server_start() says when an address cannot be had.
err server_start(const struct config *config, struct server **ret_server, struct als_why *why);
// Stops accepting, lets requests under way finish, makes everything durable, and frees.
void server_stop(struct server *server);
AUTO_WITH(server, server_stop)

// The addresses as bound, with their real ports; `space` holds the text.
size_t server_address_count(const struct server *server);
str server_address(const struct server *server, size_t index, char space[static 64]);

// What is due by the clock: keep-alives of idle streams. To be called about once a second.
void server_turn(struct server *server);

// The program: reads the options in argv[1...], serves until SIGTERM or SIGINT, and returns the
// exit code: 0, 1 when it cannot serve, 2 when the options are wrong. argv[0] is what --help calls
// the program.
int server_main(int argc, char **argv, char **envp);
