// SPDX-License-Identifier: Apache-2.0
// GET /api/v1/events/sse: the stream as Server-Sent Events, for clients that only speak HTTP.
//
//   id: 41
//   data: {"id":...}
//
// The id is the position, so a browser that reconnects sends it as Last-Event-ID and goes on. A
// stream that has had nothing to say for a while sends a comment, so that neither end takes the
// other for dead; server_turn() looks for those.
#include "base/log.h"
#include "http/http.h"
#include "os/os.h"
#include "server/reply.h"
#include "server/shape.h"
#include "server/stream.h"

#define BEAT_NS UINT64_C(15000000000)

enum { SSE_CHUNK_BYTES = 64 << 10 };

// In the arena of its call, and in the server's list while it is open.
struct sse {
    struct call *call;
    struct als_follower *follower;
    struct als_upcaster *upcaster; // NULL: events as they were stored
    struct sse *next, **link;
    _Atomic uint64_t beat_ns; // when the client is due a sign of life; monotonic
    bool begun;
};

static uint64_t now_ns(const struct sse *sse)
{
    struct os *os = sse->call->server->os;
    return os->monotonic_ns(os);
}

static void wake(void *context)
{
    struct sse *sse = context;
    http_wake(sse->call->request);
}

static err put_event(const struct sse *sse, struct buf *buf, const struct als_event *event)
{
    buf_put_str(buf, S("id: "));
    buf_put_u64(buf, event->position);
    buf_put_str(buf, S("\ndata: "));
    TRY(shape_put(sse->upcaster, event, buf, NULL));
    buf_put_str(buf, S("\n\n"));
    return ALS_OK;
}

static enum http_pull next(void *context, struct buf *buf)
{
    struct sse *sse = context;
    uint64_t now = now_ns(sse);
    if (!sse->begun || now >= atomic_load(&sse->beat_ns))
        buf_put_str(buf, S(": allsource\n\n"));
    sse->begun = true;
    while (buf->len < SSE_CHUNK_BYTES) {
        struct als_event event;
        if (als_follower_next(sse->follower, &event, NULL))
            return HTTP_ABORT;
        if (event.position == 0)
            break;
        if (put_event(sse, buf, &event))
            return HTTP_ABORT;
    }
    if (buf_failed(buf))
        return HTTP_ABORT;
    if (buf->len == 0)
        return HTTP_WAIT;
    atomic_store(&sse->beat_ns, now + BEAT_NS);
    return HTTP_MORE;
}

// False when there are as many streams as there may be.
static bool enlist(struct sse *sse)
{
    struct server *server = sse->call->server;
    lock_take(&server->lock);
    bool room = stream_has_room(server);
    if (room) {
        server->sse_count++;
        sse->next = server->sse_first;
        sse->link = &server->sse_first;
        if (sse->next)
            sse->next->link = &sse->next;
        server->sse_first = sse;
    }
    lock_release(&server->lock);
    return room;
}

static void delist(struct sse *sse)
{
    struct server *server = sse->call->server;
    lock_take(&server->lock);
    *sse->link = sse->next;
    if (sse->next)
        sse->next->link = sse->link;
    server->sse_count--;
    lock_release(&server->lock);
}

static void sse_close(void *context)
{
    struct sse *sse = context;
    delist(sse);
    als_follower_close(sse->follower);
    als_upcaster_close(sse->upcaster);
}

void sse_turn(struct server *server)
{
    uint64_t now = server->os->monotonic_ns(server->os);
    lock_take(&server->lock);
    for (struct sse *sse = server->sse_first; sse; sse = sse->next)
        if (now >= atomic_load(&sse->beat_ns))
            http_wake(sse->call->request);
    lock_release(&server->lock);
}

// What the client has seen last, as its header says, goes before the parameter.
static err read_last_id(struct call *call, struct als_follow *follow, struct flaw *flaw)
{
    if (!http_has_header(call->request, S("Last-Event-ID")))
        return ALS_OK;
    str text = http_header(call->request, S("Last-Event-ID"));
    if (str_to_u64(text, &follow->after) && follow->after != ALS_FROM_NOW)
        return ALS_OK;
    return flaw_set(flaw, ALS_INVALID_INPUT, S("Last-Event-ID"),
                    "Last-Event-ID must be the position of an event");
}

static err open_stream(struct call *call, struct sse *sse, struct flaw *flaw)
{
    struct stream_start start;
    TRY(stream_start_read(call, &start, flaw));
    TRY(read_last_id(call, &start.follow, flaw));
    start.follow.wake = wake;
    start.follow.context = sse;
    TRY(shape_open(call->server->als, start.follow.tenant, start.schema_version, &sse->upcaster,
                   &flaw->why));
    err code = als_follow_open(call->server->als, &start.follow, &sse->follower, &flaw->why);
    if (code == ALS_OK && enlist(sse))
        return ALS_OK;
    if (code == ALS_OK) {
        als_follower_close(sse->follower);
        code = stream_no_room(call->server, flaw);
    }
    als_upcaster_close(sse->upcaster);
    return code;
}

void stream_sse(struct call *call)
{
    static const struct http_header headers[] = {{{"Cache-Control", 13}, {"no-cache", 8}}};
    struct flaw flaw = {};
    struct sse *sse = call_state_new(call, sizeof *sse);
    if (!sse)
        return;
    sse->call = call;
    atomic_store(&sse->beat_ns, now_ns(sse) + BEAT_NS);
    err code = open_stream(call, sse, &flaw);
    if (code) {
        reply_flaw(call, code, &flaw);
        return;
    }
    http_answer_stream(call->request,
                       (struct http_answer){
                           .status = 200,
                           .content_type = S("text/event-stream"),
                           .headers = headers,
                           .header_count = COUNT_OF(headers),
                       },
                       (struct http_source){next, sse_close, sse});
}
