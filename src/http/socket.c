// SPDX-License-Identifier: Apache-2.0
// All WebSockets on one thread: who arrives, who is woken, who has fallen silent.
//
// A socket ends in two steps. First the conversation: the close frame is out, or the client is
// gone; `closed` is called. Then the connection: our side is shut, what the client still sends is
// dropped until it closes too, or CLOSE_MS are over. Closing at once would reset the connection and
// could take the close frame with it.
#include "socket.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS_MAX = 64, CLOSE_MS = 2000, TICK_MS_MAX = 250, TICK_MS_MIN = 5 };
// A message is about one event; this bounds a broken source.
#define MESSAGE_BYTES_MAX ((size_t)128 << 20)
#define OUT_BYTES_MAX (MESSAGE_BYTES_MAX + ((size_t)1 << 20))

static void watch_for(struct http_socket *socket, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = &socket->watch};
    if (events == socket->events)
        return;
    int code = epoll_ctl(socket->loop->epoll, EPOLL_CTL_MOD, socket->fd, &event);
    assert(code == 0); // it was added, and changing costs no memory
    (void)code;
    socket->events = events;
}

static void socket_give(struct http_socket *socket)
{
    if (atomic_load(&socket->woken.posted)) {
        socket->ended = true; // socket_woken() calls us again
        return;
    }
    free(socket);
}

static void socket_end(struct http_socket *socket)
{
    struct socket_loop *loop = socket->loop;
    talk_end(socket);
    if (socket->eager) {
        struct http_socket **at = &loop->eager;
        while (*at != socket)
            at = &(*at)->next_eager;
        *at = socket->next_eager;
    }
    *socket->at = socket->next;
    if (socket->next)
        socket->next->at = socket->at;
    // The daemon may still have its own descriptor of this socket, so closing ours is not enough to
    // leave the epoll. It fails when the socket never got in.
    (void)epoll_ctl(loop->epoll, EPOLL_CTL_DEL, socket->fd, NULL);
    (void)close(socket->fd); // everything of worth was sent
    peer_free(&loop->server->peers, socket->peer);
    atomic_fetch_sub(&loop->reserved, 1);
    socket_give(socket);
}

// The conversation is over.
static void socket_linger(struct http_socket *socket)
{
    bool gone = socket->dead;
    atomic_fetch_sub(&socket->loop->open_count, 1);
    talk_end(socket);
    if (gone || shutdown(socket->fd, SHUT_WR) != 0) {
        socket_end(socket);
        return;
    }
    socket->cut_at_ns = socket->loop->now_ns + CLOSE_MS * NS_PER_MS;
    watch_for(socket, EPOLLIN);
}

// Looks at what a turn has left to do.
static void socket_settle(struct http_socket *socket)
{
    struct socket_loop *loop = socket->loop;
    if (talk_is_over(socket)) {
        socket_linger(socket);
        return;
    }
    if (socket->closing && !socket->cut_at_ns)
        socket->cut_at_ns = loop->now_ns + CLOSE_MS * NS_PER_MS;
    bool full = talk_unsent(socket) > 0;
    watch_for(socket, full ? EPOLLIN | EPOLLOUT : EPOLLIN);
    bool more = !full && !socket->closing && !socket->source_waits;
    if (more && !socket->eager) {
        socket->eager = true;
        socket->next_eager = loop->eager;
        loop->eager = socket;
    }
}

static void take_asked_close(struct http_socket *socket)
{
    char reason[CLOSE_REASON_MAX];
    lock_take(&socket->loop->lock);
    uint16_t code = socket->asked_code;
    size_t len = socket->asked_len;
    memcpy(reason, socket->asked_reason, len);
    lock_release(&socket->loop->lock);
    if (code)
        talk_close(socket, code, (str){reason, len});
}

static void socket_turn(struct http_socket *socket, bool readable)
{
    talk_turn(socket, readable);
    socket_settle(socket);
}

static void drop_bytes(struct http_socket *socket)
{
    char dropped[4096];
    ssize_t count = recv(socket->fd, dropped, sizeof dropped, 0);
    if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR))
        socket_end(socket);
}

static void socket_ready(struct watch *watch, uint32_t events)
{
    struct http_socket *socket = OWNER_OF(watch, struct http_socket, watch);
    if (!socket->talk)
        drop_bytes(socket);
    else
        socket_turn(socket, events & (EPOLLIN | EPOLLHUP | EPOLLERR));
}

// ---- Letters.

static void socket_woken(struct letter *letter)
{
    struct http_socket *socket = OWNER_OF(letter, struct http_socket, woken);
    if (socket->ended) {
        socket_give(socket);
        return;
    }
    if (!socket->talk)
        return;
    take_asked_close(socket);
    socket->source_waits = false;
    socket_turn(socket, false);
}

static void list_enter(struct http_socket *socket)
{
    struct socket_loop *loop = socket->loop;
    socket->next = loop->open;
    socket->at = &loop->open;
    if (socket->next)
        socket->next->at = &socket->next;
    loop->open = socket;
}

static void socket_arrived(struct letter *letter)
{
    struct http_socket *socket = OWNER_OF(letter, struct http_socket, arrival);
    struct socket_loop *loop = socket->loop;
    list_enter(socket);
    socket->events = EPOLLIN;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &socket->watch};
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, socket->fd, &event) != 0 || !talk_open(socket)) {
        socket->calls.closed(socket->calls.context);
        socket_end(socket);
        return;
    }
    socket->heard_ns = socket->accepted_ns = loop->now_ns;
    socket->ping_at_ns = loop->now_ns + loop->server->options.socket_ping_ms * NS_PER_MS;
    atomic_fetch_add(&loop->open_count, 1);
    atomic_fetch_add(&loop->opened_total, 1);
    if (socket->calls.opened)
        socket->calls.opened(socket->calls.context, socket);
    if (loop->stopping)
        talk_close(socket, WSLAY_CODE_GOING_AWAY, S(""));
    socket_turn(socket, true);
}

void socket_open(struct socket_loop *loop, int fd, struct peer *peer,
                 struct http_socket_calls calls, str early)
{
    struct http_socket *socket = calloc(1, sizeof *socket);
    char *copy = socket && early.len ? malloc(early.len) : NULL;
    if (!socket || (early.len && !copy)) {
        free(socket);
        (void)close(fd);
        peer_free(&loop->server->peers, peer);
        socket_unreserve(loop);
        calls.closed(calls.context);
        return;
    }
    if (copy)
        memcpy(copy, early.ptr, early.len);
    *socket = (struct http_socket){.watch.ready = socket_ready,
                                   .loop = loop,
                                   .peer = peer,
                                   .fd = fd,
                                   .calls = calls,
                                   .arrival.open = socket_arrived,
                                   .woken.open = socket_woken,
                                   .early = copy,
                                   .early_len = early.len};
    buf_init(&socket->out, OUT_BYTES_MAX);
    mailbox_post(&loop->mailbox, &socket->arrival);
}

void http_socket_wake(struct http_socket *socket)
{
    mailbox_post(&socket->loop->mailbox, &socket->woken);
}

void http_socket_close(struct http_socket *socket, uint16_t code, str reason)
{
    struct socket_loop *loop = socket->loop;
    lock_take(&loop->lock);
    if (!socket->asked_code) {
        socket->asked_code = code;
        socket->asked_len =
            (uint8_t)(reason.len < CLOSE_REASON_MAX ? reason.len : CLOSE_REASON_MAX);
        memcpy(socket->asked_reason, reason.ptr, socket->asked_len);
    }
    lock_release(&loop->lock);
    mailbox_post(&loop->mailbox, &socket->woken);
}

bool socket_reserve(struct socket_loop *loop)
{
    if (atomic_fetch_add(&loop->reserved, 1) < loop->server->options.sockets_max)
        return true;
    socket_unreserve(loop);
    return false;
}

void socket_unreserve(struct socket_loop *loop)
{
    atomic_fetch_sub(&loop->reserved, 1);
}

struct http_socket_stat http_socket_stat(const struct http_server *server)
{
    const struct socket_loop *loop = server->sockets;
    return (struct http_socket_stat){.open = atomic_load(&loop->open_count),
                                     .opened_total = atomic_load(&loop->opened_total),
                                     .messages_sent = atomic_load(&loop->messages_sent),
                                     .errors = atomic_load(&loop->errors)};
}

// ---- Time.

static uint64_t ns_since(const struct socket_loop *loop, uint64_t then)
{
    return loop->now_ns > then ? loop->now_ns - then : 0;
}

static void socket_tick(struct http_socket *socket)
{
    struct socket_loop *loop = socket->loop;
    const struct http_options *options = &loop->server->options;
    uint64_t stall_ns = options->socket_stall_ms_max * NS_PER_MS;
    uint64_t ping_ns = options->socket_ping_ms * NS_PER_MS;
    if (socket->cut_at_ns && loop->now_ns >= socket->cut_at_ns) {
        if (socket->talk)
            atomic_fetch_sub(&loop->open_count, 1);
        socket_end(socket);
        return;
    }
    if (!socket->talk || socket->closing)
        return;
    bool unsent = talk_unsent(socket) > 0;
    bool stalled = unsent && ns_since(loop, socket->accepted_ns) > stall_ns;
    bool silent = ns_since(loop, socket->heard_ns) > 2 * ping_ns;
    if (stalled || silent) {
        atomic_fetch_add(&loop->errors, 1);
        talk_close(socket, stalled ? 1013 : WSLAY_CODE_POLICY_VIOLATION,
                   stalled ? S("reads too slowly") : S("no pong"));
    } else if (loop->now_ns >= socket->ping_at_ns && !unsent) {
        socket->ping_at_ns = loop->now_ns + ping_ns;
        talk_ping(socket);
    } else {
        return;
    }
    socket_turn(socket, false);
}

static int tick_ms(const struct http_options *options)
{
    uint32_t least = options->socket_ping_ms < options->socket_stall_ms_max
                         ? options->socket_ping_ms
                         : options->socket_stall_ms_max;
    uint32_t tick = least / 4;
    return tick > TICK_MS_MAX ? TICK_MS_MAX : tick < TICK_MS_MIN ? TICK_MS_MIN : (int)tick;
}

// ---- The thread.

static void run_eager(struct socket_loop *loop)
{
    struct http_socket *eager = MOVE(loop->eager);
    while (eager) {
        struct http_socket *socket = eager;
        eager = socket->next_eager;
        socket->eager = false;
        socket_turn(socket, false); // may enter the next turn's list
    }
}

static void tick_all(struct socket_loop *loop)
{
    for (struct http_socket *at = loop->open; at;) {
        struct http_socket *next = at->next;
        socket_tick(at);
        at = next;
    }
}

static void *sockets_run(void *context)
{
    struct socket_loop *loop = context;
    (void)pthread_setname_np(pthread_self(), "sockets"); // for those who look at the process
    int tick = tick_ms(&loop->server->options);
    uint64_t ticked_ns = 0;
    while (!loop->ending || loop->open) {
        int wait = loop->eager ? 0 : loop->open ? tick : -1;
        if (!mailbox_sleep(&loop->mailbox))
            wait = 0;
        struct epoll_event events[EVENTS_MAX];
        int count = epoll_wait(loop->epoll, events, EVENTS_MAX, wait);
        mailbox_awake(&loop->mailbox);
        loop->now_ns = now_ns();
        // A socket that ends while its turn is taken ends itself only, so later events hold.
        for (int i = 0; i < count; i++) {
            struct watch *watch = events[i].data.ptr;
            watch->ready(watch, events[i].events);
        }
        mailbox_open(&loop->mailbox);
        run_eager(loop);
        if (ns_since(loop, ticked_ns) >= (uint64_t)tick * NS_PER_MS) {
            ticked_ns = loop->now_ns;
            tick_all(loop);
        }
    }
    return NULL;
}

static void letters_ready(struct watch *watch, uint32_t events)
{
    (void)watch, (void)events; // the turn opens them anyway
}

static void stop_asked(struct letter *letter)
{
    struct socket_loop *loop = OWNER_OF(letter, struct socket_loop, stop);
    loop->stopping = true;
    for (struct http_socket *at = loop->open; at;) {
        struct http_socket *next = at->next;
        if (at->talk) {
            talk_close(at, WSLAY_CODE_GOING_AWAY, S(""));
            socket_turn(at, false);
        }
        at = next;
    }
}

static void end_asked(struct letter *letter)
{
    OWNER_OF(letter, struct socket_loop, end)->ending = true;
}

err socket_loop_new(struct http_server *server, struct socket_loop **ret_loop, struct als_why *why)
{
    struct socket_loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return FAIL(why, ALS_NO_MEMORY, "no memory for the socket loop");
    *loop = (struct socket_loop){.server = server,
                                 .epoll = epoll_create1(EPOLL_CLOEXEC),
                                 .mail.ready = letters_ready,
                                 .stop.open = stop_asked,
                                 .end.open = end_asked};
    lock_init(&loop->lock, LOCK_STREAM);
    buf_init(&loop->spare, OUT_BYTES_MAX);
    buf_init(&loop->message, MESSAGE_BYTES_MAX);
    *ret_loop = loop; // the server frees it whatever comes
    return mailbox_init(&loop->mailbox, loop->epoll, &loop->mail, why);
}

err socket_loop_start(struct socket_loop *loop, struct als_why *why)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before); // as in loop_start()
    loop->started = pthread_create(&loop->thread, NULL, sockets_run, loop) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return loop->started ? ALS_OK : FAIL(why, ALS_NO_MEMORY, "no thread for the sockets");
}

void socket_loop_ask_stop(struct socket_loop *loop)
{
    if (loop && loop->started)
        mailbox_post(&loop->mailbox, &loop->stop);
}

void socket_loop_end(struct socket_loop *loop)
{
    if (!loop || !loop->started)
        return;
    mailbox_post(&loop->mailbox, &loop->end);
    (void)pthread_join(loop->thread, NULL); // it was started and is joined once
    loop->started = false;
}

void socket_loop_free(struct socket_loop *loop)
{
    if (!loop)
        return;
    buf_deinit(&loop->spare);
    buf_deinit(&loop->message);
    mailbox_deinit(&loop->mailbox);
    lock_deinit(&loop->lock);
    if (loop->epoll >= 0)
        (void)close(loop->epoll);
    free(loop);
}
