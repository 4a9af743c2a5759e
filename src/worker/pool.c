// SPDX-License-Identifier: Apache-2.0
// The pool and the thread that watches it.
//
// All states are guarded by one lock, which is held for moments; starting a process is the longest
// of them (a millisecond). Reading from a process needs no lock: its socket is the job's until
// worker_end(). The watcher waits for: a new job or a wish (an eventfd), room to send a message,
// bytes for a job that asked to be told, and the next deadline.
//
//   IDLE    without a job; ends when idle too long, or when its place is wanted for another key
//   BUSY    with a job; its time runs
//   WARNED  the time is over: SIGINT was sent, and SIGKILL follows
//   KILLED  nothing more will come; when its job has been ended, too, the watcher reaps it
//   REAPED  the watcher waits for its end, which may take a moment, without the lock
#include "worker/process.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_MAX = 16, KEY_BYTES_MAX = 4096 };
#define NS_PER_MS UINT64_C(1000000)

enum state { STATE_NONE, STATE_IDLE, STATE_BUSY, STATE_WARNED, STATE_KILLED, STATE_REAPED };

struct worker {
    enum state state;
    struct process process;
    struct worker_job *job;
    uint32_t jobs_done;
    uint64_t due_ns; // when the state is to be changed: idle too long, late, grace over
    size_t key_len;
    char key[KEY_BYTES_MAX + 1];
};

struct workers {
    struct worker_options options;
    struct lock lock; // LOCK_WORKERS: guards all below
    struct worker places[WORKERS_MAX];
    struct worker_job *first, **last; // in line
    struct worker_stat stat;
    bool stopping;
    int epoll, wish;
    pthread_t watcher;
    bool watched;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); // cannot fail
    return (uint64_t)now.tv_sec * 1000 * NS_PER_MS + (uint64_t)now.tv_nsec;
}

static str key_of(const struct worker *worker)
{
    return (str){worker->key, worker->key_len};
}

static void wake_watcher(struct workers *workers)
{
    uint64_t one = 1;
    (void)!write(workers->wish, &one, sizeof one); // full: it is awake anyway
}

// ---- All of these with the lock held.

static void tell(struct worker_job *job)
{
    if (!job->asleep)
        return;
    job->asleep = false;
    job->tell(job);
}

static void watch(struct workers *workers, struct worker *worker, uint32_t events)
{
    struct epoll_event event = {.events = events | EPOLLONESHOT, .data.ptr = worker};
    (void)epoll_ctl(workers->epoll, EPOLL_CTL_MOD, worker->process.socket, &event);
}

static void kill_process(struct worker *worker)
{
    (void)kill(worker->process.pid, SIGKILL);
    worker->state = STATE_KILLED;
    worker->due_ns = UINT64_MAX;
}

static void kill_at_work(struct workers *workers, struct worker *worker)
{
    workers->stat.killed += worker->state != STATE_KILLED;
    kill_process(worker);
}

static err begin_process(struct workers *workers, struct worker *worker, str key,
                         struct als_why *why)
{
    TRY(process_start(&workers->options, key.ptr, &worker->process, why));
    struct epoll_event event = {.events = EPOLLONESHOT, .data.ptr = worker};
    if (epoll_ctl(workers->epoll, EPOLL_CTL_ADD, worker->process.socket, &event) != 0) {
        (void)process_end(&worker->process);
        return FAIL(why, ALS_NO_MEMORY, "a worker cannot be watched");
    }
    memcpy(worker->key, key.ptr, key.len + 1);
    worker->key_len = key.len;
    worker->jobs_done = 0;
    worker->state = STATE_IDLE;
    workers->stat.started++;
    return ALS_OK;
}

// The best place for a key: an idle process that has it, an empty place, an idle one that has not.
static struct worker *place_for(struct workers *workers, str key)
{
    struct worker *empty = NULL, *other = NULL;
    for (uint32_t i = 0; i < workers->options.count; i++) {
        struct worker *worker = &workers->places[i];
        if (worker->state == STATE_IDLE && str_equal(key_of(worker), key))
            return worker;
        if (worker->state == STATE_NONE && !empty)
            empty = worker;
        if (worker->state == STATE_IDLE && (!other || worker->due_ns < other->due_ns))
            other = worker;
    }
    return empty ? empty : other;
}

static void unline(struct workers *workers, struct worker_job *job)
{
    struct worker_job **at = &workers->first;
    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
    if (!job->next)
        workers->last = at;
    job->lined = false;
    workers->stat.waiting--;
}

static void end_in_line(struct workers *workers, struct worker_job *job, enum worker_fate fate)
{
    unline(workers, job);
    job->fate = fate;
    tell(job);
}

static void send_message(struct workers *workers, struct worker *worker)
{
    struct worker_job *job = worker->job;
    while (job->sent < job->message.len) {
        ssize_t sent = send(worker->process.socket, job->message.ptr + job->sent,
                            job->message.len - job->sent, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            watch(workers, worker, EPOLLOUT);
            return;
        }
        if (sent < 0 && errno != EINTR)
            break; // it is gone, which reading will show
        job->sent += sent < 0 ? 0 : (size_t)sent;
    }
    job->sent = job->message.len;
    watch(workers, worker, EPOLLIN); // the caller is asleep from the beginning
}

static void give(struct workers *workers, struct worker *worker, struct worker_job *job)
{
    unline(workers, job);
    job->worker = worker;
    worker->job = job;
    worker->state = STATE_BUSY;
    worker->due_ns = job->deadline_ns;
    workers->stat.running++;
    send_message(workers, worker);
}

static void give_jobs(struct workers *workers)
{
    while (workers->first) {
        struct worker_job *job = workers->first;
        struct worker *worker = place_for(workers, job->key);
        if (!worker)
            return;
        bool fits = worker->state == STATE_IDLE && str_equal(key_of(worker), job->key);
        if (!fits && worker->state == STATE_IDLE) {
            kill_process(worker); // and come again when it has been reaped
            return;
        }
        if (!fits && begin_process(workers, worker, job->key, NULL) != ALS_OK)
            end_in_line(workers, job, WORKER_MISSING);
        else
            give(workers, worker, job);
    }
}

static void look_at_line(struct workers *workers, uint64_t now)
{
    for (struct worker_job *job = workers->first; job;) {
        struct worker_job *next = job->next;
        if (now >= job->deadline_ns)
            end_in_line(workers, job, WORKER_LATE);
        job = next;
    }
}

static void look_at_place(struct workers *workers, struct worker *worker, uint64_t now)
{
    if (now < worker->due_ns)
        return;
    if (worker->state == STATE_IDLE) {
        kill_process(worker);
    } else if (worker->state == STATE_BUSY) {
        worker->job->fate = WORKER_LATE;
        worker->state = STATE_WARNED;
        worker->due_ns = now + workers->options.grace_ms * NS_PER_MS;
        (void)kill(worker->process.pid, SIGINT);
    } else if (worker->state == STATE_WARNED) {
        kill_at_work(workers, worker);
    }
}

static uint64_t next_due(const struct workers *workers)
{
    uint64_t due = UINT64_MAX;
    for (uint32_t i = 0; i < workers->options.count; i++) {
        const struct worker *worker = &workers->places[i];
        bool timed = worker->state == STATE_IDLE || worker->state == STATE_BUSY ||
                     worker->state == STATE_WARNED;
        if (timed && worker->due_ns < due)
            due = worker->due_ns;
    }
    for (const struct worker_job *job = workers->first; job; job = job->next)
        if (job->deadline_ns < due)
            due = job->deadline_ns;
    return due;
}

static void handle(struct workers *workers, struct worker *worker)
{
    struct worker_job *job = worker->job;
    if (worker->state == STATE_IDLE)
        kill_process(worker); // it should have nothing to say
    if (!job)
        return; // an event of a process that has lost it since
    if (job->sent < job->message.len)
        send_message(workers, worker);
    else
        tell(job);
}

// ---- The watcher.

static int wait_ms(uint64_t due, uint64_t now)
{
    if (due == UINT64_MAX)
        return -1;
    uint64_t ms = due <= now ? 0 : (due - now) / NS_PER_MS + 1;
    return ms > 60000 ? 60000 : (int)ms;
}

// One process that is dead and nobody's. False when there is none.
static bool reap_one(struct workers *workers)
{
    for (uint32_t i = 0; i < workers->options.count; i++) {
        struct worker *worker = &workers->places[i];
        if (worker->state != STATE_KILLED || worker->job)
            continue;
        worker->state = STATE_REAPED;
        lock_release(&workers->lock);
        (void)process_end(&worker->process); // closing takes it out of the epoll
        lock_take(&workers->lock);
        worker->state = STATE_NONE;
        return true;
    }
    return false;
}

static void *watch_all(void *context)
{
    struct workers *workers = context;
    for (;;) {
        lock_take(&workers->lock);
        uint64_t now = now_ns();
        look_at_line(workers, now);
        for (uint32_t i = 0; i < workers->options.count; i++)
            look_at_place(workers, &workers->places[i], now);
        do
            give_jobs(workers);
        while (reap_one(workers));
        uint64_t due = next_due(workers);
        bool stopping = workers->stopping;
        lock_release(&workers->lock);
        if (stopping)
            return NULL;

        struct epoll_event events[EVENTS_MAX];
        int count = epoll_wait(workers->epoll, events, EVENTS_MAX, wait_ms(due, now_ns()));
        lock_take(&workers->lock);
        for (int i = 0; i < count; i++) {
            uint64_t wishes;
            if (events[i].data.ptr)
                handle(workers, events[i].data.ptr);
            else
                (void)!read(workers->wish, &wishes, sizeof wishes); // only to empty it
        }
        lock_release(&workers->lock);
    }
}

err workers_start(struct worker_options options, struct workers **ret_workers, struct als_why *why)
{
    assert(options.count <= WORKERS_MAX);
    struct workers *made = calloc(1, sizeof *made);
    if (!made)
        return FAIL(why, ALS_NO_MEMORY, "no memory for the workers");
    made->options = options;
    made->last = &made->first;
    lock_init(&made->lock, LOCK_WORKERS);
    made->epoll = epoll_create1(EPOLL_CLOEXEC);
    made->wish = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    AUTO(workers) workers = made;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (workers->epoll < 0 || workers->wish < 0 ||
        epoll_ctl(workers->epoll, EPOLL_CTL_ADD, workers->wish, &event) != 0 ||
        pthread_create(&workers->watcher, NULL, watch_all, workers) != 0)
        return FAIL(why, ALS_NO_MEMORY, "no thread to watch the workers");
    workers->watched = true;
    *ret_workers = MOVE(workers);
    return ALS_OK;
}

// Nothing new is taken; what is under way sees its end.
void workers_cancel(struct workers *workers)
{
    if (!workers)
        return;
    lock_take(&workers->lock);
    workers->stopping = true;
    while (workers->first)
        end_in_line(workers, workers->first, WORKER_STOPPED);
    for (uint32_t i = 0; i < workers->options.count; i++) {
        struct worker *worker = &workers->places[i];
        if (worker->state == STATE_IDLE || worker->state == STATE_NONE)
            continue;
        if (!worker->job)
            continue;
        worker->job->fate = WORKER_STOPPED;
        kill_at_work(workers, worker);
        tell(worker->job);
    }
    lock_release(&workers->lock);
    wake_watcher(workers);
    if (workers->watched)
        (void)pthread_join(workers->watcher, NULL);
    workers->watched = false;
}

void workers_stop(struct workers *workers)
{
    if (!workers)
        return;
    workers_cancel(workers);
    for (uint32_t i = 0; i < workers->options.count; i++) {
        assert(!workers->places[i].job);
        if (workers->places[i].state != STATE_NONE)
            (void)process_end(&workers->places[i].process);
    }
    if (workers->epoll >= 0)
        (void)close(workers->epoll);
    if (workers->wish >= 0)
        (void)close(workers->wish);
    lock_deinit(&workers->lock);
    free(workers);
}

struct worker_stat workers_stat(struct workers *workers)
{
    lock_take(&workers->lock);
    struct worker_stat stat = workers->stat;
    stat.idle = 0;
    for (uint32_t i = 0; i < workers->options.count; i++)
        stat.idle += workers->places[i].state == STATE_IDLE;
    lock_release(&workers->lock);
    return stat;
}

// ---- Jobs.

static err take_job(struct workers *workers, struct worker_job *job, struct als_why *why)
{
    if (workers->stopping)
        return FAIL(why, ALS_NOT_READY, "the server is stopping");
    if (workers->stat.waiting >= workers->options.queue_max && !place_for(workers, job->key))
        return FAIL(why, ALS_QUEUE_FULL, "all %u workers are busy and %u jobs wait",
                    workers->options.count, workers->stat.waiting);
    job->next = NULL;
    *workers->last = job;
    workers->last = &job->next;
    job->lined = true;
    workers->stat.waiting++;
    return ALS_OK;
}

err worker_ask(struct workers *workers, struct worker_job *job, struct als_why *why)
{
    if (job->key.len > KEY_BYTES_MAX)
        return FAIL(why, ALS_TOO_LARGE, "the directory's name is too long for a worker");
    job->worker = NULL;
    job->sent = 0;
    job->fate = WORKER_UNKNOWN;
    job->asleep = true;
    job->deadline_ns = now_ns() + job->time_ms * NS_PER_MS;
    lock_take(&workers->lock);
    err code = take_job(workers, job, why);
    lock_release(&workers->lock);
    if (code == ALS_OK)
        wake_watcher(workers);
    return code;
}

// Nothing to read now. When nothing can come any more there would be nobody to tell: after
// workers_cancel() the watcher is gone.
static enum worker_read fall_asleep(struct workers *workers, struct worker_job *job)
{
    lock_take(&workers->lock);
    bool over = job->worker ? job->worker->state == STATE_KILLED : job->fate != WORKER_UNKNOWN;
    job->asleep = !over;
    if (!over && job->worker && job->sent == job->message.len)
        watch(workers, job->worker, EPOLLIN);
    lock_release(&workers->lock);
    return over ? WORKER_OVER : WORKER_NOTHING;
}

enum worker_read worker_read(struct workers *workers, struct worker_job *job, void *bytes,
                             size_t size, size_t *ret_count)
{
    lock_take(&workers->lock);
    int socket = job->worker ? job->worker->process.socket : -1;
    lock_release(&workers->lock);
    if (socket < 0)
        return fall_asleep(workers, job);
    ssize_t count = recv(socket, bytes, size, MSG_DONTWAIT);
    if (count > 0) {
        *ret_count = (size_t)count;
        return WORKER_SOME;
    }
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return fall_asleep(workers, job);
    return WORKER_OVER;
}

enum worker_fate worker_fate(struct workers *workers, struct worker_job *job)
{
    lock_take(&workers->lock);
    struct worker *worker = job->worker;
    if (worker) { // its process has closed the socket: it is gone, or will be now
        bool missing = process_end(&worker->process);
        bool ours = worker->state == STATE_KILLED || worker->state == STATE_WARNED;
        if (job->fate == WORKER_UNKNOWN)
            job->fate = missing ? WORKER_MISSING : WORKER_DIED;
        workers->stat.died += !ours;
        workers->stat.running--;
        worker->state = STATE_NONE;
        worker->job = NULL;
        job->worker = NULL;
    }
    enum worker_fate fate = job->fate;
    lock_release(&workers->lock);
    wake_watcher(workers); // there is a place
    return fate;
}

void worker_cancel(struct workers *workers, struct worker_job *job)
{
    lock_take(&workers->lock);
    if (job->lined)
        end_in_line(workers, job, WORKER_STOPPED);
    else if (job->worker)
        kill_at_work(workers, job->worker);
    lock_release(&workers->lock);
}

void worker_end(struct workers *workers, struct worker_job *job, bool whole)
{
    lock_take(&workers->lock);
    struct worker *worker = job->worker;
    if (job->lined)
        unline(workers, job);
    if (worker) {
        worker->job = NULL;
        job->worker = NULL;
        workers->stat.running--;
        bool keep = whole && worker->state == STATE_BUSY && !workers->stopping &&
                    ++worker->jobs_done < workers->options.jobs_max;
        if (keep) {
            worker->state = STATE_IDLE;
            worker->due_ns = now_ns() + workers->options.idle_ms_max * NS_PER_MS;
            watch(workers, worker, EPOLLIN | EPOLLRDHUP); // its end
        } else {
            workers->stat.killed += !whole && worker->state != STATE_KILLED;
            kill_process(worker);
        }
    }
    lock_release(&workers->lock);
    wake_watcher(workers);
}
