// SPDX-License-Identifier: Apache-2.0
// Inside a check: what one run knows, and the pieces that call each other.
//
// Each piece answers whether the value is valid and, when the run explains, has recorded why not.
// Without explaining it stops at the first failure. When the run's steps are used up every piece
// answers quickly and its answer means nothing: the door looks at run_over() at the end.
#pragma once

#include "schema/program.h"
#include "schema/value.h"

struct explanation;

// The rules that are being applied, the innermost first. Also the dynamic scope.
struct frame {
    const struct frame *up;
    const struct rule *rule;
    enum keyword via; // what applied it
};

struct run {
    const struct schema *schema;
    const struct json_doc *doc;
    struct value_work work;
    uint32_t depth;
    bool too_deep;
    struct explanation *explanation; // NULL: only the answer is wanted

    uint64_t *marks; // a stack of sets of bits
    uint32_t mark_count, mark_capacity;
    char *text; // the last string that had escapes
    size_t text_capacity;
    struct item_hash *items; // for uniqueItems
    size_t item_capacity;
};

// Sets of children, by their number, for unevaluated*: an offset into run->marks.
typedef uint32_t marks;
#define MARKS_NONE UINT32_MAX

static inline bool run_over(const struct run *run)
{
    return run->work.steps == 0;
}

struct run run_begin(const struct schema *schema, const struct json_doc *doc, struct arena *arena);
// ALS_TOO_LARGE when the run was over before it had an answer.
err run_end(const struct run *run, struct als_why *why);

// Room of `size` bytes in the arena; NULL ends the run.
void *run_alloc(struct run *run, size_t size, size_t count);
// A string's content without escapes; valid until the next call. ptr NULL when the run is over.
str run_text(struct run *run, const struct json_node *node);

marks marks_new(struct run *run, uint32_t children); // empty; MARKS_NONE when the run is over
void marks_drop(struct run *run, marks set);         // and all that were made after it
static inline void marks_add(struct run *run, marks set, uint32_t child)
{
    run->marks[set + child / 64] |= UINT64_C(1) << (child % 64);
}
static inline bool marks_hold(const struct run *run, marks set, uint32_t child)
{
    return run->marks[set + child / 64] >> (child % 64) & 1;
}
void marks_join(struct run *run, marks target, marks source, uint32_t children);

// Whether the rule accepts the value; marks what it evaluates of the children, unless MARKS_NONE.
bool rule_check(struct run *run, const struct frame *up, enum keyword via, uint32_t rule,
                const struct json_node *node, marks set);

// The same for a child of `parent`, unless a later member has its key and therefore counts.
bool member_check(struct run *run, const struct frame *frame, enum keyword via, uint32_t rule,
                  const struct json_node *parent, const struct json_node *child);

bool object_check(struct run *run, const struct frame *frame, const struct json_node *node,
                  marks set);
// The members of a plain object, when nothing is explained and nothing marked.
bool members_accepted(struct run *run, const struct frame *frame, const struct object_rule *object,
                      const struct json_node *node);
// What the object's keywords know of a member by its name, or NULL.
const struct slot *name_find(struct run *run, const struct object_rule *object,
                             const struct json_node *member);
bool object_missing(struct run *run, const struct frame *frame, const struct json_node *node);
bool array_check(struct run *run, const struct frame *frame, const struct json_node *node,
                 marks set);
bool combine_check(struct run *run, const struct frame *frame, const struct json_node *node,
                   marks set);
bool number_check(struct run *run, const struct frame *frame, const struct json_node *node);
bool string_check(struct run *run, const struct frame *frame, const struct json_node *node);
bool values_check(struct run *run, const struct frame *frame, const struct json_node *node);

// ---- Explaining (explain.c)

// Records a failure of `keyword` at `node` and is false.
bool explain_failure(struct run *run, const struct frame *frame, const struct json_node *node,
                     enum keyword keyword, const char *format, ...) ALS_PRINTF(5, 6);
#define FAILED(run, ...) ((run)->explanation ? explain_failure((run), __VA_ARGS__) : false)

// The text of a keyword's value in the frame's schema, cut.
str explain_value(const struct run *run, const struct frame *frame, enum keyword keyword);

// How much has been recorded, to go back to it: what a branch said does not count when another one
// accepts, nor what a shadowed member said.
struct explain_point {
    uint32_t count, parent;
    bool more;
};
struct explain_point explain_point(const struct run *run);
void explain_forget(struct run *run, struct explain_point point);
// From here on failures belong to one of `keyword`, whose words come with explain_close().
struct explain_point explain_open(struct run *run, const struct frame *frame,
                                  const struct json_node *node, enum keyword keyword);
void explain_close(struct run *run, struct explain_point point, const char *format, ...)
    ALS_PRINTF(3, 4);
// A member's name is checked as a string that is no node of the tape; `member` has it.
void explain_name(struct run *run, const struct json_node *object, const struct json_node *name);
