// SPDX-License-Identifier: Apache-2.0
// The score of the crash tests: plants one bug of base/mutant.def at a time and demands that some
// hunt catches it. Built with the bugs compiled in only (preset "mutants"). Each bug gets a process
// of its own, since a failed assertion catches it as well as a hunt does.
#include "base/mutant.h"
#include "os/os.h"
#include "wal_damage.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SEEDS = 300 };

// Each hunt is true when something was caught, and says what.
typedef bool hunt(char *ret_what, size_t size);

static bool hunt_crashes(char *ret_what, size_t size)
{
    static struct wal_subject space;
    struct crash_subject subject = wal_subject(&space);
    struct crash_options options = {
        .seed_first = 1, .seed_last = SEEDS, .stop_at_failure = true, .quiet = true};
    struct crash_result result;
    crash_run(&subject, &options, &result);
    snprintf(ret_what, size, "crash test, seed %llu", (unsigned long long)result.seed);
    return result.failures > 0;
}

static bool hunt_damage(char *ret_what, size_t size)
{
    static void (*const kinds[])(struct damage *) = {damage_splice, damage_flips,
                                                     damage_flips_without_mark, damage_cuts};
    static const char *const names[] = {"splice", "bit flip", "bit flip", "cut"};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct damage damage;
        kinds[i](&damage);
        snprintf(ret_what, size, "%s, %s", names[i], damage.first.text);
        if (damage.silent > 0)
            return true;
    }
    return false;
}

// A file may not grow past 4 KiB: the system writes half and says so.
static bool hunt_short_write(char *ret_what, size_t size)
{
    static char page[8192];
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {4096, 4096};
    char path[] = "/tmp/allsource-mutant-XXXXXX";
    if (!mkdtemp(path) || setrlimit(RLIMIT_FSIZE, &limit) != 0)
        abort();
    struct os *os = os_posix();
    struct os_dir *dir = NULL;
    struct os_file *file = NULL;
    if (os->dir_open(os, NULL, str_of(path), false, &dir, NULL) != ALS_OK ||
        os->file_open(dir, S("a"), OS_CREATE, &file, NULL) != ALS_OK)
        abort();
    err code = os_write_one(os, file, 0, (str){page, sizeof page}, NULL);
    os->file_close(file);
    (void)os->dir_unlink(dir, S("a"), NULL); // scratch
    os->dir_close(dir);
    rmdir(path);
    snprintf(ret_what, size, "short write on a real disk");
    return code == ALS_OK;
}

static hunt *const hunts[] = {hunt_crashes, hunt_damage, hunt_short_write};

#ifdef ALLSOURCE_MUTANTS
// In the child: 0 when nothing was caught.
static int hunt_all(enum mutant mutant, int answer)
{
    mutant_active = mutant;
    char what[300] = "";
    bool caught = false;
    for (size_t i = 0; i < COUNT_OF(hunts) && !caught; i++)
        caught = hunts[i](what, sizeof what);
    if (caught && write(answer, what, strlen(what)) < 0)
        return 2;
    return caught;
}

static bool is_caught(enum mutant mutant, char what[static 300])
{
    int ends[2];
    if (pipe(ends) != 0)
        abort();
    pid_t child = fork();
    if (child == 0) {
        int nowhere = open("/dev/null", O_WRONLY);
        dup2(nowhere, STDERR_FILENO); // a failed assertion is an answer, not news
        _exit(hunt_all(mutant, ends[1]));
    }
    close(ends[1]);
    ssize_t got = read(ends[0], what, 299);
    what[got > 0 ? got : 0] = '\0';
    close(ends[0]);
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child)
        abort();
    if (WIFSIGNALED(status))
        snprintf(what, 300, "%s", strsignal(WTERMSIG(status)));
    return WIFSIGNALED(status) || WEXITSTATUS(status) != 0;
}

int main(void)
{
    int caught = 0;
    for (int i = MUTANT_NONE; i < MUTANT_STORE_FIRST; i++) {
        char what[300];
        bool found = is_caught((enum mutant)i, what);
        if (i == MUTANT_NONE && found) {
            printf("the hunts cry wolf: %s\n", what);
            return 1;
        }
        if (i == MUTANT_NONE)
            continue;
        printf("%-24s %s %s\n", mutant_name((enum mutant)i), found ? "caught:" : "MISSED", what);
        fflush(stdout);
        caught += found;
    }
    printf("%d of %d planted bugs caught\n", caught, MUTANT_STORE_FIRST - 1);
    return caught != MUTANT_STORE_FIRST - 1;
}
#else
int main(void)
{
    (void)hunts;
    fprintf(stderr, "build with -DALLSOURCE_MUTANTS=ON (cmake --preset mutants)\n");
    return 1;
}
#endif
