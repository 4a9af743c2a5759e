// SPDX-License-Identifier: Apache-2.0
// POST /api/v1/compaction/trigger and GET /api/v1/compaction/stats.
//
// The engine merges on a thread of its own, and whoever asked waits without one. When the client
// goes away the work goes on: it is of use to others, and its outcome is in the statistics.
#include "http/http.h"
#include "server/reading.h"
#include "server/reply.h"
#include "json/json.h"

#include <string.h>

// By enum als_strategy; the first stands for no choice.
static const str strategies[] = {
    [ALS_STRATEGY_USUAL] = {"usual", 5},          [ALS_STRATEGY_SIZE] = {"sizebased", 9},
    [ALS_STRATEGY_AGE] = {"timebased", 9},        [ALS_STRATEGY_COUNT] = {"countbased", 10},
    [ALS_STRATEGY_FULL] = {"fullcompaction", 14}, {"", 0},
};

// ---- Asking for it

struct trigger {
    struct reading reading;
    unsigned strategy;
    err code;
    struct als_compacted compacted;
    struct als_why why;
};

static void put_compacted(struct json_writer *writer, const struct als_compacted *compacted)
{
    json_field_u64(writer, S("files_compacted"), compacted->files);
    json_field_u64(writer, S("bytes_before"), compacted->bytes_before);
    json_field_u64(writer, S("bytes_after"), compacted->bytes_after);
    json_field_u64(writer, S("events_compacted"), compacted->events);
    json_field_u64(writer, S("duration_ms"), compacted->duration_ns / 1'000'000);
    json_field_u64(writer, S("files_created"), compacted->merges);
}

// What was merged before it failed stays merged, so a failure says it, too.
static void answer_trigger(struct call *call)
{
    const struct trigger *trigger = call->state;
    if (trigger->code != ALS_OK) {
        struct json_writer writer = reply_error_begin(call, trigger->code, trigger->why.text);
        put_compacted(&writer, &trigger->compacted);
        reply_error_end(call, &writer, trigger->code);
        return;
    }
    struct json_writer writer = reply_writer(call);
    json_open_object(&writer);
    put_compacted(&writer, &trigger->compacted);
    json_close_object(&writer);
    reply_json(call, 200);
}

static void done(void *context, enum als_err code, const struct als_compacted *compacted,
                 const struct als_why *why)
{
    struct call *call = context;
    struct trigger *trigger = call->state;
    trigger->code = code;
    trigger->compacted = *compacted;
    trigger->why = *why;
    call_continue(call);
}

static void ask(struct call *call)
{
    const struct trigger *trigger = call->state;
    struct als_compact compact = ALS_COMPACT_INIT;
    struct als_why why = {""};
    compact.tenant = trigger->reading.tenant;
    compact.strategy = (enum als_strategy)trigger->strategy;
    call->then = answer_trigger;
    err code = als_compact(call->server->als, &compact, done, call, &why);
    if (code != ALS_OK) // else nothing of the request may be touched here any more
        reply_error(call, code, &why);
}

void compaction_trigger(struct call *call)
{
    struct flaw flaw = {};
    struct trigger *trigger = call_state_new(call, sizeof *trigger);
    if (!trigger || !reading_begin(call, &trigger->reading, &flaw))
        return;
    err code = param_choice(&trigger->reading.params, S("strategy"), strategies, &trigger->strategy,
                            &flaw);
    if (code)
        reply_flaw(call, code, &flaw);
    else
        reading_wait(call, &trigger->reading, ask);
}

// ---- Watching it

static void put_stats(struct json_writer *writer, const struct als_compaction *seen)
{
    const struct als_compacted *total = &seen->total;
    bool saved = total->bytes_before > total->bytes_after;
    json_key(writer, S("stats"));
    json_open_object(writer);
    json_field_u64(writer, S("total_compactions"), total->merges);
    json_field_u64(writer, S("total_files_compacted"), total->files);
    json_field_u64(writer, S("total_bytes_before"), total->bytes_before);
    json_field_u64(writer, S("total_bytes_after"), total->bytes_after);
    json_field_u64(writer, S("total_events_compacted"), total->events);
    json_field_u64(writer, S("last_compaction_duration_ms"), seen->last_ns / 1'000'000);
    json_field_u64(writer, S("space_saved_bytes"),
                   saved ? total->bytes_before - total->bytes_after : 0);
    json_field_u64(writer, S("failures"), seen->failures);
    json_field_u64(writer, S("unreadable_files"), seen->unreadable);
    json_close_object(writer);
}

static void put_config(struct json_writer *writer, const struct als_compaction *seen)
{
    json_key(writer, S("config"));
    json_open_object(writer);
    json_field_u64(writer, S("min_files_to_compact"), seen->files);
    json_field_u64(writer, S("target_file_size"), seen->target_bytes);
    json_field_u64(writer, S("max_file_size"), 2 * seen->target_bytes);
    json_field_u64(writer, S("small_file_threshold"), seen->small_bytes);
    json_field_u64(writer, S("compaction_interval_seconds"), seen->interval_seconds);
    json_key(writer, S("auto_compact"));
    json_put_bool(writer, seen->automatic);
    json_field_string(writer, S("strategy"), strategies[seen->strategy]);
    json_field_u64(writer, S("age_seconds"), seen->age_seconds);
    json_field_u64(writer, S("bytes_per_second"), seen->bytes_per_second);
    json_close_object(writer);
}

static void put_progress(struct json_writer *writer, const struct als_compaction *seen)
{
    json_key(writer, S("progress"));
    json_open_object(writer);
    json_key(writer, S("running"));
    json_put_bool(writer, seen->running);
    json_field_u64(writer, S("bytes_done"), seen->bytes_done);
    json_field_u64(writer, S("bytes_total"), seen->bytes_total);
    json_field_u64(writer, S("waiting"), seen->waiting);
    json_close_object(writer);
}

static void answer_stats(struct call *call)
{
    const struct reading *reading = call->state;
    struct als_compaction seen;
    struct als_why why = {""};
    err code = als_compaction(call->server->als, reading->tenant, &seen, &why);
    if (code) {
        reply_error(call, code, &why);
        return;
    }
    struct json_writer writer = reply_writer(call);
    json_open_object(&writer);
    put_stats(&writer, &seen);
    put_config(&writer, &seen);
    put_progress(&writer, &seen);
    json_close_object(&writer);
    reply_json(call, 200);
}

void compaction_stats(struct call *call)
{
    struct flaw flaw = {};
    struct reading *reading = call_state_new(call, sizeof *reading);
    if (reading && reading_begin(call, reading, &flaw))
        reading_wait(call, reading, answer_stats);
}
