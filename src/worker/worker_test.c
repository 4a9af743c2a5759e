// SPDX-License-Identifier: Apache-2.0
// The processes are shells: `$0` is the key, and the socket is descriptor 0, both ways.
#include "worker/worker.h"

#include "test.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define ECHO "while read line; do echo \"$0:$line:$$\" >&0; done"

struct ask {
    struct worker_job job; // first: tell() hands it back
    int news;
    char text[4096];
    size_t len;
};

static struct workers *start(const char *const *arguments, uint32_t count)
{
    struct workers *workers = NULL;
    struct als_why why = {""};
    struct worker_options options = {.program = "/bin/sh",
                                     .arguments = arguments,
                                     .count = count,
                                     .queue_max = 2,
                                     .jobs_max = 3,
                                     .grace_ms = 200,
                                     .idle_ms_max = 60000};
    CHECK_OK(workers_start(options, &workers, &why));
    return workers;
}

static void tell(struct worker_job *job)
{
    uint64_t one = 1;
    CHECK(write(((struct ask *)job)->news, &one, sizeof one) == sizeof one);
}

static err ask(struct workers *workers, struct ask *ask, str key, str message, uint64_t time_ms)
{
    *ask = (struct ask){.job = {.key = key, .message = message, .time_ms = time_ms, .tell = tell},
                        .news = eventfd(0, EFD_CLOEXEC)};
    return worker_ask(workers, &ask->job, NULL);
}

static void wait_for_news(struct ask *ask)
{
    struct pollfd poll_fd = {.fd = ask->news, .events = POLLIN};
    uint64_t count;
    CHECK(poll(&poll_fd, 1, 20000) == 1);
    CHECK(read(ask->news, &count, sizeof count) == sizeof count);
}

// Reads until a line is complete or it is over; true for a line.
static bool read_line(struct workers *workers, struct ask *ask)
{
    for (;;) {
        size_t count = 0;
        switch (worker_read(workers, &ask->job, ask->text + ask->len,
                            sizeof ask->text - 1 - ask->len, &count)) {
        case WORKER_SOME:
            ask->len += count;
            ask->text[ask->len] = '\0';
            if (strchr(ask->text, '\n'))
                return true;
            break;
        case WORKER_NOTHING:
            wait_for_news(ask);
            break;
        case WORKER_OVER:
            return false;
        }
    }
}

static void finish(struct workers *workers, struct ask *ask, bool whole)
{
    worker_end(workers, &ask->job, whole);
    close(ask->news);
}

static uint64_t answer(struct workers *workers, str key, bool whole)
{
    struct ask asked;
    CHECK_OK(ask(workers, &asked, key, S("hello\n"), 20000));
    wait_for_news(&asked);
    CHECK(read_line(workers, &asked));
    uint64_t pid = 0;
    str line = str_trim(str_of(asked.text));
    CHECK_STR(key, str_cut(&line, ':'));
    CHECK_STR(S("hello"), str_cut(&line, ':'));
    CHECK(str_to_u64(line, &pid));
    finish(workers, &asked, whole);
    return pid;
}

static const char *const echo[] = {"-c", ECHO, NULL};

TEST(a_process_serves_one_key_and_is_kept_until_it_has_done_its_jobs)
{
    AUTO(workers) workers = start(echo, 1);
    uint64_t first = answer(workers, S("a"), true);
    CHECK_EQUAL(first, answer(workers, S("a"), true));
    CHECK_EQUAL(first, answer(workers, S("a"), true)); // its third and last
    uint64_t second = answer(workers, S("a"), true);
    CHECK(second != first);
    uint64_t other = answer(workers, S("b"), true);
    CHECK(other != second);
    CHECK(answer(workers, S("a"), true) != second);
}

TEST(a_process_whose_answer_was_not_read_to_its_end_is_not_used_again)
{
    AUTO(workers) workers = start(echo, 1);
    uint64_t first = answer(workers, S("a"), false);
    CHECK(answer(workers, S("a"), true) != first);
}

TEST(a_job_that_is_late_is_warned_and_then_killed)
{
    static const char *const deaf[] = {"-c", "trap '' INT; while :; do read x || sleep 1; done",
                                       NULL};
    AUTO(workers) workers = start(deaf, 1);
    struct ask late, behind;
    CHECK_OK(ask(workers, &late, S("a"), S("hello\n"), 50));
    CHECK_OK(ask(workers, &behind, S("a"), S("hello\n"), 20));
    CHECK(!read_line(workers, &late));
    CHECK_EQUAL(WORKER_LATE, worker_fate(workers, &late.job));
    CHECK(!read_line(workers, &behind)); // it never left the line
    CHECK_EQUAL(WORKER_LATE, worker_fate(workers, &behind.job));
    finish(workers, &late, false);
    finish(workers, &behind, false);
}

TEST(a_job_that_hears_the_warning_can_still_answer)
{
    static const char *const hears[] = {"-c",
                                        "trap 'echo sorry >&0; exit' INT; read x; "
                                        "while :; do read y; done",
                                        NULL};
    AUTO(workers) workers = start(hears, 1);
    struct ask asked;
    CHECK_OK(ask(workers, &asked, S("a"), S("hello\n"), 500));
    CHECK(read_line(workers, &asked));
    CHECK_STR(S("sorry\n"), str_of(asked.text));
    finish(workers, &asked, false);
}

TEST(a_process_that_dies_costs_its_own_job_and_one_that_is_not_there_is_told_from_it)
{
    static const char *const dies[] = {"-c", "read x; kill -9 $$", NULL};
    static const char *const unloaded[] = {"-c", "exit 127", NULL};
    AUTO(workers) dying = start(dies, 1);
    struct ask asked;
    for (int i = 0; i < 3; i++) {
        CHECK_OK(ask(dying, &asked, S("a"), S("hello\n"), 20000));
        CHECK(!read_line(dying, &asked));
        CHECK_EQUAL(WORKER_DIED, worker_fate(dying, &asked.job));
        finish(dying, &asked, false);
    }
    CHECK_EQUAL(3, workers_stat(dying).died);
    AUTO(workers) missing = start(unloaded, 1);
    CHECK_OK(ask(missing, &asked, S("a"), S("hello\n"), 20000));
    CHECK(!read_line(missing, &asked));
    CHECK_EQUAL(WORKER_MISSING, worker_fate(missing, &asked.job));
    finish(missing, &asked, false);
}

TEST(a_program_that_does_not_exist_is_missing)
{
    struct workers *made = NULL;
    struct worker_options options = {
        .program = "/nonexistent", .arguments = echo, .count = 1, .queue_max = 1, .jobs_max = 1};
    CHECK_OK(workers_start(options, &made, NULL));
    AUTO(workers) workers = made;
    struct ask asked;
    CHECK_OK(ask(workers, &asked, S("a"), S("hello\n"), 20000));
    CHECK(!read_line(workers, &asked));
    CHECK_EQUAL(WORKER_MISSING, worker_fate(workers, &asked.job));
    finish(workers, &asked, false);
}

TEST(a_full_line_is_told_at_once_and_given_up_jobs_leave_it)
{
    static const char *const slow[] = {"-c", "while :; do read x || sleep 1; done", NULL};
    AUTO(workers) workers = start(slow, 1);
    struct ask at_work, first, second, third;
    CHECK_OK(ask(workers, &at_work, S("a"), S("hello\n"), 20000));
    while (workers_stat(workers).running == 0) // the watcher gives it out
        (void)poll(NULL, 0, 1);
    CHECK_OK(ask(workers, &first, S("a"), S("hello\n"), 20000));
    CHECK_OK(ask(workers, &second, S("b"), S("hello\n"), 20000));
    CHECK_ERR(ALS_QUEUE_FULL, ask(workers, &third, S("b"), S("hello\n"), 20000));
    close(third.news);
    worker_cancel(workers, &first.job);
    CHECK(!read_line(workers, &first));
    CHECK_EQUAL(WORKER_STOPPED, worker_fate(workers, &first.job));
    finish(workers, &first, false);
    finish(workers, &second, false); // without a word
    worker_cancel(workers, &at_work.job);
    CHECK(!read_line(workers, &at_work));
    finish(workers, &at_work, false);
}

TEST(when_the_pool_stops_all_jobs_end)
{
    static const char *const slow[] = {"-c", "while :; do read x || sleep 1; done", NULL};
    AUTO(workers) workers = start(slow, 1);
    struct ask at_work, waits, late;
    CHECK_OK(ask(workers, &at_work, S("a"), S("hello\n"), 20000));
    CHECK_OK(ask(workers, &waits, S("a"), S("hello\n"), 20000));
    workers_cancel(workers);
    CHECK(!read_line(workers, &at_work));
    CHECK_EQUAL(WORKER_STOPPED, worker_fate(workers, &at_work.job));
    CHECK(!read_line(workers, &waits));
    CHECK_EQUAL(WORKER_STOPPED, worker_fate(workers, &waits.job));
    CHECK_ERR(ALS_NOT_READY, ask(workers, &late, S("a"), S("hello\n"), 20000));
    close(late.news);
    finish(workers, &at_work, false);
    finish(workers, &waits, false);
}
