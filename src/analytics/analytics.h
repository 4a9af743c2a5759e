// SPDX-License-Identifier: Apache-2.0
// Three questions over events in a span of time: how many when (frequency), of what and whom
// (summary), and which of one type happen near which of another (correlation).
//
// An analysis is a partial answer. It takes blocks of sealed history and single events, in any
// order and number; two that were made for the same question are merged, so any number of threads
// may each have one and take a share of the history. Memory is bounded by base/limits.h and does
// not grow with the number of events (correlation: with those of its two types, up to a limit).
// What was given goes by its timestamps; which entity it is of is left to who gives it.
// Threads: an analysis belongs to one thread at a time; a question that does not change to all.
#pragma once

#include "base/err.h"
#include "base/own.h"
#include "base/str.h"

#include <stdatomic.h>
#include <stdbool.h>

struct analysis;
struct segment_block;

enum analysis_kind { ANALYSIS_FREQUENCY, ANALYSIS_SUMMARY, ANALYSIS_CORRELATION };

// Calendar units of UTC. A week begins on Monday.
enum analysis_window { WINDOW_MINUTE, WINDOW_HOUR, WINDOW_DAY, WINDOW_WEEK, WINDOW_MONTH };

struct analysis_question {
    enum analysis_kind kind;
    int64_t since_us, until_us; // inclusive; within the years 0 to 9999
    // Frequency and summary: any of these types, a trailing '*' is a prefix; none: any.
    const str *types;
    size_t type_count;
    enum analysis_window window; // frequency
    str type_a, type_b;          // correlation: may be the same
    uint64_t within_s;           // correlation: whole seconds between two events, at most
    uint32_t names_max; // summary: entities, and types, that are counted exactly; at least 1
    uint64_t seed;      // of hashes: secret, the same for all that will be merged
    const atomic_bool *given_up; // ends long work with ALS_NOT_READY; NULL: never
};

// ALS_INVALID_QUERY for a question that is too large, before any work.
err analysis_check(const struct analysis_question *question, struct als_why *why);

// The question was checked. It and its names live until the analysis is freed.
err analysis_new(KEEPS const struct analysis_question *question, struct analysis **ret_analysis,
                 struct als_why *why);
void analysis_free(struct analysis *analysis);
AUTO_WITH(analysis, analysis_free)

// The columns that blocks must have, a set of enum segment_columns.
unsigned analysis_columns(const struct analysis_question *question);

// Takes the events of a block that the question is about. All blocks of one analysis come from the
// same segment_scan, whose dictionaries have numbers of their own. ALS_TOO_LARGE names the limit.
// After a failure the analysis can only be freed.
err analysis_take_block(struct analysis *analysis, const struct segment_block *block,
                        struct als_why *why);
// The same for one event.
err analysis_take_event(struct analysis *analysis, const struct als_event *event,
                        struct als_why *why);
// Adds what `source` has taken; it can only be freed afterwards.
err analysis_merge(struct analysis *target, struct analysis *source, struct als_why *why);
// Makes the answer; nothing is taken after it. The answers live as long as the analysis.
err analysis_finish(struct analysis *analysis, struct als_why *why);

// ---- Answers

struct counted {
    str name;
    uint64_t count; // so many at least
    uint64_t error; // and so many more at most; 0: exact
};

struct frequency_bucket {
    int64_t start_us;
    uint64_t count;
    size_t type_count; // types that occur in it
};
struct frequency_answer {
    uint64_t total;      // the sum over all buckets
    size_t bucket_count; // from that of since_us to that of until_us; 0 when there is no event
};
struct frequency_answer analysis_frequency(const struct analysis *analysis);
struct frequency_bucket frequency_bucket(const struct analysis *analysis, size_t bucket);
// In bytewise order of the names.
struct counted frequency_type(const struct analysis *analysis, size_t bucket, size_t number);

enum { SUMMARY_TOP_MAX = 10 };
struct summary_names {
    uint64_t unique;
    bool exact; // else `unique` is an estimate with SUMMARY_ERROR_PERCENT, and counts have an error
    size_t top_count;
    struct counted top[SUMMARY_TOP_MAX]; // most first; among equals in bytewise order
};
#define SUMMARY_ERROR_PERCENT 0.8125 // one standard deviation
struct summary_answer {
    uint64_t total;
    int64_t first_us, last_us; // when there is an event
    struct summary_names entities, types;
};
struct summary_answer analysis_summary(const struct analysis *analysis);

enum { CORRELATION_EXAMPLES_MAX = 5 };
struct correlation_example {
    str entity;
    int64_t a_us, b_us;
};
// Pairs are of one entity, at most within_s whole seconds apart, in either order. With one type
// twice a pair is two different events, and counts once.
struct correlation_answer {
    uint64_t total_a, total_b;
    uint64_t pairs;
    uint64_t paired_a;    // events of type a that are in a pair
    double mean_seconds;  // of the whole seconds between the two; 0 when there is no pair
    size_t example_count; // the earliest, by a and then by b
    struct correlation_example examples[CORRELATION_EXAMPLES_MAX];
};
struct correlation_answer analysis_correlation(const struct analysis *analysis);
