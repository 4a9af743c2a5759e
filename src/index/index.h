// SPDX-License-Identifier: Apache-2.0
// The hot index: entity, type and id -> positions, for a range of positions that is in memory.
//
// A fold over the log: it is thrown away and grows back. One writer adds; any number of readers
// look up without locks and see every event up to the count that a list has published, or to the
// position that the store has. What a reader got stays valid as long as the index.
// It covers a stretch of positions from `base` on, so positions inside are 32-bit distances from
// it. Size: 8 bytes an event for its place, about 13 for its id, 6 each for the entity's and the
// type's list; about 110 an entity with its name (bench/ measures it).
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "base/own.h"
#include "base/str.h"

struct os;
struct os_dir;
struct index;
struct index_list; // the events of one entity or one type

enum index_by { INDEX_ENTITY, INDEX_TYPE };

enum { INDEX_EVENTS_MAX = 0xfffffff0 }; // of one index

// `base` is the first position that will be added; `seed` makes the hashes unpredictable.
struct index *index_new(als_position base, uint64_t seed); // NULL: no memory
void index_free(struct index *index);
AUTO_WITH(index, index_free)

uint64_t index_hash_name(const struct index *index, str name); // any thread
uint64_t index_hash_id(const struct index *index, als_id id);

// ---- The writer.

// The list of a name, NULL when there is none; it may have no published event yet.
struct index_list *index_list_get(struct index *index, enum index_by by, str name, uint64_t hash);
// The same, made when it is absent. NULL: no memory.
struct index_list *index_list_of(struct index *index, enum index_by by, str name, uint64_t hash);

// Brings what a later call with these hashes will touch closer to the processor.
void index_prefetch(const struct index *index, uint64_t entity_hash, uint64_t id_hash);

// Counts one more event of this turn in the list and makes room for it, so that index_publish()
// cannot fail. index_pending() is the count with those of this turn: an entity's latest version.
// index_unreserve() takes one back: the turn could not be made durable.
err index_reserve(struct index *index, struct index_list *list, struct als_why *why);
void index_unreserve(struct index_list *list);
uint64_t index_pending(const struct index_list *list);
// True at the first call with this stamp since another one.
bool index_stamp(struct index_list *list, uint32_t stamp);

// How many events of the name lie before this index; said once, before the first is reserved.
// index_pending() and the counts do not include them.
void index_set_before(struct index_list *list, uint64_t before);
bool index_has_before(const struct index_list *list);

// Says where the record of `position` lies, for index_record() and the ids; before it is durable,
// too, because a later batch of the same turn may bring the same id. Positions may be set again.
err index_place(struct index *index, als_position position, const uint8_t *record,
                struct als_why *why);
err index_add_id(struct index *index, uint64_t id_hash, als_position position, struct als_why *why);
// The event is durable: its position joins the list, where one was reserved, and is published.
void index_publish(struct index *index, enum index_by by, struct index_list *list,
                   als_position position);

// ---- Readers.

als_position index_base(const struct index *index);

// Where the record of a position lies. The position was placed.
const uint8_t *index_record(const struct index *index, als_position position);

// NULL when no event up to now has the name.
const struct index_list *index_find(struct index *index, enum index_by by, str name);

// The position of the event with this id, at most `up_to`; 0 when there is none. The index keeps
// no ids: `same` compares a record's with the one that is looked for.
typedef bool index_same_id(const uint8_t *record, const void *id);
als_position index_find_id(struct index *index, uint64_t hash, als_position up_to,
                           index_same_id *same, const void *id);

str index_list_name(const struct index_list *list);
uint64_t index_before(const struct index_list *list);     // as index_set_before() said, else 0
uint64_t index_list_count(const struct index_list *list); // published
// How many of its events have positions up to this one.
uint64_t index_list_count_to(const struct index_list *list, als_position base, als_position up_to);

// Walks a list from its n-th event (0 is the first), either way. A plain value.
struct index_walk {
    const struct index_list *list;
    const struct index_block *block;
    als_position base;
    uint64_t at, count; // the next to give; how many are published
};
struct index_walk index_walk_from(const struct index_list *list, als_position base, uint64_t at);
als_position index_walk_next(struct index_walk *walk);     // 0 at the end
als_position index_walk_previous(struct index_walk *walk); // gives `at` - 1; 0 at the start

// How many names there are whose first event is published.
uint64_t index_names(const struct index *index, enum index_by by);

// Names in bytewise order that begin with `prefix`, behind `after` (empty: from the first), at most
// `count`. The order is made when it is asked for, under a lock that the writer never takes.
struct index_page {
    str prefix, after;
    size_t count;
};
err index_page(struct index *index, enum index_by by, struct index_page page,
               const struct index_list **ret_lists, size_t *ret_found, struct als_why *why);

uint64_t index_bytes(const struct index *index); // memory held

// ---- The cold index: the same for a sealed segment, in a file beside it (docs/formats/index.md).
//
// A fold over the segment: it is deleted and grows back. It is mapped, not read; what is looked up
// touches a few lines of it, and each of its blocks is checked before its first use. Rows are the
// segment's, 0 the first. Any number of threads.

// Takes 16 bytes a row and about 85 a name; writing takes 12 a row and 25 a name more.
struct index_builder;
// `identity` is the segment's. NULL: no memory.
struct index_builder *index_builder_new(const uint8_t identity[static 16]);
void index_builder_free(struct index_builder *builder);
AUTO_WITH(index_builder, index_builder_free)
// Adds the next row. The slices of the event are copied where they are needed. After a failure the
// builder is of no use.
err index_builder_add(struct index_builder *builder, const struct als_event *event,
                      struct als_why *why);
// The same for rows of a segment as they lie there. Names are numbers into a dictionary, which has
// a number of its own that is not 0.
struct index_named {
    const uint32_t *numbers; // by row
    const str *names;
    uint32_t count; // of names
    uint64_t dictionary;
};
struct index_columns {
    uint32_t count; // of rows
    const als_position *positions;
    const als_version *versions;
    const als_id *ids;
    struct index_named entities, types;
};
err index_builder_add_rows(struct index_builder *builder, const struct index_columns *rows,
                           struct als_why *why);
// Writes all of it to the new file `name` and syncs the file, not the directory; the same rows and
// identity give the same bytes. Nothing can be added after it. What is there after a failure is of
// no use.
err index_builder_write(struct index_builder *builder, struct os *os, struct os_dir *dir, str name,
                        struct als_why *why);

struct index_file;
// Checks the header only. ALS_NOT_FOUND; ALS_CORRUPT, also when it is another segment's;
// ALS_FORMAT_TOO_NEW: make it anew in all three cases.
err index_file_open(KEEPS struct os *os, struct os_dir *dir, str name,
                    const uint8_t identity[static 16], struct index_file **ret_file,
                    struct als_why *why);
void index_file_close(struct index_file *file);
AUTO_WITH(index_file, index_file_close)
uint64_t index_file_bytes(const struct index_file *file);
// From now on, counts into `blocks` each block of 4 KiB behind the filters that is looked at for
// the first time since it was last forgotten; index_file_forget() lets go of the memory that holds
// them. The filters stay: they are small, and all are asked about everything. Counting is begun
// before anybody else has the file; any thread may have it forget.
void index_file_count(struct index_file *file, KEEPS _Atomic uint64_t *blocks);
void index_file_forget(struct index_file *file);
uint32_t index_file_names(const struct index_file *file, enum index_by by);

// The rows of one name, in ascending order. A plain value; the name is the file's.
struct index_rows {
    str name;
    struct index_file *file;
    uint64_t at;                             // where in the file the first is
    uint32_t count;                          // 0: the name is not there
    als_version first_version, last_version; // of an entity's first and last row; a type has none
    als_position last;                       // position of the last row
};
// The n-th of them, 0 the first. A long list is checked as it is read: ALS_CORRUPT.
err index_row(const struct index_rows *rows, uint32_t n, uint32_t *ret_row, struct als_why *why);
// How many of them are rows up to this one, included.
err index_rows_to(const struct index_rows *rows, uint32_t row, uint32_t *ret_count,
                  struct als_why *why);

// That a name or an id is not there, which most are not: at the price of one line of the file, and
// without an error. False says nothing; so it does for all whose part of the filter was not looked
// at by the calls below.
bool index_file_denies(const struct index_file *file, enum index_by by, str name);
bool index_file_denies_id(const struct index_file *file, const als_id *id);

// `ret_rows->count` is 0 when there is none. An error is damage: ALS_CORRUPT.
err index_file_find(struct index_file *file, enum index_by by, str name,
                    struct index_rows *ret_rows, struct als_why *why);
// Names are numbered in bytewise order: the first that is not less than `name`, and the n-th.
err index_file_seek(struct index_file *file, enum index_by by, str name, uint32_t *ret_number,
                    struct als_why *why);
err index_file_name(struct index_file *file, enum index_by by, uint32_t number,
                    struct index_rows *ret_rows, struct als_why *why);
// The rows that may have the id, most likely one or none; at most `room` are given. The caller
// compares. A store asks many files for an id that none has: that costs one cache line each.
err index_file_find_id(struct index_file *file, als_id id, uint32_t *ret_rows, size_t room,
                       size_t *ret_found, struct als_why *why);
// Reads all of it and checks it against itself. What it cannot know is the segment's: whether these
// are its names and ids.
err index_file_verify(struct index_file *file, struct als_why *why);
