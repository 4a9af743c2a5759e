// SPDX-License-Identifier: Apache-2.0
// What the files of this room share.
#pragma once

#include "base/limits.h"
#include "index/index.h"
#include "store/log.h"
#include "store/manifest.h"
#include "store/part.h"
#include "store/store.h"

#include <stdatomic.h>

// Appends that wait for the writer, oldest first.
struct mailbox {
    struct lock lock;
    struct append *first, *last;
    uint32_t count;
    bool scheduled; // somebody was told to take a turn, and none has found the box empty since
};

struct watches {
    struct lock lock;
    struct watch *first;
    _Atomic als_position next; // the least position that is watched, UINT64_MAX when none is
};

struct gate {
    struct lock lock; // guards `taken`; never held while the disk works
    struct signal left;
    bool taken;
};

struct store {
    struct os *os;
    struct os_dir *dir;          // the caller's
    struct os_dir *segments_dir; // made at the first seal
    struct store_options options;
    char tenant[TENANT_BYTES_MAX];
    uint64_t seed; // of all hashes of names and ids in memory

    struct mailbox mailbox;
    struct watches watches;

    struct lock view_lock;           // guards the next two
    struct parts *parts;             // what a new view sees; the last part is the writer's
    struct part *hot;                // all hot parts that live
    _Atomic als_position log_needed; // the first position that one of them has in the log
    _Atomic als_position sealed;     // everything up to here is in segments that views see
    _Atomic als_position closed;     // everything up to here is in parts that do not grow

    struct gate gate;                        // guards the manifest, and making segments_dir
    struct manifest *manifest;               // of whoever is inside the gate
    struct segment_cache *cache, *own_cache; // the one in use; NULL when it is the options'
    _Atomic uint64_t index_blocks; // of index files, looked at since they were last forgotten

    _Atomic als_position position;    // published
    _Atomic uint64_t entities, types; // names with a published event
    _Atomic uint64_t removed;         // events that retention took out
    _Atomic uint32_t views;           // pinned
    _Atomic bool failed;              // the log takes no more
    _Atomic bool unsettled;           // appended since the last settle

    // The writer's.
    struct store_log *log;
    struct part *filling;          // the last part, which it fills; the list has the reference
    uint64_t filled_bytes;         // of records in it
    als_position trimmed;          // the log was told to let go of what is up to here
    struct cursor *cursor;         // for explaining conflicts
    struct segment_reader *reader; // for ids in segments; made when there is one
    int64_t recorded_us;           // of the last batch
    als_position next;             // the position that the next event of this turn gets
    struct view turn;              // pinned for the turn: what lies before the part that is filled
    uint32_t stamp;                // of the append that is being judged
    struct append *turn_appends[TURN_BATCHES_MAX];
    struct log_record turn_records[TURN_BATCHES_MAX];
    const uint8_t *turn_bodies[TURN_BATCHES_MAX];

    struct lock stat_lock;
    struct log_stat log_stat; // as of the last turn; guarded by stat_lock
};

// judge.c: does the append hold what it demands? Gives positions and versions, places records and
// ids. Its verdict is in append->code; what was refused has changed nothing.
void judge(struct store *store, struct append *append, struct append *const *accepted,
           size_t accepted_count);
// Forgets what judge() prepared, for the turn could not be made durable.
void judge_undo(struct append *append);
// Fills in which events got in between, once all of the turn is published.
void judge_explain(struct store *store, struct append *append);

// view.c: what new views see. `added` joins the end.
err store_extend(struct store *store, struct part *added, struct als_why *why);
// Neighbouring parts of the present list, and the part, if any, that takes their place.
struct replacing {
    struct part *const *parts;
    uint32_t count;
    struct part *added;
};
// Room for a list that is longer by some than the present one; NULL: no memory.
struct parts *parts_space(struct store *store);
void store_show(struct store *store, const struct replacing *replacing, TAKES struct parts *space);

// make.c: the files of a segment that holds events of a view. The manifest does not know it yet.
struct making {
    struct view view;
    als_position first, last;
    // Which of them; NULL: all. Asked twice of each, with the same answer.
    bool (*keeps)(void *context, const struct als_event *event);
    // Called for each row that is read, twice over all of them; it may wait, and false gives up
    // (ALS_NOT_READY). NULL: not.
    bool (*paced)(void *context);
    void *context;
};
// ALS_NOT_FOUND when none is kept; nothing stays on the disk then, or when it fails otherwise.
err make_segment(struct store *store, const struct making *making, struct segment_facts *ret_facts,
                 struct als_why *why);

// gate.c: the sealer and the compactor work beside each other, and both change the manifest. Only
// one of them is inside the gate, and only for as long as that takes.
void gate_init(struct gate *gate);
void gate_deinit(struct gate *gate);
void gate_enter(struct gate *gate);
void gate_leave(struct gate *gate);

// cursor.c: has the cursor read sealed parts through a cache of the caller's, so that what others
// want stays in theirs.
void cursor_read_apart(struct cursor *cursor, KEEPS struct segment_cache *cache);

// compact.c: what an entry takes over from the parts whose place its segment takes: numbers that a
// segment without the first rows cannot know.
void entry_inherit(struct manifest_entry *entry, struct part *const *parts, uint32_t count);
// One file that cannot be read shall not keep all others from being replaced: those are marked.
bool may_be_damage(err code);
void mark_unfit(struct part *const *parts, uint32_t count);

// seal.c: a number that no other segment has, and a directory for the files.
err store_begin_segment(struct store *store, uint64_t *ret_generation, struct als_why *why);
// Makes a replacement durable and shows it. What new views no longer see has its files
// removed with the last view that does. When it fails, `added` loses its files.
err store_commit(struct store *store, const struct replacing *replacing, struct als_why *why);
err store_can_seal(struct store *store, struct als_why *why);

// recover.c: the segments that the manifest has, then the log behind them.
err recover(struct store *store, struct store_report *ret_report, struct als_why *why);
// What both recovery and a turn do with an event: its lists, and what came before this part.
err find_list(struct store *store, enum index_by by, str name, uint64_t hash,
              struct index_list **ret_list, struct als_why *why);
// Ends the part that is being filled when it is full, and begins the next. For want of memory it
// goes on with the old one.
void roll_when_full(struct store *store);
// The event's names are counted: the caller is about to publish it.
void count_names(struct store *store, const struct index_list *entity,
                 const struct index_list *type);

// watch.c
void watches_tell(struct store *store, als_position position);
