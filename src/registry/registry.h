// SPDX-License-Identifier: Apache-2.0
// The schemas of one tenant: subjects and their versions, what may follow what, and what is checked
// when an event is appended.
//
// A subject is the name of an event type; its versions are numbered from 1 and never change. The
// registry is a fold over records that its owner keeps (the tenant's settings): it is handed all of
// them once at the opening, and hands out each new one to be made durable before it counts. What
// appends and reads need stands in struct rules, which never changes and is counted; a change makes
// new ones and swaps them in, so nobody waits for it.
// A version is deprecated, never removed: it can still be read by its number, but is no longer the
// latest, checks no event and is compared with no schema.
// Threads: all functions may be called by any thread, but registry_apply() and registry_begin() by
// the one that opens. Changes and comparisons wait for each other, for they compile, compare and
// sync one at a time; those who look wait for none of them.
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/own.h"
#include "base/str.h"
#include "compat/compat.h"

struct json_writer;
struct mapping;
struct registry;
struct rules;
struct schema;

// ---- Life

// A change of the registry as it is kept. The format is in docs/formats/settings.md.
struct registry_record {
    int64_t recorded_us;
    str body; // lives as long as the registry
};

struct registry_options {
    bool strict;         // events are checked unless their subject says otherwise
    bool assert_formats; // `format` refuses values; else it is an annotation
    uint64_t hash_seed;  // secret, for clients choose the names
    // Makes a body durable and says when, and where it lives from now on.
    err (*keep)(void *context, str body, struct registry_record *ret_record, struct als_why *why);
    uint64_t (*monotonic_ns)(void *context);
    void *context; // of both
};

struct registry *registry_new(struct registry_options options); // NULL: no memory
void registry_free(struct registry *registry);
AUTO_WITH(registry, registry_free)

// Folds in a record; ALS_CORRUPT, or ALS_FORMAT_TOO_NEW when a newer program has written it.
err registry_apply(struct registry *registry, const struct registry_record *record,
                   struct als_why *why);
// After the last one: compiles what appends are checked by.
err registry_begin(struct registry *registry, struct als_why *why);

// ---- What there is. Slices live as long as the registry.

#define REGISTRY_NEVER INT64_MAX

struct registry_version {
    als_id schema_id;
    uint32_t id; // of the content: equal schemas of different subjects share it; 1, 2, 3...
    str subject;
    uint32_t version;
    str schema;      // JSON text as it was registered
    str description; // ptr is NULL when there is none
    str tags;        // JSON array of strings
    str references;  // JSON array of {"name","subject","version"}
    int64_t created_us, deprecated_us;
};

enum registry_enforce { REGISTRY_ENFORCE_DEFAULT, REGISTRY_ENFORCE_OFF, REGISTRY_ENFORCE_ON };

// What is set for a subject, or for the tenant.
struct registry_config {
    bool sets_mode, sets_enforce; // what a change is about
    bool has_mode;                // else the tenant's, which is BACKWARD if nobody has set it
    enum compat_mode mode;
    enum registry_enforce enforce;
};

struct registry_wanted {
    str subject;
    uint32_t version; // 0: the latest that is not deprecated
    int64_t as_of_us; // as things stood then; REGISTRY_NEVER: now
    bool deprecated;  // one that is deprecated will do; always so when a version is named
};

// ALS_SUBJECT_NOT_FOUND, also when all versions are deprecated and none is named;
// ALS_SCHEMA_NOT_FOUND for a version.
err registry_find(struct registry *registry, const struct registry_wanted *wanted,
                  struct registry_version *ret_version, struct als_why *why);
// ALS_SCHEMA_NOT_FOUND. The first version that has the content.
err registry_find_id(struct registry *registry, uint32_t id, struct registry_version *ret_version,
                     struct als_why *why);
// The version of the draft's subject that is not deprecated and says the same.
// ALS_SUBJECT_NOT_FOUND, ALS_SCHEMA_NOT_FOUND.
struct registry_draft;
err registry_find_same(struct registry *registry, const struct registry_draft *draft,
                       struct registry_version *ret_version, struct als_why *why);

// Calls `each` for every version, deprecated ones too, in bytewise order of the subjects and then
// by number; of one subject only when `subject` is not empty. It runs under the registry's lock.
typedef bool registry_each(void *context, const struct registry_version *version); // false ends
void registry_list(struct registry *registry, str subject, registry_each *each, void *context);

// What holds for a subject; for the tenant when it is empty. A subject need not exist.
struct registry_config registry_config(struct registry *registry, str subject);
// What mode and enforcement come to when the tenant's and the server's are asked, too.
enum compat_mode registry_mode(struct registry *registry, str subject);
bool registry_enforces(struct registry *registry, str subject);

// ---- Changes. All of them are durable when they return; the codes of `keep` come through.

struct registry_draft {
    str subject;
    str schema;                    // JSON text
    str description;               // ptr NULL: none
    str tags;                      // JSON array of strings; empty: none
    str references;                // as above; empty: none
    als_id schema_id;              // for a new version
    struct registry_config config; // set with it, at once
};

struct registry_reason {
    uint32_t version; // the earlier one that is meant
    struct compat_reason reason;
};

struct registry_verdict {
    bool compatible;
    bool more; // there may be more reasons than are told
    enum compat_mode mode;
    uint32_t count;
    const struct registry_reason *reasons;
};

// Registers the next version of a subject. A schema that says the same as a version which is not
// deprecated gives that version, and nothing else of the draft counts (*ret_existing).
// ALS_JSON_SYNTAX, ALS_SCHEMA_INVALID and ALS_TOO_LARGE are about the schema; ALS_VALIDATION is
// about the rest. ALS_SCHEMA_INCOMPATIBLE fills the verdict, which lives in `arena`.
struct registry_registered {
    struct registry_version version;
    bool existing;
};
err registry_register(struct registry *registry, const struct registry_draft *draft,
                      struct arena *arena, struct registry_registered *ret_registered,
                      struct registry_verdict *ret_verdict, struct als_why *why);
// Whether `draft` could follow, without doing it: after what the subject's mode says when `version`
// is 0, else after that version alone. ALS_SUBJECT_NOT_FOUND, ALS_SCHEMA_NOT_FOUND.
err registry_compare(struct registry *registry, const struct registry_draft *draft,
                     uint32_t version, struct arena *arena, struct registry_verdict *ret_verdict,
                     struct als_why *why);
// The subject need not exist; an empty one is the tenant.
err registry_configure(struct registry *registry, str subject, const struct registry_config *config,
                       struct als_why *why);
// Deprecates a version, or with 0 all of the subject. What is deprecated already is not found.
err registry_deprecate(struct registry *registry, str subject, uint32_t version,
                       struct als_why *why);

// ---- Programs: compiled schemas, shared

struct program;
const struct schema *program_schema(const struct program *program);
void program_ref(struct program *program);
void program_unref(struct program *program);
AUTO_WITH(program, program_unref)
// The program of a version that registry_find() has found. The caller unrefs it.
err registry_program(struct registry *registry, const struct registry_version *version,
                     struct program **ret_program, struct als_why *why);

// ---- Rules: what is known of all subjects at one moment

struct rule {
    str subject;
    uint32_t version; // the latest; 0: all are deprecated
    bool enforced;
    struct program *program; // of the latest; NULL when all are deprecated
    struct mapping *mapping; // NULL: none
};

// NULL when no subject is enforced, which is the common case and costs one load.
struct rules *registry_enforced_rules(struct registry *registry);
// NULL when there is no subject at all.
struct rules *registry_rules(struct registry *registry);
// Whether these are the rules of now; they are held by the caller.
bool registry_rules_current(struct registry *registry, const struct rules *rules);
void rules_unref(struct rules *rules);
AUTO_WITH(rules, rules_unref)
const struct rule *rules_find(const struct rules *rules, str subject); // NULL: none

// ---- Upcasting: old payloads in the shape of a later version
//
// A subject may have a mapping: for each step from a version to the next, operations on the
// payload. A step without operations changes nothing, for a schema that is compatible needs
// nothing.
//   {"unversioned":1,"steps":[{"from":1,"operations":[
//      {"op":"rename","path":"/name","to":"full_name"},
//      {"op":"default","path":"/currency","value":"EUR"},
//      {"op":"move","path":"/street","to":"/address/street"},
//      {"op":"drop","path":"/legacy"},
//      {"op":"cast","path":"/items/*/amount","to":"string"}]}]}
// Paths are JSON Pointers; a '*' that meets an array means every element. What is not there is left
// alone. "unversioned" says which version events are taken to have that were stored unchecked.

// Replaces the mapping of a subject; an empty text removes it. ALS_VALIDATION names the step and
// the operation that is wrong.
err registry_set_upcasts(struct registry *registry, str subject, str upcasts, struct als_why *why);
// The text that was set, "{\"steps\":[]}" when there is none.
err registry_upcasts(struct registry *registry, str subject, str *ret_upcasts, struct als_why *why);

struct upcast {
    str payload;      // in the arena, or the old one
    uint32_t version; // the shape it has now
    str trouble;      // why it cannot be mapped; empty: it was, or need not be
};
// The payload of an event with that rule, from `version` to `target`. ALS_TOO_LARGE when the arena
// is full. The result is not checked against the target's schema.
err mapping_apply(const struct mapping *mapping, str payload, uint32_t version, uint32_t target,
                  struct arena *arena, struct upcast *ret_upcast);
// Which version an event is taken to have that was stored unchecked; 0: unknown. NULL is accepted.
uint32_t mapping_unversioned(const struct mapping *mapping);
