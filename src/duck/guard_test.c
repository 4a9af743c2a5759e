// SPDX-License-Identifier: Apache-2.0
// Confinement is for good, so each test gives a child to it, which tells by its exit code.
#include "inside.h"

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool sanitized = true; // then system calls and memory are not bounded
#else
static const bool sanitized = false;
#endif

enum { HELD = 0, NOT_CONFINED = 10, BROKE_OUT = 20 };

static bool has_landlock(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, 1) > 0; // asks for the version
}

static int confined(const char *directory, int (*attempt)(const char *directory))
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        struct als_why why = {""};
        if (guard_enter((struct guard){64 << 20, directory}, &why) != ALS_OK)
            _exit(NOT_CONFINED);
        _exit(attempt(directory));
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void make_file(const char *directory, char path[static 512])
{
    (void)snprintf(path, 512, "%s/file", directory);
    FILE *file = fopen(path, "w");
    CHECK(file && fputs("inside", file) >= 0 && fclose(file) == 0);
}

static int try_files(const char *directory)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/file", directory);
    if (open(path, O_RDONLY | O_CLOEXEC) < 0)
        return BROKE_OUT + 1; // not a break-out, but of no use
    if (open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0)
        return BROKE_OUT + 2;
    if (open("/proc/self/environ", O_RDONLY | O_CLOEXEC) >= 0)
        return BROKE_OUT + 3;
    if (open(path, O_WRONLY | O_CLOEXEC) >= 0)
        return BROKE_OUT + 4;
    if (open("/tmp/allsource-guard-test", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0)
        return BROKE_OUT + 5;
    return unlink(path) == 0 ? BROKE_OUT + 6 : HELD;
}

TEST(guard_leaves_one_directory_and_only_for_reading)
{
    if (!has_landlock()) {
        printf("  this kernel has no Landlock\n");
        return;
    }
    const char *directory = test_directory();
    char path[512];
    make_file(directory, path);
    CHECK_EQUAL(HELD, confined(directory, try_files));
}

static int try_nothing(const char *directory)
{
    (void)directory;
    return open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0 ? BROKE_OUT : HELD;
}

TEST(guard_without_a_directory_leaves_none)
{
    if (has_landlock())
        CHECK_EQUAL(HELD, confined(NULL, try_nothing));
}

static bool refused(long result)
{
    return result < 0 && errno == EPERM;
}

static int try_calls(const char *directory)
{
    (void)directory;
    char *none[] = {NULL};
    if (!refused(socket(AF_INET, SOCK_STREAM, 0)) || !refused(socket(AF_UNIX, SOCK_STREAM, 0)))
        return BROKE_OUT + 1;
    if (!refused(execve("/bin/true", none, none)))
        return BROKE_OUT + 2;
    if (!refused(fork()))
        return BROKE_OUT + 3;
    if (!refused(syscall(SYS_ptrace, 0, 0, 0, 0)) || !refused(syscall(SYS_kill, getppid(), 0)) ||
        !refused(syscall(SYS_tgkill, getppid(), getppid(), 0)))
        return BROKE_OUT + 4;
    if (!refused(syscall(SYS_unlink, "/tmp/x")) || !refused(syscall(SYS_mkdir, "/tmp/x", 0700)) ||
        !refused(syscall(SYS_chmod, "/tmp", 0700)) ||
        !refused(open("/tmp/x", O_RDWR | O_CREAT | O_CLOEXEC, 0600)))
        return BROKE_OUT + 5;
    return refused(syscall(SYS_io_uring_setup, 1, NULL)) ? HELD : BROKE_OUT + 6;
}

TEST(guard_refuses_calls_that_reach_beyond_the_process)
{
    if (!sanitized)
        CHECK_EQUAL(HELD, confined(test_directory(), try_calls));
}

static int try_memory(const char *directory)
{
    (void)directory;
    void *little = malloc((size_t)16 << 20);
    void *much =
        mmap(NULL, (size_t)2 << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return little && much == MAP_FAILED ? HELD : BROKE_OUT;
}

TEST(guard_bounds_memory)
{
    if (!sanitized)
        CHECK_EQUAL(HELD, confined(test_directory(), try_memory));
}
