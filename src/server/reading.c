// SPDX-License-Identifier: Apache-2.0
#include "server/reading.h"

#include "http/http.h"
#include "server/reply.h"
#include "server/tenant.h"

#include <inttypes.h>
#include <stdlib.h>

static err read_body(struct call *call, struct params *params, struct flaw *flaw)
{
    struct json_options options = {.span_depth = 2}; // event_type may be an array
    struct json_doc doc;
    flaw->field[0] = '\0';
    flaw->limit = 0;
    TRY(json_parse(http_body(call->request), options, call->arena, &doc, NULL, &flaw->why));
    return params_from_json(&doc, call->arena, params, flaw);
}

static err read(struct call *call, struct reading *reading, struct flaw *flaw)
{
    struct params *params = &reading->params;
    TRY(params_from_query(http_query(call->request), call->arena, params, flaw));
    if (call->match.route->body == JSON_BODY)
        TRY(read_body(call, params, flaw));
    TRY(param_u64(params, S("min_position"), UINT64_MAX, &reading->min_position, flaw));
    TRY(param_u64(params, S("timeout_ms"), READING_TIMEOUT_MS_MAX, &reading->timeout_ms, flaw));
    return tenant_of(call, (str){NULL, 0}, params, &reading->tenant, flaw);
}

bool reading_begin(struct call *call, struct reading *ret_reading, struct flaw *flaw)
{
    struct reading reading = {.timeout_ms = READING_TIMEOUT_MS_DEFAULT};
    err code = read(call, &reading, flaw);
    if (code) {
        reply_flaw(call, code, flaw);
        return false;
    }
    *ret_reading = reading;
    return true;
}

// What the engine holds while a read waits. It is freed by reached(), which comes exactly once;
// the call is continued by whoever takes it first, reached() or the end of the server.
struct waiter {
    struct server *server;
    struct call *call;
    struct waiter *next, **link; // in the server's list until taken
    bool taken;
};

// What the call holds.
struct waiting {
    void (*then)(struct call *call);
    void *state; // the handler's own
    als_position position;
    uint64_t timeout_ms;
};

static void go_on(struct call *call)
{
    const struct waiting *waiting = call->state;
    struct als_why why;
    switch (call->reached) {
    case REACHED:
        call->state = waiting->state;
        waiting->then(call);
        return;
    case REACHED_TOO_LATE:
        err_explain(&why, "position %" PRIu64 " was not reached within %" PRIu64 " ms",
                    waiting->position, waiting->timeout_ms);
        reply_error(call, ALS_TIMEOUT, &why);
        return;
    case REACHED_END:
        err_explain(&why, "the server is stopping");
        reply_error(call, ALS_NOT_READY, &why);
    }
}

// The lock is held. False when another was first.
static bool take(struct waiter *waiter)
{
    if (waiter->taken)
        return false;
    waiter->taken = true;
    *waiter->link = waiter->next;
    if (waiter->next)
        waiter->next->link = waiter->link;
    return true;
}

static void reached(void *context, bool is_there)
{
    struct waiter *waiter = context;
    struct call *call = waiter->call; // alive only if we are the first
    struct server *server = waiter->server;
    lock_take(&server->lock);
    bool first = take(waiter);
    lock_release(&server->lock);
    free(waiter);
    if (!first)
        return;
    call->reached = is_there ? REACHED : REACHED_TOO_LATE;
    call_continue(call);
}

void reading_stop(struct server *server)
{
    lock_take(&server->lock);
    server->stopping = true;
    while (server->waiters) {
        struct waiter *waiter = server->waiters;
        (void)take(waiter); // it is in the list, so nobody has taken it
        waiter->call->reached = REACHED_END;
        call_continue(waiter->call);
    }
    lock_release(&server->lock);
}

// NULL when there is no memory or the server is stopping.
static struct waiter *waiter_new(struct call *call)
{
    struct server *server = call->server;
    struct waiter *waiter = calloc(1, sizeof *waiter);
    if (!waiter)
        return NULL;
    *waiter = (struct waiter){.call = call, .server = server, .link = &server->waiters};
    lock_take(&server->lock);
    bool late = server->stopping;
    if (!late) {
        waiter->next = server->waiters;
        if (waiter->next)
            waiter->next->link = &waiter->next;
        server->waiters = waiter;
    }
    lock_release(&server->lock);
    if (!late)
        return waiter;
    free(waiter);
    return NULL;
}

// The engine has not taken it. False when the end of the server was first and answers.
static bool waiter_drop(struct waiter *waiter)
{
    struct server *server = waiter->server;
    lock_take(&server->lock);
    bool first = take(waiter);
    lock_release(&server->lock);
    free(waiter);
    return first;
}

void reading_wait(struct call *call, const struct reading *reading, void (*then)(struct call *call))
{
    if (reading->min_position == 0) {
        then(call);
        return;
    }
    void *state = call->state;
    struct waiting *waiting = call_state_new(call, sizeof *waiting);
    if (!waiting)
        return;
    *waiting = (struct waiting){then, state, reading->min_position, reading->timeout_ms};
    call->then = go_on;
    struct als_why why = {"no memory to wait, or the server is stopping"};
    struct waiter *waiter = waiter_new(call);
    if (!waiter) {
        reply_error(call, ALS_NOT_READY, &why);
        return;
    }
    err code = als_when(call->server->als, reading->tenant, reading->min_position,
                        (uint32_t)reading->timeout_ms, reached, waiter, &why);
    if (code && waiter_drop(waiter))
        reply_error(call, code, &why);
}
