// SPDX-License-Identifier: Apache-2.0
// A load of HTTP/1.1 requests: one thread, an epoll loop, connections that are kept alive and have
// one request under way each. It leaves as much of the machine as it can to the server, for both
// run on the same cores.
#pragma once

#include "bench/bench.h"

struct load {
    uint16_t port; // on 127.0.0.1
    size_t connections;
    double seconds; // then what is under way is finished
    // Writes request `number`, head and body, into `request`, which is empty.
    void (*compose)(const void *context, uint64_t number, struct buf *request);
    const void *context;
};

struct load_result {
    uint64_t answered; // all with a 2xx, else the bench ends and shows the answer
    uint64_t bytes;    // of answers
    double seconds;
    struct latencies latencies; // not sorted; the caller's to end
};
void load_run(const struct load *load, struct load_result *result);
