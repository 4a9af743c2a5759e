// SPDX-License-Identifier: Apache-2.0
// Connected clients, counted in all and by address, and the sockets we listen on.
#pragma once

#include "base/lock.h"
#include "mailbox.h"

#include <allsource/types.h>
#include <sys/socket.h>

struct loop;
struct http_request;

// What epoll hands back.
struct watch {
    void (*ready)(struct watch *watch, uint32_t events);
};

struct peer { // one connection, or the WebSocket that it became
    struct letter arrival;
    struct watch hangup;
    struct peer *next, **at;      // in the loop's list
    uint64_t due_ns;              // the client has to get on until then; 0: it waits for us
    struct peer *next_hung;       // in the loop's list
    bool hung;                    // it is there
    bool half_closed;             // by the client
    struct http_request *heeded;  // wants to know when the client has closed its side
    struct http_request *waiting; // its stream has no news, so nobody looks at the socket
    struct loop *loop;            // where it is to be served
    int fd;
    socklen_t address_len;
    struct sockaddr_storage address;
    bool counted; // in the table of addresses
    bool moved;   // an empty shell: a WebSocket has the content
    bool unread;  // an answer went out before the request was read: close with care
};

enum { PEER_BUCKETS = 1024 };

struct peers {
    struct lock lock; // LOCK_HTTP; guards the buckets
    struct peer_address *buckets[PEER_BUCKETS];
    uint32_t address_max; // 0: no limit, and the table stays empty
    uint32_t count_max;
    _Atomic uint32_t count;
};

void peers_init(struct peers *peers, uint32_t count_max, uint32_t address_max);
void peers_deinit(struct peers *peers);

// NULL when there are too many (*ret_reason says of what) or memory is out. Any thread.
struct peer *peer_new(struct peers *peers, int fd, const struct sockaddr_storage *address,
                      socklen_t address_len, const char **ret_reason);
void peer_free(struct peers *peers, struct peer *peer);
// The content with the new descriptor; what is left behind counts for nothing. NULL: no memory.
struct peer *peer_move(struct peer *peer, int fd);

// Listens on "HOST:PORT"; the socket does not block.
err listen_open(als_str address, int *ret_fd, struct als_why *why);
// The address as bound.
als_str listen_name(int fd, char space[static 64]);
