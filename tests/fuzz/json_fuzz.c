// SPDX-License-Identifier: Apache-2.0
// Any bytes as JSON: the passes agree, so do the pieces of the grammar, and what is accepted
// survives being minified, compared, walked and cut into values.
#include "json/json.h"
#include "json/pass.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_passes(str text, const struct json_doc *doc, struct json_error error, err code,
                         struct arena *arena)
{
    pass_run *others[] = {
#if defined(__x86_64__)
        json_pass_sse2,
#endif
        json_pass_best(),
    };
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        struct json_doc other = {};
        struct json_error other_error = {};
        struct json_options options = {.span_depth = UINT32_MAX};
        assert(json_parse_by(others[i], text, options, arena, &other, &other_error, NULL) == code);
        assert(other_error.offset == error.offset && other_error.truncated == error.truncated);
        assert(other.count == doc->count);
        for (uint32_t n = 0; n < doc->count; n++) {
            assert(other.nodes[n].start == doc->nodes[n].start);
            assert(other.nodes[n].len == doc->nodes[n].len);
            assert(other.nodes[n].next == doc->nodes[n].next);
            assert(other.nodes[n].spaced == doc->nodes[n].spaced);
        }
    }
}

// The text read by the piece that its first byte asks for.
static const char *taken(str text)
{
    const char *end = text.ptr + text.len;
    bool spaced;
    if (text.len == 0)
        return NULL;
    switch (*text.ptr) {
    case '"':
        return json_take_string(text.ptr + 1, end).at;
    case 't':
    case 'f':
    case 'n':
        return json_take_literal(text.ptr, end);
    case '-':
    case '0' ... '9':
        return json_take_number(text.ptr, end);
    default:
        return json_take_value(text.ptr, end, JSON_DEPTH_MAX, &spaced);
    }
}

static void check_pieces(str text, err code)
{
    const char *end = text.ptr + text.len, *behind = taken(text);
    bool whole = behind && json_take_space(behind, end) == end;
    bool begins = text.len && !strchr(" \t\r\n", *text.ptr); // a NUL counts as white space here
    assert(!begins || whole == (code == ALS_OK));
    bool spaced = false;
    assert(json_check_spaced(text, 0, &spaced, NULL) == code);
    if (code != ALS_OK)
        return;
    char *small = malloc(text.len);
    assert(small && spaced == (json_minify(text, small) != text.len));
    free(small);
}

static void check_minify(str text, struct arena *arena)
{
    char *small = malloc(text.len), *again = malloc(text.len);
    assert(small && again);
    size_t len = json_minify(text, small);
    assert(json_check((str){small, len}, 0, NULL) == ALS_OK);
    assert(json_minify((str){small, len}, again) == len && memcmp(small, again, len) == 0);
    bool equal = false;
    err code = json_equal(text, (str){small, len}, arena, &equal);
    assert(code == ALS_TOO_LARGE || equal);
    free(small);
    free(again);
}

// A space in front makes the spelling another one, so that the values are looked at.
static void check_equal_to_itself(str text, struct arena *arena)
{
    char *spaced = malloc(text.len + 1);
    assert(spaced);
    *spaced = ' ';
    memcpy(spaced + 1, text.ptr, text.len);
    bool equal = false;
    err code = json_equal(text, (str){spaced, text.len + 1}, arena, &equal);
    assert(code == ALS_TOO_LARGE || equal);
    free(spaced);
}

static void check_walk(const struct json_doc *doc)
{
    const struct json_node *root = json_root(doc);
    if (root->kind != JSON_OBJECT)
        return;
    struct json_member_walk walk = json_walk(doc->text);
    struct json_pair pair;
    for (const struct json_node *child = json_first(doc, root); child;
         child = json_after(doc, root, child)) {
        assert(json_walk_next(&walk, &pair));
        assert(str_equal(pair.value, json_span(doc, child)));
        assert(str_equal(pair.key, json_key_span(doc, child)));
    }
    assert(!json_walk_next(&walk, &pair));
}

static void check_values(const struct json_doc *doc, struct arena *arena)
{
    for (uint32_t i = 0; i < doc->count; i++) {
        const struct json_node *node = &doc->nodes[i];
        if (node->kind == JSON_STRING)
            assert(str_is_utf8(json_text(doc, node, arena)));
        if (node->kind == JSON_NUMBER)
            (void)json_to_double(json_span(doc, node)); // must come back
        assert(str_is_utf8(json_key_text(doc, node, arena)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *bytes = malloc(size ? size : 1); // exactly as large: the sanitizer guards both ends
    assert(bytes);
    if (size)
        memcpy(bytes, data, size);
    str text = {bytes, size};
    struct arena arena;
    arena_init(&arena, 1 << 16, 1 << 26);
    struct json_doc doc = {};
    struct json_error error = {};
    struct als_why why;
    struct json_options options = {.span_depth = UINT32_MAX};
    err code = json_parse_by(json_pass_portable, text, options, &arena, &doc, &error, &why);
    check_passes(text, &doc, error, code, &arena);
    check_pieces(text, code);

    size_t len = 0;
    if (json_first_value(text, 0, &len, NULL) == ALS_OK && len)
        assert(json_check(str_first(text, len), 0, NULL) == ALS_OK);
    if (code == ALS_OK) {
        check_minify(text, &arena);
        check_equal_to_itself(text, &arena);
        check_walk(&doc);
        check_values(&doc, &arena);
    }
    arena_deinit(&arena);
    free(bytes);
    return 0;
}
