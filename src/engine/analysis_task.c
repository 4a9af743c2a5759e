// SPDX-License-Identifier: Apache-2.0
// The tasks of an analysis: pieces of segments, whose columns are decoded in blocks, and stretches
// of the log's tail, which a cursor walks. An analysis of an entity is one task, a cursor over all
// of its events, sealed ones included, so that it reads only their pages.
#include "engine/analysts.h"

#include "segment/segment.h"

#include <stdlib.h>

// Some milliseconds each: so long may somebody wait for a thread, or a thread for the others. The
// rows are those of five full row groups, so that none is decoded twice.
enum { TASK_POSITIONS = 65536, TASK_ROWS = 102400 };

struct analysis_piece {
    struct part *part;
    uint64_t row, end; // of its segment
};

static bool is_asked_for(const struct als_analysis *job, const struct segment_facts *facts)
{
    return facts->greatest_us >= job->question.since_us &&
           facts->least_us <= job->question.until_us;
}

// Fills `pieces` (NULL: only counts) with those of segments that have a moment that is asked for.
static size_t cut_segments(const struct als_analysis *job, const struct store_segment *segments,
                           size_t count, struct analysis_piece *pieces)
{
    size_t piece_count = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t rows = is_asked_for(job, segments[i].facts) ? segments[i].facts->rows : 0;
        for (uint64_t row = 0; row < rows; row += TASK_ROWS, piece_count++)
            if (pieces)
                pieces[piece_count] = (struct analysis_piece){
                    segments[i].part, row, rows - row < TASK_ROWS ? rows : row + TASK_ROWS};
    }
    return piece_count;
}

static err make_pieces(struct als_analysis *job, struct als_why *why)
{
    size_t count = view_segments(job->view, NULL, 0);
    struct store_segment *segments = calloc(count + 1, sizeof *segments);
    if (!segments)
        return FAIL(why, ALS_NO_MEMORY, "a list of %zu segments", count);
    (void)view_segments(job->view, segments, count);
    job->piece_count = cut_segments(job, segments, count, NULL);
    job->pieces = calloc(job->piece_count + 1, sizeof *job->pieces);
    if (job->pieces)
        (void)cut_segments(job, segments, count, job->pieces);
    free(segments);
    return job->pieces ? ALS_OK
                       : FAIL(why, ALS_NO_MEMORY, "a list of %zu pieces", job->piece_count);
}

err analysis_tasks(struct als_analysis *job, struct als_why *why)
{
    job->task_count = 1;
    if (job->by_entity)
        return ALS_OK;
    TRY(make_pieces(job, why));
    job->sealed = view_sealed(job->view);
    job->task_count = job->piece_count + (job->position - job->sealed) / TASK_POSITIONS + 1;
    return ALS_OK;
}

// ---- Sealed history

static err take_piece(const struct als_analysis *job, const struct analysis_piece *piece,
                      struct analyst_hands *hands, struct analysis *share, struct als_why *why)
{
    const struct analysis_question *question = &job->question;
    struct segment *segment;
    struct segment_block block;
    if (!hands->scan)
        hands->scan = segment_scan_new();
    if (!hands->scan)
        return FAIL(why, ALS_NO_MEMORY, "no memory for an analysis");
    TRY(view_segment(job->view, piece->part, &segment, why));
    segment_scan_begin(hands->scan, segment, analysis_columns(question), (uint32_t)piece->row);
    segment_scan_bound_time(hands->scan, question->since_us, question->until_us);
    for (;;) {
        TRY(segment_scan_next(hands->scan, &block, why));
        if (block.count == 0 || block.row >= piece->end)
            return ALS_OK;
        if (block.count > piece->end - block.row)
            block.count = (uint32_t)(piece->end - block.row);
        TRY(analysis_take_block(share, &block, why));
    }
}

// ---- The tail, and single entities

static err open_cursor(const struct als_analysis *job, struct cursor_bounds bounds,
                       struct cursor *cursor, struct als_why *why)
{
    if (job->by_entity)
        return cursor_over_entity(cursor, job->view, job->entity, bounds, why);
    if (job->type_count)
        return cursor_over_types(cursor, job->view, job->types, job->type_count, bounds, why);
    return cursor_over_all(cursor, job->view, bounds, why);
}

static err take_events(struct cursor *cursor, struct analysis *share, struct als_why *why)
{
    struct als_event event;
    for (;;) {
        TRY(cursor_next(cursor, &event, why));
        if (event.position == 0)
            return ALS_OK;
        TRY(analysis_take_event(share, &event, why));
    }
}

static err take_stretch(const struct als_analysis *job, struct cursor_bounds bounds,
                        struct analyst_hands *hands, struct analysis *share, struct als_why *why)
{
    if (!hands->cursor)
        hands->cursor = cursor_new();
    if (!hands->cursor)
        return FAIL(why, ALS_NO_MEMORY, "no memory for an analysis");
    bounds.timed = true;
    bounds.since_us = job->question.since_us;
    bounds.until_us = job->question.until_us;
    err code = open_cursor(job, bounds, hands->cursor, why);
    if (code == ALS_OK)
        code = take_events(hands->cursor, share, why);
    cursor_reset(hands->cursor);
    return code;
}

err analysis_task(const struct als_analysis *job, uint64_t task, struct analyst_hands *hands,
                  struct analysis *share, struct als_why *why)
{
    if (job->by_entity)
        return take_stretch(job, (struct cursor_bounds){.up_to = job->position}, hands, share, why);
    if (task < job->piece_count)
        return take_piece(job, &job->pieces[task], hands, share, why);
    als_position after = job->sealed + (task - job->piece_count) * TASK_POSITIONS;
    struct cursor_bounds bounds = {.after = after, .up_to = after + TASK_POSITIONS};
    return take_stretch(job, bounds, hands, share, why);
}
