// SPDX-License-Identifier: Apache-2.0
// What the files of this room share.
//
// A *place* is a schema where it stands in its document. A *meet* is what a value is known to
// satisfy: all of some places at once, with references and allOf already followed. The one question
// is whether everything in a meet satisfies a place: proves(). Every answer `true` of this room is
// a proof; `false` is "not proven", never "disproven". A meet may always be known too little of
// (it then holds more values, and less is proven); the place that is asked about must be
// understood to the last keyword.
#pragma once

#include "compat/compat.h"
#include "json/json.h"

// Sets of kinds of values. An integer is a number without a fraction, however it is written.
enum {
    NULLS = 1,
    BOOLEANS = 2,
    INTEGERS = 4,
    FRACTIONS = 8,
    STRINGS = 16,
    ARRAYS = 32,
    OBJECTS = 64,
    NUMBERS = INTEGERS | FRACTIONS,
    ALL_KINDS = 127,
};

enum tri { NO, YES, UNKNOWN };

static inline enum tri tri_of(bool condition)
{
    return condition ? YES : NO;
}
static inline enum tri tri_not(enum tri a)
{
    return a == UNKNOWN ? UNKNOWN : tri_of(a == NO);
}
static inline enum tri tri_and(enum tri a, enum tri b)
{
    if (a == NO || b == NO)
        return NO;
    return a == YES && b == YES ? YES : UNKNOWN;
}
static inline enum tri tri_or(enum tri a, enum tri b)
{
    return tri_not(tri_and(tri_not(a), tri_not(b)));
}

struct document {
    struct json_doc json;
    enum compat_draft draft;
    str id; // the root's $id without its empty fragment; empty if none
    bool has_id;
    bool embedded;                   // a schema within it may have an $id of its own
    const struct json_node *strange; // what keeps us from understanding it, or NULL
};

struct place {
    const struct document *doc;
    const struct json_node *node;
};

// Alternatives of which a value satisfies at least one.
enum choice_kind {
    CHOICE_ANY,    // the children of `node`, an anyOf
    CHOICE_ONE,    // the children of `node`, a oneOf: this one and none of the others
    CHOICE_IF,     // `node` is the schema that has if, then, else
    CHOICE_PLACES, // `places`
};
struct choice {
    enum choice_kind kind;
    const struct document *doc;
    const struct json_node *node;
    const struct place *places;
    uint32_t count;
};

struct meet {
    unsigned kinds;       // the values are of these
    unsigned blurred;     // kinds about which more is demanded than is made use of
    bool never;           // no value at all
    bool *holds_some;     // was asked before: it is not known to be empty
    struct place *places; // schema objects that hold, each once
    struct place *nots;   // schemas that do not hold
    struct choice *choices;
    uint32_t place_count, place_room, not_count, not_room, choice_count, choice_room;
};

// Where in the value we are, for the messages.
struct step {
    const struct step *before;
    str name; // of a field; empty for an item
    bool item, key;
};

// A question that is being answered; asked again about a part of the value, it may be assumed.
struct question {
    const struct meet *meet;
    const struct json_node *node;
    uint32_t descent;
};

enum verdict { NOT_ASKED, PROVEN, NOT_PROVEN, TOLD };

// What came of a question; in a table by hash.
struct known {
    const struct meet *meet;
    const struct json_node *node;
    enum verdict verdict;
    uint32_t reason_count; // TOLD: with so many reasons after it
};
enum { KNOWN_COUNT = 4096 };

struct check {
    struct arena *arena;
    struct compat_options options;
    enum compat_direction direction; // of this pass: BACKWARD or FORWARD
    const struct document *old_doc, *new_doc;
    uint64_t steps;
    uint32_t depth;    // questions within questions
    uint32_t descent;  // parts within parts of the value
    uint32_t chosen;   // choices that are taken apart now, of the same part
    bool absence;      // whether a part can be there is being asked, and is not asked within that
    struct place near; // the last schema of the side that is kept, for locations
    uint32_t muted;    // above 0: an attempt, whose failure is not told
    uint32_t least_assumed; // the lowest question that was assumed since it was reset
    bool out_of_steps, out_of_memory, too_deep;
    struct place small_values; // [null,true,false]
    uint32_t question_count;
    struct question questions[COMPAT_DEPTH_MAX];
    struct known *known; // KNOWN_COUNT
    const struct step *path;
    struct compat_reason *reasons;
    uint32_t reason_count;
    bool more;
};

static inline bool check_stopped(const struct check *check)
{
    return check->out_of_steps || check->out_of_memory;
}
// Counts work; false when there was too much of it.
bool check_spend(struct check *check, uint64_t steps);
void *check_alloc(struct check *check, size_t size); // NULL: out_of_memory is set
// One question deeper; the caller comes back by check->depth--.
static inline bool check_enter(struct check *check)
{
    if (check->depth == COMPAT_DEPTH_MAX) {
        check->too_deep = true;
        return false;
    }
    check->depth++;
    return true;
}

// ---- document.c

err document_open(str text, enum compat_draft draft, struct arena *arena,
                  struct document *ret_document, struct als_why *why);
// A keyword of a schema, or NULL. Counts the work.
const struct json_node *place_keyword(struct check *check, struct place place, str name);
// Where the text of a $ref leads: *ret_target.node is NULL when it is not inside the document.
struct place place_referred(struct check *check, struct place from, const struct json_node *ref);
// Two references out of their documents that surely mean the same.
bool references_same(struct check *check, struct place a, const struct json_node *ref_a,
                     struct place b, const struct json_node *ref_b);
// Schemas that are the same text of the same draft and refer to schemas that are.
bool places_same(struct check *check, struct place a, struct place b);
str node_pointer(struct check *check, const struct document *doc, const struct json_node *node);
str node_text(struct check *check, const struct document *doc, const struct json_node *node);
str node_key(struct check *check, const struct document *doc, const struct json_node *node);
// Whether the keyword means something in the draft of the place.
bool draft_knows(const struct document *doc, str keyword);
static inline bool is_schema(const struct json_node *node)
{
    return node->kind == JSON_OBJECT || node->kind == JSON_TRUE || node->kind == JSON_FALSE;
}
static inline struct place place_at(struct place near, const struct json_node *node)
{
    return (struct place){near.doc, node};
}
// A schema that we make up.
struct place place_made(struct check *check, str text);

// ---- value.c: constants, exactly.

enum tri value_accepted(struct check *check, struct place value, struct place schema);
// By everything that the meet says.
enum tri value_in_meet(struct check *check, struct place value, const struct meet *meet);
// Whether it is the const, or among the enum, that `keyword` is.
enum tri value_listed(struct check *check, struct place value, struct place keyword, bool list);
enum tri values_equal(struct check *check, struct place a, struct place b);
unsigned value_kinds(struct place value); // more than one when a number is too long to be read
// The kinds that `type` names; 0 when it is malformed.
unsigned type_kinds(struct check *check, struct place schema, const struct json_node *type);
uint64_t text_points(str text); // its length in code points
enum tri text_in_array(struct check *check, struct place array, str text);
// A text as a JSON string; node is NULL when memory is out.
struct place text_value(struct check *check, str text);
// Puts a number place into *ret_exact; false when it is none, or too long.
struct exact;
bool place_number(struct place place, struct exact *ret_exact);

// ---- name.c: does a name match a pattern?

// By the pattern's text, for the simple ones: literals, sets, quantifiers, anchors.
enum tri name_matches(struct check *check, str pattern, str name);
bool always_matches(str pattern); // matches every text

// ---- meet.c

struct meet *meet_new(struct check *check); // everything
struct meet *meet_copy(struct check *check, const struct meet *meet);
// These fail silently: out_of_memory is then set, and nothing is proven any more.
void meet_add(struct check *check, struct meet *meet, struct place place);
void meet_add_not(struct check *check, struct meet *meet, struct place place);
void meet_add_choice(struct check *check, struct meet *meet, struct choice choice);
struct meet *meet_of(struct check *check, struct place place);
struct meet *meet_with(struct check *check, const struct meet *meet, struct place place);
// The part of these kinds; the meet itself when it has no others.
const struct meet *meet_of_kinds(struct check *check, const struct meet *meet, unsigned kinds);
// The meet without its first choice and with the alternative `index` of it instead.
struct meet *meet_chosen(struct check *check, const struct meet *meet, uint32_t index);
bool meet_equal(const struct meet *a, const struct meet *b);
uint64_t meet_hash(const struct meet *meet);

// The values of a meet that has few: the members of `array`, or `single`.
struct values {
    const struct document *doc;
    const struct json_node *array, *single;
};
bool meet_values(struct check *check, const struct meet *meet, struct values *ret_values);
// Walks them: NULL begins and ends.
const struct json_node *values_next(const struct values *values, const struct json_node *at);

// ---- object.c

bool meet_requires(struct check *check, const struct meet *meet, str name);
uint64_t meet_required_count(struct check *check, const struct meet *meet);
// What the value of the field `name` satisfies where it is present.
struct meet *meet_field(struct check *check, const struct meet *meet, str name);
// At most so many fields, for no others are allowed; false when there is no such number.
bool meet_closed_count(struct check *check, const struct meet *meet, uint64_t *ret_count);

// ---- array.c

// What the schema says of items: one by one for the first few, then of the rest. Either may be
// NULL. False when it is malformed.
bool place_items(struct check *check, struct place place, const struct json_node **ret_prefix,
                 const struct json_node **ret_rest);
struct meet *meet_item(struct check *check, const struct meet *meet, uint64_t index);
// At most so many items, for one more could only be what nothing is.
bool meet_items_most(struct check *check, const struct meet *meet, uint64_t *ret_count);

// ---- empty.c

// No value satisfies it. Asked of a kind alone by meet_of_kinds().
bool meet_empty(struct check *check, const struct meet *meet);

// ---- prove.c

struct rule {
    struct place schema; // of which it is a keyword
    str name;
    const struct json_node *value; // of the keyword
    unsigned kinds;                // of values that it can refuse
};
typedef bool prove(struct check *check, const struct meet *meet, struct rule rule);

// Runs one pass; reasons are added to the check's.
void check_pass(struct check *check);
static inline const struct document *sub_doc(const struct check *check)
{
    return check->direction == COMPAT_BACKWARD ? check->old_doc : check->new_doc;
}
static inline const struct document *sup_doc(const struct check *check)
{
    return check->direction == COMPAT_BACKWARD ? check->new_doc : check->old_doc;
}

bool proves(struct check *check, const struct meet *meet, struct place place);
bool proves_quietly(struct check *check, const struct meet *meet, struct place place);
// The same for a part of the value; the step is for the messages.
bool proves_part(struct check *check, const struct meet *meet, struct place place,
                 struct step step);

prove prove_type, prove_enum, prove_const, prove_bound, prove_multiple, prove_pattern, prove_format;
prove prove_required, prove_fields, prove_pattern_fields, prove_other_fields, prove_names;
prove prove_dependent_required, prove_dependent_schemas, prove_dependencies;
prove prove_items, prove_prefix, prove_other_items, prove_contains, prove_unique;
prove prove_all, prove_any, prove_one, prove_not, prove_if, prove_unevaluated, prove_unknown;
prove prove_reference;

// ---- bound.c

// Whether the meet leaves no value of one kind, by its bounds.
bool bounds_empty(struct check *check, const struct meet *meet, unsigned kind);
// The greatest and least size that its bounds allow, as a count; false when there is none.
bool meet_count_most(struct check *check, const struct meet *meet, unsigned kind,
                     uint64_t *ret_count);
uint64_t meet_count_least(struct check *check, const struct meet *meet, unsigned kind);

// ---- reason.c

// Tells why it is not proven and is false. It is a change for the worse unless the meet is blurred
// about what the rule refuses.
bool refuse(struct check *check, const struct meet *meet, const struct rule *rule,
            const char *format, ...) ALS_PRINTF(4, 5);
bool undecided(struct check *check, const struct meet *meet, const struct rule *rule,
               const char *format, ...) ALS_PRINTF(4, 5);
bool malformed(struct check *check, const struct meet *meet, const struct rule *rule);
void refuse_example(struct check *check, struct place value); // of the reason just told
const char *sub_name(const struct check *check); // "the old schema": what is to be kept
const char *sup_name(const struct check *check); // "the new schema": what must accept it
const char *kinds_text(struct check *check, unsigned kinds); // "string or null"
str shown(str text);                                         // its beginning
