// SPDX-License-Identifier: Apache-2.0
// A turn of a loop: open the letters, let the daemon do what sockets allow, sleep.
//
// Why our own thread around libmicrohttpd and not its internal ones: there, each resumed connection
// costs a write to an event descriptor by the answering thread, one by one. Here a thread that
// answers posts letters (no call while the loop is awake), and the loop resumes a hundred
// connections in one turn without any call at all. It also lets all addresses share the loops.
//
// Accepting: a listening socket is in the epoll of one loop, which hands each new connection to the
// loop that has the fewest. Connections stay where they are for life.
#include "loop.h"

#include "request.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum {
    EVENTS_MAX = 64,
    ACCEPTS_PER_TURN = 64,
    LINGER_MS = 1000,
    LINGER_BYTES_MAX = 4 << 20,
    LINGERING_MAX = 256,
    LINGER_TICK_MS = 100,
    CONNECTION_MEMORY_BYTES = 64 << 10,
};

uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); // cannot fail with this clock
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

// ---- Lingering.

struct leaver {
    struct watch watch;
    struct loop *loop;
    struct leaver *next;
    int fd;
    size_t bytes;
    uint64_t end_ns;
};

static void linger_end(struct leaver *linger)
{
    struct leaver **at = &linger->loop->lingering;
    while (*at != linger)
        at = &(*at)->next;
    *at = linger->next;
    linger->loop->lingering_count--;
    // The daemon may not have closed its own descriptor yet, so ours must leave the epoll itself.
    (void)epoll_ctl(linger->loop->epoll, EPOLL_CTL_DEL, linger->fd, NULL);
    (void)close(linger->fd); // the answer went out long ago
    free(linger);
}

static void linger_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    struct leaver *linger = OWNER_OF(watch, struct leaver, watch);
    char dropped[16384];
    ssize_t count = recv(linger->fd, dropped, sizeof dropped, 0);
    if (count > 0)
        linger->bytes += (size_t)count;
    bool again = count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
    if (!again || linger->bytes > LINGER_BYTES_MAX)
        linger_end(linger);
}

void loop_linger(struct loop *loop, int fd)
{
    struct leaver *linger =
        loop->lingering_count < LINGERING_MAX ? calloc(1, sizeof *linger) : NULL;
    int kept = linger ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = linger};
    if (kept < 0 || epoll_ctl(loop->epoll, EPOLL_CTL_ADD, kept, &event) != 0) {
        if (kept >= 0)
            (void)close(kept);
        free(linger);
        return; // the answer is then delivered only if the client was quick: nothing worse
    }
    *linger = (struct leaver){.watch.ready = linger_ready,
                              .loop = loop,
                              .next = loop->lingering,
                              .fd = kept,
                              .end_ns = now_ns() + LINGER_MS * UINT64_C(1000000)};
    loop->lingering = linger;
    loop->lingering_count++;
    (void)shutdown(kept, SHUT_WR); // a connection that is gone already needs none
}

static void linger_expire(struct loop *loop, uint64_t now)
{
    for (struct leaver *at = loop->lingering; at;) {
        struct leaver *next = at->next;
        if (now >= at->end_ns)
            linger_end(at);
        at = next;
    }
}

// ---- Accepting.

static struct loop *least_busy(struct http_server *server)
{
    struct loop *best = &server->loops[0];
    for (unsigned i = 1; i < server->loop_count; i++)
        if (atomic_load(&server->loops[i].connections) < atomic_load(&best->connections))
            best = &server->loops[i];
    return best;
}

// The client has closed its side. The daemon misses that when it is looking elsewhere (a suspended
// connection) and when the end comes together with the last bytes: it takes a short read for the
// last. So a stream without news is told, and for the others we end the reading side once more
// when all bytes have been read: that makes the daemon look again.
static void peer_hung_up(struct watch *watch, uint32_t events)
{
    (void)events;
    struct peer *peer = OWNER_OF(watch, struct peer, hangup);
    if (peer->waiting)
        stream_cut(peer->waiting);
    peer->hung = true;
    peer->next_hung = peer->loop->hung;
    peer->loop->hung = peer;
}

static void hung_leave(struct peer *peer)
{
    struct peer **at = &peer->loop->hung;
    while (*at != peer)
        at = &(*at)->next_hung;
    *at = peer->next_hung;
    peer->hung = false;
}

static void end_reading(struct loop *loop)
{
    for (struct peer *peer = loop->hung; peer;) {
        struct peer *next = peer->next_hung;
        int unread = 0;
        if (ioctl(peer->fd, FIONREAD, &unread) != 0 || unread == 0) {
            hung_leave(peer);
            (void)shutdown(peer->fd, SHUT_RD); // when both sides are closed the daemon knows
            loop->again = true;
        }
        peer = next;
    }
}

static void watch_hangup(struct loop *loop, struct peer *peer)
{
    peer->hangup.ready = peer_hung_up;
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLONESHOT, .data.ptr = &peer->hangup};
    (void)epoll_ctl(loop->epoll, EPOLL_CTL_ADD, peer->fd,
                    &event); // without it the time-out sees it
}

void loop_unwatch(struct loop *loop, int fd)
{
    (void)epoll_ctl(loop->epoll, EPOLL_CTL_DEL, fd, NULL); // fails when it was not watched
}

static void peer_arrived(struct letter *letter)
{
    struct peer *peer = OWNER_OF(letter, struct peer, arrival);
    struct loop *loop = peer->loop;
    int one = 1;
    (void)setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); // slower without
    loop->arriving = peer;
    enum MHD_Result added =
        loop->stopping
            ? MHD_NO
            : MHD_add_connection(loop->daemon, peer->fd, (const struct sockaddr *)&peer->address,
                                 peer->address_len);
    if (loop->stopping)
        (void)close(peer->fd);
    if (added != MHD_YES && loop->arriving) { // the daemon has closed the socket
        atomic_fetch_sub(&loop->connections, 1);
        peer_free(&loop->server->peers, peer);
    }
    loop->arriving = NULL;
}

// The daemon's word that a connection has begun or ended.
static void connection_changed(void *context, struct MHD_Connection *connection,
                               void **socket_context, enum MHD_ConnectionNotificationCode change)
{
    struct loop *loop = context;
    (void)connection;
    if (change == MHD_CONNECTION_NOTIFY_STARTED) {
        watch_hangup(loop, loop->arriving);
        *socket_context = MOVE(loop->arriving);
        return;
    }
    struct peer *peer = *socket_context;
    *socket_context = NULL;
    if (peer && peer->hung)
        hung_leave(peer);
    atomic_fetch_sub(&loop->connections, 1);
    if (peer && peer->unread) {
        loop_unwatch(loop, peer->fd);
        loop_linger(loop, peer->fd);
    }
    peer_free(&loop->server->peers, peer);
}

static void accept_one(struct listener *listener, int fd, const struct sockaddr_storage *address,
                       socklen_t address_len)
{
    struct http_server *server = listener->loop->server;
    const char *reason = "";
    struct peer *peer = peer_new(&server->peers, fd, address, address_len, &reason);
    if (!peer) {
        (void)close(fd); // the client sees it at once
        server_complain(server, reason);
        return;
    }
    peer->loop = least_busy(server);
    peer->arrival.open = peer_arrived;
    atomic_fetch_add(&peer->loop->connections, 1);
    mailbox_post(&peer->loop->mailbox, &peer->arrival);
}

// Without a free descriptor the client would wait in the queue and wake us for ever.
static void turn_away(struct listener *listener)
{
    struct loop *loop = listener->loop;
    server_complain(loop->server, "no descriptor left for a connection");
    if (loop->spare_fd < 0)
        return;
    (void)close(loop->spare_fd);
    int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        (void)close(fd);
    loop->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void listener_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    struct listener *listener = OWNER_OF(watch, struct listener, watch);
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage address = {0};
        socklen_t len = sizeof address;
        int fd =
            accept4(listener->fd, (struct sockaddr *)&address, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0)
            accept_one(listener, fd, &address, len);
        else if (errno == EMFILE || errno == ENFILE)
            turn_away(listener);
        else if (errno != EINTR && errno != ECONNABORTED)
            return;
    }
}

err loop_listen(struct loop *loop, struct listener *listener, struct als_why *why)
{
    listener->loop = loop;
    listener->watch.ready = listener_ready;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &listener->watch};
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, listener->fd, &event) != 0)
        return FAIL(why, ALS_NO_MEMORY, "cannot watch %.*s", STR(listener->name));
    return ALS_OK;
}

// ---- Stopping.

static void stop_asked(struct letter *letter)
{
    struct loop *loop = OWNER_OF(letter, struct loop, stop);
    struct http_server *server = loop->server;
    loop->stopping = true;
    loop->cut_at_ns = now_ns() + server->grace_ns;
    for (size_t i = 0; i < server->listener_count; i++) {
        struct listener *listener = &server->listeners[i];
        if (listener->loop != loop || listener->fd < 0)
            continue;
        (void)close(listener->fd); // leaves the epoll by it
        listener->fd = -1;
    }
    requests_stop_waiting(loop);
}

// True when the loop may end.
static bool stop_turn(struct loop *loop, uint64_t now)
{
    if (!loop->cutting && now >= loop->cut_at_ns) {
        loop->cutting = true;
        requests_cut(loop);
    }
    return loop->open_count == 0;
}

// ---- The turn.

static int sleep_ms(struct loop *loop, uint64_t now)
{
    MHD_UNSIGNED_LONG_LONG daemon_ms;
    int wait = -1;
    if (loop->again)
        wait = 0;
    else if (MHD_get_timeout(loop->daemon, &daemon_ms) == MHD_YES)
        wait = daemon_ms > 60000 ? 60000 : (int)daemon_ms;
    if (loop->lingering && (wait < 0 || wait > LINGER_TICK_MS))
        wait = LINGER_TICK_MS;
    if (loop->stopping && !loop->cutting) {
        uint64_t left = loop->cut_at_ns > now ? (loop->cut_at_ns - now) / 1000000 + 1 : 0;
        if (wait < 0 || (uint64_t)wait > left)
            wait = (int)left;
    }
    return wait;
}

static void sleep_and_listen(struct loop *loop, int wait_ms)
{
    if (!mailbox_sleep(&loop->mailbox))
        wait_ms = 0;
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(loop->epoll, events, EVENTS_MAX, wait_ms);
    mailbox_awake(&loop->mailbox);
    for (int i = 0; i < count; i++) {
        struct watch *watch = events[i].data.ptr; // NULL: the daemon's
        if (watch)
            watch->ready(watch, events[i].events);
    }
}

static void *loop_run(void *context)
{
    struct loop *loop = context;
    (void)pthread_setname_np(pthread_self(), "http"); // for those who look at the process
    for (;;) {
        loop->again = false;
        mailbox_open(&loop->mailbox);
        (void)MHD_run(loop->daemon); // fails only for daemons with threads of their own
        end_reading(loop);
        uint64_t now = loop->lingering || loop->stopping ? now_ns() : 0;
        if (loop->lingering)
            linger_expire(loop, now);
        if (loop->stopping && stop_turn(loop, now))
            break;
        sleep_and_listen(loop, sleep_ms(loop, now));
    }
    MHD_stop_daemon(loop->daemon);
    loop->daemon = NULL;
    mailbox_open(&loop->mailbox); // connections handed over in the meantime
    while (loop->lingering)
        linger_end(loop->lingering);
    return NULL;
}

static void letters_ready(struct watch *watch, uint32_t events)
{
    (void)watch, (void)events; // the turn opens them anyway
}

static struct MHD_Daemon *daemon_new(struct loop *loop)
{
    const struct http_options *options = &loop->server->options;
    size_t memory = CONNECTION_MEMORY_BYTES;
    if (memory < 4 * options->header_bytes_max) // so that refusing a header is up to us
        memory = 4 * options->header_bytes_max;
    return MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME |
                                MHD_ALLOW_UPGRADE,
                            0, NULL, NULL, request_handle, loop, MHD_OPTION_STRICT_FOR_CLIENT, 1,
                            MHD_OPTION_CONNECTION_LIMIT, (unsigned)options->connections_max,
                            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)options->idle_s_max,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, memory, MHD_OPTION_URI_LOG_CALLBACK,
                            request_line, loop, MHD_OPTION_UNESCAPE_CALLBACK, request_unescape,
                            NULL, MHD_OPTION_NOTIFY_COMPLETED, request_completed, loop,
                            MHD_OPTION_NOTIFY_CONNECTION, connection_changed, loop, MHD_OPTION_END);
}

err loop_init(struct loop *loop, struct http_server *server, struct als_why *why)
{
    *loop = (struct loop){.server = server,
                          .epoll = epoll_create1(EPOLL_CLOEXEC),
                          .spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC),
                          .mail.ready = letters_ready,
                          .stop.open = stop_asked};
    TRY(mailbox_init(&loop->mailbox, loop->epoll, &loop->mail, why));
    loop->daemon = daemon_new(loop);
    const union MHD_DaemonInfo *info =
        loop->daemon ? MHD_get_daemon_info(loop->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
    struct epoll_event event = {.events = EPOLLIN};
    if (!info || epoll_ctl(loop->epoll, EPOLL_CTL_ADD, info->epoll_fd, &event) != 0)
        return FAIL(why, ALS_NO_MEMORY, "an HTTP loop cannot be made");
    return ALS_OK;
}

void loop_deinit(struct loop *loop)
{
    if (loop->daemon)
        MHD_stop_daemon(loop->daemon);
    requests_free(loop);
    mailbox_deinit(&loop->mailbox);
    if (loop->spare_fd >= 0)
        (void)close(loop->spare_fd);
    if (loop->epoll >= 0)
        (void)close(loop->epoll);
}

err loop_start(struct loop *loop, struct als_why *why)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    // Signals are for the thread that started us.
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&loop->thread, NULL, loop_run, loop);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code == 0 ? ALS_OK : FAIL(why, ALS_NO_MEMORY, "no thread for an HTTP loop");
}
