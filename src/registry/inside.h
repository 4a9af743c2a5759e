// SPDX-License-Identifier: Apache-2.0
// The registry, inside.
#pragma once

#include "base/buf.h"
#include "base/limits.h"
#include "base/lock.h"
#include "registry/registry.h"
#include "schema/schema.h"
#include "json/json.h"

#include <stdatomic.h>

struct version {
    struct registry_version told;
    uint64_t hash; // of the canonical content
};

struct subject {
    str name;
    struct version **versions; // number n is at n - 1
    uint32_t count, capacity;
    struct registry_config config;
    str upcasts;             // as set; empty: none
    struct mapping *mapping; // of it
    struct program *latest;  // of latest(); NULL: none, or not compiled yet
};

struct registry {
    struct registry_options options;
    struct lock changing; // LOCK_REGISTRY: one change at a time, from its decision to its rules
    struct lock lock;     // LOCK_SUBJECTS: guards what there is; see registry.c
    struct arena kept;    // names, versions, texts with escapes; the changer's
    struct arena scratch; // of one change
    struct subject **subjects; // by name
    uint32_t subject_count, subject_capacity;
    struct version **contents; // id n is at n - 1: the first version of it
    uint32_t content_count, content_capacity;
    struct registry_config config; // the tenant's
    uint64_t schema_bytes;
    bool begun;
    bool behind; // a change is durable and could not be folded in: no more are taken

    struct lock rules_lock;        // LOCK_POOL: guards taking and swapping `rules`
    _Atomic(struct rules *) rules; // NULL: no subjects
    _Atomic bool enforcing;        // some rule is enforced
};

struct program {
    _Atomic uint32_t refs;
    struct schema *schema;
};

// ---- record.c: a change as JSON

enum record_kind { RECORD_REGISTER, RECORD_DEPRECATE, RECORD_CONFIGURE, RECORD_UPCASTS };

struct record {
    enum record_kind kind;
    str subject; // empty: the tenant
    uint32_t version, id;
    als_id schema_id;
    str schema, description, tags, references, upcasts; // JSON texts but for the description
    struct registry_config config;
};

void record_write(const struct record *record, struct buf *buf);
// Slices point into `body`, or into `kept` where they were escaped.
err record_read(str body, struct arena *scratch, struct arena *kept, struct record *ret_record,
                struct als_why *why);

// ---- registry.c

struct subject *subject_find(const struct registry *registry, str name); // NULL: none
struct version *subject_latest(const struct subject *subject);           // NULL: all deprecated
// What comes of it when it is folded in: the same whether at the opening or later.
err registry_fold(struct registry *registry, const struct record *record, int64_t recorded_us,
                  struct als_why *why);
err find_locked(const struct registry *registry, const struct registry_wanted *wanted,
                struct version **ret_version, struct als_why *why);
enum compat_mode mode_locked(const struct registry *registry, const struct subject *subject);
bool enforces_locked(const struct registry *registry, const struct subject *subject);
void *grow(void *items, uint32_t count, uint32_t *capacity, size_t size); // NULL: no memory

// ---- content.c: what a version says

// The canonical spelling of a schema with its references, in the arena.
err content_of(str schema, str references, struct arena *arena, str *ret_content,
               struct als_why *why);
uint64_t content_hash(str content);
// The first version for which it is so; NULL when there is none.
struct version *content_find(const struct registry *registry, str content, struct arena *arena);
struct version *content_find_in(const struct subject *subject, str content, struct arena *arena);
// One of the references: {"name":...,"subject":...,"version":n}. False: it is something else.
bool read_reference(const struct json_doc *doc, const struct json_node *item, struct arena *arena,
                    str *ret_name, struct registry_wanted *ret_wanted);
// The lock is not held: it takes long, and looks for other versions.
err compile_version(struct registry *registry, str schema, str references, bool trusted,
                    struct program **ret_program, struct als_why *why);

// ---- rules.c

// Makes rules of what there is now and swaps them in.
err rules_publish(struct registry *registry, struct als_why *why);
struct program *program_new(TAKES struct schema *schema); // NULL: no memory

// ---- mapping.c

err mapping_read(str text, struct mapping **ret_mapping, struct als_why *why);
void mapping_ref(struct mapping *mapping);
void mapping_unref(struct mapping *mapping);
AUTO_WITH(mapping, mapping_unref)
