// SPDX-License-Identifier: Apache-2.0
#include "server/event_json.h"

#include "base/limits.h"
#include "json/json.h"

#include "test.h"

static bool holds(const struct buf *buf, str part)
{
    return memmem(buf->ptr, buf->len, part.ptr, part.len) != NULL;
}

static struct als_event event(void)
{
    return (struct als_event){
        .position = 41,
        .version = 3,
        .id = {{0x3c, 0x5e, 0xa1, 0x3d, 0xcd, 0x9a, 0x4e, 0xef, 0x85, 0xc3, 0x36, 0x78, 0xcd, 0x78,
                0x9c, 0x9b}},
        .timestamp_us = 1500000,
        .recorded_us = 2000001,
        .tenant = S("default"),
        .entity = S("u1"),
        .type = S("user.created"),
        .payload = S("{\"a\":{\"b\":0},\"n\":0,\"z\":null}"),
    };
}

TEST(an_event_is_written_with_its_fields_in_order)
{
    struct als_event given = event();
    struct buf buf;
    buf_init(&buf, 4096);
    event_json_put(&buf, &given);
    CHECK_STR(S("{\"id\":\"3c5ea13d-cd9a-4eef-85c3-3678cd789c9b\",\"event_type\":\"user.created\","
                "\"entity_id\":\"u1\",\"tenant_id\":\"default\",\"payload\":{\"a\":{\"b\":0},"
                "\"n\":0,\"z\":null},\"timestamp\":\"1970-01-01T00:00:01.500Z\",\"metadata\":null,"
                "\"version\":3,\"position\":41,\"recorded_at\":\"1970-01-01T00:00:02.000001Z\"}"),
              buf_str(&buf));
    buf_deinit(&buf);
}

TEST(history_has_the_shorter_form)
{
    struct als_event given = event();
    struct buf buf;
    buf_init(&buf, 4096);
    event_json_put_history(&buf, &given);
    CHECK_STR(S("{\"event_id\":\"3c5ea13d-cd9a-4eef-85c3-3678cd789c9b\",\"type\":\"user.created\","
                "\"timestamp\":\"1970-01-01T00:00:01.500Z\","
                "\"payload\":{\"a\":{\"b\":0},\"n\":0,\"z\":null}}"),
              buf_str(&buf));
    buf_deinit(&buf);
}

TEST(metadata_is_copied_as_text)
{
    struct als_event given = event();
    given.metadata = S("{\"causation_id\":\"x\"}");
    struct buf buf;
    buf_init(&buf, 4096);
    event_json_put(&buf, &given);
    CHECK(holds(&buf, S("\"metadata\":{\"causation_id\":\"x\"},")));
    buf_deinit(&buf);
}

// Whatever an entity is called, the text is JSON and reads back as the name.
TEST(names_of_any_bytes_are_escaped)
{
    char name[ENTITY_BYTES_MAX];
    for (size_t i = 0; i < sizeof name; i++)
        name[i] = (char)i; // all of ASCII
    struct als_event given = event();
    given.entity = (str){name, sizeof name};
    struct buf buf;
    buf_init(&buf, 8192);
    event_json_put(&buf, &given);

    struct arena arena;
    struct json_doc doc;
    arena_init(&arena, 4096, 1 << 16);
    CHECK_OK(json_parse(buf_str(&buf), (struct json_options){.span_depth = 1}, &arena, &doc, NULL,
                        NULL));
    const struct json_node *entity = json_member(&doc, json_root(&doc), S("entity_id"));
    CHECK_STR(given.entity, json_text(&doc, entity, &arena));
    CHECK(holds(&buf, S("\\b\\t\\n\\u000b\\f\\r\\u000e")));
    CHECK(holds(&buf, S("\\u001f !\\\"#")));
    CHECK(holds(&buf, S("~\x7f\"")));
    arena_deinit(&arena);
    buf_deinit(&buf);
}

TEST(the_greatest_event_fits_into_what_is_reserved_for_it)
{
    char name[ENTITY_BYTES_MAX];
    memset(name, 1, sizeof name);
    struct als_event given = event();
    given.entity = given.type = (str){name, sizeof name};
    given.tenant = (str){name, TENANT_BYTES_MAX};
    given.position = given.version = UINT64_MAX;
    given.timestamp_us = given.recorded_us = 253402300799999999;
    struct buf buf;
    buf_init(&buf, 8192);
    event_json_put(&buf, &given); // ASan looks on
    CHECK(!buf_failed(&buf) && buf.len <= buf.capacity);
    CHECK_OK(json_check(buf_str(&buf), 0, NULL));
    buf_deinit(&buf);
}

TEST(a_buffer_without_room_fails_and_stays_as_it_was)
{
    struct als_event given = event();
    struct buf buf;
    buf_init(&buf, 100);
    buf_put_str(&buf, S("x"));
    event_json_put(&buf, &given);
    CHECK(buf_failed(&buf));
    CHECK_EQUAL(1, buf.len);
    buf_deinit(&buf);
}
