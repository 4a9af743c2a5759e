// SPDX-License-Identifier: Apache-2.0
// For the tests: a small server with a thread that answers later, and a client that speaks bytes.
#pragma once

#include "http.h"
#include "test.h"

#include <pthread.h>
#include <stdatomic.h>

struct rig {
    struct http_server *server;
    uint16_t port;
    _Atomic int done_count, last_status, closed_count, complaint_count, source_count;
    struct rig_worker *worker;
    pthread_mutex_t mutex;        // guards `waiting`
    struct http_request *waiting; // the stream of /wait
    _Atomic bool feed;            // whether it has something to send
    _Atomic int socket_closed_count;
    _Atomic int held_count; // requests to /held, which are answered when `released`
    _Atomic bool released;
    _Atomic int hung_count; // of those whose clients went away meanwhile
};

// `change` may alter the options; NULL leaves them.
struct rig *rig_start(void (*change)(struct http_options *options));
void rig_stop(struct rig *rig); // NULL is accepted
AUTO_WITH(rig, rig_stop)

void rig_wake(struct rig *rig); // the stream of /wait, if there is one

// A connection to the server; the test ends it by close().
int rig_connect(const struct rig *rig);
int rig_connect_if(const struct rig *rig); // -1 when nobody listens
void rig_send(int fd, str bytes);
// True when the peer closes within a few seconds; what comes before is dropped.
bool rig_sees_end(int fd);
// Reads `count` bytes; false when the connection ends or nothing comes for a few seconds.
bool rig_read(int fd, char *space, size_t count);

struct rig_answer {
    int status; // 0: no whole answer came
    bool cut;   // the body ended before it was complete
    char head[4096];
    char body[1 << 16];
    size_t body_len;
};
// Reads one answer and nothing behind it. `no_body`: it is to a HEAD.
void rig_read_answer(int fd, bool no_body, struct rig_answer *answer);
// Sends and reads on a connection of its own.
void rig_ask(const struct rig *rig, str bytes, struct rig_answer *answer);
// Waits until the count is reached.
bool rig_reaches(const _Atomic int *count, int wanted);

// The WebSocket at /socket, see socket_test.c.
void rig_upgrade(struct rig *rig, struct http_request *request);
