// SPDX-License-Identifier: Apache-2.0
// Whether the crash tests would notice: bugs that are planted one at a time.
#include "crash.h"

#ifdef ALLSOURCE_MUTANTS
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static bool is_caught(const struct crash_subject *subject, struct crash_options options,
                      enum mutant mutant)
{
    pid_t child = fork();
    if (child == 0) {
        struct crash_result result;
        options.stop_at_failure = options.quiet = true;
        mutant_active = mutant;
        close(STDERR_FILENO); // an assertion's words are not news here
        crash_run(subject, &options, &result);
        _exit(result.failures > 0);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child)
        abort();
    return (WIFEXITED(status) && WEXITSTATUS(status) == 1) ||
           (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

unsigned crash_plant(const char *what, const struct crash_subject *subject,
                     const struct crash_options *options, enum mutant first, enum mutant last)
{
    unsigned planted = 0, caught = 0;
    for (int mutant = (int)first; mutant <= (int)last; mutant++, planted++) {
        fflush(stdout); // or the child would print it again
        bool found = is_caught(subject, *options, (enum mutant)mutant);
        printf("%-36s %s\n", mutant_name((enum mutant)mutant), found ? "caught" : "MISSED");
        caught += found;
    }
    printf("%s: %u of %u planted bugs caught\n", what, caught, planted);
    return planted - caught;
}
#endif
