// SPDX-License-Identifier: Apache-2.0
// The analysts: threads that share analyses among them.
//
// An analysis is cut into tasks, stretches of its history. A thread that comes to it takes a share
// of its own, gives it the events of one task after another, and in the end merges it with what
// others have left; who finds nobody else there makes the answer. A thread goes to the analysis
// with the fewest others, and leaves one that has others when a new one has none, so a long
// analysis does not keep a short one waiting for longer than a task, as long as there are two
// threads.
#include "engine/analysts.h"

#include "segment/segment.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

struct analysts {
    struct als *als;
    struct lock lock; // LOCK_ANALYSTS: guards all of it, and what als_analysis says
    struct signal news;
    struct als_analysis *first;
    uint32_t count;
    bool refusing; // no more are taken
    bool stopping;
    uint32_t thread_count;
    pthread_t threads[ANALYSTS_MAX];
};

static bool has_tasks(const struct als_analysis *job)
{
    return job->next_task < job->task_count;
}

// With the lock.
static struct als_analysis *find_job(const struct analysts *analysts)
{
    struct als_analysis *best = NULL;
    for (struct als_analysis *job = analysts->first; job; job = job->next)
        if (has_tasks(job) && (!best || job->threads < best->threads))
            best = job;
    return best;
}

// ---- One thread at one analysis

static bool take_task(struct als_analysis *job, uint64_t *ret_task)
{
    struct analysts *analysts = job->als->analysts;
    lock_take(&analysts->lock);
    bool found = has_tasks(job);
    if (found && job->threads > 1) {
        const struct als_analysis *other = find_job(analysts);
        found = !other || other->threads > 0;
    }
    if (found)
        *ret_task = job->next_task++;
    lock_release(&analysts->lock);
    return found;
}

static void fail_job(struct als_analysis *job, err code, const struct als_why *why)
{
    struct analysts *analysts = job->als->analysts;
    lock_take(&analysts->lock);
    if (job->code == ALS_OK) {
        job->code = code;
        job->why = *why;
    }
    job->next_task = job->task_count;
    lock_release(&analysts->lock);
    atomic_store(&job->given_up, true); // the others need not go on
}

// Leaves the share with the analysis, together with what others have left there.
static err leave_share(struct als_analysis *job, TAKES struct analysis *taken, struct als_why *why)
{
    AUTO(analysis) share = taken;
    struct analysts *analysts = job->als->analysts;
    for (;;) {
        lock_take(&analysts->lock);
        AUTO(analysis) left = MOVE(job->total);
        if (!left)
            job->total = MOVE(share);
        lock_release(&analysts->lock);
        if (!left)
            return ALS_OK;
        TRY(analysis_merge(share, left, why));
    }
}

static err take_share(struct als_analysis *job, struct analyst_hands *hands, struct als_why *why)
{
    AUTO(analysis) share = NULL;
    TRY(analysis_new(&job->question, &share, why));
    uint64_t task;
    while (take_task(job, &task))
        TRY(analysis_task(job, task, hands, share, why));
    return leave_share(job, MOVE(share), why);
}

static void take_out(struct analysts *analysts, struct als_analysis *job)
{
    struct als_analysis **link = &analysts->first;
    while (*link != job)
        link = &(*link)->next;
    *link = job->next;
    analysts->count--;
}

// It has no tasks and no threads, so nobody else comes to it. After `done` it is no longer ours.
static void finish_job(struct als_analysis *job)
{
    struct analysts *analysts = job->als->analysts;
    if (job->code == ALS_OK)
        job->code = analysis_finish(job->total, &job->why);
    view_unpin(job->view);
    job->view = (struct view){0};
    lock_take(&analysts->lock);
    take_out(analysts, job);
    lock_release(&analysts->lock);
    job->done(job->context);
}

// With the lock, which is let go meanwhile.
static void work_on(struct analysts *analysts, struct als_analysis *job,
                    struct analyst_hands *hands)
{
    struct als_why why = {""};
    job->threads++;
    lock_release(&analysts->lock);
    err code = take_share(job, hands, &why);
    if (code)
        fail_job(job, code, &why);
    lock_take(&analysts->lock);
    if (--job->threads > 0 || has_tasks(job))
        return;
    lock_release(&analysts->lock);
    finish_job(job);
    lock_take(&analysts->lock);
}

static void *analyst_run(void *context)
{
    struct analysts *analysts = context;
    struct analyst_hands hands = {};
    lock_take(&analysts->lock);
    for (;;) {
        struct als_analysis *job = find_job(analysts);
        if (job)
            work_on(analysts, job, &hands);
        else if (analysts->stopping)
            break;
        else
            signal_wait(&analysts->news, &analysts->lock);
    }
    lock_release(&analysts->lock);
    cursor_free(hands.cursor);
    segment_scan_free(hands.scan);
    return NULL;
}

// ---- Life

struct analysts *analysts_new(struct als *als)
{
    struct analysts *analysts = calloc(1, sizeof *analysts);
    if (!analysts)
        return NULL;
    analysts->als = als;
    lock_init(&analysts->lock, LOCK_ANALYSTS);
    signal_init(&analysts->news);
    return analysts;
}

void analysts_free(struct analysts *analysts)
{
    if (!analysts)
        return;
    als_analyses_cancel(analysts->als);
    lock_take(&analysts->lock);
    analysts->stopping = true;
    signal_all(&analysts->news);
    lock_release(&analysts->lock);
    for (uint32_t i = 0; i < analysts->thread_count; i++) {
        int error = pthread_join(analysts->threads[i], NULL);
        assert(error == 0);
        (void)error;
    }
    assert(analysts->count == 0);
    signal_deinit(&analysts->news);
    lock_deinit(&analysts->lock);
    free(analysts);
}

// With the lock. One thread is enough to go on.
static err start_threads(struct analysts *analysts, struct als_why *why)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    uint32_t wanted = analysts->als->options.analytics_threads;
    if (wanted == 0)
        wanted = processors < 1              ? 1
                 : processors > ANALYSTS_MAX ? ANALYSTS_MAX
                                             : (uint32_t)processors;
    while (analysts->thread_count < wanted) {
        pthread_t *thread = &analysts->threads[analysts->thread_count];
        if (pthread_create(thread, NULL, analyst_run, analysts) != 0)
            break;
        analysts->thread_count++;
    }
    return analysts->thread_count ? ALS_OK
                                  : FAIL(why, ALS_NO_MEMORY, "no thread can be started to analyse");
}

static err post(struct analysts *analysts, struct als_analysis *job, struct als_why *why)
{
    if (analysts->refusing)
        return FAIL(why, ALS_NOT_READY, "the engine is closing");
    if (analysts->count == ANALYSES_MAX)
        return FAIL(why, ALS_QUEUE_FULL, "%d analyses are under way; try again later",
                    ANALYSES_MAX);
    TRY(start_threads(analysts, why));
    struct als_analysis **link = &analysts->first;
    while (*link)
        link = &(*link)->next;
    *link = job;
    analysts->count++;
    signal_all(&analysts->news);
    return ALS_OK;
}

err analysts_post(struct als_analysis *job, struct als_why *why)
{
    struct analysts *analysts = job->als->analysts;
    lock_take(&analysts->lock);
    err code = post(analysts, job, why);
    lock_release(&analysts->lock);
    return code;
}

void als_analysis_cancel(struct als_analysis *analysis)
{
    if (analysis)
        atomic_store(&analysis->given_up, true);
}

void als_analyses_cancel(struct als *als)
{
    if (!als || !als->analysts)
        return;
    struct analysts *analysts = als->analysts;
    lock_take(&analysts->lock);
    analysts->refusing = true;
    for (struct als_analysis *job = analysts->first; job; job = job->next)
        als_analysis_cancel(job);
    lock_release(&analysts->lock);
}
