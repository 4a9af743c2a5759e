// SPDX-License-Identifier: Apache-2.0
// Rules of retention through <allsource.h>: set, read back, kept when asked and by the engine.
#include "store.h"

#include <stdio.h>
#include <string.h>

enum { PER_BATCH = 10, ENTITIES = 7 };

static struct als *open_at(const char *directory)
{
    struct als_options options = ALS_OPTIONS_INIT;
    struct als *als = NULL;
    options.durability = ALS_DURABILITY_NONE;
    options.seal_bytes = 4096;
    options.no_auto_compact = true;
    CHECK_OK(als_open(directory, &options, &als, NULL));
    return als;
}

static struct als_stats stats_of(struct als *als)
{
    struct als_stats stats;
    CHECK_OK(als_stats(als, S("default"), &stats, NULL));
    return stats;
}

static struct als_retention retention_of(struct als *als)
{
    struct als_retention retention;
    CHECK_OK(als_retention(als, S("default"), &retention, NULL));
    return retention;
}

static void append_sealed(struct als *als, uint64_t sealed)
{
    for (struct als_stats stats = stats_of(als); stats.sealed < sealed; stats = stats_of(als)) {
        struct als_draft drafts[PER_BATCH];
        char entities[PER_BATCH][16];
        for (int k = 0; k < PER_BATCH; k++) {
            snprintf(entities[k], sizeof entities[k], "e-%d", k % ENTITIES);
            drafts[k] = draft_of(entities[k], k % 2 ? "t.odd" : "t.even", "{\"text\":\"words\"}");
        }
        struct als_outcome outcome;
        CHECK_OK(append_to(als, NULL, drafts, PER_BATCH, NULL, &outcome));
    }
}

struct answer {
    struct counter counter;
    err code;
    struct als_retained retained;
};

static void answered(void *context, enum als_err code, const struct als_retained *retained,
                     const struct als_why *why)
{
    (void)why;
    struct answer *answer = context;
    answer->code = code;
    answer->retained = *retained;
    counter_raise(&answer->counter);
}

static struct als_retained retain(struct als *als)
{
    struct answer answer = {.counter = COUNTER_INIT};
    CHECK_OK(als_retain(als, S(""), answered, &answer, NULL));
    counter_wait(&answer.counter, 1);
    CHECK_OK(answer.code);
    return answer.retained;
}

TEST(rules_of_retention_are_kept_when_asked_and_say_what_they_removed)
{
    AUTO(als) als = open_at(NULL);
    CHECK_STR(S("{\"rules\":[]}"), retention_of(als).rules);
    CHECK_EQUAL(0, retain(als).events); // a tenant that does not exist
    str rules = S("{\"rules\":[{\"event_type\":\"t.*\",\"max_count\":20}]}");
    CHECK_OK(als_retention_set(als, S("default"), rules, NULL));
    CHECK_STR(rules, retention_of(als).rules);
    append_sealed(als, 2000);
    struct als_stats before = stats_of(als);
    struct als_retained retained = retain(als);
    struct als_stats after = stats_of(als);
    CHECK(retained.events > 1000 && retained.files_removed > 0);
    CHECK_EQUAL(before.position, after.position);
    CHECK_EQUAL(before.events - retained.events, after.events);
    CHECK_EQUAL(retained.events, after.removed);
    CHECK(after.entities == ENTITIES && after.types == 2);
    struct als_retention seen = retention_of(als);
    CHECK_EQUAL(retained.events, seen.removed);
    CHECK(seen.total.runs == 1 && seen.failures == 0 && seen.last_us > 0);
}

TEST(rules_of_retention_that_make_no_sense_are_refused)
{
    AUTO(als) als = open_at(NULL);
    struct als_why why = {""};
    str rules = S("{\"rules\":[{\"event_type\":\"t\",\"max_bytes\":-1}]}");
    CHECK_ERR(ALS_INVALID_INPUT, als_retention_set(als, S("default"), rules, &why));
    CHECK(strstr(why.text, "rules[0].max_bytes: -1"));
    CHECK_ERR(ALS_JSON_SYNTAX, als_retention_set(als, S("default"), S("{"), NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_retention_set(als, S("default"), S("[]"), NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_retain(als, S("default"), NULL, NULL, NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_retention(als, S("default"), NULL, NULL));
}
