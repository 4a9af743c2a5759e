// SPDX-License-Identifier: Apache-2.0
#include "analytics/made.h"

#include "base/limits.h"

static struct analysis_question correlation_of(const char *a, const char *b, uint64_t within_s)
{
    return (struct analysis_question){.kind = ANALYSIS_CORRELATION,
                                      .since_us = TIME_US_MIN,
                                      .until_us = TIME_US_MAX,
                                      .type_a = str_of(a),
                                      .type_b = str_of(b),
                                      .within_s = within_s};
}

// ---- Against a loop over all pairs

struct model_pair {
    int64_t a_us, b_us;
    uint32_t entity;
};

struct model {
    uint64_t total_a, total_b, pairs, paired_a;
    double seconds;
    struct model_pair first[CORRELATION_EXAMPLES_MAX];
    size_t first_count;
};

static bool is_before(const struct made *made, const struct model_pair *x,
                      const struct model_pair *y)
{
    if (x->a_us != y->a_us)
        return x->a_us < y->a_us;
    if (x->b_us != y->b_us)
        return x->b_us < y->b_us;
    return strcmp(made->entity_texts[x->entity], made->entity_texts[y->entity]) < 0;
}

static void model_keep(struct model *model, const struct made *made, struct model_pair pair)
{
    struct model_pair pairs[CORRELATION_EXAMPLES_MAX + 1];
    size_t count = model->first_count, at = count;
    memcpy(pairs, model->first, sizeof model->first);
    for (; at > 0 && is_before(made, &pair, &pairs[at - 1]); at--)
        pairs[at] = pairs[at - 1];
    pairs[at] = pair;
    memcpy(model->first, pairs, sizeof model->first);
    model->first_count += count < CORRELATION_EXAMPLES_MAX;
}

// Whether event i, of type a, and event k make a pair; and whether it is counted at i.
static bool are_pair(const struct made *made, const struct analysis_question *question, size_t i,
                     size_t k)
{
    int64_t apart = made->us[i] - made->us[k];
    uint64_t seconds = (uint64_t)(apart < 0 ? -apart : apart) / 1000000;
    return i != k && str_equal(made_type(made, k), question->type_b) &&
           made->entities[i] == made->entities[k] && seconds <= question->within_s &&
           made->us[k] >= question->since_us && made->us[k] <= question->until_us;
}

static void model_take(struct model *model, const struct made *made,
                       const struct analysis_question *question, size_t i)
{
    bool same = str_equal(question->type_a, question->type_b), any = false;
    model->total_a++;
    for (size_t k = 0; k < made->count; k++) {
        if (!are_pair(made, question, i, k))
            continue;
        any = true;
        bool again = same && (made->us[k] < made->us[i] || (made->us[k] == made->us[i] && k < i));
        if (again)
            continue;
        int64_t apart = made->us[i] - made->us[k];
        model->pairs++;
        model->seconds += (double)((apart < 0 ? -apart : apart) / 1000000);
        model_keep(model, made, (struct model_pair){made->us[i], made->us[k], made->entities[i]});
    }
    model->paired_a += any;
}

static struct model model_of(const struct made *made, const struct analysis_question *question)
{
    struct model model = {};
    for (size_t i = 0; i < made->count; i++) {
        if (made->us[i] < question->since_us || made->us[i] > question->until_us)
            continue;
        model.total_b += str_equal(made_type(made, i), question->type_b);
        if (str_equal(made_type(made, i), question->type_a))
            model_take(&model, made, question, i);
    }
    return model;
}

static void compare(struct made *made, const struct analysis_question *question)
{
    struct model model = model_of(made, question);
    AUTO(analysis) analysis = made_analyse(made, question);
    struct correlation_answer answer = analysis_correlation(analysis);
    CHECK_EQUAL(model.total_a, answer.total_a);
    CHECK_EQUAL(model.total_b, answer.total_b);
    CHECK_EQUAL(model.pairs, answer.pairs);
    CHECK_EQUAL(model.paired_a, answer.paired_a);
    CHECK(answer.mean_seconds == (model.pairs ? model.seconds / (double)model.pairs : 0));
    CHECK_EQUAL(model.first_count, answer.example_count);
    for (size_t i = 0; i < answer.example_count; i++) {
        CHECK_EQUAL(model.first[i].a_us, answer.examples[i].a_us);
        CHECK_EQUAL(model.first[i].b_us, answer.examples[i].b_us);
        CHECK_STR(str_of(made->entity_texts[model.first[i].entity]), answer.examples[i].entity);
    }
}

TEST(correlation_of_blocks_and_events_in_shares_is_that_of_a_loop_over_all_pairs)
{
    static const uint64_t withins[] = {0, 1, 7, 60, 600, UINT64_MAX};
    FOR_EACH_SEED(seed, 120) {
        struct made *made = made_new(seed, 700, -200000000, 400000000);
        if (seed % 2)
            for (size_t i = 0; i < made->count; i++) // many at the same moment and whole seconds
                made->us[i] -= made->us[i] % (seed % 4 == 1 ? 1000000 : 500000);
        if (seed % 3 == 0)
            made->entity_count = 1, memset(made->entities, 0, sizeof made->entities);
        struct analysis_question question =
            correlation_of("user.0", seed % 5 ? "order.1" : "user.0", withins[seed % 6]);
        compare(made, &question);
        question.since_us = -150000000;
        question.until_us = 100000000;
        compare(made, &question);
        free(made);
    }
}

TEST(correlation_of_types_that_do_not_occur_is_zeros)
{
    struct made *made = made_new(1, 100, 0, 1000);
    struct analysis_question question = correlation_of("nothing", "none", 60);
    AUTO(analysis) analysis = made_analyse(made, &question);
    struct correlation_answer answer = analysis_correlation(analysis);
    CHECK_EQUAL(0, answer.total_a + answer.total_b + answer.pairs + answer.example_count);
    CHECK(answer.mean_seconds == 0);
    free(made);
}

// W24: the reference tells 200,000 % here, and W37: it looks at each of the four million pairs.
TEST(correlation_counts_four_million_pairs_of_one_entity_and_pairs_each_event_once)
{
    struct made *made = made_new(1, MADE_MAX, 0, 1);
    made->entity_count = 1;
    for (size_t i = 0; i < made->count; i++) {
        made->entities[i] = 0;
        made->types[i] = (uint32_t)(i % 2);
        made->us[i] = (int64_t)i * 1000;
    }
    struct analysis_question question = correlation_of("user.0", "order.1", 3600);
    AUTO(analysis) analysis = made_analyse(made, &question);
    struct correlation_answer answer = analysis_correlation(analysis);
    CHECK_EQUAL(2000 * 2000, answer.pairs);
    CHECK_EQUAL(2000, answer.paired_a);
    free(made);
}

TEST(correlation_takes_as_many_events_as_it_may_and_refuses_one_more)
{
    struct analysis_question question = correlation_of("a", "b", 1);
    AUTO(analysis) analysis = NULL;
    CHECK_OK(analysis_new(&question, &analysis, NULL));
    struct als_event event = {.entity = S("e"), .type = S("a")};
    for (uint32_t i = 0; i < ANALYSIS_PAIRED_MAX; i++) {
        event.timestamp_us = i * INT64_C(10000000);
        CHECK_OK(analysis_take_event(analysis, &event, NULL));
    }
    event.type = S("c");
    CHECK_OK(analysis_take_event(analysis, &event, NULL));
    event.type = S("b");
    struct als_why why;
    CHECK_ERR(ALS_TOO_LARGE, analysis_take_event(analysis, &event, &why));
    CHECK(strstr(why.text, "4194304"));
}
