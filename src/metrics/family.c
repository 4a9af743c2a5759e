// SPDX-License-Identifier: Apache-2.0
// A family finds its series without a lock.
//
// The slots are a hash table that only ever grows towards its bound, and never moves:
//
//  1. A slot goes from NULL to a series once, under the lock of the set, and keeps it until the set
//     is freed. So a reader that meets NULL knows the series was absent at that moment, and whoever
//     then takes the lock looks again before making one: no two series have the same labels.
//  2. A series is complete before its slot is stored (release); readers load the slot (acquire).
//  3. At least half of the slots stay NULL, so every search ends.
//
// What finds no room is counted under `other`, which exists from the start: counting never fails.
// The hash has no secret seed: who floods it with collisions gets a search of at most series_max
// comparisons of 64 bits.
#include "metrics/family.h"

#include "base/hash.h"

#include <assert.h>
#include <stdlib.h>

const struct family_row family_rows[METRIC_COUNT] = {
#define X(name, kind, labels, help) {#name, kind, labels, help},
#include "metrics/metrics.def"
#undef X
};

static struct series *series_new(const struct family *family, const str *labels, uint64_t hash)
{
    size_t texts = 0;
    for (size_t i = 0; i < family->label_count; i++)
        texts += labels[i].len;
    size_t cells = STRIPES * family_stride(family) * sizeof(uint64_t);
    size_t size = sizeof(struct series) + cells + texts;
    size = (size + CACHE_LINE_BYTES - 1) / CACHE_LINE_BYTES * CACHE_LINE_BYTES;
    struct series *series = aligned_alloc(CACHE_LINE_BYTES, size);
    if (!series)
        return NULL;
    memset(series, 0, size);
    series->hash = hash;
    char *text = (char *)series->cells + cells;
    for (size_t i = 0; i < family->label_count; i++) {
        if (labels[i].len)
            memcpy(text, labels[i].ptr, labels[i].len);
        series->labels[i] = (str){text, labels[i].len};
        text += labels[i].len;
    }
    return series;
}

// Reads "endpoint,method" or "event_type*".
static void read_label_names(struct family *family)
{
    family->series_max = METRICS_SERIES_MAX;
    for (str rest = str_of(family->row->labels); rest.len;) {
        assert(family->label_count < METRICS_LABELS_MAX);
        str name = str_cut(&rest, ',');
        if (str_ends(name, S("*"))) {
            family->series_max = METRICS_CHILDREN_MAX;
            name.len--;
        }
        size_t at = family->label_count++;
        assert(at == 0 || str_compare(family->label_names[at - 1], name) < 0);
        family->label_names[at] = name;
    }
}

bool family_init(struct family *family, const struct family_row *row)
{
    *family = (struct family){.row = row};
    read_label_names(family);
    if (family->label_count == 0) {
        family->only = series_new(family, NULL, 0);
        return family->only;
    }
    assert(row->kind != GAUGE);
    str others[METRICS_LABELS_MAX];
    for (size_t i = 0; i < METRICS_LABELS_MAX; i++)
        others[i] = S("other");
    family->slot_count = 2 * family->series_max;
    assert((family->slot_count & (family->slot_count - 1)) == 0);
    family->other = series_new(family, others, 0);
    family->slots = calloc(family->slot_count, sizeof *family->slots);
    return family->other && family->slots;
}

void family_deinit(struct family *family)
{
    for (size_t i = 0; family->slots && i < family->slot_count; i++)
        free(atomic_load_explicit(&family->slots[i], memory_order_relaxed));
    free(family->slots);
    free(family->other);
    free(family->only);
}

static bool labels_equal(const struct family *family, const str *a, const str *b)
{
    for (size_t i = 0; i < family->label_count; i++)
        if (!str_equal(a[i], b[i]))
            return false;
    return true;
}

// Returns the slot that has these labels, or the empty one where they would go.
static struct series *_Atomic *find_slot(const struct family *family, uint64_t hash,
                                         const str *labels)
{
    for (size_t at = hash;; at++) {
        struct series *_Atomic *slot = &family->slots[at & (family->slot_count - 1)];
        const struct series *series = atomic_load_explicit(slot, memory_order_acquire);
        if (!series || (series->hash == hash && labels_equal(family, series->labels, labels)))
            return slot;
    }
}

// Whether these values may become a series of their own.
static bool may_have_series(const struct family *family, const str *labels)
{
    if (labels_equal(family, labels, family->other->labels)) // one series, not two of that name
        return false;
    for (size_t i = 0; i < family->label_count; i++)
        if (labels[i].len > METRICS_LABEL_BYTES_MAX || !str_is_utf8(labels[i]))
            return false;
    return true;
}

static struct series *make_series(struct family *family, uint64_t hash, const str *labels)
{
    struct series *_Atomic *slot = find_slot(family, hash, labels);
    struct series *series = atomic_load_explicit(slot, memory_order_relaxed);
    if (series || family->series_count == family->series_max)
        return series;
    series = series_new(family, labels, hash);
    if (!series)
        return NULL;
    atomic_store_explicit(slot, series, memory_order_release);
    if (++family->series_count == family->series_max)
        atomic_store_explicit(&family->full, true, memory_order_release);
    return series;
}

static struct series *look_up(const struct family *family, uint64_t hash, const str *labels)
{
    return atomic_load_explicit(find_slot(family, hash, labels), memory_order_acquire);
}

struct series *family_series(struct family *family, struct lock *lock, const str *labels)
{
    if (family->only)
        return family->only;
    assert(labels);
    uint64_t hash = 0;
    for (size_t i = 0; i < family->label_count; i++)
        hash = hash_bytes(labels[i].ptr, labels[i].len, hash);
    struct series *series = look_up(family, hash, labels);
    if (!series && atomic_load_explicit(&family->full, memory_order_acquire))
        series = look_up(family, hash, labels); // it may have been the last one that was made
    else if (!series && may_have_series(family, labels)) {
        lock_take(lock);
        series = make_series(family, hash, labels);
        lock_release(lock);
    }
    if (series)
        return series;
    if (!atomic_load_explicit(&family->other_counts, memory_order_relaxed))
        atomic_store_explicit(&family->other_counts, true, memory_order_relaxed);
    return family->other;
}

static int compare_series(const void *a, const void *b)
{
    const struct series *left = *(struct series *const *)a, *right = *(struct series *const *)b;
    int order = 0;
    for (size_t i = 0; i < METRICS_LABELS_MAX && order == 0; i++)
        order = str_compare(left->labels[i], right->labels[i]);
    return order;
}

size_t family_sorted(struct family *family, struct series *sorted[static METRICS_SERIES_MAX + 1])
{
    if (family->only) {
        sorted[0] = family->only;
        return 1;
    }
    size_t count = 0;
    for (size_t i = 0; i < family->slot_count; i++) {
        struct series *series = atomic_load_explicit(&family->slots[i], memory_order_acquire);
        if (series)
            sorted[count++] = series;
    }
    if (atomic_load_explicit(&family->other_counts, memory_order_relaxed))
        sorted[count++] = family->other;
    qsort(sorted, count, sizeof(struct series *), compare_series);
    for (size_t i = 1; i < count; i++)
        assert(compare_series(&sorted[i - 1], &sorted[i]) < 0); // a duplicate spoils a whole scrape
    return count;
}

uint64_t family_total(const struct family *family, const struct series *series, size_t cell)
{
    uint64_t total = 0;
    for (size_t stripe = 0; stripe < STRIPES; stripe++)
        total += atomic_load_explicit(&series->cells[stripe * family_stride(family) + cell],
                                      memory_order_relaxed);
    return total;
}
