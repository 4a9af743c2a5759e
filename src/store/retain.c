// SPDX-License-Identifier: Apache-2.0
// Retention: what a rule does not keep any more is taken out of the sealed files.
//
// 1. Each type that a rule is for gets a horizon, a position: its events before it may go. Age,
//    count and bytes all come to one, for events are recorded in the order of positions.
// 2. Files are looked at from the newest to the oldest. How many rows lie before their horizons is
//    known from the index. When it is worth it they are counted exactly.
// 3. A file that keeps some of its rows is made anew without the others, as sealing makes one
//    (make.c), and takes the old one's place. One that keeps none goes, and the numbers that
//    the manifest has of it are handed on to the next file, whose entry is written anew.
//
// What always stays: the newest sealed event of each entity and of each type. So an entity's
// version is where it was, the numbers of names that begin in a file add up, and the last position
// of the last file is that of an event. Events in the log do not count as newer: with a log that is
// synced later, a power cut could take them back.
#include "store/inside.h"

#include "base/arena.h"
#include "base/mutant.h"

#include <assert.h>
#include <stdlib.h>

enum { PAGE = 128, SHARE = 4, LOOK_AGAIN = 16, PACE_BYTES = 256 << 10 };

struct limit { // of one type; in bytewise order of names
    str type;
    const struct store_rule *rule;
    als_position horizon; // its events before this may go
    als_position newest;  // its newest sealed event, which stays
};

struct retaining {
    struct store *store;
    const struct store_retention *how;
    struct arena arena;
    struct limit *limits;
    size_t limit_count, limit_room;
    struct cursor *cursor;
    struct segment_cache *cache; // of the cursor: what is read here pushes nothing out
    struct segment_reader *reader;
    struct view view;
    uint32_t at;                                  // the part that is looked at
    als_position below;                           // what lies from here on was looked at
    uint64_t units, units_total;                  // of the file that is being looked at
    uint64_t bytes_done, bytes_told, bytes_total; // of all before it; and of it
    err failed;                                   // in the middle of a making
    struct als_why *why;
};

// ---- Rules

// The one that says most of the type; NULL: it is kept for ever.
static const struct store_rule *rule_for(const struct store_retention *how, str type)
{
    const struct store_rule *best = NULL;
    for (size_t i = 0; i < how->rule_count; i++) {
        const struct store_rule *rule = &how->rules[i];
        bool exact = !str_ends(rule->types, S("*"));
        if (type_matches(rule->types, type) &&
            (!best || exact ||
             (best->types.len < rule->types.len && str_ends(best->types, S("*")))))
            best = rule;
    }
    if (best && best->before_us == STORE_ANY_AGE && best->count_max == 0 && best->bytes_max == 0)
        return NULL;
    return best;
}

static err add_limit(struct retaining *retaining, const struct store_name *name,
                     struct als_why *why)
{
    const struct store_rule *rule = rule_for(retaining->how, name->name);
    if (!rule)
        return ALS_OK;
    if (retaining->limit_count == retaining->limit_room) {
        size_t room = retaining->limit_room ? 2 * retaining->limit_room : 16;
        struct limit *limits = realloc(retaining->limits, room * sizeof *limits);
        if (!limits)
            return FAIL(why, ALS_NO_MEMORY, "a list of %zu types", room);
        retaining->limits = limits;
        retaining->limit_room = room;
    }
    str type = arena_copy(&retaining->arena, name->name);
    if (!type.ptr)
        return FAIL(why, ALS_NO_MEMORY, "a list of %zu types", retaining->limit_count);
    retaining->limits[retaining->limit_count++] = (struct limit){.type = type, .rule = rule};
    return ALS_OK;
}

static err list_limits(struct retaining *retaining, struct als_why *why)
{
    struct store_name names[PAGE];
    str after = {NULL, 0};
    for (size_t found = PAGE; found == PAGE;) {
        TRY(view_names(retaining->view, STORE_TYPES, S(""), after, names, PAGE, &found, why));
        for (size_t i = 0; i < found; i++)
            TRY(add_limit(retaining, &names[i], why));
        if (found)
            after = names[found - 1].name;
    }
    return ALS_OK;
}

static const struct limit *limit_of(const struct retaining *retaining, str type)
{
    size_t low = 0, high = retaining->limit_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = str_compare(retaining->limits[middle].type, type);
        if (order == 0)
            return &retaining->limits[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

// ---- Horizons

static uint32_t sealed_count(struct view view)
{
    uint32_t count = 0;
    while (part_is_sealed(view.parts->items[count]))
        count++; // the last part is always hot
    return count;
}

static err recorded_at_row(struct retaining *retaining, struct segment *segment, uint32_t row,
                           struct als_event *ret_event, struct als_why *why)
{
    if (!retaining->reader && !(retaining->reader = segment_reader_new()))
        return FAIL(why, ALS_NO_MEMORY, "a segment cannot be read");
    return segment_read(retaining->reader, segment, row, NULL, ret_event, why);
}

// The first position of the part that was recorded at `us` or later.
static err find_moment(struct retaining *retaining, struct part *part, int64_t us,
                       als_position *ret_position, struct als_why *why)
{
    struct segment *segment;
    struct als_event event;
    uint32_t low = 0, high = (uint32_t)part->facts.rows - 1; // whose last row is late enough
    TRY(part_segment(part, &segment, why));
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        TRY(recorded_at_row(retaining, segment, middle, &event, why));
        if (event.recorded_us < us)
            low = middle + 1;
        else
            high = middle;
    }
    TRY(recorded_at_row(retaining, segment, low, &event, why));
    *ret_position = event.position;
    return ALS_OK;
}

static err horizon_of_age(struct retaining *retaining, int64_t us, als_position *ret_horizon,
                          struct als_why *why)
{
    struct view view = retaining->view;
    uint32_t count = sealed_count(view);
    *ret_horizon = view_sealed(view) + 1;
    for (uint32_t i = 0; i < count; i++) {
        struct part *part = view.parts->items[i];
        if (part->facts.recorded_last_us < us || atomic_load(&part->unfit))
            continue;
        *ret_horizon = part->facts.first;
        return part->facts.recorded_first_us >= us
                   ? ALS_OK
                   : find_moment(retaining, part, us, ret_horizon, why);
    }
    return ALS_OK;
}

// The bytes of each type in a sealed part, added up once.
static err add_up_bytes(struct retaining *retaining, struct part *part, struct index_file *file,
                        struct als_why *why)
{
    if (part->type_bytes)
        return ALS_OK;
    uint32_t types = index_file_names(file, INDEX_TYPE), number;
    uint64_t *bytes = calloc(types, sizeof *bytes);
    if (!bytes)
        return FAIL(why, ALS_NO_MEMORY, "the bytes of %u types", types);
    struct cursor_bounds bounds = {.after = part->facts.first - 1, .up_to = part->facts.last};
    err code = cursor_over_all(retaining->cursor, retaining->view, bounds, why);
    while (code == ALS_OK) {
        struct als_event event;
        code = cursor_next(retaining->cursor, &event, why);
        if (code != ALS_OK || event.position == 0)
            break;
        code = index_file_seek(file, INDEX_TYPE, event.type, &number, why);
        if (code == ALS_OK && number >= types)
            code = FAIL(why, ALS_INDEX, "a type is not in its index");
        if (code == ALS_OK)
            bytes[number] += event.payload.len + event.metadata.len;
    }
    if (code == ALS_OK)
        part->type_bytes = bytes;
    else
        free(bytes);
    return code;
}

struct tally { // of a type's newest events
    uint64_t count, bytes;
};

static bool is_within(const struct store_rule *rule, struct tally tally)
{
    return (rule->count_max == 0 || tally.count <= rule->count_max) &&
           (rule->bytes_max == 0 || tally.bytes <= rule->bytes_max);
}

// Walks the type's events down from `up_to` to what lies behind `after`. Sets the horizon behind
// the first that is too much.
static err walk_down(struct retaining *retaining, struct limit *limit, struct cursor_bounds bounds,
                     struct tally *tally, struct als_why *why)
{
    struct als_event event;
    bounds.descending = true;
    TRY(cursor_over_types(retaining->cursor, retaining->view, &limit->type, 1, bounds, why));
    for (;;) {
        TRY(cursor_next(retaining->cursor, &event, why));
        if (event.position == 0)
            return ALS_OK;
        tally->count++;
        tally->bytes += event.payload.len + event.metadata.len;
        if (is_within(limit->rule, *tally))
            continue;
        limit->horizon = event.position + 1 > limit->horizon ? event.position + 1 : limit->horizon;
        return ALS_OK;
    }
}

// What a sealed part has of the type is added as a whole, as long as that is not too much.
static err add_part(struct retaining *retaining, struct limit *limit, struct part *part,
                    struct tally *tally, struct als_why *why)
{
    struct index_rows rows;
    struct index_file *file;
    uint32_t number;
    struct tally sum = *tally;
    TRY(part_file(part, &file, why));
    TRY(index_file_find(file, INDEX_TYPE, limit->type, &rows, why));
    if (rows.count == 0)
        return ALS_OK;
    if (limit->newest == 0)
        limit->newest = rows.last;
    sum.count += rows.count;
    if (limit->rule->bytes_max) {
        TRY(add_up_bytes(retaining, part, file, why));
        TRY(index_file_seek(file, INDEX_TYPE, limit->type, &number, why));
        sum.bytes += part->type_bytes[number];
    }
    if (!is_within(limit->rule, sum)) {
        struct cursor_bounds bounds = {.after = part->facts.first - 1, .up_to = part->facts.last};
        return walk_down(retaining, limit, bounds, tally, why);
    }
    *tally = sum;
    return ALS_OK;
}

static err find_horizon(struct retaining *retaining, struct limit *limit, struct als_why *why)
{
    struct view view = retaining->view;
    const struct store_rule *rule = limit->rule;
    struct tally tally = {0};
    if (rule->before_us != STORE_ANY_AGE)
        TRY(horizon_of_age(retaining, rule->before_us, &limit->horizon, why));
    struct cursor_bounds tail = {.after = view_sealed(view), .up_to = view.position};
    if (rule->count_max || rule->bytes_max)
        TRY(walk_down(retaining, limit, tail, &tally, why));
    for (uint32_t i = sealed_count(view); i-- > 0 && is_within(rule, tally);)
        if (!atomic_load(&view.parts->items[i]->unfit))
            TRY(add_part(retaining, limit, view.parts->items[i], &tally, why));
    for (uint32_t i = sealed_count(view); i-- > 0 && limit->newest == 0;) {
        struct index_rows rows;
        struct index_file *file;
        TRY(part_file(view.parts->items[i], &file, why));
        TRY(index_file_find(file, INDEX_TYPE, limit->type, &rows, why));
        limit->newest = rows.count ? rows.last : 0;
    }
    return ALS_OK;
}

static err find_limits(struct retaining *retaining, struct als_why *why)
{
    TRY(list_limits(retaining, why));
    for (size_t i = 0; i < retaining->limit_count; i++)
        TRY(find_horizon(retaining, &retaining->limits[i], why));
    return ALS_OK;
}

// ---- One file: what of it goes

// Whether a later sealed file has the entity.
static err has_later(const struct retaining *retaining, str entity, bool *ret_later,
                     struct als_why *why)
{
    struct view view = retaining->view;
    struct index_rows rows = {.count = 0};
    for (uint32_t i = retaining->at + 1; rows.count == 0 && part_is_sealed(view.parts->items[i]);
         i++) {
        struct index_file *file;
        TRY(part_file(view.parts->items[i], &file, why));
        TRY(index_file_find(file, INDEX_ENTITY, entity, &rows, why));
    }
    *ret_later = rows.count > 0;
    return ALS_OK;
}

static err is_newest(const struct retaining *retaining, const struct als_event *event,
                     bool *ret_newest, struct als_why *why)
{
    struct index_rows rows;
    struct index_file *file;
    bool later = true;
    TRY(part_file(retaining->view.parts->items[retaining->at], &file, why));
    TRY(index_file_find(file, INDEX_ENTITY, event->entity, &rows, why));
    if (rows.last == event->position)
        TRY(has_later(retaining, event->entity, &later, why));
    *ret_newest = !later && !MUTANT(RETAIN_NEWEST_TOO);
    return ALS_OK;
}

// What cannot be told stays, and ends the work.
static bool keeps(void *context, const struct als_event *event)
{
    struct retaining *retaining = context;
    const struct limit *limit = limit_of(retaining, event->type);
    bool newest = true;
    if (!limit || event->position >= limit->horizon || event->position == limit->newest)
        return true;
    err code = is_newest(retaining, event, &newest, retaining->why);
    if (code != ALS_OK)
        retaining->failed = code;
    return newest;
}

static bool paced(void *context)
{
    struct retaining *retaining = context;
    const struct store_retention *how = retaining->how;
    if (retaining->failed != ALS_OK)
        return false;
    uint64_t part = retaining->bytes_total * ++retaining->units / retaining->units_total;
    uint64_t done = retaining->bytes_done + part;
    if (!how->paced || done - retaining->bytes_told < PACE_BYTES)
        return true;
    retaining->bytes_told = done;
    return how->paced(how->context, done, retaining->bytes_done + retaining->bytes_total);
}

static err rows_before(struct part *part, const struct index_rows *rows, als_position horizon,
                       uint32_t *ret_count, struct als_why *why)
{
    struct segment *segment;
    uint32_t row;
    *ret_count = rows->last < horizon ? rows->count : 0;
    if (rows->last < horizon || horizon <= part->facts.first)
        return ALS_OK;
    TRY(part_segment(part, &segment, why));
    TRY(segment_row_of(segment, horizon, &row, why));
    return row == 0 ? ALS_OK : index_rows_to(rows, row - 1, ret_count, why);
}

// How many rows lie before their horizons: no fewer than those that go.
static err count_before(struct retaining *retaining, struct part *part, uint64_t *ret_count,
                        struct als_why *why)
{
    struct index_file *file;
    *ret_count = 0;
    TRY(part_file(part, &file, why));
    uint32_t types = index_file_names(file, INDEX_TYPE);
    for (uint32_t i = 0; i < types; i++) {
        struct index_rows rows;
        uint32_t count = 0;
        TRY(index_file_name(file, INDEX_TYPE, i, &rows, why));
        const struct limit *limit = limit_of(retaining, rows.name);
        if (limit)
            TRY(rows_before(part, &rows, limit->horizon, &count, why));
        *ret_count += count;
    }
    return ALS_OK;
}

static err count_going(struct retaining *retaining, struct part *part, uint64_t *ret_going,
                       struct als_why *why)
{
    struct cursor_bounds bounds = {.after = part->facts.first - 1, .up_to = part->facts.last};
    TRY(cursor_over_all(retaining->cursor, retaining->view, bounds, why));
    for (*ret_going = 0;;) {
        struct als_event event;
        TRY(cursor_next(retaining->cursor, &event, why));
        if (event.position == 0)
            return retaining->failed;
        if (retaining->failed == ALS_OK && !paced(retaining))
            return FAIL(why, ALS_NOT_READY, "retention was given up");
        if (retaining->failed != ALS_OK)
            return retaining->failed;
        *ret_going += !keeps(retaining, &event);
    }
}

static bool is_worth_it(const struct retaining *retaining, const struct part *part, uint64_t going)
{
    return going > 0 && (retaining->how->all || going * SHARE >= part->facts.rows);
}

// ---- One file: taking it out

static err show(struct retaining *retaining, struct part *part, struct replacing *replacing,
                uint64_t going, struct als_why *why)
{
    struct store *store = retaining->store;
    replacing->added = part;
    TRY(store_commit(store, replacing, why));
    atomic_fetch_add(&store->removed, going);
    return ALS_OK;
}

static struct part *part_with(struct retaining *retaining, struct manifest_entry *entry,
                              uint64_t going)
{
    entry->removed += MUTANT(RETAIN_NUMBERS_LOST) ? 0 : going;
    entry->removed_at = view_sealed(retaining->view);
    return part_new_sealed(retaining->store, entry);
}

// None of it is kept: the next file takes over its numbers.
static err drop(struct retaining *retaining, struct part *part, struct als_why *why)
{
    struct part **parts = &retaining->view.parts->items[retaining->at];
    struct part *next = parts[1];
    bool forgets = MUTANT(RETAIN_FORGETS_DROPPED);
    assert(part_is_sealed(next)); // the last one has the newest event of some entity
    struct manifest_entry entry = {.facts = next->facts};
    entry_inherit(&entry, forgets ? &parts[1] : parts, forgets ? 1 : 2);
    AUTO(part) added = part_with(retaining, &entry, part->facts.rows);
    if (!added)
        return FAIL(why, ALS_NO_MEMORY, "a segment cannot be shown");
    added->origin = part_ref(next->origin ? next->origin : next);
    struct replacing replacing = {.parts = parts, .count = 2};
    return show(retaining, added, &replacing, part->facts.rows, why);
}

static err thin(struct retaining *retaining, struct part *part, uint64_t going, uint64_t *ret_bytes,
                struct als_why *why)
{
    struct part **parts = &retaining->view.parts->items[retaining->at];
    struct making making = {.view = retaining->view,
                            .first = part->facts.first,
                            .last = part->facts.last,
                            .keeps = keeps,
                            .paced = paced,
                            .context = retaining};
    struct manifest_entry entry = {.removed = 0};
    err code = make_segment(retaining->store, &making, &entry.facts, why);
    if (code != ALS_OK)
        return retaining->failed ? retaining->failed : code;
    entry_inherit(&entry, parts, 1);
    AUTO(part) added = part_with(retaining, &entry, going);
    if (!added)
        return FAIL(why, ALS_NO_MEMORY, "a segment cannot be shown");
    *ret_bytes = entry.facts.bytes;
    struct replacing replacing = {.parts = parts, .count = 1};
    return show(retaining, added, &replacing, going, why);
}

static err retain_part(struct retaining *retaining, struct part *part,
                       struct store_retained *retained, struct als_why *why)
{
    uint64_t before, going, bytes = 0;
    TRY(count_before(retaining, part, &before, why));
    bool looked = !retaining->how->all && before <= part->looked + part->facts.rows / LOOK_AGAIN;
    if (!is_worth_it(retaining, part, before) || (part->looked && looked))
        return ALS_OK;
    // Its rows are counted, read, and read again, with as many bytes written.
    retaining->bytes_done += retaining->bytes_total;
    retaining->units = 0;
    retaining->units_total = 3 * part->facts.rows;
    retaining->bytes_total = 4 * part->facts.bytes;
    TRY(count_going(retaining, part, &going, why));
    if (!is_worth_it(retaining, part, going)) {
        part->looked = before;
        return ALS_OK;
    }
    if (going == part->facts.rows)
        TRY(drop(retaining, part, why));
    else
        TRY(thin(retaining, part, going, &bytes, why));
    retained->files++;
    retained->files_removed += bytes == 0;
    retained->events += going;
    retained->bytes_before += part->facts.bytes;
    retained->bytes_after += bytes;
    return ALS_OK;
}

// ---- All of them

// The newest sealed part that was not looked at yet, false when there is none. It may have been
// merged with such that were: those are looked at once more.
static bool next_part(struct retaining *retaining)
{
    const struct parts *parts = retaining->view.parts;
    for (uint32_t i = sealed_count(retaining->view); i-- > 0;) {
        const struct part *part = parts->items[i];
        if (part->facts.first >= retaining->below || atomic_load(&part->unfit))
            continue;
        retaining->at = i;
        retaining->below = part->facts.first;
        return true;
    }
    return false;
}

// Each file in a view of its own: what has gone is not kept until the end.
static err retain_next(struct retaining *retaining, struct store_retained *retained, bool *ret_more,
                       struct als_why *why)
{
    retaining->view = view_pin(retaining->store);
    err code = ALS_OK;
    *ret_more = next_part(retaining);
    if (*ret_more) {
        struct part *part = retaining->view.parts->items[retaining->at];
        code = retain_part(retaining, part, retained, why);
        if (may_be_damage(code))
            mark_unfit(&retaining->view.parts->items[retaining->at], 1);
    }
    cursor_reset(retaining->cursor);
    if (retaining->reader)
        segment_reader_reset(retaining->reader);
    view_unpin(retaining->view);
    return code;
}

static err begin(struct retaining *retaining, struct als_why *why)
{
    retaining->view = view_pin(retaining->store);
    err code = find_limits(retaining, why);
    cursor_reset(retaining->cursor);
    if (retaining->reader)
        segment_reader_reset(retaining->reader);
    view_unpin(retaining->view);
    return code;
}

static err retain(struct retaining *retaining, struct store_retained *retained, struct als_why *why)
{
    retaining->cache = segment_cache_new(STORE_CACHE_BYTES);
    retaining->cursor = retaining->cache ? cursor_new() : NULL;
    if (!retaining->cursor)
        return FAIL(why, ALS_NO_MEMORY, "retention cannot look at events");
    cursor_read_apart(retaining->cursor, retaining->cache);
    TRY(begin(retaining, why));
    uint64_t files_max = retaining->how->files_max ? retaining->how->files_max : UINT64_MAX;
    for (bool more = retaining->limit_count > 0; more && retained->files < files_max;)
        TRY(retain_next(retaining, retained, &more, why));
    return ALS_OK;
}

err store_retain(struct store *store, const struct store_retention *how,
                 struct store_retained *ret_retained, struct als_why *why)
{
    *ret_retained = (struct store_retained){0};
    TRY(store_can_seal(store, why));
    struct als_why own; // the caller may want no words
    struct retaining retaining = {
        .store = store, .how = how, .below = UINT64_MAX, .why = why ? why : &own};
    arena_init(&retaining.arena, KIB(16), RETAIN_TYPES_BYTES_MAX);
    err code = retain(&retaining, ret_retained, retaining.why);
    cursor_free(retaining.cursor);
    segment_cache_free(retaining.cache);
    segment_reader_free(retaining.reader);
    free(retaining.limits);
    arena_deinit(&retaining.arena);
    return code;
}
