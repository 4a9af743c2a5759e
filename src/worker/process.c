// SPDX-License-Identifier: Apache-2.0
#include "worker/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_NOT_LOADED = 127 }; // what a program's loader says when a library is missing

bool worker_beside(const char *name, char path[static WORKER_PATH_MAX])
{
    ssize_t len = readlink("/proc/self/exe", path, WORKER_PATH_MAX - 1);
    if (len <= 0)
        return false;
    path[len] = '\0';
    char *slash = strrchr(path, '/');
    size_t room = slash ? WORKER_PATH_MAX - (size_t)(slash + 1 - path) : 0;
    if (strlen(name) >= room)
        return false;
    memcpy(slash + 1, name, strlen(name) + 1);
    return true;
}

static int fill_actions(posix_spawn_file_actions_t *actions, int socket)
{
    int code = posix_spawn_file_actions_adddup2(actions, socket, STDIN_FILENO);
    if (code == 0)
        code = posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (code == 0)
        code = posix_spawn_file_actions_adddup2(actions, STDOUT_FILENO, STDERR_FILENO);
    if (code == 0)
        code = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
    return code;
}

static int fill_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int code = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
                                                        POSIX_SPAWN_SETSIGDEF);
    if (code == 0)
        code = posix_spawnattr_setsigmask(attributes, &none);
    if (code == 0)
        code = posix_spawnattr_setsigdefault(attributes, &all);
    return code;
}

// The words of a program are not const in the interface, and are not written to.
static char *word(const char *text)
{
    union {
        const char *given;
        char *wanted;
    } word = {text};
    return word.wanted;
}

static int spawn(const struct worker_options *options, const char *key, int socket, pid_t *ret_pid)
{
    char *words[WORKER_ARGUMENTS_MAX + 3] = {word(options->program)};
    char *environment[] = {word("LC_ALL=C"), word("TZ=UTC"), NULL};
    size_t count = 1;
    for (; options->arguments[count - 1] && count <= WORKER_ARGUMENTS_MAX; count++)
        words[count] = word(options->arguments[count - 1]);
    words[count] = word(key);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int code = posix_spawn_file_actions_init(&actions);
    if (code != 0)
        return code;
    code = posix_spawnattr_init(&attributes);
    if (code == 0) {
        code = fill_actions(&actions, socket);
        if (code == 0)
            code = fill_attributes(&attributes);
        if (code == 0)
            code =
                posix_spawn(ret_pid, options->program, &actions, &attributes, words, environment);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return code;
}

err process_start(const struct worker_options *options, const char *key,
                  struct process *ret_process, struct als_why *why)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return FAIL(why, ALS_NO_MEMORY, "no socket for a worker: %s", strerror(errno));
    struct process process = {.socket = ends[0]};
    int flags = fcntl(ends[0], F_GETFL);
    (void)fcntl(ends[0], F_SETFL, flags | O_NONBLOCK);
    int code = spawn(options, key, ends[1], &process.pid);
    (void)close(ends[1]);
    if (code != 0) {
        (void)close(ends[0]);
        return FAIL(why, ALS_UNSUPPORTED, "'%s' cannot be started: %s", options->program,
                    strerror(code));
    }
    *ret_process = process;
    return ALS_OK;
}

bool process_end(struct process *process)
{
    int status = 0;
    (void)close(process->socket);
    (void)kill(process->pid, SIGKILL); // one that has ended already is not touched by it
    while (waitpid(process->pid, &status, 0) < 0 && errno == EINTR)
        ;
    *process = (struct process){.socket = -1};
    return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NOT_LOADED;
}
