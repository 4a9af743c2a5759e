// SPDX-License-Identifier: Apache-2.0
// What a catalog may say, and that nothing else is believed.
#include "engine/catalog.h"

#include "base/hash.h"
#include "test.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES = 512 };

static err parse(const char *lines, struct catalog **ret_catalog, struct als_why *why)
{
    char text[TEXT_BYTES];
    int len = snprintf(text, sizeof text, "%s", lines);
    len += snprintf(text + len, sizeof text - (size_t)len, "whole %08x\n",
                    crc32c(0, text, (size_t)len));
    return catalog_parse((str){text, (size_t)len}, ret_catalog, why);
}

TEST(a_catalog_is_read_as_it_was_written)
{
    AUTO(catalog) catalog = NULL;
    CHECK_OK(
        parse("allsource-backup 1 77\n"
              "tenant default 10 9\nfile wal 1.wal 100 0000abcd\nfile segments a.idx 5 00000001\n"
              "tenant caf=c3=a9 0 0\n",
              &catalog, NULL));
    CHECK_EQUAL(77, catalog->created_us);
    CHECK_EQUAL(2, catalog->tenant_count);
    CHECK_EQUAL(2, catalog->file_count);
    CHECK_EQUAL(105, catalog->bytes);
    CHECK_STR(S("default"), catalog->tenants[0].directory);
    CHECK(catalog->tenants[0].position == 10 && catalog->tenants[0].events == 9);
    CHECK(catalog->tenants[0].file_count == 2 && catalog->tenants[1].file_count == 0);
    CHECK_STR(S("1.wal"), catalog->files[0].name);
    CHECK(catalog->files[0].bytes == 100 && catalog->files[0].crc == 0xabcd);
}

TEST(lines_of_a_catalog_that_lead_elsewhere_or_make_no_sense_are_refused)
{
    static const char *const cases[] = {
        "",
        "allsource-backup 1\n",
        "allsource-backup 1 7 7\n",
        "allsource-backup 1 x\n",
        "something-else 1 7\n",
        "allsource-backup 1 7\ntenant ../up 1 1\n",
        "allsource-backup 1 7\ntenant .. 1 1\n",
        "allsource-backup 1 7\ntenant a/b 1 1\n",
        "allsource-backup 1 7\ntenant a 1 2\n", // more events than positions
        "allsource-backup 1 7\ntenant a 1\n",
        "allsource-backup 1 7\ntenant a 1 1 1\n",
        "allsource-backup 1 7\nfile wal a 1 00000000\n", // of no tenant
        "allsource-backup 1 7\ntenant a 1 1\nfile snapshots a 1 00000000\n",
        "allsource-backup 1 7\ntenant a 1 1\nfile wal ../../x 1 00000000\n",
        "allsource-backup 1 7\ntenant a 1 1\nfile wal a -1 00000000\n",
        "allsource-backup 1 7\ntenant a 1 1\nfile wal a 1 0000000\n",
        "allsource-backup 1 7\ntenant a 1 1\nfile wal a 1 0000000G\n",
        "allsource-backup 1 7\ntenant a 1 1\nfile wal a 99999999999999999999 00000000\n",
        "allsource-backup 1 7\n\n",
        "allsource-backup 1 7\nnews\n",
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct catalog *catalog = NULL;
        struct als_why why = {""};
        if (parse(cases[i], &catalog, &why) != ALS_CORRUPT || !strstr(why.text, "CATALOG"))
            test_fail(__FILE__, __LINE__, "%s: %s", cases[i], why.text);
    }
}

TEST(a_catalog_of_a_newer_format_is_told_from_a_damaged_one)
{
    struct catalog *catalog = NULL;
    CHECK_ERR(ALS_FORMAT_TOO_NEW,
              catalog_parse(S("allsource-backup 2 and more\n"), &catalog, NULL));
    CHECK_ERR(ALS_CORRUPT, catalog_parse(S("allsource-backup 1 7\n"), &catalog, NULL));
    CHECK_ERR(ALS_CORRUPT,
              catalog_parse(S("allsource-backup 1 7\nwhole 00000000\n"), &catalog, NULL));
}
