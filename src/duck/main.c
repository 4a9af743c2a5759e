// SPDX-License-Identifier: Apache-2.0
// The worker as a process: its arguments, its socket, and the thread that hears the server's wish
// that a query should end.
#include "duck/duck.h"

#include "base/limits.h"
#include "inside.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EXIT_BAD_ARGUMENTS = 2, EXIT_CANNOT_WORK = 3, THREADS_MAX = 64 };
#define ARENA_BYTES_MAX MIB(256)

bool socket_write(int socket, str bytes)
{
    while (bytes.len) {
        ssize_t wrote = write(socket, bytes.ptr, bytes.len);
        if (wrote < 0 && errno != EINTR)
            return false;
        bytes = str_from(bytes, wrote < 0 ? 0 : (size_t)wrote);
    }
    return true;
}

static bool socket_read(int socket, void *bytes, size_t size)
{
    char *at = bytes;
    while (size) {
        ssize_t got = read(socket, at, size);
        if (got == 0 || (got < 0 && errno != EINTR))
            return false;
        size_t count = got < 0 ? 0 : (size_t)got;
        at += count;
        size -= count;
    }
    return true;
}

static void *hear_interrupts(void *context)
{
    struct worker *worker = context;
    sigset_t interrupts;
    sigemptyset(&interrupts);
    sigaddset(&interrupts, SIGINT);
    for (;;) {
        int number;
        if (sigwait(&interrupts, &number) != 0)
            return NULL;
        atomic_store(&worker->interrupted, true);
        duckdb_interrupt(worker->connection);
    }
}

static err start_hearing(struct worker *worker, struct als_why *why)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, hear_interrupts, worker) != 0)
        return FAIL(why, ALS_NO_MEMORY, "no thread for the worker");
    return pthread_detach(thread) == 0 ? ALS_OK : ALS_INTERNAL;
}

// Until the server closes the socket.
static void serve(struct worker *worker)
{
    struct buf question;
    buf_init(&question, SQL_QUESTION_BYTES_MAX);
    bool going = true;
    while (going) {
        uint8_t head[SQL_HEAD_BYTES];
        struct sql_frame frame;
        if (!socket_read(worker->socket, head, sizeof head) || !sql_head_read(head, &frame) ||
            frame.kind != SQL_ASK)
            break;
        buf_reset(&question);
        char *room = buf_room(&question, frame.size);
        if (!room || !socket_read(worker->socket, room, frame.size))
            break;
        buf_grew(&question, frame.size);
        going = worker_answer(worker, buf_str(&question));
    }
    buf_deinit(&question);
}

static void tell_failure(int socket, err code, const struct als_why *why)
{
    struct buf buf;
    buf_init(&buf, sizeof why->text + 64);
    buf_printf(&buf, "%s\n%s", err_code(code), why->text);
    (void)frame_write(socket, SQL_FAILED, buf_str(&buf)); // nobody else could be told
    buf_deinit(&buf);
}

static err worker_begin(struct worker *worker, struct guard guard, unsigned threads,
                        struct als_why *why)
{
    TRY(worker_open(worker, guard.memory_bytes, why));
    TRY(guard_enter(guard, why));
    TRY(worker_lock(worker, threads, str_of(guard.directory), why));
    return start_hearing(worker, why);
}

int duck_main(int count, char **words)
{
    uint64_t memory_bytes, threads;
    if (count != 4 || !str_to_u64(str_of(words[1]), &memory_bytes) ||
        !str_to_u64(str_of(words[2]), &threads) || threads == 0 || threads > THREADS_MAX ||
        (words[3][0] != '/' && strcmp(words[3], "-") != 0))
        return EXIT_BAD_ARGUMENTS;
    sigset_t interrupts;
    sigemptyset(&interrupts);
    sigaddset(&interrupts, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &interrupts, NULL); // for all threads that will be
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, NULL);

    struct als_why why = {""};
    struct worker *worker = calloc(1, sizeof *worker);
    if (!worker)
        return EXIT_CANNOT_WORK;
    worker->socket = STDIN_FILENO;
    arena_init(&worker->arena, MIB(1), ARENA_BYTES_MAX);
    err code =
        worker_begin(worker, (struct guard){memory_bytes, words[3][0] == '/' ? words[3] : NULL},
                     (unsigned)threads, &why);
    if (code == ALS_OK)
        serve(worker);
    else
        tell_failure(worker->socket, code, &why);
    _exit(code == ALS_OK ? 0 : EXIT_CANNOT_WORK); // nothing here outlives the process
}
