// SPDX-License-Identifier: Apache-2.0
#include "test.h"
#include "wal_damage.h"

static void expect_nothing_silent(const char *what, const struct damage *damage)
{
    damage_print(what, damage);
    CHECK(damage->cases > 0 && damage->refused > 0);
    CHECK_EQUAL(0, damage->silent);
}

TEST(every_flipped_bit_is_refused_or_cut_and_counted)
{
    struct damage damage;
    damage_flips(&damage);
    expect_nothing_silent("flips", &damage);
    CHECK_EQUAL(0, damage.exempt);
}

TEST(without_a_mark_a_flip_can_cost_no_more_than_what_was_not_proven_and_is_counted)
{
    struct damage damage;
    damage_flips_without_mark(&damage);
    expect_nothing_silent("flips without a mark", &damage);
    CHECK_EQUAL(0, damage.exempt);
}

TEST(a_file_cut_at_any_length_is_refused_or_counted)
{
    struct damage damage;
    damage_cuts(&damage);
    expect_nothing_silent("cuts", &damage);
    CHECK_EQUAL(0, damage.exempt);
}

TEST(a_sector_of_zeros_is_refused_or_counted_unless_it_is_the_whole_end)
{
    struct damage damage;
    damage_zeros(&damage);
    expect_nothing_silent("zeroed sectors", &damage);
    CHECK(damage.exempt <= 1);
}

TEST(swapped_sectors_are_refused_or_counted_unless_they_are_the_whole_end)
{
    struct damage damage;
    damage_swaps(&damage);
    expect_nothing_silent("swapped sectors", &damage);
}

TEST(a_batch_from_another_history_of_the_log_is_refused)
{
    struct damage damage;
    damage_splice(&damage);
    expect_nothing_silent("splices", &damage);
    CHECK_EQUAL(damage.cases, damage.refused);
}
