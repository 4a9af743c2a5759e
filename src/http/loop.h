// SPDX-License-Identifier: Apache-2.0
// One request loop: a thread with an epoll, a mailbox and a libmicrohttpd daemon that it turns.
//
// The daemon runs in its "external" mode and does nothing unless we call it. Everything below is
// touched by the loop's own thread alone, except the mailbox, `connections` and what is constant.
#pragma once

#include "http.h"
#include "mailbox.h"
#include "peer.h"

#include <microhttpd.h>
#include <stdatomic.h>

enum { LATE_TICK_MS = 500 }; // how often is looked for clients that are late
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)

struct loop {
    struct http_server *server;
    struct MHD_Daemon *daemon;
    int epoll;
    int spare_fd; // given up for a moment when descriptors run out, to turn a client away
    pthread_t thread;
    struct watch mail;
    struct mailbox mailbox;
    struct letter stop;
    struct peer *peers;    // all of its connections
    uint64_t looked_ns;    // when they were last looked at for being late
    struct peer *hung;     // whose clients have closed their side, with bytes unread
    struct peer *arriving; // between MHD_add_connection() and its callback
    _Atomic uint32_t connections;

    struct http_request *open; // begun and not completed
    size_t open_count;
    struct http_request *pool; // free ones
    size_t pool_bytes;

    struct leaver *lingering;
    size_t lingering_count;

    bool again; // the daemon has something to do that its time-out does not tell
    bool stopping;
    bool cutting; // the grace is over
    uint64_t cut_at_ns;
};

struct listener {
    struct watch watch;
    struct loop *loop; // whose epoll it is in
    int fd;
    char name_space[64];
    str name;
};

struct http_server {
    struct http_options options;
    struct http_header *headers; // options.headers, copied with NULs behind name and value
    struct arena kept;           // what the options point to
    struct peers peers;
    struct listener *listeners;
    size_t listener_count;
    struct loop *loops;
    unsigned loop_count;
    unsigned loops_running;
    struct socket_loop *sockets;
    uint64_t grace_ns;
};

err loop_init(struct loop *loop, struct http_server *server, struct als_why *why);
void loop_deinit(struct loop *loop);
err loop_start(struct loop *loop, struct als_why *why);

// ---- door.c

// The listener's clients are accepted by this loop and served by the least busy one.
err loop_listen(struct loop *loop, struct listener *listener, struct als_why *why);

// The daemon's word that a connection has begun or ended; the context is the loop.
void loop_connection_changed(void *context, struct MHD_Connection *connection,
                             void **socket_context, enum MHD_ConnectionNotificationCode change);
// After each turn of the daemon.
void loop_end_reading(struct loop *loop);
// Ends connections whose clients are late, about once a second.
void loop_end_late(struct loop *loop, uint64_t now);
void loop_expire_lingering(struct loop *loop, uint64_t now);
// Forgets the connection's end. Needed where the socket outlives the daemon's descriptor of it.
void loop_unwatch(struct loop *loop, int fd);

// Keeps a second descriptor of the connection for a moment and reads what still comes, so that the
// answer just sent is not lost: closing with unread bytes makes the kernel reset the connection.
void loop_linger(struct loop *loop, int fd);

void server_complain(struct http_server *server, const char *text);
uint64_t now_ns(void); // monotonic
