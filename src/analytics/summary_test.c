// SPDX-License-Identifier: Apache-2.0
#include "analytics/made.h"

#include "analytics/tally.h"
#include "base/limits.h"

// ---- Against a loop over all events

struct model {
    uint64_t total, entities[MADE_NAMES_MAX], types[MADE_NAMES_MAX];
    int64_t first_us, last_us;
};

static struct model model_of(const struct made *made, const struct analysis_question *question)
{
    struct model model = {.first_us = INT64_MAX, .last_us = INT64_MIN};
    for (size_t i = 0; i < made->count; i++) {
        int64_t us = made->us[i];
        bool wanted = question->type_count == 0;
        for (size_t k = 0; k < question->type_count; k++)
            wanted |= str_equal(question->types[k], made_type(made, i));
        if (!wanted || us < question->since_us || us > question->until_us)
            continue;
        model.total++;
        model.entities[made->entities[i]]++;
        model.types[made->types[i]]++;
        model.first_us = us < model.first_us ? us : model.first_us;
        model.last_us = us > model.last_us ? us : model.last_us;
    }
    return model;
}

static uint64_t unique_of(const uint64_t *counts)
{
    uint64_t unique = 0;
    for (size_t i = 0; i < MADE_NAMES_MAX; i++)
        unique += counts[i] > 0;
    return unique;
}

// The greatest, the name that is first among equals, taken out.
static struct counted take_greatest(const char texts[][16], uint64_t *counts)
{
    size_t best = 0;
    for (size_t i = 1; i < MADE_NAMES_MAX; i++)
        if (counts[i] > counts[best] ||
            (counts[i] == counts[best] && strcmp(texts[i], texts[best]) < 0))
            best = i;
    struct counted counted = {.name = str_of(texts[best]), .count = counts[best]};
    counts[best] = 0;
    return counted;
}

static void check_names(const struct summary_names *names, const char texts[][16], uint64_t *counts)
{
    uint64_t unique = unique_of(counts);
    CHECK(names->exact);
    CHECK_EQUAL(unique, names->unique);
    CHECK_EQUAL(unique < SUMMARY_TOP_MAX ? unique : SUMMARY_TOP_MAX, names->top_count);
    for (size_t i = 0; i < names->top_count; i++) {
        struct counted want = take_greatest(texts, counts);
        CHECK_STR(want.name, names->top[i].name);
        CHECK_EQUAL(want.count, names->top[i].count);
        CHECK_EQUAL(0, names->top[i].error);
    }
}

static void compare(struct made *made, const struct analysis_question *question)
{
    struct model model = model_of(made, question);
    AUTO(analysis) analysis = made_analyse(made, question);
    struct summary_answer answer = analysis_summary(analysis);
    CHECK_EQUAL(model.total, answer.total);
    CHECK_EQUAL(model.first_us, answer.first_us);
    CHECK_EQUAL(model.last_us, answer.last_us);
    check_names(&answer.entities, made->entity_texts, model.entities);
    check_names(&answer.types, made->type_texts, model.types);
}

TEST(summary_of_blocks_and_events_in_shares_is_that_of_a_loop_over_all)
{
    static const str some[] = {{"order.1", 7}, {"user.2", 6}, {"absent", 6}};
    FOR_EACH_SEED(seed, 60) {
        struct made *made = made_new(seed, 2000, -500000, 1000000);
        struct analysis_question question = {.kind = ANALYSIS_SUMMARY,
                                             .since_us = TIME_US_MIN,
                                             .until_us = TIME_US_MAX,
                                             .names_max = 40,
                                             .seed = seed};
        compare(made, &question);
        question.since_us = -250000;
        question.until_us = 100000;
        question.types = some;
        question.type_count = 3;
        compare(made, &question);
        free(made);
    }
}

TEST(as_many_names_as_may_be_exact_are_and_one_more_is_said_to_be_an_estimate)
{
    struct made *made = made_new(1, 2000, 0, 1000);
    for (size_t i = 0; i < made->count; i++)
        made->entities[i] = (uint32_t)(i % 500);
    struct analysis_question question = {
        .kind = ANALYSIS_SUMMARY, .until_us = 1000, .names_max = 500, .seed = 1};
    AUTO(analysis) exact = made_analyse(made, &question);
    CHECK(analysis_summary(exact).entities.exact);
    CHECK_EQUAL(500, analysis_summary(exact).entities.unique);
    question.names_max = 499;
    AUTO(analysis) estimate = made_analyse(made, &question);
    CHECK(!analysis_summary(estimate).entities.exact);
    CHECK(analysis_summary(estimate).types.exact);
    free(made);
}

// Few are frequent, the rest is noise of ever new names, in which every table must overflow.
TEST(beyond_exactness_every_count_told_is_true_within_its_error)
{
    FOR_EACH_SEED(seed, 60) {
        struct made *made = made_new(seed, 2000, 0, 1000);
        for (size_t i = 0; i < made->count; i++) {
            uint64_t frequent = rand_below(&made->rand, 24);
            made->entities[i] =
                (uint32_t)(frequent < 12 ? frequent : 12 + rand_below(&made->rand, 580));
        }
        struct analysis_question question = {.kind = ANALYSIS_SUMMARY,
                                             .until_us = 1000,
                                             .names_max = 20 + (uint32_t)(seed % 100),
                                             .seed = seed};
        struct model model = model_of(made, &question);
        AUTO(analysis) analysis = made_analyse(made, &question);
        struct summary_answer answer = analysis_summary(analysis);
        CHECK_EQUAL(model.total, answer.total);
        CHECK(!answer.entities.exact);
        CHECK_EQUAL(SUMMARY_TOP_MAX, answer.entities.top_count);
        uint64_t unique = unique_of(model.entities);
        CHECK(answer.entities.unique * 20 > unique * 19 &&
              answer.entities.unique * 20 < unique * 21);
        for (size_t i = 0; i < answer.entities.top_count; i++) {
            struct counted top = answer.entities.top[i];
            uint64_t truth = 0;
            for (size_t k = 0; k < MADE_NAMES_MAX; k++)
                if (str_equal(top.name, str_of(made->entity_texts[k])))
                    truth = model.entities[k];
            CHECK(top.count <= truth && truth <= top.count + top.error);
            CHECK(top.error <= 4 * model.total / question.names_max);
        }
        free(made);
    }
}

// ---- The tally by itself

static void tally_take(struct tally *tally, str name, uint64_t count)
{
    uint64_t hash = names_hash(&tally->names, name);
    uint32_t number;
    if (!tally_find(tally, name, hash, &number)) {
        if (tally_is_full(tally))
            CHECK_OK(tally_purge(tally, NULL));
        CHECK_OK(tally_enter(tally, name, hash, &number, NULL));
    }
    tally_add(tally, number, count);
}

TEST(a_tally_never_holds_more_names_than_it_may_nor_misses_more_than_it_says)
{
    enum { KINDS = 3000, ROOM = 64 };
    FOR_EACH_SEED(seed, 20) {
        struct rand rand = {seed};
        static uint64_t truth[KINDS];
        memset(truth, 0, sizeof truth);
        struct tally *tally = malloc(sizeof *tally);
        CHECK(tally);
        tally_init(tally, seed, ROOM, 1 << 20);
        for (int i = 0; i < 20000; i++) {
            uint64_t kind = rand_below(&rand, 1 + rand_below(&rand, KINDS));
            uint64_t count = 1 + rand_below(&rand, 3);
            char text[16];
            (void)snprintf(text, sizeof text, "%u", (unsigned)kind);
            truth[kind] += count;
            tally_take(tally, str_of(text), count);
            CHECK(tally->names.count <= ROOM);
        }
        for (uint32_t kind = 0; kind < KINDS; kind++) {
            char text[16];
            uint32_t number;
            (void)snprintf(text, sizeof text, "%u", kind);
            str name = str_of(text);
            if (tally_find(tally, name, names_hash(&tally->names, name), &number)) {
                struct tally_count held = tally->counts[number];
                CHECK(held.count <= truth[kind] && truth[kind] <= held.count + held.error);
            } else
                CHECK(truth[kind] <= tally->missed);
        }
        tally_deinit(tally);
        free(tally);
    }
}

// Noise of ever new names around one that is there from the beginning.
static struct tally *busy_tally(uint64_t from)
{
    enum { ROOM = 16 };
    struct tally *tally = malloc(sizeof *tally);
    CHECK(tally);
    tally_init(tally, 1, ROOM, 1 << 20);
    for (uint64_t i = 0; i < 500; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "%u", (unsigned)(from + i));
        tally_take(tally, S("busy"), 1);
        tally_take(tally, str_of(text), 1);
    }
    CHECK(tally->missed > 0);
    return tally;
}

TEST(what_is_frequent_from_the_beginning_stays_exact_when_tallies_are_merged)
{
    struct tally *target = busy_tally(0), *source = busy_tally(1000);
    CHECK_OK(tally_merge(target, source, NULL));
    struct summary_names names;
    tally_answer(target, &names);
    CHECK_STR(S("busy"), names.top[0].name);
    CHECK_EQUAL(1000, names.top[0].count);
    CHECK_EQUAL(0, names.top[0].error);
    tally_deinit(target);
    tally_deinit(source);
    free(target);
    free(source);
}

TEST(a_tally_lets_go_of_names_when_their_bytes_run_out)
{
    struct tally *tally = malloc(sizeof *tally);
    CHECK(tally);
    tally_init(tally, 1, 1000000, 64 * 1024);
    char text[128];
    memset(text, 'x', sizeof text);
    for (int i = 0; i < 5000; i++) {
        (void)snprintf(text, sizeof text - 1, "%d", i);
        text[strlen(text)] = 'x';
        tally_take(tally, (str){text, sizeof text}, 1);
        CHECK(tally->names.bytes <= 64 * 1024);
    }
    struct summary_names names;
    tally_answer(tally, &names);
    CHECK(!names.exact);
    CHECK(names.unique > 4750 && names.unique < 5250);
    tally_deinit(tally);
    free(tally);
}

TEST(a_sketch_is_within_five_standard_errors_from_none_to_a_million)
{
    struct rand rand = {42};
    struct sketch *sketch = calloc(1, sizeof *sketch);
    CHECK(sketch);
    CHECK_EQUAL(0, sketch_count(sketch));
    for (uint64_t i = 1; i <= 1000000; i++) {
        sketch_add(sketch, rand_next(&rand));
        if ((i & (i - 1)) != 0 && i != 1000000 && i != 40000)
            continue;
        double error = ((double)sketch_count(sketch) - (double)i) / (double)i * 100;
        CHECK(error < 5 * SUMMARY_ERROR_PERCENT && error > -5 * SUMMARY_ERROR_PERCENT);
    }
    free(sketch);
}

TEST(sketches_that_are_merged_count_what_both_have_seen_once)
{
    struct sketch *sketches = calloc(3, sizeof *sketches);
    CHECK(sketches);
    struct rand rand = {7};
    for (int i = 0; i < 30000; i++) {
        uint64_t hash = rand_next(&rand);
        sketch_add(&sketches[2], hash);
        if (i < 20000)
            sketch_add(&sketches[0], hash);
        if (i >= 10000)
            sketch_add(&sketches[1], hash);
    }
    sketch_merge(&sketches[0], &sketches[1]);
    CHECK_EQUAL(sketch_count(&sketches[2]), sketch_count(&sketches[0]));
    free(sketches);
}
