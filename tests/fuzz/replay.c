// SPDX-License-Identifier: Apache-2.0
// A plain main for a fuzz target: replays every file of the directories (or files) that are named.
// A target fails by abort(), so each input runs in a child and all of them are told.
//
//   json_fuzz tests/fuzz/corpus/json
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct totals {
    size_t passed, failed;
};

// The child's work; a file that cannot be read is a failure, too.
static _Noreturn void replay_here(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(size ? size : 1);
    if (!file || !data || fread(data, 1, size, file) != size)
        exit(1);
    (void)fclose(file);                       // was only read
    (void)LLVMFuzzerTestOneInput(data, size); // its answer means nothing for a replay
    free(data);
    exit(0);
}

static void replay(const char *path, size_t size, struct totals *totals)
{
    (void)fflush(NULL); // else the child prints it again
    pid_t child = fork();
    if (child == 0)
        replay_here(path, size);
    int status = 0;
    if (child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
        WEXITSTATUS(status) == 0) {
        totals->passed++;
        return;
    }
    totals->failed++;
    printf("FAILED %s\n", path);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

// A directory's files in the order of their names; false when there is no such thing.
static bool replay_all(const char *path, struct totals *totals)
{
    struct stat stat_;
    if (stat(path, &stat_) != 0)
        return false;
    if (!S_ISDIR(stat_.st_mode)) {
        replay(path, (size_t)stat_.st_size, totals);
        return true;
    }
    struct dirent **entries;
    int count = scandir(path, &entries, is_visible, alphasort);
    for (int i = 0; i < count; i++) {
        char inner[4096];
        int len = snprintf(inner, sizeof inner, "%s/%s", path, entries[i]->d_name);
        if (len < (int)sizeof inner && stat(inner, &stat_) == 0 && S_ISREG(stat_.st_mode))
            replay(inner, (size_t)stat_.st_size, totals);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return count >= 0;
}

int main(int count, char **arguments)
{
    struct totals totals = {};
    bool found = count > 1;
    for (int i = 1; i < count; i++) {
        if (!replay_all(arguments[i], &totals)) {
            fprintf(stderr, "%s: cannot be read\n", arguments[i]);
            found = false;
        }
    }
    if (count < 2)
        fprintf(stderr, "usage: %s DIRECTORY...\n", arguments[0]);
    printf("%zu passed, %zu failed\n", totals.passed, totals.failed);
    return found && totals.failed == 0 ? 0 : 1;
}
