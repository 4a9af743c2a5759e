// SPDX-License-Identifier: Apache-2.0
// JSON Schema, draft-07 and 2020-12: compile once, check many documents, explain what is wrong.
//
// schema_compile() turns the text of a schema into a flat program that never changes again: any
// number of threads may check by it at once, and it does not need the text any more. Checking walks
// the tape of a document (json/json.h), allocates nothing but scratch space in the caller's arena,
// and its work is bounded by steps, whatever schema and document are. `$ref` leads to places of the
// same document, to the two built-in metaschemas, and to what the caller's resolver gives; never to
// the network. Patterns are ECMA-262 and matched in linear time (docs/adr/0015-patterns.md).
// Decisions: `format` is an annotation unless asked otherwise; of a doubled key the last one
// counts; numbers are compared as decimals, exactly, whatever their size; an unknown keyword is
// ignored. Limits: SCHEMA_* in base/limits.h. Threads: plain functions over the caller's memory; a
// struct schema is shared freely.
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "base/str.h"
#include "json/json.h"

struct schema;

enum schema_draft {
    SCHEMA_DRAFT_DEFAULT, // 2020-12
    SCHEMA_DRAFT_07,
    SCHEMA_DRAFT_2020_12,
};

// Gives the text of the schema that `uri` names: an absolute URI without fragment where the schema
// has an `$id`, else what the reference says before its '#' ("user.created:3" arrives as it is,
// for a first segment with a colon is never relative). The text must live until schema_compile()
// returns; it may be made in `arena`, which dies then. ALS_NOT_FOUND when there is none. It is
// asked once for each URI of a compilation, at most SCHEMA_DOCUMENTS_MAX times.
typedef err schema_resolve(void *context, str uri, struct arena *arena, str *ret_text,
                           struct als_why *why);

struct schema_options {
    enum schema_draft draft; // of a text that has no `$schema`
    bool assert_formats;     // `format` decides, too; not only an annotation
    bool trusted;            // the text has been compiled before: skip the check by its metaschema
    str base_uri;            // what a relative `$id` or `$ref` stands on; usually empty
    schema_resolve *resolve; // NULL: nothing outside is known
    void *context;
};

// Compiles a schema; `options` may be NULL. The text is checked by the metaschema of its draft
// (the root and everything in it, used or not). ALS_VALIDATION with a `why` that names the place as
// a JSON Pointer when it is not a schema, a reference leads nowhere, a pattern is wrong, or schemas
// refer to each other in a circle without going into the value; ALS_JSON_SYNTAX; ALS_TOO_LARGE when
// a limit is passed; ALS_NO_MEMORY; what the resolver returned, unless it is ALS_NOT_FOUND, which
// becomes ALS_VALIDATION.
err schema_compile(str text, const struct schema_options *options, struct schema **ret_schema,
                   struct als_why *why);
void schema_free(struct schema *schema);
AUTO_WITH(schema, schema_free)

enum schema_draft schema_draft(const struct schema *schema); // of the root; never DEFAULT
size_t schema_bytes(const struct schema *schema);            // memory that it holds

// ---- Checking. A document is parsed with span_depth UINT32_MAX.

// Whether the document satisfies the schema. Stops at the first failure. `arena` gives scratch
// space, rarely any. ALS_TOO_LARGE when the check would take more steps than SCHEMA_STEPS_MAX and
// SCHEMA_STEPS_PER_BYTE of the text, nest deeper than SCHEMA_NESTING_MAX, or the arena is full: the
// answer is then unknown.
err schema_check(const struct schema *schema, const struct json_doc *doc, struct arena *arena,
                 bool *ret_valid, struct als_why *why);
// The same for one value of a document.
err schema_check_node(const struct schema *schema, const struct json_doc *doc,
                      const struct json_node *node, struct arena *arena, bool *ret_valid,
                      struct als_why *why);
// The same for text, which is parsed into the arena unless schema_accepts() will do:
// ALS_JSON_SYNTAX, too.
err schema_check_text(const struct schema *schema, str text, struct arena *arena, bool *ret_valid,
                      struct als_why *why);

// Whether `text` is JSON that satisfies the schema, seen in one pass over the text. Only ever a
// yes: false says that nothing is known, be it that the text is wrong or that it takes a tape to
// tell. *ret_spaced: there is white space that json_minify() would take away. `arena` as above.
bool schema_accepts(const struct schema *schema, str text, struct arena *arena, bool *ret_spaced);

// ---- Explaining. Slower: every failure, up to SCHEMA_ERRORS_MAX, with where and why.

struct schema_error {
    str instance; // JSON Pointer to the value that is wrong; "" is the whole
    str location; // JSON Pointer to the keyword, through references: "/properties/a/$ref/type"
    str absolute; // the keyword's own URI, "https://x/y#/$defs/z/type"; empty when no `$ref` led
                  // there
    // "type"; where a schema is `false`, what applied it: "additionalProperties"; "false" at the
    // root
    str keyword;
    // For people, with the path of keys before it: "a.Type mismatch: expected string, got number".
    // `required` says "Missing required field: f", `type` as above; all others are our own words.
    str message;
    // The error that this one explains: a branch of an anyOf, oneOf, not or if. UINT32_MAX: none,
    // it counts by itself. A parent stands before its children.
    uint32_t parent;
};

struct schema_errors {
    const struct schema_error *items;
    uint32_t count;
    bool more; // there are more than SCHEMA_ERRORS_MAX
};

// All that is wrong, in the order required, type, properties, then the rest, at each level; none
// when the document is valid. Errors and their texts live in `arena`. Fails as schema_check().
err schema_explain(const struct schema *schema, const struct json_doc *doc, struct arena *arena,
                   struct schema_errors *ret_errors, struct als_why *why);
err schema_explain_node(const struct schema *schema, const struct json_doc *doc,
                        const struct json_node *node, struct arena *arena,
                        struct schema_errors *ret_errors, struct als_why *why);

// The output formats of the specification (2020-12, section 12.4).
enum schema_output {
    SCHEMA_OUTPUT_FLAG,     // {"valid":false}
    SCHEMA_OUTPUT_BASIC,    // and a flat list of "errors"
    SCHEMA_OUTPUT_DETAILED, // and a tree of them: branches below the keyword that tried them
};
// False when `name` is none of "flag", "basic", "detailed".
bool schema_output_named(str name, enum schema_output *ret_output);
// Writes one object. Each error has "keywordLocation", "absoluteKeywordLocation" (when a reference
// led there), "instanceLocation", "keyword", "error".
void schema_write(const struct schema_errors *errors, enum schema_output output,
                  struct json_writer *writer);

// ---- Identity.

// The canonical spelling of any JSON text: no white space, keys sorted bytewise and of doubled ones
// the last, strings with the fewest escapes, numbers as shortest exact decimals ("1.50e1" is 15).
// Two texts are the same value exactly when their canonical spellings are the same bytes. Written
// into `arena`, NUL behind it. ALS_JSON_SYNTAX, ALS_TOO_LARGE.
err schema_canonical(str text, struct arena *arena, str *ret_text, struct als_why *why);
