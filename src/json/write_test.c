// SPDX-License-Identifier: Apache-2.0
#include "base/rand.h"
#include "test.h"
#include "json/json.h"

#include <math.h>

TEST(json_writer_puts_the_commas)
{
    struct buf buf;
    buf_init(&buf, 4096);
    struct json_writer w;
    json_writer_init(&w, &buf);
    json_open_object(&w);
    json_field_string(&w, S("s"), S("x\"\\\n\x01/\x7f\xc3\xa9"));
    json_field_u64(&w, S("u"), UINT64_MAX);
    json_field_raw(&w, S("r"), S("{\"k\":[]}"));
    json_key(&w, S("a\t"));
    json_open_array(&w);
    json_put_i64(&w, INT64_MIN);
    json_put_bool(&w, true);
    json_put_bool(&w, false);
    json_put_null(&w);
    json_open_array(&w);
    json_close_array(&w);
    json_open_object(&w);
    json_close_object(&w);
    json_put_double(&w, -0.5);
    json_close_array(&w);
    json_key(&w, S("z"));
    json_put_u64(&w, 0);
    json_close_object(&w);
    CHECK_STR(S("{\"s\":\"x\\\"\\\\\\n\\u0001/\x7f\xc3\xa9\",\"u\":18446744073709551615,"
                "\"r\":{\"k\":[]},\"a\\t\":[-9223372036854775808,true,false,null,[],{},-0.5],"
                "\"z\":0}"),
              buf_str(&buf));
    CHECK_OK(json_check(buf_str(&buf), 0, NULL));
    buf_deinit(&buf);
}

TEST(json_writer_escapes_every_byte_that_must_be_at_every_place)
{
    struct buf buf;
    buf_init(&buf, 4096);
    for (size_t place = 0; place < 50; place++)
        for (int c = 0; c < 0x80; c++) {
            char text[50], back[300];
            memset(text, 'x', sizeof text);
            text[place] = (char)c;
            buf_reset(&buf);
            struct json_writer w;
            json_writer_init(&w, &buf);
            json_put_string(&w, (str){text, sizeof text});
            CHECK_OK(json_check(buf_str(&buf), 0, NULL));
            str content = {buf.ptr + 1, buf.len - 2};
            CHECK_STR(((str){text, sizeof text}), ((str){back, json_unescape(content, back)}));
        }
    buf_deinit(&buf);
}

static str written(struct buf *buf, double value)
{
    struct json_writer w;
    buf_reset(buf);
    json_writer_init(&w, buf);
    json_put_double(&w, value);
    return buf_str(buf);
}

TEST(json_doubles_are_written_with_the_fewest_digits)
{
    static const struct {
        double value;
        const char *text;
    } rows[] = {
        {0, "0.0"},
        {-0.0, "-0.0"},
        {100, "100.0"},
        {1.1, "1.1"},
        {0.1, "0.1"},
        {0.1 + 0.2, "0.30000000000000004"},
        {123456789012345678901234567890.0, "1.2345678901234568e29"},
        {1e15, "1000000000000000.0"},
        {1e16, "1e16"},
        {1234567890123456.5, "1234567890123456.5"},
        {12345678901234567.0, "1.2345678901234568e16"},
        {0.00001, "0.00001"},
        {0.000001, "1e-6"},
        {0.0000012, "1.2e-6"},
        {5e-324, "5e-324"},
        {2.2250738585072014e-308, "2.2250738585072014e-308"},
        {1.7976931348623157e308, "1.7976931348623157e308"},
        {9007199254740993.0, "9007199254740992.0"},
        {9.5367431640625e-07, "9.5367431640625e-7"},
        {5.684341886080802e-14, "5.684341886080802e-14"},
        {0x1p-778, "6.290184345309701e-235"}, // the nearest of 16 digits is another double
        {(double)NAN, "null"},
        {(double)INFINITY, "null"},
    };
    struct buf buf;
    buf_init(&buf, 4096);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CHECK_STR(str_of(rows[i].text), written(&buf, rows[i].value));
    buf_deinit(&buf);
}

TEST(json_doubles_read_back_as_they_were_written)
{
    struct buf buf;
    buf_init(&buf, 4096);
    FOR_EACH_SEED(seed, 5000) {
        struct rand rand = {seed};
        uint64_t bits = rand_next(&rand);
        if (seed % 4 == 0)
            bits &= ~((UINT64_C(1) << 52) - 1); // powers of two
        double value;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
            continue;
        str text = written(&buf, value);
        CHECK_OK(json_check(text, 0, NULL));
        CHECK(json_to_double(text) == value);
    }
    buf_deinit(&buf);
}
