// SPDX-License-Identifier: Apache-2.0
// How connections come and go.
//
// A listening socket is in the epoll of one loop, which hands each new connection to the loop that
// has the fewest; there it stays for life. Its end is watched for in the loop's own epoll, because
// the daemon does not look at a suspended connection, and lingers when the client might otherwise
// not get to read the last answer.
#include "loop.h"
#include "request.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    ACCEPTS_PER_TURN = 64,
    LINGER_MS = 1000,
    LINGER_BYTES_MAX = 4 << 20,
    LINGERING_MAX = 256,
};

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
                              .end_ns = now_ns() + LINGER_MS * NS_PER_MS};
    loop->lingering = linger;
    loop->lingering_count++;
    (void)shutdown(kept, SHUT_WR); // a connection that is gone already needs none
}

void loop_expire_lingering(struct loop *loop, uint64_t now)
{
    for (struct leaver *at = loop->lingering; at;) {
        struct leaver *next = at->next;
        if (now >= at->end_ns)
            linger_end(at);
        at = next;
    }
}

// ---- Beginning and end of a connection.

// The client has closed its side. The daemon misses that when it is looking elsewhere (a suspended
// connection) and when the end comes together with the last bytes: it takes a short read for the
// last. So a stream without news is told, and for the others we end the reading side once more
// when all bytes have been read: that makes the daemon look again.
static void peer_hung_up(struct watch *watch, uint32_t events)
{
    (void)events;
    struct peer *peer = OWNER_OF(watch, struct peer, hangup);
    peer->half_closed = true;
    struct http_request *heeded = MOVE(peer->heeded);
    if (heeded)
        heeded->hung(peer->loop->server->options.context, heeded);
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

void loop_end_reading(struct loop *loop)
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

static void peer_begin(struct loop *loop, struct peer *peer)
{
    peer->next = loop->peers;
    peer->at = &loop->peers;
    if (peer->next)
        peer->next->at = &peer->next;
    loop->peers = peer;
    peer->due_ns = now_ns() + loop->server->options.idle_s_max * NS_PER_S;
    watch_hangup(loop, peer);
}

static void peer_leave(struct peer *peer)
{
    *peer->at = peer->next;
    if (peer->next)
        peer->next->at = peer->at;
    if (peer->hung)
        hung_leave(peer);
}

// The daemon's time-out is for silence; this is for those who send a byte now and then for ever.
void loop_end_late(struct loop *loop, uint64_t now)
{
    if (now - loop->looked_ns < LATE_TICK_MS * NS_PER_MS)
        return;
    loop->looked_ns = now;
    for (struct peer *peer = loop->peers; peer; peer = peer->next)
        if (peer->due_ns && now > peer->due_ns) {
            peer->due_ns = 0;
            (void)shutdown(peer->fd, SHUT_RDWR); // the daemon sees it, and we see it from there
        }
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

void loop_connection_changed(void *context, struct MHD_Connection *connection,
                             void **socket_context, enum MHD_ConnectionNotificationCode change)
{
    struct loop *loop = context;
    (void)connection;
    if (change == MHD_CONNECTION_NOTIFY_STARTED) {
        peer_begin(loop, loop->arriving);
        *socket_context = MOVE(loop->arriving);
        return;
    }
    struct peer *peer = *socket_context;
    *socket_context = NULL;
    if (peer)
        peer_leave(peer);
    atomic_fetch_sub(&loop->connections, 1);
    if (peer && peer->unread) {
        loop_unwatch(loop, peer->fd);
        loop_linger(loop, peer->fd);
    }
    peer_free(&loop->server->peers, peer);
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
