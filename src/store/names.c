// SPDX-License-Identifier: Apache-2.0
// Names in order, with counts: every part has its own in order, and those of a view are merged.
// Parts are few, so the least of their next names is found by looking at each.
#include "store/inside.h"
#include "store/part.h"

#include <stdlib.h>

enum { PAGE = 128 };

// The names of one part, in order.
struct stream {
    struct part *part;
    struct store_name head; // `name.ptr` is NULL at the end

    const struct index_list *lists[PAGE]; // of a hot part
    size_t at, count;
    bool last_page;

    struct index_file *file; // of a sealed part
    uint32_t number, numbers;
};

struct merge {
    struct view view;
    enum index_by by;
    str prefix;
    struct stream *streams;
    uint32_t count;
};

static err next_page(struct merge *merge, struct stream *stream, str after, struct als_why *why)
{
    struct index_page page = {.prefix = merge->prefix, .after = after, .count = PAGE};
    TRY(index_page(stream->part->index, merge->by, page, stream->lists, &stream->count, why));
    stream->at = 0;
    stream->last_page = stream->count < PAGE;
    return ALS_OK;
}

// A name whose first event is behind the view does not exist for it.
static bool hot_head(struct merge *merge, struct stream *stream, const struct index_list *list)
{
    als_position base = index_base(stream->part->index);
    uint64_t count = index_list_count_to(list, base, merge->view.position);
    if (count == 0)
        return false;
    struct index_walk walk = index_walk_from(list, base, count);
    stream->head = (struct store_name){
        .name = index_list_name(list), .count = count, .last = index_walk_previous(&walk)};
    return true;
}

static err next_hot(struct merge *merge, struct stream *stream, struct als_why *why)
{
    for (;;) {
        if (stream->at == stream->count) {
            if (stream->last_page)
                return ALS_OK;
            str after =
                stream->count ? index_list_name(stream->lists[stream->count - 1]) : (str){NULL, 0};
            TRY(next_page(merge, stream, after, why));
            continue;
        }
        if (hot_head(merge, stream, stream->lists[stream->at++]))
            return ALS_OK;
    }
}

static err next_sealed(struct merge *merge, struct stream *stream, struct als_why *why)
{
    if (stream->number == stream->numbers)
        return ALS_OK;
    struct index_rows rows;
    TRY(index_file_name(stream->file, merge->by, stream->number++, &rows, why));
    if (str_starts(rows.name, merge->prefix))
        stream->head =
            (struct store_name){.name = rows.name, .count = rows.count, .last = rows.last};
    return ALS_OK;
}

static err stream_next(struct merge *merge, struct stream *stream, struct als_why *why)
{
    stream->head.name = (str){NULL, 0};
    return part_is_sealed(stream->part) ? next_sealed(merge, stream, why)
                                        : next_hot(merge, stream, why);
}

static err stream_begin(struct merge *merge, struct stream *stream, str after, struct als_why *why)
{
    if (!part_is_sealed(stream->part)) {
        TRY(next_page(merge, stream, after, why));
        return stream_next(merge, stream, why);
    }
    TRY(part_file(stream->part, &stream->file, why));
    str from = str_compare(after, merge->prefix) > 0 ? after : merge->prefix;
    stream->numbers = index_file_names(stream->file, merge->by);
    TRY(index_file_seek(stream->file, merge->by, from, &stream->number, why));
    TRY(stream_next(merge, stream, why));
    if (after.len && str_equal(stream->head.name, after))
        TRY(stream_next(merge, stream, why));
    return ALS_OK;
}

static const struct stream *least(const struct merge *merge)
{
    const struct stream *found = NULL;
    for (uint32_t i = 0; i < merge->count; i++) {
        const struct stream *stream = &merge->streams[i];
        if (stream->head.name.ptr &&
            (!found || str_compare(stream->head.name, found->head.name) < 0))
            found = stream;
    }
    return found;
}

// Takes the least name off all parts that have it; false at the end.
static err take(struct merge *merge, struct store_name *ret_name, bool *ret_taken,
                struct als_why *why)
{
    const struct stream *first = least(merge);
    *ret_taken = first != NULL;
    if (!first)
        return ALS_OK;
    struct store_name name = {.name = first->head.name};
    for (uint32_t i = 0; i < merge->count; i++) {
        struct stream *stream = &merge->streams[i];
        if (!stream->head.name.ptr || !str_equal(stream->head.name, name.name))
            continue;
        name.count += stream->head.count;
        name.last = stream->head.last; // parts are in order: the last one counts
        TRY(stream_next(merge, stream, why));
    }
    *ret_name = name;
    return ALS_OK;
}

static err merge_begin(struct merge *merge, str after, struct als_why *why)
{
    merge->count = merge->view.parts->count;
    merge->streams = calloc(merge->count, sizeof merge->streams[0]);
    if (!merge->streams)
        return FAIL(why, ALS_NO_MEMORY, "names of %u parts", merge->count);
    for (uint32_t i = 0; i < merge->count; i++) {
        merge->streams[i].part = merge->view.parts->items[i];
        TRY(stream_begin(merge, &merge->streams[i], after, why));
    }
    return ALS_OK;
}

err view_names(struct view view, enum store_names_of of, str prefix, str after,
               struct store_name *ret_names, size_t count, size_t *ret_found, struct als_why *why)
{
    *ret_found = 0;
    if (!view.store)
        return ALS_OK;
    struct merge merge = {
        .view = view, .by = of == STORE_ENTITIES ? INDEX_ENTITY : INDEX_TYPE, .prefix = prefix};
    err code = merge_begin(&merge, after, why);
    size_t found = 0;
    for (bool taken = true; code == ALS_OK && taken && found < count; found += taken)
        code = take(&merge, &ret_names[found], &taken, why);
    free(merge.streams);
    if (code == ALS_OK)
        *ret_found = found;
    return code;
}
