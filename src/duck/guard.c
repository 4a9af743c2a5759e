// SPDX-License-Identifier: Apache-2.0
// What the worker gives away before it reads a question.
//
// Memory: RLIMIT_DATA counts private memory, which is where a query's bombs go off, and not mapped
// files, which are shared. RLIMIT_AS stands behind it, for everything. CPU time is bounded anew for
// each question, so that a worker whose server was killed ends by itself.
// Files: Landlock, where the kernel has it, leaves one directory, for reading. System calls go
// through a filter: what is not in the list fails with EPERM. openat() may only read; there is no
// socket(), no exec, no fork (clone() only with CLONE_THREAD; clone3(), whose flags a filter cannot
// see, is told to be missing, and the C library falls back).
// A sanitizer's shadow is memory without end, and its reports need more calls: there only the
// limits and the directory are kept.
#include "inside.h"

#include "base/limits.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool sanitized = true;
#else
static const bool sanitized = false;
#endif

// The library, its caches, stacks of threads: what a worker takes before it does anything.
#define MEMORY_BASE MIB(384)
#define ADDRESSES_BASE GIB(64) // mapped files; a reservation that is never touched costs nothing

static err limit(int resource, uint64_t value, const char *name, struct als_why *why)
{
    struct rlimit bound = {value, value};
    if (setrlimit((__rlimit_resource_t)resource, &bound) != 0)
        return FAIL(why, ALS_INTERNAL, "the worker cannot bound its %s", name);
    return ALS_OK;
}

void guard_cpu(uint64_t time_ms_max, unsigned threads)
{
    struct rusage used;
    struct rlimit bound;
    if (getrusage(RUSAGE_SELF, &used) != 0 || getrlimit(RLIMIT_CPU, &bound) != 0)
        return; // the server's watch remains
    uint64_t seconds = (uint64_t)used.ru_utime.tv_sec + (uint64_t)used.ru_stime.tv_sec;
    bound.rlim_cur = seconds + (time_ms_max / 1000 + 2) * threads + 1;
    (void)setrlimit(RLIMIT_CPU, &bound);
}

// ---- Directories.

static bool allow_reading(int rules, const char *directory)
{
    struct landlock_path_beneath_attr below = {
        .allowed_access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
        .parent_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC)};
    bool done = below.parent_fd >= 0 &&
                syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &below, 0) == 0;
    if (below.parent_fd >= 0)
        (void)close(below.parent_fd);
    return done;
}

static err confine_to(const char *directory, struct als_why *why)
{
    struct landlock_ruleset_attr all = {.handled_access_fs =
                                            (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1};
    int rules = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof all, 0);
    if (rules < 0)
        return ALS_OK; // this kernel has none; the other layers remain
    bool done = (!directory || allow_reading(rules, directory)) &&
                syscall(SYS_landlock_restrict_self, rules, 0) == 0;
    (void)close(rules);
    if (!done)
        return FAIL(why, ALS_INTERNAL, "the worker cannot confine itself to its directory");
    return ALS_OK;
}

// ---- System calls.

#if defined(__x86_64__)
#define THIS_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

static const int calls_allowed[] = {
#define X(name) SYS_##name,
#include "duck/calls.def"
#undef X
};

enum { FILTER_MAX = 256 };

struct filter {
    struct sock_filter code[FILTER_MAX];
    unsigned short length;
};

static void add(struct filter *filter, struct sock_filter instruction)
{
    if (filter->length < FILTER_MAX)
        filter->code[filter->length++] = instruction;
}

#define LOAD(field)                                                                                \
    (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define EQUAL(value, yes, no)                                                                      \
    (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), yes, no)
#define ANY_OF(bits, yes, no)                                                                      \
    (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (uint32_t)(bits), yes, no)
#define ANSWER(value) (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, value)
#define REFUSE(reason) ANSWER(SECCOMP_RET_ERRNO | ((reason)&SECCOMP_RET_DATA))

static void allow_if_first_is(struct filter *filter, int call, uint32_t value)
{
    add(filter, EQUAL(call, 0, 3));
    add(filter, LOAD(args[0]));
    add(filter, EQUAL(value, 0, 1));
    add(filter, ANSWER(SECCOMP_RET_ALLOW));
    add(filter, LOAD(nr)); // what follows compares calls
}

static err filter_calls(struct als_why *why)
{
#ifdef THIS_ARCHITECTURE
    struct filter filter = {.length = 0};
    add(&filter, LOAD(arch));
    add(&filter, EQUAL(THIS_ARCHITECTURE, 1, 0));
    add(&filter, ANSWER(SECCOMP_RET_KILL_PROCESS));
    add(&filter, LOAD(nr));
    for (size_t i = 0; i < COUNT_OF(calls_allowed); i++) {
        add(&filter, EQUAL(calls_allowed[i], 0, 1));
        add(&filter, ANSWER(SECCOMP_RET_ALLOW));
    }
    add(&filter, EQUAL(SYS_clone3, 0, 1));
    add(&filter, REFUSE(ENOSYS));
    add(&filter, EQUAL(SYS_openat, 0, 4));
    add(&filter, LOAD(args[2]));
    add(&filter, ANY_OF(O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 1, 0));
    add(&filter, ANSWER(SECCOMP_RET_ALLOW));
    add(&filter, REFUSE(EPERM));
    allow_if_first_is(&filter, SYS_tgkill, (uint32_t)getpid());
    allow_if_first_is(&filter, SYS_prlimit64, 0); // the caller itself
    add(&filter, EQUAL(SYS_clone, 0, 3));
    add(&filter, LOAD(args[0]));
    add(&filter, ANY_OF(CLONE_THREAD, 0, 1));
    add(&filter, ANSWER(SECCOMP_RET_ALLOW));
    add(&filter, REFUSE(EPERM));
    assert(filter.length < FILTER_MAX);
    struct sock_fprog program = {.len = filter.length, .filter = filter.code};
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        return FAIL(why, ALS_INTERNAL, "the worker cannot filter its system calls");
#endif
    (void)why;
    return ALS_OK;
}

// Landlock binds the calling thread and those it makes, so there must be no other yet.
static err check_alone(struct als_why *why)
{
    struct stat tasks;
    if (stat("/proc/self/task", &tasks) != 0 || tasks.st_nlink != 3) // ".", ".." and one thread
        return FAIL(why, ALS_INTERNAL, "the worker has threads before it is confined");
    return ALS_OK;
}

err guard_enter(struct guard guard, struct als_why *why)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); // the socket's end tells, too
    (void)prctl(PR_SET_DUMPABLE, 0);        // nobody of the same user looks into it
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return FAIL(why, ALS_INTERNAL, "the worker cannot give up privileges");
    if (!sanitized)
        TRY(check_alone(why));
    TRY(limit(RLIMIT_CORE, 0, "core files", why));
    TRY(limit(RLIMIT_FSIZE, 0, "written files", why));
    TRY(limit(RLIMIT_MEMLOCK, 0, "locked memory", why));
    TRY(confine_to(guard.directory, why));
    if (sanitized)
        return ALS_OK;
    TRY(limit(RLIMIT_DATA, guard.memory_bytes + MEMORY_BASE, "memory", why));
    TRY(limit(RLIMIT_AS, guard.memory_bytes + ADDRESSES_BASE, "addresses", why));
    return filter_calls(why);
}
