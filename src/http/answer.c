// SPDX-License-Identifier: Apache-2.0
// Answers: whole ones, our own errors, and streams.
//
// A stream is pulled: the daemon asks stream_read() for bytes only when the socket has taken the
// earlier ones, so a slow reader makes the source wait. A source without news suspends the
// connection; http_wake() posts a letter, which resumes it. Both happen on the loop, so a wake
// between "nothing now" and the suspension is not lost: its letter is opened afterwards.
#include "request.h"

#include <assert.h>
#include <stdlib.h>

enum { STREAM_BLOCK_BYTES = 64 << 10 };

// A client's path or header value may stand in an answer's header, so what the daemon refuses to
// carry (line breaks, empty values) is left out.
static void add_header(struct http_request *request, struct MHD_Response *response, str name,
                       str value)
{
    str owned_name = arena_copy(&request->arena, name);
    str owned_value = arena_copy(&request->arena, value);
    if (owned_name.ptr && owned_value.ptr)
        (void)MHD_add_response_header(response, owned_name.ptr, owned_value.ptr);
}

void request_respond(struct http_request *request, struct MHD_Response *response,
                     const struct http_answer *answer)
{
    const struct http_server *server = request->loop->server;
    request->status = answer->status;
    request->response = response;
    if (!response)
        return; // no memory: the connection is closed instead
    if (answer->content_type.len)
        add_header(request, response, S("Content-Type"), answer->content_type);
    for (size_t i = 0; i < server->options.header_count; i++)
        (void)MHD_add_response_header(response, server->headers[i].name.ptr,
                                      server->headers[i].value.ptr); // checked at start
    for (size_t i = 0; i < answer->header_count; i++)
        add_header(request, response, answer->headers[i].name, answer->headers[i].value);
}

void http_answer(struct http_request *request, struct http_answer answer)
{
    // The body stays where it is until `done`; the daemon only wants the pointer not to be const.
    union {
        const char *given;
        void *wanted;
    } body = {answer.body.ptr};
    request_respond(request,
                    MHD_create_response_from_buffer(answer.body.len,
                                                    answer.body.len ? body.wanted : NULL,
                                                    MHD_RESPMEM_PERSISTENT),
                    &answer);
    request_tell(request);
}

// `detail` is ours and needs no escaping.
void request_print_error(struct buf *buf, const struct http_options *options, err code,
                         const char *detail)
{
    buf_printf(buf, "{\"error\":\"%s%s\",\"code\":\"%s\"", err_prefix(code), detail,
               err_code(code));
    if (code == ALS_BODY_TOO_LARGE)
        buf_printf(buf, ",\"limit\":%llu", (unsigned long long)options->body_bytes_max);
    else if (code == ALS_URI_TOO_LONG || code == ALS_HEADERS_TOO_LARGE)
        buf_printf(buf, ",\"limit\":%llu",
                   (unsigned long long)options->header_bytes_max /
                       (code == ALS_URI_TOO_LONG ? 2 : 1));
    buf_put_char(buf, '}');
}

void request_refuse(struct http_request *request, err code, const char *detail)
{
    request->close_after = true;
    request->peer->unread = true;
    buf_reset(&request->out);
    request_print_error(&request->out, &request->loop->server->options, code, detail);
    http_answer(request, (struct http_answer){.status = err_http(code),
                                              .content_type = S("application/json"),
                                              .body = buf_str(&request->out)});
}

// ---- Streams.

void http_answer_stream(struct http_request *request, struct http_answer answer,
                        struct http_source source)
{
    request->source = source;
    request->streaming = true;
    buf_reset(&request->out);
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES, stream_read, request, NULL);
    if (response && str_equal(request->method, S("HEAD"))) {
        // In chunks, the daemon would send the last one, though a HEAD has no body.
        (void)MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
        request->close_after = true;
    }
    request_respond(request, response, &answer);
    request_tell(request);
}

void stream_close(struct http_request *request)
{
    if (!request->streaming)
        return;
    request->streaming = false;
    request->source.close(request->source.context);
}

// Asks the source until there are bytes in `out`, or it waits, or is through.
static void stream_fill(struct http_request *request)
{
    struct buf *out = &request->out;
    buf_reset(out);
    request->piece_at = 0;
    enum http_pull pulled = HTTP_MORE;
    while (out->len == 0 && pulled == HTTP_MORE)
        pulled = request->source.next(request->source.context, out);
    request->stream_ended = pulled == HTTP_END;
    request->stream_broken |= pulled == HTTP_ABORT || buf_failed(out);
}

ssize_t stream_read(void *context, uint64_t position, char *space, size_t size)
{
    struct http_request *request = context;
    (void)position;
    if (request->piece_at == request->out.len && !request->stream_ended && !request->stream_broken)
        stream_fill(request);
    if (request->stream_broken)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    size_t left = request->out.len - request->piece_at;
    if (left > 0) {
        size_t count = left < size ? left : size;
        memcpy(space, request->out.ptr + request->piece_at, count);
        request->piece_at += count;
        return (ssize_t)count;
    }
    if (request->stream_ended)
        return MHD_CONTENT_READER_END_OF_STREAM;
    // Nobody would end the wait. Cut, the answer is not taken for a complete one.
    if (request->loop->stopping || request->peer->half_closed)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    request->stream_waits = true;
    request->peer->waiting = request;
    MHD_suspend_connection(request->connection);
    return 0;
}

static void stream_resume(struct http_request *request)
{
    if (!request->stream_waits)
        return;
    request->stream_waits = false;
    request->peer->waiting = NULL;
    MHD_resume_connection(request->connection);
}

void http_wake(struct http_request *request)
{
    mailbox_post(&request->loop->mailbox, &request->woken);
}

void stream_cut(struct http_request *request)
{
    request->stream_broken = true;
    stream_resume(request);
}

void requests_stop_waiting(struct loop *loop)
{
    for (struct http_request *request = loop->open; request; request = request->next)
        if (request->stream_waits)
            stream_cut(request);
}

void stream_woken(struct letter *letter)
{
    struct http_request *request = OWNER_OF(letter, struct http_request, woken);
    if (request->ended)
        request_give(request);
    else
        stream_resume(request);
}
