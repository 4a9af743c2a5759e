// SPDX-License-Identifier: Apache-2.0
// Puts the rooms together, owns the threads, implements <allsource.h>.
//
// A tenant is a name and, once something was appended to it, a store. The map of tenants only
// grows; a tenant's store is set once. Writer threads take turns over the tenants that have work;
// the ticker settles logs that have been quiet and ends waits that are over.
#pragma once

#include <allsource.h>

#include "base/arena.h"
#include "base/limits.h"
#include "base/lock.h"
#include "base/own.h"
#include "base/rand.h"
#include "os/os.h"
#include "registry/registry.h"
#include "store/store.h"

#include <stdatomic.h>

enum { TENANT_BUCKETS = 1024, WRITERS_MAX = 64, TICK_MS = 50 };

enum tenant_run { TENANT_IDLE, TENANT_QUEUED, TENANT_RUNNING, TENANT_RUNNING_AGAIN };

struct segment_cache;

// Threads that go round the tenants and do what can wait (keeper.c).
enum keeper_of {
    KEEPER_SHORT, // snapshots, sealing
    KEEPER_LONG,  // compaction, retention: one turn may take minutes
    KEEPERS,
};

struct keeper {
    struct als *als;
    enum keeper_of of;
    uint64_t interval_ns; // between rounds in which all tenants have a turn; 0: there are none
    struct lock lock;     // LOCK_KEEPER; guards the next four
    struct signal signal;
    bool wanted, stopping, started;
    uint64_t look_ns; // when the next such round is due
    pthread_t thread;
};

// Callers who wait for a keeper (requests.c). The first member of what they ask for.
struct request {
    struct request *next;
};
struct requests { // of one kind and tenant; guarded by the lock of KEEPER_LONG
    struct request *first, *last;
};

struct compaction { // of a tenant; guarded by the lock of the keeper that does it, but for the last
    struct requests requests;
    struct als_compaction seen;
    uint64_t after_ns; // the keeper's: not before, for the last one failed
};

struct retention {                 // of a tenant; guarded by the lock of KEEPER_LONG
    struct retention_rules *rules; // NULL: none were ever set
    struct requests requests;
    struct als_retention seen;
    uint64_t after_ns; // not before, by itself
};

struct setting;
struct settings;

struct tenant {
    struct tenant *next_in_bucket, *next; // all tenants, newest first
    struct als *als;
    struct os_dir *dir;            // NULL before the store is made
    struct settings *settings;     // these two before the store, for as long
    struct registry *registry;     //
    _Atomic(struct store *) store; // NULL: nobody has appended yet
    err damage;                    // why the store cannot be opened, or ALS_OK
    struct als_why damage_why;
    struct wait *waits; // for the store to be made; guarded by LOCK_ENGINE

    struct tenant *next_queued; // these three guarded by the run queue's lock
    enum tenant_run run;
    bool settle;
    als_position quiet_since; // the ticker's
    struct slot *used;        // answered in this turn; of the thread that takes it

    atomic_bool stalled;            // appends wait for sealing
    _Atomic uint64_t tail_bytes;    // its share of als->tails_bytes
    atomic_bool ends_stretch;       // for its writer: what grows shall end, and be sealed
    _Atomic uint64_t seal_after_ns; // the keeper's: not before, for the last one failed; or 0
    struct snapshots *snapshots;    // made before the store is published
    struct saver *saver;            // the keeper's
    struct compaction compaction;
    struct retention retention;
    atomic_bool keep[KEEPERS]; // wants a turn of each

    uint8_t name_len;
    char name[TENANT_BYTES_MAX + 1];
};

// Somebody who waits for a tenant's store to be made.
struct wait {
    struct wait *next;
    bool waiting;
    void (*born)(struct wait *wait, struct store *store); // under LOCK_ENGINE
};

struct slot {             // an append with the memory it needs, reused
    struct append append; // first: the store hands it back
    struct slot *next_free;
    struct als *als;
    als_done *done;
    void *context;
    size_t event_room, appended_room;
    struct als_appended *appended;
    struct arena texts;    // of the conditions
    struct arena checking; // of one payload that is checked by its schema
    struct rand random;
};

struct when {
    struct when *next;
    struct als *als;
    struct tenant *tenant;
    struct wait wait;
    struct watch watch;
    uint64_t deadline_ns;
    _Atomic bool over; // claimed by whoever ends it
    _Atomic uint32_t refs;
    void (*reached)(void *context, bool reached);
    void *context;
};

struct als {
    struct os *os;
    struct als_options options;
    struct os_dir *dir, *tenants_dir;
    struct os_file *lock_file;
    char ephemeral[64]; // the temporary directory, or empty
    char *directory;    // the data directory, absolute; NULL when it could not be told

    struct lock tenants_lock; // LOCK_ENGINE: guards adding to the map, waits, making of stores
    _Atomic(struct tenant *) buckets[TENANT_BUCKETS];
    _Atomic(struct tenant *) tenants;
    uint32_t tenant_count; // with a store, or damaged

    struct lock run_lock; // LOCK_RUN_QUEUE
    struct signal work, tick;
    struct tenant *first_queued, *last_queued;
    bool stopping, tick_wanted;
    _Atomic uint64_t stalls;      // times that appends of a tenant had to wait for sealing
    _Atomic uint64_t tails_bytes; // indexes of what is not sealed
    pthread_t writers[WRITERS_MAX], ticker;
    uint32_t writer_count;
    bool ticker_started;

    struct keeper keepers[KEEPERS];
    _Atomic uint64_t given_back_ns;
    struct due_memory *due; // of KEEPER_SHORT
    uint32_t requests;      // that wait; guarded by the lock of KEEPER_LONG

    struct lock backups_lock; // LOCK_BACKUP: guards the next three
    bool backup_running, backup_started;
    pthread_t backup;
    atomic_bool backups_stopping;

    struct segment_cache *cache; // of all tenants
    struct analysts *analysts;

    struct lock slots_lock; // LOCK_SLOTS
    struct slot *free_slots;
    uint32_t slot_count;

    struct lock pool_lock; // LOCK_POOL
    struct als_cursor *free_cursors;
    struct als_state *free_states;

    struct lock whens_lock; // LOCK_WAITER
    struct when *whens;
};

static inline str tenant_name(const struct tenant *tenant)
{
    return (str){tenant->name, tenant->name_len};
}

// tenant.c
err tenants_open(struct als *als, struct als_why *why); // recovers all that exist
void tenants_close(struct als *als);
// NULL when there is none of this name yet, which is no error. Checks the name.
err tenant_find(struct als *als, als_str name, struct tenant **ret_tenant, struct als_why *why);
// With a store in the end; made if need be.
err tenant_make(struct als *als, als_str name, struct tenant **ret_tenant, struct als_why *why);
// Perhaps without a store.
err tenant_await(struct als *als, als_str name, struct tenant **ret_tenant, struct als_why *why);
// The store to read from, NULL for no events, or the tenant's damage.
err tenant_store(struct als *als, als_str name, struct store **ret_store, struct als_why *why);
void notice(struct als *als, enum als_notice_kind kind, str tenant, uint64_t count,
            const char *text);

// The name of a tenant's directory: itself, with bytes beyond ASCII as =XX. `space` holds it.
enum { TENANT_DIRECTORY_MAX = 3 * TENANT_BYTES_MAX + 1 };
str tenant_directory(str name, char space[static TENANT_DIRECTORY_MAX]);
bool tenant_of_directory(str directory, char name[static TENANT_BYTES_MAX], size_t *ret_len);

// tails.c
// Counts what the tenant's tail takes now. The tenant's writer; its keeper; who opens it.
void tails_count(struct tenant *tenant, struct store *store);
void tails_count_sealed(struct tenant *tenant, struct store *store);
// The largest tails end where all together take more than they may. A writer.
void tails_bound(struct als *als);
bool tails_are_behind(const struct als *als); // sealing does not keep up with them

// writer.c
err writers_start(struct als *als, struct als_why *why);
void writers_stop(struct als *als); // when it returns, all appends taken have been answered
// Puts the tenant into the run queue. `wake`: a writer shall come for it; else the caller will call
// take_turns() itself, and only somebody who is awake anyway may be faster.
void schedule(struct tenant *tenant, bool wake);
// Takes turns on this thread while there are tenants in the queue and `done` is not set; returns
// whether there was one.
bool take_turns(struct als *als, const _Atomic bool *done);
void tick_soon(struct als *als);
// Has the tenant's log settled, and rid of what it need not keep.
void settle_soon(struct tenant *tenant);
// Appends that waited for sealing go on, or find out that they have to wait again.
void stall_over(struct tenant *tenant);

// append.c
void slots_free(struct als *als);
void slots_give(struct tenant *tenant); // those that were answered in a turn go back to the pool

// keeper.c: threads for what can wait, turn by turn, tenant by tenant.
void keepers_init(struct als *als);
void keepers_deinit(struct als *als);
err keepers_start(struct als *als, struct als_why *why);
void keeper_stop(struct keeper *keeper); // started or not, stopped or not
// The tenant wants a turn, soon: of snapshots and sealing, or of compaction. Any thread; locks
// below LOCK_KEEPER may be held.
void keeper_wake(struct tenant *tenant);
void compactor_wake(struct tenant *tenant);

// analysts.c: threads for analyses, started when there is one.
struct analysts *analysts_new(struct als *als); // NULL: no memory
void analysts_free(struct analysts *analysts);  // cancels and waits; NULL is accepted

// snapshots.c
err snapshots_begin(struct tenant *tenant, struct store *store, struct als_why *why);
void snapshots_end(struct tenant *tenant);
// A turn of the keeper: saves the folds that are due, cleans one file. Returns whether there is
// more to do.
bool snapshots_turn(struct tenant *tenant);

// keeper.c: what was freed, an index or what a file was made with, goes back to the system; the
// allocator would keep it for those who need other sizes. Now and then only.
void give_memory_back(struct als *als);

// background.c: from here on the calling thread gives way to all others, where the system lets it.
void background_enter(void);
// Does the work on a thread that does so, and waits for it.
void background_run(void (*work)(void *context), void *context);

// seal.c: a turn of the keeper, which makes one segment of what the log has closed.
bool seal_turn(struct tenant *tenant);

// requests.c. ALS_QUEUE_FULL, ALS_NOT_READY; else the keeper is woken, and owns the request.
err requests_put(struct tenant *tenant, struct requests *requests, struct request *request,
                 struct als_why *why);
struct request *requests_take(struct tenant *tenant, struct requests *requests); // NULL: none

// compact.c: a turn of the keeper, which merges for somebody who asked, or once by itself.
bool compact_turn(struct tenant *tenant);
err compact_options(struct als_options *options, struct als_why *why); // checks, fills in

// retention.c: a turn of the keeper, which takes out what the tenant's rules do not keep.
bool retention_turn(struct tenant *tenant);
err retention_apply(struct tenant *tenant, const struct setting *setting, struct als_why *why);
void retention_close(struct tenant *tenant);
void retention_end(struct tenant *tenant); // answers who waits; the keeper has ended

// backups.c: ends the backup that is under way.
void backups_stop(struct als *als);

// schemas.c
// Opens the settings of a tenant whose directory is open, with what is folded from them.
err schemas_open(struct tenant *tenant, struct als_why *why);
void schemas_close(struct tenant *tenant);
// The registry of a tenant that has a store, or NULL; or the tenant's damage.
err schemas_of(struct als *als, als_str name, struct registry **ret_registry, struct als_why *why);

// checking.c
// The rules that an append of the tenant (which may be NULL) is to be checked by, or NULL. The
// caller unrefs them.
struct rules *checking_rules(const struct tenant *tenant);
// Checks the payloads of one append, event by event; neighbours of one type are told together.
struct checker {
    const struct rules *rules; // NULL: nothing is checked
    const struct als *als;
    struct arena *arena;     // of one payload
    const struct rule *rule; // of the type that is at hand; NULL: it is not checked
    str type;
    size_t valid;
    uint64_t first_ns; // what the first one took
};
// What is known of a draft's texts.
struct checked {
    enum als_json payload, metadata;
    uint32_t schema_version; // that the payload has passed
};
// ALS_VALIDATION when the payload is refused. Fills in `checked` when there is a schema for it.
err checker_take(struct checker *checker, const struct als_append *append,
                 const struct als_draft *draft, struct checked *checked, struct als_why *why);
void checker_end(const struct checker *checker, bool refused);

// validation.c
// What is wrong with a payload, in words.
err validation_new(struct program *program, str subject, uint32_t version, str payload,
                   struct als_validation **ret_validation, struct als_why *why);

// read.c, state.c
void pools_free(struct als *als);
void states_free(struct als *als);
// From the pool, for work inside a call; ended by als_state_close(). NULL: no memory.
struct als_state *state_take(struct als *als);
struct state *state_inside(struct als_state *state);

// follow.c
void whens_expire(struct als *als, uint64_t now_ns); // UINT64_MAX: all of them
bool whens_any(struct als *als);

static inline err bad_size(const char *what, struct als_why *why)
{
    return FAIL(why, ALS_INVALID_INPUT, "%s is missing or its size is not set (use the _INIT)",
                what);
}
#define CHECK_ALS(als, why)                                                                        \
    do {                                                                                           \
        if (!(als))                                                                                \
            return FAIL((why), ALS_INVALID_INPUT, "als is NULL");                                  \
    } while (0)
#define CHECK_SIZED(options, what, why)                                                            \
    do {                                                                                           \
        if (!(options) || (options)->size < sizeof *(options))                                     \
            return bad_size((what), (why));                                                        \
    } while (0)
