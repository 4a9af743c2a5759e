// SPDX-License-Identifier: Apache-2.0
#include "server/desk.h"

#include "base/limits.h"
#include "http/http.h"
#include "server/reply.h"

#include <assert.h>
#include <stdlib.h>

struct job { // in the arena of its request
    struct job *next;
    struct call *call;
    void (*work)(struct call *call);
    desk_refuse *refuse;
};

struct desk {
    struct lock lock; // LOCK_DESK
    struct signal signal;
    struct job *first, *last;
    uint32_t count; // that wait
    bool stopping;
    pthread_t thread;
};

static void refuse(const struct job *job, err code, const char *words)
{
    struct als_why why = {""};
    err_explain(&why, "%s", words);
    job->refuse(job->call, code, &why);
}

// ---- The thread

// NULL: it is over, and nothing waits.
static struct job *take(struct desk *desk)
{
    lock_take(&desk->lock);
    while (!desk->first && !desk->stopping)
        signal_wait(&desk->signal, &desk->lock);
    struct job *job = desk->first;
    if (job) {
        desk->first = job->next;
        desk->last = desk->first ? desk->last : NULL;
        desk->count--;
    }
    lock_release(&desk->lock);
    return job;
}

static bool is_stopping(struct desk *desk)
{
    lock_take(&desk->lock);
    bool stopping = desk->stopping;
    lock_release(&desk->lock);
    return stopping;
}

static void *run(void *context)
{
    struct desk *desk = context;
    struct job *job;
    while ((job = take(desk)) != NULL) {
        if (is_stopping(desk))
            refuse(job, ALS_NOT_READY, "the server is stopping");
        else if (atomic_load(&job->call->gone))
            refuse(job, ALS_NOT_READY, "the client has gone away"); // it is heard by nobody
        else
            job->work(job->call);
        // From here on the request, and the job in it, may be gone.
    }
    return NULL;
}

// ---- The loops' side

static void client_gone(void *context, struct http_request *request)
{
    (void)context;
    struct call *call = http_user(request);
    atomic_store(&call->gone, true);
}

// ALS_OK: the desk has it.
static err put(struct desk *desk, struct job *job)
{
    err code = ALS_OK;
    lock_take(&desk->lock);
    if (desk->stopping)
        code = ALS_NOT_READY;
    else if (desk->count >= DESK_CALLS_MAX)
        code = ALS_QUEUE_FULL;
    else {
        if (desk->last)
            desk->last->next = job;
        else
            desk->first = job;
        desk->last = job;
        desk->count++;
        signal_one(&desk->signal);
    }
    lock_release(&desk->lock);
    return code;
}

void desk_do(struct call *call, void (*work)(struct call *call), desk_refuse *refuse_by)
{
    struct job given = {.call = call, .work = work, .refuse = refuse_by};
    struct job *job = ARENA_NEW(call->arena, struct job);
    if (!job) {
        refuse(&given, ALS_NO_MEMORY, "no memory for the request");
        return;
    }
    *job = given;
    http_on_hangup(call->request, client_gone);
    switch (put(call->server->desk, job)) {
    case ALS_OK:
        return;
    case ALS_QUEUE_FULL:
        refuse(&given, ALS_QUEUE_FULL, "as many changes of schemas as may are waiting already");
        return;
    default:
        refuse(&given, ALS_NOT_READY, "the server is stopping");
    }
}

// ---- Life

err desk_start(struct server *server, struct als_why *why)
{
    struct desk *desk = calloc(1, sizeof *desk);
    if (!desk)
        return FAIL(why, ALS_NO_MEMORY, "no memory for the server");
    lock_init(&desk->lock, LOCK_DESK);
    signal_init(&desk->signal);
    server->desk = desk;
    if (pthread_create(&desk->thread, NULL, run, desk) == 0)
        return ALS_OK;
    desk->stopping = true; // there is no thread to be waited for
    return FAIL(why, ALS_NO_MEMORY, "the thread for schemas cannot be started");
}

void desk_cancel(struct server *server)
{
    struct desk *desk = server->desk;
    if (!desk)
        return;
    lock_take(&desk->lock);
    bool started = !desk->stopping;
    desk->stopping = true;
    signal_all(&desk->signal);
    lock_release(&desk->lock);
    int error = started ? pthread_join(desk->thread, NULL) : 0;
    assert(error == 0);
    (void)error;
}

void desk_free(struct server *server)
{
    struct desk *desk = server->desk;
    if (!desk)
        return;
    signal_deinit(&desk->signal);
    lock_deinit(&desk->lock);
    free(desk);
    server->desk = NULL;
}
