// SPDX-License-Identifier: Apache-2.0
// The way in: from the library's callbacks to a handler of the table.
#include "server/call.h"

#include "base/log.h"
#include "http/http.h"
#include "metrics/metrics.h"
#include "os/os.h"
#include "server/entry.h"
#include "server/reply.h"

static const struct route routes[] = {
#define X(method_, path_, handler, body_)                                                          \
    {{#method_, sizeof #method_ - 1}, {path_, sizeof path_ - 1}, handler, body_},
#include "server/routes.def"
#undef X
};

static struct call *call_new(struct server *server, struct http_request *request)
{
    struct call *call = ARENA_NEW(http_arena(request), struct call);
    if (!call)
        return NULL;
    *call = (struct call){
        .server = server,
        .request = request,
        .arena = http_arena(request),
        .start_ns = server->os->monotonic_ns(server->os),
    };
    http_set_user(request, call);
    return call;
}

uint64_t call_age_ns(const struct call *call)
{
    struct os *os = call->server->os;
    return os->monotonic_ns(os) - call->start_ns;
}

void *call_state_new(struct call *call, size_t size)
{
    void *state = arena_alloc(call->arena, size);
    if (state) {
        call->state = memset(state, 0, size);
        return state;
    }
    struct als_why why;
    err_explain(&why, "the request takes more memory than it may");
    reply_error(call, ALS_TOO_LARGE, &why);
    return NULL;
}

static void run_then(void *context, struct http_request *request)
{
    (void)context; // the call knows its server
    struct call *call = http_user(request);
    call->then(call);
}

void call_continue(struct call *call)
{
    http_continue(call->request, run_then);
}

static void refuse_path(struct call *call)
{
    struct als_why why = {""};
    switch (call->found) {
    case ROUTE_OTHER_METHOD:
        reply_not_allowed(call);
        return;
    case ROUTE_BAD_PARAMETER:
        err_explain(&why, "a path segment is not properly percent-encoded UTF-8");
        reply_error(call, ALS_BAD_PATH, &why);
        return;
    case ROUTE_UNKNOWN_PATH:
    case ROUTE_FOUND:
        break;
    }
    err_explain(&why, "this server has no such path");
    reply_error(call, ALS_ROUTE_NOT_FOUND, &why);
}

// What is answered whatever the body says: preflights, paths that are nobody's, and bodies of a
// type that is not taken. False when it is the handler's turn.
static bool answer_by_head(struct call *call)
{
    struct http_request *request = call->request;
    if (str_equal(http_method(request), S("OPTIONS"))) {
        reply_preflight(call);
        return true;
    }
    if (call->found != ROUTE_FOUND) {
        refuse_path(call);
        return true;
    }
    enum route_body body = call->match.route->body;
    if (route_takes(body, http_header(request, S("Content-Type"))))
        return false;
    struct als_why why;
    err_explain(&why, "the body needs that header%s",
                body == BATCH_BODY ? ", or application/x-ndjson" : "");
    reply_error(call, ALS_CONTENT_TYPE, &why);
    return true;
}

static bool has_body(const struct http_request *request)
{
    return http_has_header(request, S("Content-Length")) ||
           http_has_header(request, S("Transfer-Encoding"));
}

// A body that nobody will look at is refused before it comes. Without one there is nothing to save,
// and an answer in its turn lets the connection live on.
void entry_head(void *context, struct http_request *request)
{
    struct server *server = context;
    metrics_change(server->metrics, METRIC_http_requests_in_flight, 1);
    struct call *call = call_new(server, request);
    if (!call) {
        http_answer(request, (struct http_answer){.status = err_http(ALS_NO_MEMORY)});
        return;
    }
    call->found = route_find(routes, COUNT_OF(routes), http_method(request), http_path(request),
                             call->arena, &call->match);
    if (has_body(request) && answer_by_head(call))
        return;
    if (call->found == ROUTE_FOUND && call->match.route->body == UPGRADE)
        call->match.route->handle(call);
}

void entry_whole(void *context, struct http_request *request)
{
    (void)context; // the call knows its server
    struct call *call = http_user(request);
    if (!answer_by_head(call))
        call->match.route->handle(call);
}

// Methods are a client's words; as labels only those that some route could have are told apart.
static str method_label(str method)
{
    static const str known[] = {{"GET", 3}, {"POST", 4},   {"HEAD", 4}, {"OPTIONS", 7},
                                {"PUT", 3}, {"DELETE", 6}, {"PATCH", 5}};
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (str_equal(known[i], method))
            return known[i];
    return S("other");
}

void entry_done(void *context, struct http_request *request, int status, uint64_t duration_ns)
{
    struct server *server = context;
    const struct call *call = http_user(request);
    const struct route *route = call ? call->match.route : NULL;
    char digits[4] = {(char)('0' + status / 100 % 10), (char)('0' + status / 10 % 10),
                      (char)('0' + status % 10), '\0'};
    str labels[] = {
        route ? route->path : S("unmatched"), method_label(http_method(request)), {digits, 3}};
    metrics_change(server->metrics, METRIC_http_requests_in_flight, -1);
    metrics_add(server->metrics, METRIC_http_requests_total, 1, labels);
    metrics_observe_ns(server->metrics, METRIC_http_request_duration_seconds, duration_ns, labels);
}

void entry_complain(void *context, const char *text)
{
    (void)context;
    char words[LOG_QUOTED_MAX];
    LOG_LINE(LOG_WARN, "http", "what=%s", log_quoted(str_of(text), words));
}
