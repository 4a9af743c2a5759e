// SPDX-License-Identifier: Apache-2.0
// The pass over a text: checks it, and lists the values above a depth on a tape.
//
// There are three of them, one source (pass_body.h): portable, SSE2 and AVX2. They give the same
// answers to the byte; json_pass_best() names the fastest that this processor can run.
#pragma once

#include "base/limits.h"
#include "json/json.h"

// What the grammar asked for where a text was refused.
enum want {
    WANT_VALUE,
    WANT_KEY,
    WANT_COLON,
    WANT_COMMA_IN_ARRAY,
    WANT_COMMA_IN_OBJECT,
    WANT_END,
    WANT_BEHIND_SCALAR,
    WANT_LITERAL,
    WANT_DIGIT,
    WANT_QUOTE,
    WANT_NO_CONTROL,
    WANT_ESCAPE,
    WANT_HEX,
    WANT_PAIR,     // a high surrogate stands alone
    WANT_LOW_HALF, // what follows it is no low surrogate
    WANT_NO_LOW_HALF,
    WANT_UTF8,
    WANT_LESS_DEPTH,
    WANT_ROOM, // not the text's fault: the arena is full
};

struct pass {
    const char *begin, *end;
    uint32_t depth_max;
    uint32_t listed_below; // values at a smaller depth get a node; 0: none does
    struct arena *arena;   // used when listed_below is not 0
    struct json_node *nodes;
    uint32_t count, capacity;
    const char *spaced; // the last run of insignificant white space, or NULL
    const char *wrong;  // where it was refused
    enum want want;
};

// Takes the first value of the text; returns what is behind it, or NULL when it is refused.
typedef const char *pass_run(struct pass *pass);

pass_run json_pass_portable;
#if defined(__x86_64__)
pass_run json_pass_sse2;
pass_run json_pass_avx2; // json_pass_best() says whether it may be called
#endif
pass_run *json_pass_best(void);

// json_parse() by a pass of the caller's choice.
err json_parse_by(pass_run *run, str text, struct json_options options, struct arena *arena,
                  struct json_doc *ret_doc, struct json_error *ret_error, struct als_why *why);
err json_check_by(pass_run *run, str text, uint32_t depth_max, struct json_error *ret_error,
                  struct als_why *why);

// ---- What the passes share: the rarer turns of the grammar.

// Notes why and where; returns NULL.
const char *json_refuse(struct pass *pass, const char *at, enum want want);
// Behind an escape; `at` is on its backslash.
const char *json_escape_end(struct pass *pass, const char *at);
// Behind a run of bytes from 0x80 on, which must be UTF-8.
const char *json_utf8_end(struct pass *pass, const char *at);
const char *json_literal_end(struct pass *pass, const char *at);
bool json_tape_grow(struct pass *pass, uint32_t count); // false: refused, no room

// Puts the refusal into words.
void json_explain(const struct pass *pass, struct als_why *why);
