// SPDX-License-Identifier: Apache-2.0
// What a person sees: JSON, cells, numbers, tables, progress; and text that comes in pieces.
#include "cli/show.h"

#include "cli/draft.h"
#include "cli/event_text.h"
#include "cli/lines.h"
#include "cli/progress.h"
#include "cli/remote.h"
#include "cli/sse.h"
#include "cli/table.h"
#include "os/os.h"
#include "test.h"
#include "json/json.h"

#include <stdlib.h>

// What a function put into a buffer, as a C string; the buffers live until the program ends.
#define SHOWN(call)                                                                                \
    __extension__({                                                                                \
        static struct buf shown_;                                                                  \
        buf_deinit(&shown_);                                                                       \
        buf_init(&shown_, 1 << 20);                                                                \
        struct buf *out = &shown_;                                                                 \
        call;                                                                                      \
        buf_str(out);                                                                              \
    })

TEST(json_is_indented_and_keeps_its_spelling)
{
    CHECK_STR(S("1.10"), SHOWN(show_json(S(" 1.10 "), out)));
    CHECK_STR(S("{}"), SHOWN(show_json(S("{ }"), out)));
    CHECK_STR(S("[\n  [],\n  {}\n]"), SHOWN(show_json(S("[[],{}]"), out)));
    CHECK_STR(S("{\n  \"b\": [\n    1E2,\n    \"x, y: {\\\"z\\\\\"\n  ],\n  \"a\": null\n}"),
              SHOWN(show_json(S("{\"b\":[1E2,\"x, y: {\\\"z\\\\\"],\"a\":null}"), out)));
}

TEST(json_on_a_terminal_holds_nothing_that_the_terminal_obeys)
{
    // DEL and U+009B (a C1 control sequence introducer) may stand raw in JSON.
    CHECK_STR(S("\"\\u007f\\u009b2J\xc2\xa0é\""), SHOWN(show_json(S("\"\x7f\xc2\x9b"
                                                                    "2J\xc2\xa0é\""),
                                                                  out)));
    CHECK_STR(S("?[2J"), SHOWN(show_cell(S("\x1b[2J"), 10, false, out)));
    CHECK_STR(S("?2J"), SHOWN(show_cell(S("\xc2\x9b"
                                          "2J"),
                                        10, false, out)));
}

TEST(json_of_any_bytes_is_shown_without_harm)
{
    FOR_EACH_SEED(seed, 200) {
        uint64_t state = seed * 0x9e3779b97f4a7c15u;
        char text[24];
        for (size_t i = 0; i < sizeof text; i++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            text[i] = "{}[]\",:\\ 1a\xc2\x9b\n"[(state >> 33) % 15];
        }
        str shown = SHOWN(show_json((str){text, sizeof text}, out));
        CHECK(shown.len <= 4096);
    }
}

TEST(cells_are_cut_and_padded_by_characters)
{
    CHECK_STR(S("é  "), SHOWN(show_cell(S("é"), 3, true, out)));
    CHECK_STR(S("ééé"), SHOWN(show_cell(S("ééé"), 3, true, out)));
    CHECK_STR(S("éé…"), SHOWN(show_cell(S("éééé"), 3, true, out)));
    CHECK_STR(S(""), SHOWN(show_cell(S("é"), 0, true, out)));
    CHECK_EQUAL(4, show_width(S("éaé ")));
}

TEST(numbers_are_shown_as_people_write_them)
{
    CHECK_STR(S("0"), SHOWN(show_count(0, out)));
    CHECK_STR(S("999"), SHOWN(show_count(999, out)));
    CHECK_STR(S("1,000"), SHOWN(show_count(1000, out)));
    CHECK_STR(S("18,446,744,073,709,551,615"), SHOWN(show_count(UINT64_MAX, out)));
    CHECK_STR(S("0 bytes"), SHOWN(show_bytes(0, out)));
    CHECK_STR(S("999 bytes"), SHOWN(show_bytes(999, out)));
    CHECK_STR(S("1.0 kB"), SHOWN(show_bytes(1000, out)));
    CHECK_STR(S("999.9 kB"), SHOWN(show_bytes(999'949, out)));
    CHECK_STR(S("1.0 MB"), SHOWN(show_bytes(999'950, out)));
    CHECK_STR(S("18446.7 PB"), SHOWN(show_bytes(UINT64_MAX, out)));
    CHECK_STR(S("0.042 s"), SHOWN(show_duration(0.042, out)));
    CHECK_STR(S("12.3 s"), SHOWN(show_duration(12.3, out)));
    CHECK_STR(S("1:00 min"), SHOWN(show_duration(59.97, out)));
    CHECK_STR(S("4:05 min"), SHOWN(show_duration(245, out)));
    CHECK_STR(S("1:00:00 h"), SHOWN(show_duration(3599.6, out)));
    CHECK_STR(S("1:02:03 h"), SHOWN(show_duration(3723, out)));
}

// ---- Progress

TEST(progress_knows_rate_share_and_what_is_left)
{
    struct progress_numbers numbers = {1000, 250, 50, 2'000'000'000};
    CHECK(progress_rate(numbers) == 25);
    CHECK(progress_share(numbers) == 0.25);
    CHECK(progress_left(numbers) == 6);
    numbers.bytes = 2000; // the file grew
    CHECK(progress_share(numbers) == 1 && progress_left(numbers) == 0);
    numbers.bytes = 0;
    CHECK(progress_share(numbers) == 0 && progress_left(numbers) < 0);
    numbers.total_bytes = 0;
    CHECK(progress_share(numbers) < 0 && progress_left(numbers) < 0);
    numbers.elapsed_ns = 0;
    CHECK(progress_rate(numbers) == 0);
}

TEST(progress_fits_the_terminal)
{
    struct progress_numbers numbers = {1000, 500, 12'345, 1'000'000'000};
    CHECK_STR(S("[############............]  50%  12,345 events  12,345/s  ETA 1.0 s"),
              SHOWN(progress_line(numbers, "events", 80, out)));
    CHECK_STR(S(" 50%  12,345 events  12,345/s  ETA 1.0 s"),
              SHOWN(progress_line(numbers, "events", 60, out)));
    numbers.total_bytes = 0;
    CHECK_STR(S("12,345 events  12,345/s  1.0 s"),
              SHOWN(progress_line(numbers, "events", 80, out)));
}

// ---- Tables

static str table_text(size_t hold, const str *cells, size_t rows)
{
    static char *text;
    size_t len;
    free(text);
    FILE *out = open_memstream(&text, &len);
    struct cli cli = {.out = out, .columns = 40};
    static const struct table_column columns[] = {
        {"N", 9, true}, {"NAME", 5, false}, {"REST", 0, false}};
    struct table table;
    table_init(&table, &cli, columns, 3, hold);
    for (size_t i = 0; i < rows; i++)
        CHECK(table_row(&table, cells + i * 3));
    CHECK(table_flush(&table));
    table_deinit(&table);
    fclose(out);
    return (str){text, len};
}

TEST(a_table_fits_its_columns_to_the_rows_it_held_back)
{
    const str cells[] = {S("1"), S("a"), S("x"), S("1000"), S("longer name"), S("y")};
    CHECK_STR(S("   N  NAME   REST\n"
                "   1  a      x\n"
                "1000  long…  y\n"),
              table_text(10, cells, 2));
}

TEST(a_table_that_holds_nothing_back_widens_as_it_goes)
{
    const str cells[] = {S("1"), S("a"), S("x"), S("1000"), S("b"), S("y")};
    CHECK_STR(S("N  NAME  REST\n"
                "1  a     x\n"
                "1000  b     y\n"),
              table_text(0, cells, 2));
}

TEST(the_last_column_ends_with_the_terminal)
{
    const str cells[] = {S("1"), S("a"), S("0123456789012345678901234567890123456789")};
    CHECK_STR(S("N  NAME  REST\n"
                "1  a     012345678901234567890123456789…\n"),
              table_text(1, cells, 1));
}

// ---- Text in pieces

static bool collect_line(void *context, str line)
{
    struct buf *buf = context;
    buf_put_char(buf, '<');
    buf_put_str(buf, line);
    buf_put_char(buf, '>');
    return !str_equal(line, S("stop"));
}

TEST(lines_are_whole_however_the_text_is_cut)
{
    static const str text = {"one\ntwo\r\n\nthree", 15};
    for (size_t size = 1; size <= text.len; size++) {
        struct buf buf;
        struct lines lines;
        buf_init(&buf, 1 << 10);
        lines_init(&lines, 100, collect_line, &buf);
        for (str rest = text; rest.len; rest = str_from(rest, size))
            CHECK(lines_feed(&lines, str_first(rest, size)));
        CHECK_STR(S("<one><two><>"), buf_str(&buf));
        CHECK(lines_end(&lines));
        CHECK_STR(S("<one><two><><three>"), buf_str(&buf));
        lines_deinit(&lines);
        buf_deinit(&buf);
    }
}

TEST(a_line_past_its_cap_is_told_and_one_at_the_cap_is_not)
{
    struct buf buf;
    struct lines lines;
    buf_init(&buf, 1 << 10);
    lines_init(&lines, 4, collect_line, &buf);
    CHECK(lines_feed(&lines, S("ab")) && lines_feed(&lines, S("cd\n")));
    CHECK(!lines_feed(&lines, S("stop\nnever\n")));
    CHECK(!lines.too_long);
    CHECK(lines_feed(&lines, S("abc")));
    CHECK(!lines_feed(&lines, S("de")));
    CHECK(lines.too_long);
    CHECK_STR(S("<abcd><stop>"), buf_str(&buf));
    lines_deinit(&lines);
    buf_deinit(&buf);
}

static bool collect_message(void *context, str id, str data)
{
    struct buf *buf = context;
    buf_printf(buf, "%.*s=%.*s;", STR(id), STR(data));
    return true;
}

TEST(server_sent_events_are_read_however_they_are_cut)
{
    static const char text[] = ": hello\n\nid: 1\ndata: {\"a\":1}\n\nevent: x\r\ndata:two\r\n"
                               "data: lines\r\n\r\nid: 3\n\ndata: last\n\ndata: cut";
    for (size_t size = 1; size < sizeof text; size++) {
        struct buf buf;
        struct sse sse;
        buf_init(&buf, 1 << 10);
        sse_init(&sse, 1 << 10, collect_message, &buf);
        for (str rest = str_of(text); rest.len; rest = str_from(rest, size))
            CHECK(sse_feed(&sse, str_first(rest, size)));
        CHECK_STR(S("1={\"a\":1};1=two\nlines;3=last;"), buf_str(&buf));
        sse_reset(&sse);
        CHECK(sse_feed(&sse, S("data: again\n\n")));
        CHECK_STR(S("1={\"a\":1};1=two\nlines;3=last;3=again;"), buf_str(&buf));
        sse_deinit(&sse);
        buf_deinit(&buf);
    }
}

// ---- Events and URLs

TEST(an_event_is_written_as_the_contract_says_and_read_into_a_row)
{
    struct als_event event = {
        .position = 7,
        .version = 2,
        .id = {{0x3c, 0x5e, 0xa1, 0x3d, 0xcd, 0x9a, 0x4e, 0xef, 0x85, 0xc3, 0x36, 0x78, 0xcd, 0x78,
                0x9c, 0x9b}},
        .timestamp_us = 1'000'000,
        .recorded_us = 1'500'000,
        .tenant = S("default"),
        .entity = S("u\"1"),
        .type = S("user.created"),
        .payload = S("{\"n\":1.0}"),
    };
    str text = SHOWN(event_json(&event, out));
    CHECK_STR(S("{\"id\":\"3c5ea13d-cd9a-4eef-85c3-3678cd789c9b\",\"event_type\":\"user.created\","
                "\"entity_id\":\"u\\\"1\",\"tenant_id\":\"default\",\"payload\":{\"n\":1.0},"
                "\"timestamp\":\"1970-01-01T00:00:01Z\",\"metadata\":null,\"version\":2,"
                "\"position\":7,\"recorded_at\":\"1970-01-01T00:00:01.500Z\"}"),
              text);
    struct arena arena;
    arena_init(&arena, 1024, 1 << 20);
    str cells[EVENT_COLUMNS];
    CHECK(event_cells(text, &arena, cells));
    CHECK_STR(S("7"), cells[0]);
    CHECK_STR(S("1970-01-01T00:00:01Z"), cells[1]);
    CHECK_STR(S("u\"1"), cells[3]);
    CHECK_STR(S("{\"n\":1.0}"), cells[5]);
    CHECK(!event_cells(S("{\"error\":\"x\"}"), &arena, cells));
    CHECK(!event_cells(S("[]"), &arena, cells));
    CHECK(!event_cells(S("{"), &arena, cells));
    arena_deinit(&arena);
}

TEST(urls_encode_what_is_not_plain)
{
    struct remote remote = {.base = S("http://h")};
    struct buf url;
    buf_init(&url, 1 << 10);
    url_begin(&url, &remote, S("/e"));
    url_segment(&url, S("a/b é"));
    url_segment(&url, S(".."));
    url_parameter(&url, "x", S("1+2&3"));
    url_number(&url, "n", (struct word_number){5, true});
    url_number(&url, "m", (struct word_number){5, false});
    CHECK_STR(S("http://h/e/a%2Fb%20%C3%A9/%2E%2E?x=1%2B2%263&n=5"), buf_str(&url));
    buf_deinit(&url);
}

TEST(errors_of_a_server_become_codes_and_words)
{
    struct als_why why;
    CHECK_ERR(ALS_ENTITY_NOT_FOUND,
              remote_error(404,
                           S("{\"error\":\"Entity not found: x\",\"code\":\"entity_not_found\"}"),
                           &why));
    CHECK_STR(S("x"), str_of(why.text));
    CHECK_ERR(ALS_INTERNAL,
              remote_error(500, S("{\"error\":\"odd\",\"code\":\"of_the_future\"}"), &why));
    CHECK_STR(S("odd"), str_of(why.text));
    CHECK_ERR(ALS_INTERNAL, remote_error(502, S("<html>"), &why));
    CHECK_STR(S("the server answered 502 without saying why"), str_of(why.text));
    CHECK_ERR(ALS_INTERNAL, remote_error(500, S("[]"), &why));
    CHECK_ERR(ALS_INTERNAL, remote_error(500, S("{\"error\":1}"), &why));
}

// ---- Lines on their way to the server

static err put(const char *line, struct buf *body, struct als_why *why)
{
    struct arena arena;
    arena_init(&arena, 4096, 1 << 20);
    err code = draft_put(str_of(line), os_posix(), &arena, body, why);
    arena_deinit(&arena);
    return code;
}

TEST(a_line_with_an_id_is_sent_as_it_is)
{
    struct buf body;
    struct als_why why;
    buf_init(&body, 1 << 10);
    CHECK_OK(put(" {\"id\":\"3c5ea13d-cd9a-4eef-85c3-3678cd789c9b\",\"event_type\":\"a\", "
                 "\"entity_id\":\"e\",\"payload\":1} ",
                 &body, &why));
    CHECK_STR(S("{\"id\":\"3c5ea13d-cd9a-4eef-85c3-3678cd789c9b\",\"event_type\":\"a\", "
                "\"entity_id\":\"e\",\"payload\":1}\n"),
              buf_str(&body));
    buf_deinit(&body);
}

TEST(a_line_without_an_id_gets_one_and_nothing_else_changes)
{
    static const char *const lines[] = {
        "{\"event_type\":\"a\",\"entity_id\":\"e\",\"payload\":{\"id\":5}}",
        "{ \"event_type\":\"a\",\"id\": null ,\"entity_id\":\"e\",\"payload\":{\"id\":5}}"};
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        struct buf body;
        struct als_why why;
        struct arena arena;
        struct json_doc doc;
        buf_init(&body, 1 << 10);
        arena_init(&arena, 4096, 1 << 20);
        CHECK_OK(put(lines[i], &body, &why));
        CHECK_OK(json_parse(buf_str(&body), (struct json_options){.span_depth = 1}, &arena, &doc,
                            NULL, NULL));
        CHECK_EQUAL(4, json_root(&doc)->count);
        CHECK_EQUAL(38, json_member(&doc, json_root(&doc), S("id"))->len);
        CHECK_STR(S("{\"id\":5}"),
                  json_span(&doc, json_member(&doc, json_root(&doc), S("payload"))));
        arena_deinit(&arena);
        buf_deinit(&body);
    }
}

TEST(a_line_that_is_no_event_is_told_and_not_sent)
{
    static const struct {
        const char *line, *told;
        err code;
    } cases[] = {
        {"{", "", ALS_JSON_SYNTAX},
        {"[]", "an event is a JSON object", ALS_JSON_SHAPE},
        {"{}", "event_type is missing", ALS_JSON_SHAPE},
        {"{\"event_type\":\"a\",\"payload\":1}", "entity_id is missing", ALS_JSON_SHAPE},
        {"{\"event_type\":\"a\",\"entity_id\":\"e\"}", "payload is missing", ALS_JSON_SHAPE},
        {"{\"event_type\":5,\"entity_id\":\"e\",\"payload\":1}", "event_type must be a string",
         ALS_JSON_SHAPE},
        {"{\"event_type\":\"A\",\"entity_id\":\"e\",\"payload\":1}", "must be lowercase",
         ALS_INVALID_INPUT},
        {"{\"event_type\":\"a\",\"entity_id\":\" e\",\"payload\":1}", "whitespace",
         ALS_INVALID_INPUT},
        {"{\"event_type\":\"a\",\"entity_id\":\"e\",\"payload\":1,\"id\":\"x\"}", "not a UUID",
         ALS_INVALID_INPUT},
        {"{\"event_type\":\"a\",\"entity_id\":\"e\",\"payload\":1,\"timestamp\":\"2025-01-01\"}",
         "not an RFC 3339 moment", ALS_INVALID_INPUT},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf body;
        struct als_why why;
        buf_init(&body, 1 << 10);
        CHECK_ERR(cases[i].code, put(cases[i].line, &body, &why));
        CHECK_EQUAL(0, body.len);
        if (!strstr(why.text, cases[i].told))
            test_fail(__FILE__, __LINE__, "'%s' does not say '%s'", why.text, cases[i].told);
        buf_deinit(&body);
    }
}
