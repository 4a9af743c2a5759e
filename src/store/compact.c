// SPDX-License-Identifier: Apache-2.0
// From neighbouring segments to one. The files are made as sealing makes them (make.c): from a
// cursor over a pinned view, synced, read back, compared, named. Then the manifest has the new
// segment in place of the old ones, and these lose their files with the last view that sees them.
//
// Which neighbours? A file of the target size is left alone for ever; of the others:
//
//   Tiers (STORE_BY_SIZE). A file's weight is what its events take uncompressed, which adds up
//   exactly; its tier is the logarithm of that to the base F = files_min.
//   1. F files of one tier, with nothing heavier between them, become one. It is at least F times
//      as heavy as the tier begins, so each byte of theirs moves up a tier.
//   2. Lighter files in front of a heavier one join it.
//   So tiers never rise from old to new, and none has F files: at most (F - 1) files a tier, with
//   logarithmically many tiers, however long it goes on. A byte is written once when it is sealed,
//   once for each tier it moves up, and once by rule 2.
//
//   The other strategies take all that qualifies and lies together.
//
// What is taken is cut, from its newer end, to what one file may hold. Two files below the target
// always fit, and what was cut has reached the target and is left alone from then on.
#include "store/inside.h"

#include "base/mutant.h"

#include <assert.h>

enum { ROW_BYTES = 64, PACE_BYTES = 256 << 10 }; // a row's fixed columns; between two calls

struct pick { // neighbours of a list of parts
    uint32_t at, count;
};

// ---- Choosing

static uint64_t weight_of(const struct part *part)
{
    return part->facts.raw_bytes + part->facts.rows * ROW_BYTES;
}

static uint32_t tier_of(uint64_t weight, const struct store_compaction *how)
{
    uint32_t tier = 0;
    for (; weight >= how->files_min; weight /= how->files_min)
        tier++;
    return tier;
}

static uint32_t part_tier(const struct part *part, const struct store_compaction *how)
{
    return tier_of(weight_of(part), how);
}

static bool is_full(const struct part *part, const struct store_compaction *how)
{
    return part->facts.bytes >= how->target_bytes || part->facts.rows >= COMPACT_ROWS_MAX / 2;
}

static bool qualifies(const struct part *part, const struct store_compaction *how)
{
    if (!part_is_sealed(part) || atomic_load(&part->unfit) || is_full(part, how))
        return false;
    return how->strategy != STORE_BY_AGE || part->facts.recorded_last_us < how->before_us;
}

// How many of the parts from `at` on qualify and lie together, all below `tier` + 1.
static uint32_t run_from(const struct parts *parts, uint32_t at, uint32_t tier,
                         const struct store_compaction *how)
{
    uint32_t end = at;
    while (end < parts->count && qualifies(parts->items[end], how) &&
           part_tier(parts->items[end], how) <= tier)
        end++;
    return end - at;
}

static uint32_t count_tier(const struct parts *parts, struct pick run, uint32_t tier,
                           const struct store_compaction *how)
{
    uint32_t count = 0;
    for (uint32_t i = run.at; i < run.at + run.count; i++)
        count += part_tier(parts->items[i], how) == tier;
    return count;
}

// Rule 2, as far as it is due to what the pick becomes.
static struct pick with_lighter(const struct parts *parts, struct pick pick,
                                const struct store_compaction *how)
{
    uint64_t weight = 0;
    for (uint32_t i = pick.at; i < pick.at + pick.count; i++)
        weight += weight_of(parts->items[i]);
    while (pick.at > 0 && qualifies(parts->items[pick.at - 1], how) &&
           part_tier(parts->items[pick.at - 1], how) < tier_of(weight, how)) {
        weight += weight_of(parts->items[--pick.at]);
        pick.count++;
    }
    return pick;
}

static struct pick pick_tier(const struct parts *parts, uint32_t tier,
                             const struct store_compaction *how)
{
    for (uint32_t at = 0; at < parts->count;) {
        struct pick run = {at, run_from(parts, at, tier, how)};
        if (count_tier(parts, run, tier, how) >= how->files_min)
            return with_lighter(parts, run, how);
        at += run.count + 1;
    }
    return (struct pick){0};
}

static struct pick pick_by_size(const struct parts *parts, const struct store_compaction *how)
{
    for (uint32_t tier = 0; tier <= tier_of(UINT64_MAX, how); tier++) {
        struct pick pick = pick_tier(parts, tier, how);
        if (pick.count)
            return pick;
    }
    for (uint32_t at = 1; at < parts->count; at++) {
        if (!qualifies(parts->items[at], how))
            continue;
        struct pick pick = with_lighter(parts, (struct pick){at, 1}, how);
        if (pick.count > 1)
            return pick;
    }
    return (struct pick){0};
}

// The first stretch of at least so many that qualify and are smaller than so many bytes.
static struct pick pick_run(const struct parts *parts, uint32_t least, uint64_t below_bytes,
                            const struct store_compaction *how)
{
    struct pick run = {0};
    for (uint32_t i = 0; i < parts->count; i++) {
        const struct part *part = parts->items[i];
        if (qualifies(part, how) && part->facts.bytes < below_bytes) {
            run.count++;
            continue;
        }
        if (run.count >= least)
            return run;
        run = (struct pick){i + 1, 0};
    }
    return (struct pick){0}; // the last part is hot
}

static struct pick cut(const struct parts *parts, struct pick pick,
                       const struct store_compaction *how)
{
    uint64_t bytes = 0, rows = 0;
    for (uint32_t i = 0; i < pick.count; i++) {
        const struct segment_facts *facts = &parts->items[pick.at + i]->facts;
        bytes += facts->bytes;
        rows += facts->rows;
        if (bytes > 2 * how->target_bytes || rows > COMPACT_ROWS_MAX)
            return (struct pick){pick.at, i};
    }
    return pick;
}

static struct pick pick_parts(const struct parts *parts, const struct store_compaction *how)
{
    struct pick pick = {0};
    if (how->strategy == STORE_BY_SIZE) {
        pick = pick_run(parts, how->files_min, how->small_bytes, how);
        if (pick.count == 0)
            pick = pick_by_size(parts, how);
    } else
        pick = pick_run(parts, how->strategy == STORE_ALL ? 2 : how->files_min, UINT64_MAX, how);
    return cut(parts, pick, how);
}

// ---- Merging

// The rows of a merge are read twice, with as many bytes written, and read back.
struct pace {
    const struct store_compaction *how;
    uint64_t rows, rows_total;
    uint64_t bytes_told, bytes_total;
};

static bool paced(void *context)
{
    struct pace *pace = context;
    uint64_t done = pace->bytes_total * ++pace->rows / pace->rows_total;
    if (done - pace->bytes_told < PACE_BYTES && pace->rows < pace->rows_total)
        return true;
    pace->bytes_told = done;
    return pace->how->paced(pace->how->context, done, pace->bytes_total);
}

static struct store_compacted sum_of(const struct parts *parts, struct pick pick)
{
    struct store_compacted sum = {.files = pick.count};
    for (uint32_t i = pick.at; i < pick.at + pick.count; i++) {
        sum.bytes_before += parts->items[i]->facts.bytes;
        sum.events += parts->items[i]->facts.rows;
    }
    return sum;
}

void entry_inherit(struct manifest_entry *entry, struct part *const *parts, uint32_t count)
{
    entry->facts.new_entities = entry->new_types = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct part *part = parts[i];
        entry->facts.new_entities += part->facts.new_entities;
        entry->new_types += MUTANT(COMPACT_TYPES_NOT_SUMMED) ? 0 : part->new_types;
        entry->removed += MUTANT(RETAIN_NUMBERS_LOST) ? 0 : part->removed;
        if (part->removed_at > entry->removed_at)
            entry->removed_at = part->removed_at;
    }
}

static als_position last_of(const struct parts *parts, struct pick pick)
{
    uint32_t last = pick.at + pick.count - (MUTANT(COMPACT_LOSES_LAST) ? 2 : 1);
    return parts->items[last]->facts.last;
}

static err merge(struct store *store, struct view view, struct pick pick,
                 const struct store_compaction *how, struct store_compacted *ret_compacted,
                 struct als_why *why)
{
    struct part *const *parts = &view.parts->items[pick.at];
    struct store_compacted sum = sum_of(view.parts, pick);
    struct pace pace = {
        .how = how, .rows_total = 2 * sum.events, .bytes_total = 4 * sum.bytes_before};
    struct making making = {.view = view,
                            .first = parts[0]->facts.first,
                            .last = last_of(view.parts, pick),
                            .paced = how->paced ? paced : NULL,
                            .context = &pace};
    struct manifest_entry entry = {.removed = 0};
    TRY(make_segment(store, &making, &entry.facts, why));
    entry_inherit(&entry, parts, pick.count);
    AUTO(part) part = part_new_sealed(store, &entry);
    if (!part)
        return FAIL(why, ALS_NO_MEMORY, "a segment cannot be shown");
    struct replacing replacing = {.parts = parts, .count = pick.count, .added = part};
    TRY(store_commit(store, &replacing, why));
    sum.bytes_after = entry.facts.bytes;
    *ret_compacted = sum;
    return ALS_OK;
}

bool may_be_damage(err code)
{
    return code == ALS_CORRUPT || code == ALS_STORAGE || code == ALS_NOT_FOUND ||
           code == ALS_FORMAT_TOO_NEW;
}

// One file that cannot be read shall not keep all others from being merged.
void mark_unfit(struct part *const *parts, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct part *part = parts[i];
        struct segment *segment;
        err code = part_segment(part, &segment, NULL);
        if (code == ALS_OK)
            code = segment_verify(segment, NULL, NULL, NULL);
        if (may_be_damage(code))
            atomic_store(&part->unfit, true);
    }
}

err store_compact(struct store *store, const struct store_compaction *how,
                  struct store_compacted *ret_compacted, struct als_why *why)
{
    assert(how->files_min >= 2 && how->target_bytes > 0);
    *ret_compacted = (struct store_compacted){0};
    TRY(store_can_seal(store, why));
    struct view view = view_pin(store);
    struct pick pick = pick_parts(view.parts, how);
    err code = pick.count ? merge(store, view, pick, how, ret_compacted, why) : ALS_OK;
    if (may_be_damage(code))
        mark_unfit(&view.parts->items[pick.at], pick.count);
    view_unpin(view);
    return code;
}
