// SPDX-License-Identifier: Apache-2.0
// Values on tapes: equality and hashes that do not care for spelling, strings as code points.
#pragma once

#include "json/json.h"

struct value {
    const struct json_doc *doc;
    const struct json_node *node;
};

// Reads escaped or plain text of checked JSON, character by character.
struct text_reader {
    const char *at, *end;
};
static inline struct text_reader text_reader(str content)
{
    return (struct text_reader){content.ptr, content.ptr + content.len};
}
// The next code point; `reader->at < reader->end`.
uint32_t text_next(struct text_reader *reader);

// The content of a string node, between its quotes.
static inline str value_content(struct value value)
{
    return (str){value.doc->text.ptr + value.node->start + 1, value.node->len - 2};
}

// How many code points a content between quotes stands for.
uint64_t text_length(str content, bool escaped);

bool text_equal(str a, bool a_escaped, str b, bool b_escaped);

// What comparing may spend, and where it may work. When `steps` reaches 0 or the arena is full
// (`steps` is set to 0 then, and `full`), the answer means nothing.
struct value_work {
    uint64_t steps;
    bool full;
    struct arena *arena;
    uint64_t *words; // scratch
    size_t capacity;
};
static inline bool work_spend(struct value_work *work, uint64_t steps)
{
    work->steps -= work->steps < steps ? work->steps : steps;
    return work->steps > 0;
}
// Room for `count` words, valid until the next call; not zeroed. NULL when the arena is full.
uint64_t *work_words(struct value_work *work, size_t count);

// The same value: keys in any order, of a doubled one the last, numbers as decimals.
bool value_equal(struct value a, struct value b, struct value_work *work);
// Equal values have equal hashes.
uint64_t value_hash(struct value value, struct value_work *work);

// Whether a later member of the same object has the same key.
bool value_is_shadowed(struct value object, const struct json_node *member,
                       struct value_work *work);
// How many different keys an object has.
uint64_t value_key_count(struct value object, struct value_work *work);
