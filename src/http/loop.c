// SPDX-License-Identifier: Apache-2.0
// A turn of a loop: open the letters, let the daemon do what sockets allow, sleep.
//
// Why our own thread around libmicrohttpd and not its internal ones: there, each resumed connection
// costs a write to an event descriptor by the answering thread, one by one. Here a thread that
// answers posts letters (no call while the loop is awake), and the loop resumes a hundred
// connections in one turn without any call at all. It also lets all addresses share the loops.
#include "loop.h"

#include "request.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum {
    EVENTS_MAX = 64,
    LINGER_TICK_MS = 100,
    CONNECTION_MEMORY_BYTES_MIN = 32 << 10,
};

uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); // cannot fail with this clock
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
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
    if (loop->peers && (wait < 0 || wait > LATE_TICK_MS))
        wait = LATE_TICK_MS;
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
        loop_end_reading(loop);
        uint64_t now = now_ns();
        loop_end_late(loop, now);
        if (loop->lingering)
            loop_expire_lingering(loop, now);
        if (loop->stopping && stop_turn(loop, now))
            break;
        sleep_and_listen(loop, sleep_ms(loop, now));
    }
    MHD_stop_daemon(loop->daemon);
    loop->daemon = NULL;
    loop_expire_lingering(loop, UINT64_MAX);
    return NULL;
}

bool http_alone(const struct http_request *request)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(request->loop->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    return info && info->num_connections <= 1;
}

static void letters_ready(struct watch *watch, uint32_t events)
{
    (void)watch, (void)events; // the turn opens them anyway
}

static struct MHD_Daemon *daemon_new(struct loop *loop)
{
    const struct http_options *options = &loop->server->options;
    size_t memory = CONNECTION_MEMORY_BYTES_MIN; // an idle connection keeps all of it
    if (memory < 2 * options->header_bytes_max)  // so that refusing a header is up to us
        memory = 2 * options->header_bytes_max;
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE, 0,
        NULL, NULL, request_handle, loop, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)options->connections_max,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)options->idle_s_max,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, memory, MHD_OPTION_URI_LOG_CALLBACK, request_line, loop,
        MHD_OPTION_UNESCAPE_CALLBACK, request_unescape, NULL, MHD_OPTION_NOTIFY_COMPLETED,
        request_completed, loop, MHD_OPTION_NOTIFY_CONNECTION, loop_connection_changed, loop,
        MHD_OPTION_END);
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
    mailbox_open(&loop->mailbox); // connections that another loop has accepted meanwhile
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
