// SPDX-License-Identifier: Apache-2.0
// One process, from its start to its end.
#pragma once

#include "worker/worker.h"

#include <sys/types.h>

struct process {
    pid_t pid;
    int socket; // our end; does not block
};

// The program with its arguments and then `key`; standard input is the other end of the socket,
// output and errors go nowhere, no other descriptor is open in it, no signal blocked, and it has a
// session of its own.
err process_start(const struct worker_options *options, const char *key,
                  struct process *ret_process, struct als_why *why);
// Kills it if it still runs, and waits for its end. True when it could not even begin.
bool process_end(struct process *process);
