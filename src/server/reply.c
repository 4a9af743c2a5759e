// SPDX-License-Identifier: Apache-2.0
// Rooms below explain, this one tells: errors of 500 and above are logged here, once, rate-limited
// by the log itself.
#include "server/reply.h"

#include "base/buf.h"
#include "base/log.h"
#include "http/http.h"

#include <stdio.h>

static const str json_type = {"application/json", sizeof "application/json" - 1};

struct json_writer reply_writer(struct call *call)
{
    struct buf *out = http_out(call->request);
    buf_reset(out);
    struct json_writer writer;
    json_writer_init(&writer, out);
    return writer;
}

// For when there is no memory to say anything longer.
static void reply_no_memory(struct call *call)
{
    http_answer(call->request,
                (struct http_answer){
                    .status = err_http(ALS_NO_MEMORY),
                    .content_type = json_type,
                    .body = S("{\"error\":\"Out of memory: the answer could not be made\","
                              "\"code\":\"no_memory\"}"),
                });
}

static void answer_with(struct call *call, int status, const struct http_header *headers,
                        size_t header_count)
{
    struct buf *out = http_out(call->request);
    if (buf_failed(out)) {
        reply_no_memory(call);
        return;
    }
    http_answer(call->request, (struct http_answer){
                                   .status = status,
                                   .content_type = json_type,
                                   .body = buf_str(out),
                                   .headers = headers,
                                   .header_count = header_count,
                               });
}

void reply_json(struct call *call, int status)
{
    answer_with(call, status, NULL, 0);
}

void reply_note_failure(struct call *call, err code)
{
    if (code == ALS_CORRUPT || code == ALS_STORAGE)
        metrics_add(call->server->metrics, METRIC_disk_read_errors_total, 1, NULL);
}

struct json_writer reply_error_begin(struct call *call, err code, const char *text)
{
    if (err_http(code) >= 500) {
        char path[LOG_QUOTED_MAX], words[LOG_QUOTED_MAX];
        LOG_LINE(LOG_WARN, "request failed", "method=%.*s path=%s status=%d code=%s why=%s",
                 STR(str_first(http_method(call->request), 16)),
                 log_quoted(http_path(call->request), path), err_http(code), err_code(code),
                 log_quoted(str_of(text), words));
        reply_note_failure(call, code);
    }
    struct json_writer writer = reply_writer(call);
    json_open_object(&writer);
    char message[sizeof(struct als_why) + 256];
    int len = snprintf(message, sizeof message, "%s%s", err_prefix(code), text);
    json_field_string(&writer, S("error"), (str){message, (size_t)len});
    json_field_string(&writer, S("code"), str_of(err_code(code)));
    return writer;
}

void reply_error_end(struct call *call, struct json_writer *writer, err code)
{
    static const struct http_header retry = {{"Retry-After", 11}, {"1", 1}};
    json_close_object(writer);
    bool again = code == ALS_QUEUE_FULL;
    answer_with(call, err_http(code), again ? &retry : NULL, again ? 1 : 0);
}

void reply_error(struct call *call, err code, const struct als_why *why)
{
    struct json_writer writer = reply_error_begin(call, code, why->text);
    reply_error_end(call, &writer, code);
}

void reply_flaw(struct call *call, err code, const struct flaw *flaw)
{
    struct json_writer writer = reply_error_begin(call, code, flaw->why.text);
    if (flaw->field[0])
        json_field_string(&writer, S("field"), str_of(flaw->field));
    if (flaw->limit)
        json_field_u64(&writer, S("limit"), flaw->limit);
    reply_error_end(call, &writer, code);
}

void reply_not_allowed(struct call *call)
{
    struct als_why why;
    err_explain(&why, "this path answers %s", call->match.allow);
    struct json_writer writer = reply_error_begin(call, ALS_METHOD_NOT_ALLOWED, why.text);
    json_close_object(&writer);
    struct http_header header = {S("Allow"), str_of(call->match.allow)};
    answer_with(call, err_http(ALS_METHOD_NOT_ALLOWED), &header, 1);
}

void reply_preflight(struct call *call)
{
    static const struct http_header headers[] = {
        {{"Access-Control-Allow-Methods", 28}, {"*", 1}},
        {{"Access-Control-Allow-Headers", 28}, {"*", 1}},
    };
    http_answer(call->request, (struct http_answer){
                                   .status = 200,
                                   .headers = headers,
                                   .header_count = COUNT_OF(headers),
                               });
}
