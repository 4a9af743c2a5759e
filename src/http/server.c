// SPDX-License-Identifier: Apache-2.0
// Starting and stopping: listeners, loops, and the loop of the WebSockets.
#include "loop.h"
#include "socket.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    THREADS_MAX = 256,
    KEPT_BYTES_MAX = 1 << 20,
    HEAD_MS_DEFAULT = 10000,
    BODY_BYTES_PER_S_DEFAULT = 1024
};

static void server_free(struct http_server *server)
{
    if (!server)
        return;
    for (unsigned i = 0; i < server->loop_count; i++)
        loop_deinit(&server->loops[i]);
    for (size_t i = 0; i < server->listener_count; i++)
        if (server->listeners[i].fd >= 0)
            (void)close(server->listeners[i].fd);
    socket_loop_free(server->sockets);
    peers_deinit(&server->peers);
    arena_deinit(&server->kept);
    free(server->listeners);
    free(server->loops);
    free(server);
}

void server_complain(struct http_server *server, const char *text)
{
    if (server->options.complain)
        server->options.complain(server->options.context, text);
}

// The daemon wants NUL-terminated headers, and says no to impossible ones: better now than later.
static err keep_headers(struct http_server *server, struct als_why *why)
{
    size_t count = server->options.header_count;
    server->headers = ARENA_ARRAY(&server->kept, struct http_header, count + 1);
    if (!server->headers)
        return FAIL(why, ALS_NO_MEMORY, "no memory for the fixed headers");
    for (size_t i = 0; i < count; i++) {
        const struct http_header *given = &server->options.headers[i];
        server->headers[i] = (struct http_header){arena_copy(&server->kept, given->name),
                                                  arena_copy(&server->kept, given->value)};
        if (!server->headers[i].name.ptr || !server->headers[i].value.ptr)
            return FAIL(why, ALS_NO_MEMORY, "no memory for the fixed headers");
    }
    server->options.headers = server->headers;
    return ALS_OK;
}

static err open_listeners(struct http_server *server, struct als_why *why)
{
    size_t count = server->options.address_count;
    server->listeners = calloc(count + 1, sizeof *server->listeners);
    if (!server->listeners)
        return FAIL(why, ALS_NO_MEMORY, "no memory for the listeners");
    for (size_t i = 0; i < count; i++) {
        struct listener *listener = &server->listeners[i];
        TRY(listen_open(server->options.addresses[i], &listener->fd, why));
        server->listener_count = i + 1;
        listener->name = listen_name(listener->fd, listener->name_space);
    }
    return ALS_OK;
}

static err make_loops(struct http_server *server, struct als_why *why)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned count = server->options.threads;
    if (count == 0)
        count = processors < 1 ? 1 : (unsigned)processors;
    if (count > THREADS_MAX)
        count = THREADS_MAX;
    server->loops = calloc(count, sizeof *server->loops);
    if (!server->loops)
        return FAIL(why, ALS_NO_MEMORY, "no memory for the HTTP loops");
    for (unsigned i = 0; i < count; i++) {
        server->loop_count = i + 1;
        TRY(loop_init(&server->loops[i], server, why));
    }
    for (size_t i = 0; i < server->listener_count; i++)
        TRY(loop_listen(&server->loops[i % count], &server->listeners[i], why));
    return ALS_OK;
}

static err make_server(struct http_server *server, struct als_why *why)
{
    TRY(keep_headers(server, why));
    TRY(open_listeners(server, why));
    TRY(make_loops(server, why));
    return socket_loop_new(server, &server->sockets, why);
}

err http_server_start(struct http_options options, struct http_server **ret_server,
                      struct als_why *why)
{
    assert(options.whole && options.body_bytes_max > 0 && options.header_bytes_max > 0);

    struct http_server *server = calloc(1, sizeof *server);
    if (!server)
        return FAIL(why, ALS_NO_MEMORY, "no memory for the HTTP server");
    server->options = options;
    if (server->options.head_ms_max == 0)
        server->options.head_ms_max = HEAD_MS_DEFAULT;
    if (server->options.body_bytes_per_s_min == 0)
        server->options.body_bytes_per_s_min = BODY_BYTES_PER_S_DEFAULT;
    arena_init(&server->kept, 4096, KEPT_BYTES_MAX);
    peers_init(&server->peers, options.connections_max, options.connections_address_max);
    err code = make_server(server, why);
    if (code == ALS_OK)
        code = socket_loop_start(server->sockets, why);
    while (code == ALS_OK && server->loops_running < server->loop_count) {
        code = loop_start(&server->loops[server->loops_running], why);
        server->loops_running += code == ALS_OK;
    }
    if (code != ALS_OK) {
        http_server_stop(server, 0);
        return code;
    }
    *ret_server = server;
    return ALS_OK;
}

str http_server_address(const struct http_server *server, size_t index, char space[static 64])
{
    assert(index < server->listener_count);
    const struct listener *listener = &server->listeners[index];
    memcpy(space, listener->name.ptr, listener->name.len);
    return (str){space, listener->name.len};
}

void http_server_stop(struct http_server *server, uint32_t grace_ms)
{
    if (!server)
        return;
    server->grace_ns = grace_ms * UINT64_C(1000000);
    socket_loop_ask_stop(server->sockets);
    for (unsigned i = 0; i < server->loops_running; i++)
        mailbox_post(&server->loops[i].mailbox, &server->loops[i].stop);
    for (unsigned i = 0; i < server->loops_running; i++)
        (void)pthread_join(server->loops[i].thread, NULL); // it was started and is joined once
    socket_loop_end(server->sockets); // last: a loop may hand over a socket until now
    server_free(server);
}
