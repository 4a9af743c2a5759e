// SPDX-License-Identifier: Apache-2.0
#include "base/rand.h"
#include "test.h"
#include "wal_subject.h"

#include <stdlib.h>

// ALLSOURCE_CRASH_SEEDS=n runs more than `make test` has time for.
static uint64_t seeds(uint64_t usual)
{
    const char *text = getenv("ALLSOURCE_CRASH_SEEDS");
    return text ? strtoull(text, NULL, 10) : usual;
}

TEST(the_log_keeps_its_promises_at_every_crash_point)
{
    static struct wal_subject space;
    struct crash_subject subject = wal_subject(&space);
    struct crash_options options = {.seed_first = test_seed_first(),
                                    .seed_last = test_seed_last(seeds(100))};
    struct crash_result result;
    crash_run(&subject, &options, &result);
    crash_print("wal", &result);
    CHECK_EQUAL(0, result.failures);
}
