// SPDX-License-Identifier: Apache-2.0
// Processes that do jobs for us, a few of them, one job at a time each; knows not what the jobs
// are.
//
// A process is started when it is needed, serves one key (a tenant) for all its life, and is ended
// when it has done enough jobs, has had nothing to do for a while, or there is any doubt about it:
// a job that was late, was given up, or whose answer was not read to its end. So a process that
// dies costs its own job and nothing else. Jobs that find no process wait in line.
//
// A job is bytes that are sent to the process, on a socket that is its standard input, and bytes
// that come back on it. What comes back is read by whoever asked, as fast as he likes; a process
// that is not read from waits. When its time is over a process gets SIGINT, to say so, and a moment
// later SIGKILL. A program that is not there, or cannot be loaded, is told from one that died.
//
// One thread watches all processes. Threads: worker_ask() and the rest may be called by any thread,
// for one job by one at a time.
#pragma once

#include "base/err.h"
#include "base/lock.h"
#include "base/own.h"
#include "base/str.h"

enum { WORKERS_MAX = 64, WORKER_ARGUMENTS_MAX = 8 };

struct worker_options {
    const char *program;          // KEEPS; its path
    const char *const *arguments; // KEEPS; NULL-ended, behind the name; the key follows
    uint32_t count;               // processes at the same time, at most WORKERS_MAX
    uint32_t queue_max;           // jobs that wait for one
    uint32_t jobs_max;            // of one process
    uint32_t grace_ms;            // between SIGINT and SIGKILL
    uint32_t idle_ms_max;         // then a process is ended
};

enum { WORKER_PATH_MAX = 4096 };
// The path of a program that lies beside the one that runs; false when that cannot be told.
bool worker_beside(const char *name, char path[static WORKER_PATH_MAX]);

struct workers;
err workers_start(struct worker_options options, struct workers **ret_workers, struct als_why *why);
// Takes no further jobs, and ends those that there are: worker_read() says WORKER_OVER.
void workers_cancel(struct workers *workers);
// The same if it has not been done, and frees. All jobs have been ended by their owners.
void workers_stop(struct workers *workers);
AUTO_WITH(workers, workers_stop)

struct worker_stat {
    uint32_t running, idle, waiting; // processes with and without a job; jobs without a process
    uint64_t started, killed, died;  // processes, since the start
};
struct worker_stat workers_stat(struct workers *workers);

enum worker_fate { // how a job ended
    WORKER_UNKNOWN,
    WORKER_LATE,    // its time was over, in line or at work
    WORKER_MISSING, // the program cannot be started
    WORKER_DIED,    // the process ended before its answer did
    WORKER_STOPPED, // we are stopping
};

// The caller's memory, lent from worker_ask() to worker_end().
struct worker_job {
    // Filled by the caller.
    str key; // with a NUL behind it; alive until worker_end(), as is the message
    str message;
    uint64_t time_ms; // from now to the end of the answer
    // Something may be there to be read: called once for worker_ask() and once for each time that
    // worker_read() said WORKER_NOTHING. Any thread, with a lock of rank LOCK_WORKERS held: it only
    // hands the news on.
    void (*tell)(struct worker_job *job);

    // The room's.
    struct worker_job *next;
    struct worker *worker; // NULL: waits in line, or is over
    uint64_t deadline_ns;
    size_t sent;
    enum worker_fate fate;
    bool asleep; // wants to be told
    bool lined;  // waits in line
};

// ALS_QUEUE_FULL when as many wait as may, ALS_NOT_READY when we are stopping; the job is then not
// taken and not to be ended.
err worker_ask(struct workers *workers, struct worker_job *job, struct als_why *why);

enum worker_read {
    WORKER_SOME,    // *ret_count bytes
    WORKER_NOTHING, // now; `tell` will be called
    WORKER_OVER,    // no more will come: worker_fate() says why
};
enum worker_read worker_read(struct workers *workers, struct worker_job *job, void *bytes,
                             size_t size, size_t *ret_count);
// After WORKER_OVER.
enum worker_fate worker_fate(struct workers *workers, struct worker_job *job);
// Gives the job up: WORKER_OVER comes soon, and is told if somebody waits. The job is still to be
// ended. Any thread that knows that it has not been ended.
void worker_cancel(struct workers *workers, struct worker_job *job);
// The job is the caller's again and `tell` is not called any more. `whole`: the answer was read to
// its end and nothing was strange, so the process may do another.
void worker_end(struct workers *workers, struct worker_job *job, bool whole);
