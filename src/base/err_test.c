// SPDX-License-Identifier: Apache-2.0
#include "base/err.h"

#include "base/own.h"
#include "test.h"

TEST(err_codes_are_lower_case_distinct_and_have_a_status)
{
    CHECK_STR(S("ok"), str_of(err_code(ALS_OK)));
    CHECK_STR(S("version_conflict"), str_of(err_code(ALS_VERSION_CONFLICT)));
    CHECK_EQUAL(409, err_http(ALS_VERSION_CONFLICT));
    CHECK_STR(S("Concurrency error: "), str_of(err_prefix(ALS_VERSION_CONFLICT)));
    CHECK_STR(S(""), str_of(err_prefix(ALS_OK)));
    for (int i = 0; i < ALS_ERR_COUNT; i++) {
        for (const char *c = err_code((err)i); *c; c++)
            CHECK((*c >= 'a' && *c <= 'z') || *c == '_');
        CHECK(i == ALS_OK || (err_http((err)i) >= 400 && err_http((err)i) < 600));
        CHECK(i == ALS_OK || str_ends(str_of(err_prefix((err)i)), S(": ")));
        for (int j = 0; j < i; j++)
            CHECK(!str_equal(str_of(err_code((err)i)), str_of(err_code((err)j))));
    }
}

TEST(err_explains_into_why_cuts_what_is_too_long_and_accepts_none)
{
    struct als_why why;
    CHECK_ERR(ALS_CORRUPT, FAIL(&why, ALS_CORRUPT, "file %d", 7));
    CHECK_STR(S("file 7"), str_of(why.text));
    CHECK_ERR(ALS_CORRUPT, FAIL(&why, ALS_CORRUPT, "%0999d", 7));
    CHECK_EQUAL(sizeof why.text - 1, strlen(why.text));
    CHECK_ERR(ALS_CORRUPT, FAIL(NULL, ALS_CORRUPT, "nobody asks"));
}

static err pass_on(err code, bool *reached)
{
    TRY(code);
    *reached = true;
    return ALS_OK;
}

TEST(try_returns_the_code_of_a_failed_call_and_goes_on_after_a_good_one)
{
    bool reached = false;
    CHECK_ERR(ALS_STORAGE, pass_on(ALS_STORAGE, &reached));
    CHECK(!reached);
    CHECK_OK(pass_on(ALS_OK, &reached));
    CHECK(reached);
}

struct thing {
    int *ended;
};

static void thing_end(struct thing *thing)
{
    if (thing)
        ++*thing->ended;
}
AUTO_WITH(thing, thing_end)

static struct thing *keep_or_end(struct thing *thing, bool keep)
{
    AUTO(thing) held = thing;
    return keep ? MOVE(held) : NULL;
}

TEST(auto_ends_what_it_holds_and_move_hands_it_out_alive)
{
    int ended = 0;
    struct thing thing = {&ended};
    CHECK(keep_or_end(&thing, true) == &thing);
    CHECK_EQUAL(0, ended);
    CHECK(keep_or_end(&thing, false) == NULL);
    CHECK_EQUAL(1, ended);
}
