// SPDX-License-Identifier: Apache-2.0
#include "projection/projection.h"

#include "base/rand.h"
#include "test.h"

static str folded(struct fold *fold, struct buf *buf)
{
    buf_reset(buf);
    fold_print(fold, buf);
    return buf_str(buf);
}

TEST(a_fold_replaces_top_level_members_whole_and_keeps_their_first_order)
{
    AUTO(fold) fold = fold_new();
    struct buf buf;
    buf_init(&buf, 1 << 20);
    CHECK_STR(S("{}"), folded(fold, &buf));
    CHECK_OK(fold_apply(fold, S("{\"n\":1,\"a\":{\"x\":1}}"), NULL));
    CHECK_OK(fold_apply(fold, S("{\"z\":null,\"a\":{\"y\":2},\"n\":2}"), NULL));
    CHECK_STR(S("{\"n\":2,\"a\":{\"y\":2},\"z\":null}"), folded(fold, &buf));
    fold_reset(fold);
    CHECK_STR(S("{}"), folded(fold, &buf));
    buf_deinit(&buf);
}

TEST(what_is_no_object_changes_nothing)
{
    AUTO(fold) fold = fold_new();
    struct buf buf;
    buf_init(&buf, 1 << 20);
    static const char *const payloads[] = {"{\"a\":1}", "[1,2]", "null", "\"a\"", "7", "{}"};
    for (size_t i = 0; i < COUNT_OF(payloads); i++)
        CHECK_OK(fold_apply(fold, str_of(payloads[i]), NULL));
    CHECK_STR(S("{\"a\":1}"), folded(fold, &buf));
    buf_deinit(&buf);
}

TEST(keys_are_the_same_whatever_their_spelling_and_the_last_of_a_doubled_one_wins)
{
    AUTO(fold) fold = fold_new();
    struct buf buf;
    buf_init(&buf, 1 << 20);
    CHECK_OK(fold_apply(fold, S("{\"\\u0061\":1,\"b\":1,\"b\":2}"), NULL));
    CHECK_OK(fold_apply(fold, S("{\"a\":3,\"\\u0062\":4,\"\\n\":5}"), NULL));
    CHECK_STR(S("{\"\\u0061\":3,\"b\":4,\"\\n\":5}"), folded(fold, &buf));
    buf_deinit(&buf);
}

// Against an array and a loop, with enough keys for the table to grow.
TEST(a_fold_agrees_with_a_model)
{
    enum { KEYS = 300 };
    FOR_EACH_SEED(seed, 50) {
        struct rand rand = {seed};
        AUTO(fold) fold = fold_new();
        int model[KEYS], order[KEYS], count = 0;
        static char payloads[200][128];
        for (int key = 0; key < KEYS; key++)
            model[key] = -1;
        for (int i = 0; i < 200; i++) {
            int a = (int)rand_below(&rand, KEYS), b = (int)rand_below(&rand, KEYS);
            snprintf(payloads[i], sizeof payloads[i], "{\"key-%d\":%d,\"key-%d\":%d}", a, i, b, i);
            CHECK_OK(fold_apply(fold, str_of(payloads[i]), NULL));
            if (model[a] < 0)
                order[count++] = a;
            model[a] = i;
            if (model[b] < 0)
                order[count++] = b;
            model[b] = i;
        }
        struct buf expected, actual;
        buf_init(&expected, 1 << 20);
        buf_init(&actual, 1 << 20);
        for (int i = 0; i < count; i++)
            buf_printf(&expected, "%s\"key-%d\":%d", i ? "," : "{", order[i], model[order[i]]);
        buf_put_char(&expected, '}');
        CHECK_STR(buf_str(&expected), folded(fold, &actual));
        buf_deinit(&expected);
        buf_deinit(&actual);
    }
}
