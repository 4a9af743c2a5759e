// SPDX-License-Identifier: Apache-2.0
#include "server/analytics_json.h"

#include "base/time.h"

enum { CHUNK_BYTES = 64 << 10 };

const str window_names[] = {[ALS_WINDOW_MINUTE] = {"minute", 6}, [ALS_WINDOW_HOUR] = {"hour", 4},
                            [ALS_WINDOW_DAY] = {"day", 3},       [ALS_WINDOW_WEEK] = {"week", 4},
                            [ALS_WINDOW_MONTH] = {"month", 5},   {"", 0}};

static void put_time(struct json_writer *writer, str key, int64_t us)
{
    char text[TIME_TEXT_MAX];
    json_field_string(writer, key, (str){text, time_format(us, text)});
}

static void put_range(struct json_writer *writer, int64_t from_us, int64_t to_us)
{
    json_key(writer, S("time_range"));
    json_open_object(writer);
    put_time(writer, S("from"), from_us);
    put_time(writer, S("to"), to_us);
    json_close_object(writer);
}

static void put_double(struct json_writer *writer, str key, double value)
{
    json_key(writer, key);
    json_put_double(writer, value);
}

static double percent_of(uint64_t part, uint64_t whole)
{
    return whole ? (double)part / (double)whole * 100 : 0;
}

// ---- Frequency

static void put_bucket_begin(struct json_writer *writer, const struct als_bucket *bucket)
{
    json_open_object(writer);
    put_time(writer, S("timestamp"), bucket->start_us);
    json_field_u64(writer, S("count"), bucket->count);
    json_key(writer, S("event_types"));
    json_open_object(writer);
}

static void put_frequency_end(struct frequency_print *print, const struct als_frequency *frequency)
{
    struct json_writer *writer = &print->writer;
    json_close_array(writer);
    json_field_u64(writer, S("total_events"), frequency->total);
    json_field_string(writer, S("window"), window_names[print->window]);
    put_range(writer, frequency->since_us, frequency->until_us);
    json_field_u64(writer, S("position"), als_analysis_position(print->analysis));
    json_close_object(writer);
    print->ended = true;
}

// One step: a bucket's beginning, one of its types, its end, or the end of all.
static void put_step(struct frequency_print *print, const struct als_frequency *frequency)
{
    struct json_writer *writer = &print->writer;
    if (print->bucket == frequency->bucket_count) {
        put_frequency_end(print, frequency);
        return;
    }
    struct als_bucket bucket = als_analysis_bucket(print->analysis, print->bucket);
    if (!print->in_bucket)
        put_bucket_begin(writer, &bucket);
    print->in_bucket = true;
    if (print->type < bucket.type_count) {
        struct als_counted type =
            als_analysis_bucket_type(print->analysis, print->bucket, print->type++);
        json_field_u64(writer, type.name, type.count);
        return;
    }
    json_close_object(writer);
    json_close_object(writer);
    print->in_bucket = false;
    print->bucket++;
    print->type = 0;
}

void frequency_print_begin(struct frequency_print *print, const struct als_analysis *analysis,
                           enum als_window window, struct buf *buf)
{
    *print = (struct frequency_print){.analysis = analysis, .window = window};
    json_writer_init(&print->writer, buf);
    json_open_object(&print->writer);
    json_key(&print->writer, S("buckets"));
    json_open_array(&print->writer);
}

bool frequency_print_chunk(struct frequency_print *print, struct buf *buf)
{
    struct als_frequency frequency = als_analysis_frequency(print->analysis);
    print->writer.buf = buf;
    while (!print->ended && buf->len < CHUNK_BYTES && !buf_failed(buf))
        put_step(print, &frequency);
    return !buf_failed(buf);
}

// ---- Summary

static void put_top(struct json_writer *writer, str list, str name_key,
                    const struct als_summary_names *names, uint64_t total)
{
    json_key(writer, list);
    json_open_array(writer);
    for (size_t i = 0; i < names->top_count; i++) {
        const struct als_counted *top = &names->top[i];
        json_open_object(writer);
        json_field_string(writer, name_key, top->name);
        json_field_u64(writer, S("count"), top->count);
        put_double(writer, S("percentage"), percent_of(top->count, total));
        if (top->error)
            json_field_u64(writer, S("count_error_max"), top->error);
        json_close_object(writer);
    }
    json_close_array(writer);
}

// What is not exact is named.
static void put_exactness(struct json_writer *writer, const struct als_summary *summary)
{
    bool exact = summary->entities.exact && summary->types.exact;
    json_key(writer, S("exact"));
    json_put_bool(writer, exact);
    if (exact)
        return;
    const struct als_summary_names *estimate =
        summary->entities.exact ? &summary->types : &summary->entities;
    json_key(writer, S("approximate"));
    json_open_array(writer);
    if (!summary->entities.exact) {
        json_put_string(writer, S("unique_entities"));
        json_put_string(writer, S("top_entities"));
    }
    if (!summary->types.exact) {
        json_put_string(writer, S("unique_event_types"));
        json_put_string(writer, S("top_event_types"));
    }
    json_close_array(writer);
    put_double(writer, S("standard_error_percent"), estimate->error_percent);
}

static double events_per_day(const struct als_summary *summary)
{
    const int64_t day_us = INT64_C(86400) * 1000000;
    int64_t days = (summary->last_us - summary->first_us) / day_us;
    return (double)summary->total / (double)(days > 1 ? days : 1);
}

void summary_put(struct json_writer *writer, const struct als_analysis *analysis)
{
    struct als_summary summary = als_analysis_summary(analysis);
    json_open_object(writer);
    json_field_u64(writer, S("total_events"), summary.total);
    json_field_u64(writer, S("unique_entities"), summary.entities.unique);
    json_field_u64(writer, S("unique_event_types"), summary.types.unique);
    put_range(writer, summary.first_us, summary.last_us);
    put_double(writer, S("events_per_day"), events_per_day(&summary));
    put_top(writer, S("top_event_types"), S("event_type"), &summary.types, summary.total);
    put_top(writer, S("top_entities"), S("entity_id"), &summary.entities, summary.total);
    put_time(writer, S("first_event"), summary.first_us);
    put_time(writer, S("last_event"), summary.last_us);
    put_exactness(writer, &summary);
    json_field_u64(writer, S("position"), als_analysis_position(analysis));
    json_close_object(writer);
}

// ---- Correlation

static void put_examples(struct json_writer *writer, const struct als_correlation *correlation)
{
    json_key(writer, S("examples"));
    json_open_array(writer);
    for (size_t i = 0; i < correlation->example_count; i++) {
        const struct als_pair *pair = &correlation->examples[i];
        int64_t apart_us =
            pair->a_us < pair->b_us ? pair->b_us - pair->a_us : pair->a_us - pair->b_us;
        json_open_object(writer);
        json_field_string(writer, S("entity_id"), pair->entity);
        put_time(writer, S("event_a_timestamp"), pair->a_us);
        put_time(writer, S("event_b_timestamp"), pair->b_us);
        json_field_u64(writer, S("time_between_seconds"), (uint64_t)apart_us / 1000000);
        json_close_object(writer);
    }
    json_close_array(writer);
}

void correlation_put(struct json_writer *writer, const struct als_analysis *analysis, str type_a,
                     str type_b)
{
    struct als_correlation correlation = als_analysis_correlation(analysis);
    json_open_object(writer);
    json_field_string(writer, S("event_type_a"), type_a);
    json_field_string(writer, S("event_type_b"), type_b);
    json_field_u64(writer, S("total_a"), correlation.total_a);
    json_field_u64(writer, S("total_b"), correlation.total_b);
    json_field_u64(writer, S("correlated_pairs"), correlation.pairs);
    put_double(writer, S("correlation_percentage"),
               percent_of(correlation.paired_a, correlation.total_a));
    put_double(writer, S("avg_time_between_seconds"), correlation.mean_seconds);
    put_examples(writer, &correlation);
    json_field_u64(writer, S("correlated_a"), correlation.paired_a);
    json_field_u64(writer, S("position"), als_analysis_position(analysis));
    json_close_object(writer);
}
