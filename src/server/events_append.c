// SPDX-License-Identifier: Apache-2.0
// POST /api/v1/events and /api/v1/events/batch.
//
// The body becomes drafts and the engine takes them; the request then waits without a thread. The
// writer calls done(), which only copies the outcome into memory that was set aside before, for
// from als_append() on the request is not this thread's any more. The answer is written by the loop
// thread that gets the request back.
//
// A client that is alone on its loop is served without a change of threads: the loop writes the
// append itself, for nobody else could be served in the meantime.
#include "base/limits.h"
#include "base/time.h"
#include "base/uuid.h"
#include "http/http.h"
#include "metrics/metrics.h"
#include "server/draft.h"
#include "server/reply.h"
#include "server/schema_call.h"
#include "server/tenant.h"
#include "json/json.h"

#include <stdio.h>

struct append_request {
    struct draft_list list;
    bool batch;
    bool summary;                // leave the events out of the answer
    struct als_appended *events; // list.count of them, unless `summary`
    struct als_outcome outcome;
};

static void put_appended(struct json_writer *writer, const struct als_appended *event)
{
    char id[UUID_TEXT_LEN], time[TIME_TEXT_MAX];
    uuid_format(event->id, id);
    json_field_string(writer, S("event_id"), (str){id, sizeof id});
    json_field_u64(writer, S("version"), event->version);
    json_field_u64(writer, S("position"), event->position);
    json_field_string(writer, S("timestamp"), (str){time, time_format(event->timestamp_us, time)});
}

static void put_batch(struct json_writer *writer, const struct append_request *request)
{
    json_field_u64(writer, S("count"), request->outcome.count);
    json_field_u64(writer, S("first_position"), request->outcome.first);
    json_field_u64(writer, S("last_position"), request->outcome.last);
    if (request->summary)
        return;
    json_key(writer, S("events"));
    json_open_array(writer);
    for (size_t i = 0; i < request->outcome.count; i++) {
        json_open_object(writer);
        put_appended(writer, &request->events[i]);
        json_close_object(writer);
    }
    json_close_array(writer);
}

static void reply_appended(struct call *call, const struct append_request *request)
{
    struct json_writer writer = reply_writer(call);
    json_open_object(&writer);
    if (request->batch)
        put_batch(&writer, request);
    else
        put_appended(&writer, &request->events[0]);
    if (request->outcome.duplicate) {
        json_key(&writer, S("duplicate"));
        json_put_bool(&writer, true);
    }
    json_close_object(&writer);
    reply_json(call, 200);
}

static void put_between(struct json_writer *writer, const struct als_outcome *outcome)
{
    json_key(writer, S("events"));
    json_open_array(writer);
    for (size_t i = 0; i < outcome->between_count; i++) {
        const struct als_conflict_event *event = &outcome->between[i];
        char id[UUID_TEXT_LEN];
        uuid_format(event->id, id);
        json_open_object(writer);
        json_field_string(writer, S("id"), (str){id, sizeof id});
        json_field_string(writer, S("event_type"), str_of(event->type));
        json_field_u64(writer, S("version"), event->version);
        json_field_u64(writer, S("position"), event->position);
        json_close_object(writer);
    }
    json_close_array(writer);
    json_field_u64(writer, S("events_total"), outcome->between_total);
}

static void put_conflict(struct json_writer *writer, const struct append_request *request)
{
    const struct als_outcome *outcome = &request->outcome;
    bool condition = outcome->code == ALS_CONDITION_FAILED;
    if (request->batch || condition) {
        char field[48];
        int len = snprintf(field, sizeof field, "%s[%zu]", condition ? "conditions" : "events",
                           outcome->index);
        json_field_string(writer, S("field"), (str){field, (size_t)len});
        json_field_u64(writer, S("index"), outcome->index);
    }
    if (outcome->code == ALS_VERSION_CONFLICT) {
        json_key(writer, S("expected_version"));
        json_put_i64(writer, outcome->expected_version);
        json_field_u64(writer, S("actual_version"), outcome->actual_version);
    }
    if (outcome->code != ALS_ID_CONFLICT)
        put_between(writer, outcome);
}

// What there is to say beside the engine's words.
static void print_remark(const struct append_request *request, char *text, size_t size)
{
    const struct als_outcome *outcome = &request->outcome;
    text[0] = '\0';
    if (outcome->code == ALS_STORAGE_FAILED)
        (void)snprintf(text, size,
                       ". The outcome of this append is unknown: after a restart it may be there. "
                       "Send it again with the same ids to be sure");
    if (outcome->code == ALS_ID_CONFLICT && outcome->index < request->list.count) {
        char id[UUID_TEXT_LEN];
        uuid_format(request->list.drafts[outcome->index].id, id);
        (void)snprintf(text, size, " (id %.*s)", (int)sizeof id, id);
    }
}

// The writer refused the append or could not make it durable.
static void reply_refused(struct call *call, const struct append_request *request)
{
    const struct als_outcome *outcome = &request->outcome;
    char remark[160], text[sizeof outcome->why.text + sizeof remark];
    print_remark(request, remark, sizeof remark);
    (void)snprintf(text, sizeof text, "%s%s", outcome->why.text, remark);
    struct json_writer writer = reply_error_begin(call, outcome->code, text);
    switch (outcome->code) {
    case ALS_VERSION_CONFLICT:
    case ALS_CONDITION_FAILED:
    case ALS_ID_CONFLICT:
        put_conflict(&writer, request);
        break;
    default:
        if (outcome->code == ALS_STORAGE_FAILED)
            json_field_string(&writer, S("outcome"), S("unknown"));
    }
    reply_error_end(call, &writer, outcome->code);
}

// Neighbours of one type, as batches mostly have them, are counted in one go.
static void count_appended(struct call *call, const struct append_request *request)
{
    struct metrics *metrics = call->server->metrics;
    metrics_observe_ns(metrics, METRIC_ingestion_duration_seconds, call_age_ns(call), NULL);
    if (request->outcome.duplicate)
        return;
    const struct als_draft *drafts = request->list.drafts;
    size_t count = request->list.count;
    metrics_add(metrics, METRIC_events_ingested_total, count, NULL);
    for (size_t i = 0, next; i < count; i = next) {
        for (next = i + 1; next < count && str_equal(drafts[next].type, drafts[i].type);)
            next++;
        metrics_add(metrics, METRIC_events_ingested_by_type, next - i, &drafts[i].type);
    }
}

static void answer_append(struct call *call)
{
    const struct append_request *request = call->state;
    if (request->outcome.code == ALS_OK) {
        count_appended(call, request);
        reply_appended(call, request);
        return;
    }
    metrics_add(call->server->metrics, METRIC_ingestion_errors_total, 1, NULL);
    reply_refused(call, request);
}

static void done(void *context, const struct als_outcome *outcome,
                 const struct als_appended *events)
{
    struct call *call = context;
    struct append_request *request = call->state;
    request->outcome = *outcome;
    if (request->events && events)
        memcpy(request->events, events, request->list.count * sizeof *events);
    call_continue(call);
}

static void refuse(struct call *call, err code, const struct flaw *flaw)
{
    metrics_add(call->server->metrics, METRIC_ingestion_errors_total, 1, NULL);
    reply_flaw(call, code, flaw);
}

// A payload that its schema refuses: which one, and all that is wrong with it.
static void refuse_payload(struct call *call, const struct append_request *request, size_t index,
                           const struct als_validation *validation, const struct flaw *flaw)
{
    char field[48];
    int len = request->batch ? snprintf(field, sizeof field, "events[%zu].payload", index)
                             : snprintf(field, sizeof field, "payload");
    metrics_add(call->server->metrics, METRIC_ingestion_errors_total, 1, NULL);
    struct json_writer writer = reply_error_begin(call, ALS_VALIDATION, flaw->why.text);
    json_field_string(&writer, S("field"), (str){field, (size_t)len});
    json_field_u64(&writer, S("index"), index);
    json_field_string(&writer, S("subject"), als_validation_view(validation).subject);
    validation_put(&writer, validation);
    reply_error_end(call, &writer, ALS_VALIDATION);
}

// Which field of a draft the engine means, from what is left when the names are right.
static str blamed_field(const struct als_draft *draft, err code, uint64_t *ret_limit)
{
    *ret_limit = 0;
    if (als_check_type(draft->type, NULL)) {
        *ret_limit = draft->type.len > TYPE_BYTES_MAX ? TYPE_BYTES_MAX : 0;
        return S("event_type");
    }
    if (als_check_entity(draft->entity, NULL)) {
        *ret_limit = draft->entity.len > ENTITY_BYTES_MAX ? ENTITY_BYTES_MAX : 0;
        return S("entity_id");
    }
    if (code == ALS_INVALID_INPUT && draft->has_id)
        return S("id"); // it stands twice in the batch
    return S("");
}

// The engine says what is wrong with a draft, but not with which field of it.
static void blame(const struct call *call, const struct append_request *request, size_t index,
                  err code, struct flaw *flaw)
{
    const struct als_draft *draft = &request->list.drafts[index];
    struct als_why why = flaw->why;
    uint64_t limit;
    str field = blamed_field(draft, code, &limit);
    if (str_equal(field, S("id"))) {
        char id[UUID_TEXT_LEN];
        uuid_format(draft->id, id);
        (void)flaw_set(flaw, code, field, "%.180s (%.*s)", why.text, (int)sizeof id, id);
    } else
        (void)flaw_set(flaw, code, field, "%s", why.text);
    flaw->limit = code == ALS_TOO_LARGE ? call->server->event_bytes_max : limit;
    if (request->batch)
        flaw_within(flaw, "events", index);
}

static void append(struct call *call, struct append_request *request, str tenant)
{
    struct flaw flaw = {};
    struct als_append append = ALS_APPEND_INIT;
    append.tenant = tenant;
    append.drafts = request->list.drafts;
    append.count = request->list.count;
    append.conditions = request->list.conditions;
    append.condition_count = request->list.condition_count;
    append.hold = http_alone(call->request);
    struct als *als = call->server->als;
    struct als_validation *validation = NULL;
    append.ret_validation = &validation;
    call->then = answer_append;
    size_t index = SIZE_MAX;
    err code = als_append(als, &append, done, call, &index, &flaw.why);
    if (code == ALS_OK) { // nothing of the request may be touched here any more
        if (append.hold)
            (void)als_turn(als);
        return;
    }
    if (validation) {
        refuse_payload(call, request, index, validation, &flaw);
        als_validation_close(validation);
        return;
    }
    if (index < request->list.count &&
        (code == ALS_INVALID_INPUT || code == ALS_INVALID_EVENT || code == ALS_TOO_LARGE))
        blame(call, request, index, code, &flaw);
    refuse(call, code, &flaw);
}

// A condition names an entity and a type as an event does.
static err check_conditions(const struct draft_list *list, struct flaw *flaw)
{
    for (size_t i = 0; i < list->condition_count; i++) {
        const struct als_condition *condition = &list->conditions[i];
        struct als_why why;
        err code = ALS_OK;
        if (condition->type.ptr && (code = als_check_type(condition->type, &why)) != ALS_OK)
            (void)flaw_set(flaw, code, S("event_type"), "%s", why.text);
        else if (condition->entity.ptr &&
                 (code = als_check_entity(condition->entity, &why)) != ALS_OK)
            (void)flaw_set(flaw, code, S("entity_id"), "%s", why.text);
        if (code) {
            flaw_within(flaw, "conditions", i);
            return code;
        }
    }
    return ALS_OK;
}

static err read_append(struct call *call, enum draft_form form, struct append_request *request,
                       str *ret_tenant, struct flaw *flaw)
{
    static const str acks[] = {{"full", 4}, {"summary", 7}, {"", 0}};
    struct params params = {};
    unsigned ack = 0;
    TRY(draft_read(form, http_body(call->request), call->server->batch_events_max, call->arena,
                   &request->list, flaw));
    TRY(params_from_query(http_query(call->request), call->arena, &params, flaw));
    if (request->batch)
        TRY(param_choice(&params, S("ack"), acks, &ack, flaw));
    TRY(tenant_of(call, request->list.tenant, &params, ret_tenant, flaw));
    TRY(check_conditions(&request->list, flaw));
    request->summary = ack == 1;
    if (request->summary)
        return ALS_OK;
    request->events = ARENA_ARRAY(call->arena, struct als_appended, request->list.count);
    if (!request->events)
        return flaw_set(flaw, ALS_TOO_LARGE, S(""), "the answer takes more memory than it may");
    return ALS_OK;
}

static void begin_append(struct call *call, enum draft_form form)
{
    struct flaw flaw = {};
    struct append_request *request = call_state_new(call, sizeof *request);
    if (!request)
        return;
    request->batch = form != DRAFT_EVENT;
    str tenant;
    err code = read_append(call, form, request, &tenant, &flaw);
    if (code)
        refuse(call, code, &flaw);
    else
        append(call, request, tenant);
}

void event_append(struct call *call)
{
    begin_append(call, DRAFT_EVENT);
}

void events_append(struct call *call)
{
    bool lines = media_type_is_lines(http_header(call->request, S("Content-Type")));
    begin_append(call, lines ? DRAFT_LINES : DRAFT_BATCH);
}
