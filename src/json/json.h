// SPDX-License-Identifier: Apache-2.0
// JSON (RFC 8259): one pass that validates and yields spans, and a writer. No I/O.
//
// json_parse() checks the whole text (grammar, UTF-8, escapes, number syntax, depth) and leaves a
// tape of nodes, each with the span of its text; values are read off the span only where somebody
// asks. Nodes deeper than `span_depth` are checked but not put on the tape, so a batch of events
// costs a node for each field of an event and none for what is inside its payload.
// Decisions: numbers keep their text ("1e500" is a number; converting it may overflow); a key that
// stands twice is legal, the last one wins wherever a value is looked up; lone surrogate escapes
// are refused; a byte-order mark is refused.
// Threads: plain functions over the caller's memory.
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum json_kind {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
};

// A value on the tape. The children of a container stand behind it, each followed by its own;
// `next` is the index of the node behind all of them. Keys are not nodes: a member's key is in it.
struct json_node {
    enum json_kind kind : 8;
    bool spaced : 1;  // the span holds insignificant white space
    bool escaped : 1; // JSON_STRING: it holds a backslash
    bool key_escaped : 1;
    bool sealed : 1;     // a container whose children are beyond span_depth: checked, not listed
    uint32_t count;      // JSON_ARRAY, JSON_OBJECT: how many children
    uint32_t start, len; // the value's text, quotes and brackets included
    uint32_t key_start, key_len; // the member's key without its quotes; 0, 0 in an array
    uint32_t next;
};

struct json_doc {
    str text; // borrowed
    const struct json_node *nodes;
    uint32_t count; // 0 when nothing was parsed
};

struct json_options {
    uint32_t depth_max;  // containers within containers, at most JSON_DEPTH_CAP; 0: JSON_DEPTH_MAX
    uint32_t span_depth; // 0: only the root's node; 1: its children ...; UINT32_MAX: all
};

struct json_error {
    size_t offset;  // the first byte that cannot be right
    bool truncated; // the text ends too early
};

// Parses all of `text` (at most 4 GiB - 1 byte): one value with white space around it. Nodes go
// into `arena`. ALS_JSON_SYNTAX with a `why` that tells what was expected at which line, column and
// offset; ALS_TOO_LARGE when the arena is full or the text too long. `ret_error` may be NULL.
err json_parse(str text, struct json_options options, struct arena *arena, struct json_doc *ret_doc,
               struct json_error *ret_error, struct als_why *why);

// The same check without a tape.
err json_check(str text, uint32_t depth_max, struct als_why *why);
// The same; *ret_spaced: there is white space that json_minify() would take away.
err json_check_spaced(str text, uint32_t depth_max, bool *ret_spaced, struct als_why *why);

// Finds the first complete JSON value at the start of `text`, of any kind, which is checked:
// `*ret_len` is its length with the white space before it. For texts that arrive in pieces:
// ALS_OK with 0 when it may be complete only with more bytes (a number is complete when something
// follows it). A value that grows piece by piece is read again from its start with each.
err json_first_value(str text, uint32_t depth_max, size_t *ret_len, struct als_why *why);

// ---- Pieces of a text that is read for the first time, for who knows what to expect. Each takes
// what begins at `at` and returns what is behind it, or NULL when there is no such thing before
// `end`. A text of nothing but such pieces in their order is JSON exactly when json_check() says
// so.

struct json_taken {
    const char *at;
    bool escaped; // it holds a backslash
};
struct json_taken json_take_string(const char *at, const char *end); // `at` is behind its '"'
const char *json_take_number(const char *at, const char *end);
const char *json_take_literal(const char *at, const char *end); // true, false, null
const char *json_take_space(const char *at, const char *end);   // perhaps none; never NULL
// A value of any kind, with the white space before it. *ret_spaced: there was some there or within.
// A number or a literal ends where it stops being one, whatever comes then.
const char *json_take_value(const char *at, const char *end, uint32_t depth_max, bool *ret_spaced);

// ---- Walking a tape. A node is valid while the document's text and arena live.

static inline const struct json_node *json_root(const struct json_doc *doc)
{
    return doc->nodes;
}
static inline str json_span(const struct json_doc *doc, const struct json_node *node)
{
    return (str){doc->text.ptr + node->start, node->len};
}
static inline str json_key_span(const struct json_doc *doc, const struct json_node *node)
{
    return (str){doc->text.ptr + node->key_start, node->key_len};
}
// The first child of a container that is on the tape, or NULL; and the one after it, or NULL.
const struct json_node *json_first(const struct json_doc *doc, const struct json_node *container);
const struct json_node *json_after(const struct json_doc *doc, const struct json_node *container,
                                   const struct json_node *child);
// The member of an object with this (unescaped) key, the last one if it stands twice; or NULL.
const struct json_node *json_member(const struct json_doc *doc, const struct json_node *object,
                                    str key);
bool json_key_is(const struct json_doc *doc, const struct json_node *node, str key);

// ---- Values from spans that were checked.

// The content of a string node, unescaped into the arena if it has escapes, else borrowed from the
// text. {NULL, 0} when the arena is full.
str json_text(const struct json_doc *doc, const struct json_node *node, struct arena *arena);
str json_key_text(const struct json_doc *doc, const struct json_node *node, struct arena *arena);
// Unescapes the content (without quotes) of a checked string; `target` has room for content.len
// bytes and may be content.ptr itself. Returns the length.
size_t json_unescape(str content, char *target);

// False when the number is not an integer or does not fit ("1.0" and "1e2" are not integers).
bool json_to_i64(str number, int64_t *ret_value);
bool json_to_u64(str number, uint64_t *ret_value);
// Correctly rounded; overflow gives an infinity.
double json_to_double(str number);

// A number without rounding: 0.d1d2d3... * 10^(point + exponent). The digits from the first to the
// last that is not 0 are in the text, and the decimal point may be among them.
struct json_decimal {
    bool negative;
    const char *first, *end; // equal: zero
    int64_t point;
    str exponent; // its digits, without sign and leading zeros; there may be any number of them
    bool exponent_negative;
};
struct json_decimal json_decimal_read(str number);
// By value: <0, 0, >0.
int json_decimal_compare(const struct json_decimal *a, const struct json_decimal *b);
// The exponent of a less that of b: exact up to 10^15, beyond it at least has the sign and is
// larger.
int64_t json_exponent_difference(const struct json_decimal *a, const struct json_decimal *b);
// The digit at `*at`, which moves behind it; '0' behind the last.
static inline char json_next_digit(const char **at, const char *end)
{
    *at += *at < end && **at == '.';
    return *at < end ? *(*at)++ : '0';
}

// Copies a checked value without its insignificant white space; `target` has room for value.len
// bytes and may be value.ptr itself. Returns the length. A value whose node is not `spaced` has
// none.
size_t json_minify(str value, char *target);

// The same value, whatever the spelling: keys in any order, the last of a doubled key counts,
// numbers by decimal value without rounding, strings unescaped. Both texts are checked JSON.
// ALS_TOO_LARGE when the arena is full.
err json_equal(str a, str b, struct arena *arena, bool *ret_equal);

// ---- Members of a top-level object, straight from checked text, without a tape.

struct json_member_walk {
    const char *at, *end;
};
struct json_pair {
    str key;   // between its quotes, still escaped
    str value; // trimmed span
    bool key_escaped;
};
// `object` is checked text that begins with '{' (white space before it is allowed).
struct json_member_walk json_walk(str object);
bool json_walk_next(struct json_member_walk *walk, struct json_pair *ret_pair);

// ---- Writing. Commas are put by themselves; a struct is a value the caller owns.

struct json_writer {
    struct buf *buf;
    bool comma; // the next value or key needs one before it
};

void json_writer_init(struct json_writer *writer, struct buf *buf);
void json_open_object(struct json_writer *writer);
void json_close_object(struct json_writer *writer);
void json_open_array(struct json_writer *writer);
void json_close_array(struct json_writer *writer);
void json_key(struct json_writer *writer, str key);         // escaped as needed
void json_put_string(struct json_writer *writer, str text); // valid UTF-8; escaped as CONTRACT 2.3
void json_put_u64(struct json_writer *writer, uint64_t value);
void json_put_i64(struct json_writer *writer, int64_t value);
// The fewest digits that read back the same, always with a fraction or exponent ("100.0"); an
// infinity or NaN is written as null.
void json_put_double(struct json_writer *writer, double value);
void json_put_bool(struct json_writer *writer, bool value);
void json_put_null(struct json_writer *writer);
void json_put_raw(struct json_writer *writer, str json); // text that is JSON already

// key and value in one call
void json_field_string(struct json_writer *writer, str key, str text);
void json_field_u64(struct json_writer *writer, str key, uint64_t value);
void json_field_raw(struct json_writer *writer, str key, str json);
