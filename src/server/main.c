// SPDX-License-Identifier: Apache-2.0
// The program: options, signals, exit codes.
//
// SIGTERM and SIGINT are blocked before the first thread is made and then waited for by this one,
// so nothing runs in a signal handler. Between signals it gives the server its turns.
#include "server/server.h"

#include "base/buf.h"
#include "base/log.h"
#include "config/config.h"

#include <allsource.h>

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

enum {
    EXIT_CANNOT_SERVE = 1,
    EXIT_BAD_OPTIONS = 2,
    CONFIG_ARENA_BLOCK = 4 << 10,
    CONFIG_ARENA_MAX = 4 << 20,
    TEXT_MAX = 1 << 20, // of --help and --print-config
    MAPPED_BYTES_MIN = 128 << 10,
    ARENAS_MAX = 2,
};

// Ten thousand connections want as many descriptors; the soft limit is often 1,024.
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit); // then it stays as it is
    }
}

// Memory for a segment or an index in the making comes in large pieces. Mapped by themselves they
// go back when they are freed; among the small ones, where glibc begins to put them after the first
// few, they leave holes between pages that are kept for long. Pages are made by one thread and
// thrown out by another: with an arena for each thread, each kept as much as it had ever made.
static void tune_allocator(void)
{
#ifdef __GLIBC__
    (void)mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES_MIN); // wishes: what is refused costs memory only
    (void)mallopt(M_ARENA_MAX, ARENAS_MAX);
#endif
}

static sigset_t block_signals(void)
{
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &ends, NULL); // cannot fail with these arguments
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, NULL);
    return ends;
}

static int wait_for_signal(const sigset_t *ends, struct server *server)
{
    static const struct timespec second = {.tv_sec = 1};
    int signal_number;
    while ((signal_number = sigtimedwait(ends, NULL, &second)) < 0)
        server_turn(server);
    return signal_number;
}

static void tell_addresses(const struct server *server)
{
    for (size_t i = 0; i < server_address_count(server); i++) {
        char space[64];
        LOG_LINE(LOG_INFO, "listening", "address=%.*s", STR(server_address(server, i, space)));
    }
}

static int fail(int exit_code, err code, const struct als_why *why, const char *hint)
{
    fprintf(stderr, "allsourced: %s%s\n", err_prefix(code), why->text);
    if (hint)
        fprintf(stderr, "%s\n", hint);
    return exit_code;
}

static const char *hint_for(err code)
{
    switch (code) {
    case ALS_LOCKED:
        return "Another process has the data directory open; stop it, or use another --data-dir.";
    case ALS_CORRUPT:
        return "Nothing was changed. `allsource verify --data-dir DIR` names the first bad byte; "
               "restore that file from a backup.";
    case ALS_FORMAT_TOO_NEW:
        return "The data was written by a newer version; install that one.";
    default:
        return NULL;
    }
}

static int serve(const struct config *config)
{
    log_set_level(config->log_least);
    raise_descriptor_limit();
    tune_allocator();
    sigset_t ends = block_signals();

    struct server *server;
    struct als_why why = {""};
    err code = server_start(config, &server, &why);
    if (code)
        return fail(EXIT_CANNOT_SERVE, code, &why, hint_for(code));
    char directory[LOG_QUOTED_MAX];
    LOG_LINE(LOG_INFO, "started", "version=%s data_dir=%s", als_version_text(),
             config->ephemeral ? "ephemeral" : log_quoted(config->data_dir, directory));
    tell_addresses(server);
    int signal_number = wait_for_signal(&ends, server);
    LOG_LINE(LOG_INFO, "stopping", "signal=%d", signal_number);
    server_stop(server);
    LOG_LINE(LOG_INFO, "stopped", "signal=%d", signal_number);
    return 0;
}

static int print(void (*put)(const struct config *config, struct buf *buf),
                 const struct config *config)
{
    struct buf buf;
    buf_init(&buf, TEXT_MAX);
    put(config, &buf);
    bool whole = !buf_failed(&buf) && fwrite(buf.ptr, 1, buf.len, stdout) == buf.len;
    buf_deinit(&buf);
    return whole && fflush(stdout) == 0 ? 0 : EXIT_CANNOT_SERVE;
}

static void put_help(const struct config *config, struct buf *buf)
{
    (void)config;
    config_help(buf);
}

static void put_version(const struct config *config, struct buf *buf)
{
    (void)config;
    config_version(buf);
}

static int run(char **words, size_t count, char **environment, struct arena *arena)
{
    struct config config;
    struct als_why why = {""};
    err code = config_read(words, count, environment, arena, &config, &why);
    if (code)
        return fail(EXIT_BAD_OPTIONS, code, &why, "Try --help.");
    if (config.help)
        return print(put_help, &config);
    if (config.version)
        return print(put_version, &config);
    if (config.print_config)
        return print(config_print, &config);
    return serve(&config);
}

int server_main(int argc, char **argv, char **envp)
{
    struct arena arena;
    arena_init(&arena, CONFIG_ARENA_BLOCK, CONFIG_ARENA_MAX);
    int exit_code = run(argv + 1, argc > 0 ? (size_t)argc - 1 : 0, envp, &arena);
    arena_deinit(&arena);
    return exit_code;
}
