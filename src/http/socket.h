// SPDX-License-Identifier: Apache-2.0
// The WebSockets of a server: one thread, one epoll, one mailbox.
//
// socket.c keeps the sockets and the time, talk.c is the conversation on one of them.
#pragma once

#include "loop.h"

#include <wslay/wslay.h>

enum { CLOSE_REASON_MAX = 123 }; // what fits into a close frame beside its code

struct http_socket {
    struct watch watch;
    struct socket_loop *loop;
    struct http_socket *next, **at; // in the loop's list
    struct http_socket *next_eager; // in the list of those that have more to do at once
    bool eager;
    struct peer *peer;
    int fd;
    uint32_t events; // what epoll watches for
    struct http_socket_calls calls;
    wslay_event_context_ptr talk; // NULL: not open yet, or through and lingering
    struct letter arrival, woken;
    bool ended; // only a letter is still under way

    char *early; // what the client sent behind its handshake
    size_t early_len, early_at;
    size_t read_left; // of this turn
    bool dead;        // the client is gone, or the conversation cannot go on
    struct buf out;   // frames, of which `sent` bytes the kernel has; its memory is the loop's
    size_t sent;
    bool source_waits;
    bool closing;         // a close frame is queued, nothing is pulled any more
    uint16_t offence;     // a close code that wslay would not have sent
    bool blunt;           // and it is in `out`: wslay has nothing more to say
    uint64_t heard_ns;    // when the client last sent something
    uint64_t accepted_ns; // when it last took something, or there began to be something
    uint64_t ping_at_ns;
    uint64_t cut_at_ns; // 0: not closing

    uint16_t asked_code; // these three are guarded by the loop's lock; code 0: nothing asked
    uint8_t asked_len;
    char asked_reason[CLOSE_REASON_MAX];
};

struct socket_loop {
    struct http_server *server;
    int epoll;
    pthread_t thread;
    bool started;
    struct watch mail;
    struct mailbox mailbox;
    struct letter stop, end;
    struct lock lock; // LOCK_STREAM
    struct http_socket *open;
    struct http_socket *eager;
    bool stopping, ending;
    uint64_t now_ns;    // of this turn
    struct buf spare;   // an output buffer for whoever needs one
    struct buf message; // what sources write into
    _Atomic uint32_t reserved;
    _Atomic uint64_t open_count, opened_total, messages_sent, errors;
};

err socket_loop_new(KEEPS struct http_server *server, struct socket_loop **ret_loop,
                    struct als_why *why);
err socket_loop_start(struct socket_loop *loop, struct als_why *why);
void socket_loop_ask_stop(struct socket_loop *loop); // closes all sockets with 1001
void socket_loop_end(struct socket_loop *loop);      // waits for them a moment, ends the thread
void socket_loop_free(struct socket_loop *loop);

// Reserves a place; false when there are too many sockets. Any thread.
bool socket_reserve(struct socket_loop *loop);
void socket_unreserve(struct socket_loop *loop);

// Hands the connection over, with what was read behind the handshake. Its place was reserved;
// `calls` will be closed in any case. Any thread.
void socket_open(struct socket_loop *loop, TAKES int fd, TAKES struct peer *peer,
                 struct http_socket_calls calls, str early);

// ---- talk.c; on the loop's thread.

bool talk_open(struct http_socket *socket); // false: no memory
// Reads if `readable`, pulls, writes; does as much as one turn may.
void talk_turn(struct http_socket *socket, bool readable);
void talk_close(struct http_socket *socket, uint16_t code, str reason);
void talk_ping(struct http_socket *socket);
size_t talk_unsent(const struct http_socket *socket);
// Through with it: what is left is to see the client close.
bool talk_is_over(const struct http_socket *socket);
void talk_end(struct http_socket *socket);
