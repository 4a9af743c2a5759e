// SPDX-License-Identifier: Apache-2.0
// The life of a request.
//
// request_line() takes one from the pool, request_handle() is called by the daemon when the head is
// there, for each piece of the body, and at its end; request_completed() when the answer is in the
// kernel's hands or the connection has died. In between the connection may be suspended, until a
// letter tells that there is an answer.
//
// 1. A request is touched by its loop, except between WAITING and TOLD.
// 2. The daemon is touched by the loop only: threads that answer make a response and post a letter.
// 3. No connection is resumed that has not been suspended: who tells while the request is SERVING
//    posts nothing; the loop finds it TOLD when it tries to make it WAITING.
// 4. A request goes back to the pool when its connection is through with it and nobody else holds
//    it, so what is handed out lives until `done`.
#include "request.h"

#include "head.h"
#include "socket.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
    ARENA_BLOCK_BYTES = 8 << 10,
    KEPT_BUFFER_BYTES = 1 << 20, // a pooled buffer that grew past this gives its memory back
    POOL_BYTES_MAX = 64 << 20,   // of one loop
    RESERVE_BYTES = 1 << 20,     // believed of a Content-Length before the bytes are there
    DROP_BYTES_MAX = 64 << 10,   // a body this small is read even when nobody wants it
};
#define OUT_BYTES_MAX ((uint64_t)1 << 30)

// ---- The pool. Woken letters may still lie in the mailbox: a request is not freed before.

static void request_told(struct letter *letter);

static struct http_request *request_take(struct loop *loop)
{
    struct http_request *request = loop->pool;
    if (request) {
        loop->pool = request->next;
        loop->pool_bytes -=
            request->arena.bytes_held + request->body.capacity + request->out.capacity;
        return request;
    }
    const struct http_options *options = &loop->server->options;
    request = calloc(1, sizeof *request);
    if (!request)
        return NULL;
    arena_init(&request->arena, ARENA_BLOCK_BYTES, options->arena_bytes_max);
    buf_init(&request->body, options->body_bytes_max);
    buf_init(&request->out, OUT_BYTES_MAX);
    return request;
}

static void request_free(struct http_request *request)
{
    arena_deinit(&request->arena);
    buf_deinit(&request->body);
    buf_deinit(&request->out);
    free(request);
}

void request_give(struct http_request *request)
{
    if (atomic_load(&request->woken.posted)) {
        request->ended = true; // stream_woken() calls us again
        return;
    }
    struct loop *loop = request->loop;
    arena_reset(&request->arena);
    buf_reset(&request->body);
    buf_reset(&request->out);
    if (request->body.capacity > KEPT_BUFFER_BYTES)
        buf_deinit(&request->body);
    if (request->out.capacity > KEPT_BUFFER_BYTES)
        buf_deinit(&request->out);
    size_t bytes = request->arena.bytes_held + request->body.capacity + request->out.capacity;
    if (loop->pool_bytes + bytes > POOL_BYTES_MAX) {
        request_free(request);
        return;
    }
    struct http_request empty = {
        .arena = request->arena, .body = request->body, .out = request->out, .next = loop->pool};
    *request = empty;
    loop->pool = request;
    loop->pool_bytes += bytes;
}

void requests_free(struct loop *loop)
{
    while (loop->pool) {
        struct http_request *request = loop->pool;
        loop->pool = request->next;
        request_free(request);
    }
}

static void list_enter(struct http_request *request)
{
    struct loop *loop = request->loop;
    request->next = loop->open;
    request->at = &loop->open;
    if (request->next)
        request->next->at = &request->next;
    loop->open = request;
    loop->open_count++;
}

static void list_leave(struct http_request *request)
{
    *request->at = request->next;
    if (request->next)
        request->next->at = request->at;
    request->loop->open_count--;
}

// ---- Serving.

// Runs `serve`, and what is asked to go on with, until there is an answer (true) or the request
// waits for one (false), and then belongs to another thread.
static bool run(struct http_request *request, http_serve *serve)
{
    for (;;) {
        if (serve)
            serve(request->loop->server->options.context, request);
        enum stage expected = STAGE_SERVING;
        if (atomic_compare_exchange_strong(&request->stage, &expected, STAGE_WAITING))
            return false;
        if (!request->go_on)
            return true;
        serve = MOVE(request->go_on);
        atomic_store(&request->stage, STAGE_SERVING);
    }
}

static enum MHD_Result send_answer(struct http_request *request)
{
    request->peer->due_ns = 0;
    if (!request->response)
        return MHD_NO;
    if ((request->close_after || request->loop->stopping) && !request->upgrading)
        (void)MHD_add_response_header(request->response, "Connection", "close"); // as hint only
    enum MHD_Result sent =
        MHD_queue_response(request->connection, (unsigned)request->status, request->response);
    MHD_destroy_response(MOVE(request->response));
    return sent;
}

// The end of a request, when the daemon is through with it.
static void request_end(struct http_request *request)
{
    const struct http_options *options = &request->loop->server->options;
    if (request->go_on && !run(request, NULL)) {
        request->dead = true;
        return;
    }
    if (request->response)
        MHD_destroy_response(MOVE(request->response));
    stream_close(request);
    if (request->upgrading) {
        socket_unreserve(request->loop->server->sockets);
        request->calls.closed(request->calls.context);
    }
    if (options->done)
        options->done(options->context, request, request->status, now_ns() - request->begin_ns);
    list_leave(request);
    request_give(request);
}

static void request_told(struct letter *letter)
{
    struct http_request *request = OWNER_OF(letter, struct http_request, told);
    if (request->go_on && !run(request, NULL))
        return;
    if (request->dead) {
        request_end(request);
        return;
    }
    if (send_answer(request) != MHD_YES)
        request->broken = true; // the daemon calls request_handle() once more
    MHD_resume_connection(request->connection);
}

void request_tell(struct http_request *request)
{
    if (atomic_exchange(&request->stage, STAGE_TOLD) == STAGE_WAITING)
        mailbox_post(&request->loop->mailbox, &request->told);
}

void http_continue(struct http_request *request, http_serve *serve)
{
    request->go_on = serve;
    request_tell(request);
}

// ---- The daemon's callbacks.

void *request_line(void *context, const char *target, struct MHD_Connection *connection)
{
    struct loop *loop = context;
    struct http_request *request = request_take(loop);
    if (!request)
        return NULL;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    request->loop = loop;
    request->connection = connection;
    request->peer = info->socket_context;
    request->peer->due_ns = now_ns() + loop->server->options.head_ms_max * NS_PER_MS;
    request->told.open = request_told;
    request->woken.open = stream_woken;
    request->target_at = target;
    request->target = (str){target, strlen(target)};
    if (request->target.len <= loop->server->options.header_bytes_max)
        request->target = arena_copy(&request->arena, request->target);
    return request;
}

size_t request_unescape(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context, (void)connection;
    return strlen(text); // decoding is for those who know what they look at
}

static bool is_told(struct http_request *request)
{
    return atomic_load(&request->stage) == STAGE_TOLD;
}

// An answer before the body. A short body is read and dropped so that the connection lives on.
static enum MHD_Result answer_early(struct http_request *request)
{
    if (!request->has_body)
        return send_answer(request);
    bool asked = http_has_header(request, S("Expect"));
    if (!asked && !request->chunked && request->content_length <= DROP_BYTES_MAX) {
        request->dropping = true;
        return MHD_YES;
    }
    request->close_after = true;
    request->peer->unread = true;
    return send_answer(request);
}

// While a body comes, each second that the client gets has to be earned.
static void set_due(struct http_request *request)
{
    const struct http_options *options = &request->loop->server->options;
    request->peer->due_ns = request->begin_ns + options->head_ms_max * NS_PER_MS +
                            request->body_taken * NS_PER_S / options->body_bytes_per_s_min;
}

static enum MHD_Result begin(struct http_request *request, const char *method, const char *version)
{
    const struct http_options *options = &request->loop->server->options;
    request->begun = true;
    request->begin_ns = now_ns();
    list_enter(request);
    set_due(request);

    struct als_why why = {""};
    err code = head_read(request, method, version, &why);
    if (code != ALS_OK) {
        request_refuse(request, code, why.text);
        return send_answer(request);
    }
    if (options->head)
        options->head(options->context, request);
    if (is_told(request) && !request->go_on)
        return answer_early(request);
    if (!request->chunk && request->content_length > 0)
        (void)buf_room(&request->body, request->content_length < RESERVE_BYTES
                                           ? (size_t)request->content_length
                                           : RESERVE_BYTES); // seen when the bytes are there
    return MHD_YES;
}

// In the midst of a body the daemon takes no response, so this one is sent past it. All answers
// before it on this connection have gone out.
static enum MHD_Result refuse_rest(struct http_request *request, err code, const char *detail)
{
    const struct http_server *server = request->loop->server;
    struct buf *out = &request->out;
    struct buf body;
    buf_init(&body, 4096);
    request_print_error(&body, &request->loop->server->options, code, detail);
    buf_reset(out);
    buf_printf(out, "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Type: application/json\r\n",
               err_http(code), MHD_get_reason_phrase_for((unsigned)err_http(code)));
    for (size_t i = 0; i < server->options.header_count; i++)
        buf_printf(out, "%s: %s\r\n", server->headers[i].name.ptr, server->headers[i].value.ptr);
    buf_printf(out, "Content-Length: %zu\r\n\r\n%.*s", body.len, STR(buf_str(&body)));
    buf_deinit(&body);
    if (!buf_failed(out)) // a client that does not read it has itself to blame
        (void)send(request->peer->fd, out->ptr, out->len, MSG_NOSIGNAL | MSG_DONTWAIT);
    request->status = err_http(code);
    request->peer->unread = true;
    request->broken = true;
    return MHD_NO;
}

static enum MHD_Result take_piece(struct http_request *request, str piece)
{
    const struct http_options *options = &request->loop->server->options;
    if (piece.len > options->body_bytes_max - request->body_taken)
        return refuse_rest(request, ALS_BODY_TOO_LARGE, "longer than this server takes");
    request->body_taken += piece.len;
    set_due(request);
    if (request->dropping || is_told(request))
        return MHD_YES;
    if (request->chunk) {
        request->dropping = request->chunk(options->context, request, piece) != ALS_OK;
        request->owed = request->dropping;
        return MHD_YES;
    }
    buf_put(&request->body, piece.ptr, piece.len);
    if (buf_failed(&request->body))
        return refuse_rest(request, ALS_NO_MEMORY, "for the body of the request");
    return MHD_YES;
}

enum MHD_Result request_handle(void *context, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *upload,
                               size_t *upload_size, void **request_context)
{
    (void)context, (void)url;
    struct http_request *request = *request_context;
    if (!request || request->broken)
        return MHD_NO;
    if (!request->begun)
        return begin(request, method, version);
    if (*upload_size > 0) {
        str piece = {upload, *upload_size};
        *upload_size = 0;
        return take_piece(request, piece);
    }
    request->peer->due_ns = 0;
    bool whole = !request->dropping && !is_told(request);
    if (run(request, whole ? request->loop->server->options.whole : NULL))
        return send_answer(request);
    MHD_suspend_connection(connection);
    return MHD_YES;
}

void request_completed(void *context, struct MHD_Connection *connection, void **request_context,
                       enum MHD_RequestTerminationCode how)
{
    (void)context, (void)connection, (void)how;
    struct http_request *request = MOVE(*request_context);
    if (!request)
        return;
    request->peer->due_ns = now_ns() + request->loop->server->options.idle_s_max * NS_PER_S;
    if (request->peer->heeded == request)
        request->peer->heeded = NULL;
    if (!request->begun) {
        request_give(request); // the head never came, or the daemon refused it
        return;
    }
    request->connection = NULL;
    request->peer = NULL;
    enum stage expected = STAGE_SERVING;
    request->dead =
        request->owed && atomic_compare_exchange_strong(&request->stage, &expected, STAGE_WAITING);
    if (!request->dead)
        request_end(request);
}

void http_on_hangup(struct http_request *request,
                    void (*hung)(void *context, struct http_request *request))
{
    if (!request->peer || request->peer->half_closed)
        return;
    request->hung = hung;
    request->peer->heeded = request;
}

// ---- Stopping.

void requests_cut(struct loop *loop)
{
    for (struct http_request *request = loop->open; request; request = request->next)
        if (request->peer)
            (void)shutdown(request->peer->fd, SHUT_RDWR); // may be closed already
}

// ---- What the handlers ask.

str http_body(const struct http_request *request)
{
    return buf_str(&request->body);
}

struct arena *http_arena(struct http_request *request)
{
    return &request->arena;
}

struct buf *http_out(struct http_request *request)
{
    return &request->out;
}

void http_set_user(struct http_request *request, void *user)
{
    request->user = user;
}

void *http_user(const struct http_request *request)
{
    return request->user;
}

void http_want_chunks(struct http_request *request, http_chunk *chunk)
{
    request->chunk = chunk;
}
