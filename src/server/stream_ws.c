// SPDX-License-Identifier: Apache-2.0
// GET /api/v1/events/stream: a WebSocket on which every event that passes is one text message.
//
// The follower is opened before the handshake is answered, so who is connected misses nothing. A
// slow client is a follower that is asked more rarely: it reads from the log what it has not taken.
#include "http/http.h"
#include "server/reply.h"
#include "server/shape.h"
#include "server/stream.h"
#include "json/json.h"

#include <stdlib.h>

// A filter message is small; its arena holds the tape of any message of SOCKET_MESSAGE_BYTES_MAX.
enum { FILTER_ARENA_BLOCK = 4 << 10, FILTER_ARENA_MAX = 1 << 20 };

struct socket {
    struct als_follower *follower;
    struct als_upcaster *upcaster; // NULL: events as they were stored
    struct arena arena;            // of one client message
    // Set by the socket loop when the handshake is done; the engine's threads read it to wake.
    _Atomic(struct http_socket *) open;
};

static void wake(void *context)
{
    struct socket *socket = context;
    struct http_socket *open = atomic_load(&socket->open);
    if (open)
        http_socket_wake(open);
}

static void opened(void *context, struct http_socket *open)
{
    struct socket *socket = context;
    atomic_store(&socket->open, open);
}

static enum http_pull next(void *context, struct buf *message)
{
    struct socket *socket = context;
    struct als_event event;
    if (als_follower_next(socket->follower, &event, NULL))
        return HTTP_ABORT;
    if (event.position == 0)
        return HTTP_WAIT;
    if (shape_put(socket->upcaster, &event, message, NULL))
        return HTTP_ABORT;
    return buf_failed(message) ? HTTP_ABORT : HTTP_MORE;
}

// A JSON object replaces the filter, {} lets everything through. Whatever else a client sends is
// ignored without an answer, as it always was.
static void message(void *context, bool text, str data)
{
    struct socket *socket = context;
    struct json_options options = {.span_depth = 2};
    struct json_doc doc;
    struct params params = {};
    struct filter filter;
    struct flaw flaw;
    arena_reset(&socket->arena);
    if (!text || json_parse(data, options, &socket->arena, &doc, NULL, NULL) ||
        params_from_json(&doc, &socket->arena, &params, &flaw) ||
        filter_read_names(&params, &filter, &flaw))
        return;
    if (als_follower_filter(socket->follower, filter.query.entity, filter.types,
                            filter.query.type_count, NULL))
        return; // the old filter stays
    wake(socket);
}

static void closed(void *context)
{
    struct socket *socket = context;
    als_follower_close(socket->follower);
    als_upcaster_close(socket->upcaster);
    arena_deinit(&socket->arena);
    free(socket);
}

static struct socket *socket_new(void)
{
    struct socket *socket = calloc(1, sizeof *socket);
    if (socket)
        arena_init(&socket->arena, FILTER_ARENA_BLOCK, FILTER_ARENA_MAX);
    return socket;
}

static err open_socket(struct call *call, struct socket **ret_socket, struct flaw *flaw)
{
    struct server *server = call->server;
    struct stream_start *start = ARENA_NEW(call->arena, struct stream_start);
    if (!start)
        return flaw_set(flaw, ALS_TOO_LARGE, S(""), "the request takes more memory than it may");
    TRY(stream_start_read(call, start, flaw));
    lock_take(&server->lock);
    bool room = stream_has_room(server); // the HTTP library counts the sockets
    lock_release(&server->lock);
    if (!room)
        return stream_no_room(server, flaw);

    struct socket *socket = socket_new();
    if (!socket)
        return flaw_set(flaw, ALS_NO_MEMORY, S(""), "no memory for another stream");
    start->follow.wake = wake;
    start->follow.context = socket;
    err code = shape_open(server->als, start->follow.tenant, start->schema_version,
                          &socket->upcaster, &flaw->why);
    if (code == ALS_OK)
        code = als_follow_open(server->als, &start->follow, &socket->follower, &flaw->why);
    if (code)
        closed(socket);
    else
        *ret_socket = socket;
    return code;
}

// Runs when the headers are known, which is when a request may become a WebSocket.
void stream_socket(struct call *call)
{
    struct flaw flaw = {};
    struct socket *socket = NULL;
    err code = open_socket(call, &socket, &flaw);
    if (code)
        reply_flaw(call, code, &flaw);
    else
        http_upgrade(call->request,
                     (struct http_socket_calls){opened, next, message, closed, socket});
}
