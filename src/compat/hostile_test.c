// SPDX-License-Identifier: Apache-2.0
// Hostile schemas: an answer, in bounded time and memory. None of them is a yes.
#include "compat/ask.h"

#include <stdlib.h>

struct text {
    char *ptr;
    size_t len, room;
};

static void put(struct text *text, const char *more)
{
    size_t len = strlen(more);
    if (text->len + len + 1 > text->room) {
        text->room = (text->room + len) * 2 + 64;
        text->ptr = realloc(text->ptr, text->room);
        CHECK(text->ptr);
    }
    memcpy(text->ptr + text->len, more, len + 1);
    text->len += len;
}

static void put_number(struct text *text, size_t number)
{
    char digits[24];
    (void)snprintf(digits, sizeof digits, "%zu", number);
    put(text, digits);
}

static struct compat_answer bounded(struct arena *arena, struct text a, struct text b)
{
    arena_init(arena, 1 << 20, 64 << 20);
    struct compat_answer answer =
        ask(arena, a.ptr, b.ptr, (struct compat_options){.direction = COMPAT_BACKWARD});
    free(a.ptr);
    free(b.ptr);
    return answer;
}

static struct text nested(const char *open, size_t depth, const char *core, const char *close)
{
    struct text text = {};
    for (size_t i = 0; i < depth; i++)
        put(&text, open);
    put(&text, core);
    for (size_t i = 0; i < depth; i++)
        put(&text, close);
    return text;
}

TEST(deep_schemas_are_answered)
{
    static const char *const opens[] = {"{\"not\":",
                                        "{\"items\":",
                                        "{\"allOf\":[",
                                        "{\"anyOf\":[false,",
                                        "{\"if\":true,\"then\":",
                                        "{\"properties\":{\"a\":"};
    static const char *const closes[] = {"}", "}", "]}", "]}", "}", "}}"};
    for (size_t i = 0; i < COUNT_OF(opens); i++) {
        struct arena arena;
        struct compat_answer answer =
            bounded(&arena, nested(opens[i], 55, "{\"minimum\":1}", closes[i]),
                    nested(opens[i], 55, "{\"minimum\":2}", closes[i]));
        CHECK(!answer.compatible);
        arena_deinit(&arena);
    }
}

// Each definition refers twice to the next: written out it would be 2^60.
static struct text bomb(const char *keyword, const char *leaf)
{
    struct text text = {};
    put(&text, "{\"$ref\":\"#/$defs/d0\",\"$defs\":{");
    for (size_t i = 0; i < 60; i++) {
        put(&text, "\"d");
        put_number(&text, i);
        put(&text, "\":{\"");
        put(&text, keyword);
        put(&text, "\":[{\"$ref\":\"#/$defs/d");
        put_number(&text, i + 1);
        put(&text, "\"},{\"title\":\"x\",\"$ref\":\"#/$defs/d");
        put_number(&text, i + 1);
        put(&text, "\"}]},");
    }
    put(&text, "\"d60\":");
    put(&text, leaf);
    put(&text, "}}");
    return text;
}

TEST(bombs_of_references_are_answered)
{
    static const char *const keywords[] = {"allOf", "anyOf", "prefixItems"};
    for (size_t i = 0; i < COUNT_OF(keywords); i++) {
        struct arena arena;
        struct compat_answer answer = bounded(&arena, bomb(keywords[i], "{\"minimum\":1}"),
                                              bomb(keywords[i], "{\"minimum\":2}"));
        CHECK(!answer.compatible);
        arena_deinit(&arena);
    }
}

static struct text list(const char *before, const char *item_before, const char *item_behind,
                        size_t first, const char *behind)
{
    struct text text = {};
    put(&text, before);
    for (size_t i = 0; i < 5000; i++) {
        put(&text, i ? "," : "");
        put(&text, item_before);
        put_number(&text, first + i);
        put(&text, item_behind);
    }
    put(&text, behind);
    return text;
}

TEST(huge_lists_are_answered)
{
    static const struct {
        const char *before, *item_before, *item_behind, *behind;
    } lists[] = {
        {"{\"enum\":[", "\"v", "\"", "]}"},
        {"{\"anyOf\":[", "{\"const\":", "}", "]}"},
        {"{\"oneOf\":[", "{\"minimum\":", "}", "]}"},
        {"{\"required\":[", "\"f", "\"", "]}"},
        {"{\"properties\":{", "\"p", "\":{\"type\":\"string\"}", "}}"},
        {"{\"patternProperties\":{", "\"p", "\":{\"type\":\"string\"}", "}}"},
        {"{\"prefixItems\":[", "{\"const\":", "}", "]}"},
    };
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        struct arena arena;
        struct compat_answer answer = bounded(
            &arena,
            list(lists[i].before, lists[i].item_before, lists[i].item_behind, 0, lists[i].behind),
            list(lists[i].before, lists[i].item_before, lists[i].item_behind, 1, lists[i].behind));
        CHECK(!answer.compatible);
        CHECK(answer.count <= COMPAT_REASONS_MAX);
        arena_deinit(&arena);
    }
}

TEST(no_more_reasons_are_told_than_the_limit)
{
    struct text old_schema = {}, new_schema = {};
    put(&old_schema, "{\"properties\":{\"f\":{}");
    put(&new_schema, "{\"required\":[\"f\"");
    for (size_t i = 0; i < COMPAT_REASONS_MAX; i++) {
        put(&new_schema, ",\"f");
        put_number(&new_schema, i);
        put(&new_schema, "\"");
    }
    put(&old_schema, "}}");
    put(&new_schema, "]}");
    struct arena arena;
    arena_init(&arena, 1 << 20, 1 << 24);
    struct compat_answer answer =
        ask(&arena, old_schema.ptr, new_schema.ptr, (struct compat_options){});
    CHECK_EQUAL(COMPAT_REASONS_MAX, answer.count);
    CHECK(answer.more);
    arena_deinit(&arena);
    free(old_schema.ptr);
    free(new_schema.ptr);
}

TEST(a_full_arena_is_no_yes)
{
    const char *wide = "{\"properties\":{\"a\":{\"type\":\"number\"}},\"required\":[\"a\"]}";
    const char *narrow = "{\"properties\":{\"a\":{\"type\":\"integer\"}},\"required\":[\"a\"]}";
    uint32_t yes = 0, no = 0;
    for (size_t size = 1 << 12; size < 1 << 19; size += 977) {
        struct arena arena;
        arena_init(&arena, 1 << 10, size);
        struct compat_answer answer;
        err code = compat_check(str_of(narrow), str_of(wide), (struct compat_options){}, &arena,
                                &answer, NULL);
        CHECK(code == ALS_OK || code == ALS_TOO_LARGE);
        yes += code == ALS_OK && answer.compatible;
        if (code == ALS_OK && !answer.compatible) {
            no++;
            CHECK(answer.count > 0 && answer.reasons[0].kind == COMPAT_UNDECIDED);
        }
        arena_deinit(&arena);
    }
    CHECK(yes > 0 && no > 0);
}
