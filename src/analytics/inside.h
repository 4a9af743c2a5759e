// SPDX-License-Identifier: Apache-2.0
// What the three analyses have in common.
#pragma once

#include "analytics/analytics.h"

struct analysis_calls {
    err (*take_block)(struct analysis *analysis, const struct segment_block *block,
                      struct als_why *why);
    err (*take_event)(struct analysis *analysis, const struct als_event *event,
                      struct als_why *why);
    err (*merge)(struct analysis *target, struct analysis *source, struct als_why *why);
    err (*finish)(struct analysis *analysis, struct als_why *why);
    void (*free)(struct analysis *analysis);
};

// First in each of them.
struct analysis {
    const struct analysis_calls *calls;
    const struct analysis_question *question;
};

err frequency_new(const struct analysis_question *question, struct analysis **ret_analysis,
                  struct als_why *why);
err summary_new(const struct analysis_question *question, struct analysis **ret_analysis,
                struct als_why *why);
err correlation_new(const struct analysis_question *question, struct analysis **ret_analysis,
                    struct als_why *why);

static inline bool within_time(const struct analysis_question *question, int64_t us)
{
    return us >= question->since_us && us <= question->until_us;
}

// Whether the question's list of types has it.
bool wants_type(const struct analysis_question *question, str type);

// ALS_NOT_READY when the question was given up.
err still_wanted(const struct analysis_question *question, struct als_why *why);

// ---- What a block's dictionary numbers stand for here, found out once for each number.

#define MEMO_UNKNOWN UINT32_MAX
#define MEMO_UNWANTED (UINT32_MAX - 1) // and smaller ones are what was found
struct memo {
    uint32_t *ids; // by dictionary number
    uint32_t count, room;
    uint64_t dictionary; // 0: none
};
void memo_deinit(struct memo *memo);
// All numbers are unknown when the dictionary is another one.
err memo_begin(struct memo *memo, uint64_t dictionary, uint32_t count, struct als_why *why);
