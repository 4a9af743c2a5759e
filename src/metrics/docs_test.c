// SPDX-License-Identifier: Apache-2.0
#include "metrics/metrics.h"
#include "test.h"

TEST(docs_metrics_is_what_the_table_prints)
{
    static char page[1 << 20];
    FILE *file = fopen(ALLSOURCE_SOURCE "/docs/metrics.md", "r");
    CHECK(file);
    size_t len = fread(page, 1, sizeof page, file);
    fclose(file);
    struct buf buf;
    buf_init(&buf, 1 << 20);
    metrics_reference(&buf);
    bool equal = str_equal(buf_str(&buf), (str){page, len});
    buf_deinit(&buf);
    if (!equal)
        test_fail(__FILE__, __LINE__, "build the target print-tables and commit docs/metrics.md");
}
