// SPDX-License-Identifier: Apache-2.0
// Memory of a process that serves a long history: one thread appends 100,000 events a second, and
// one asks for entities and types all over it, as fast as it is answered. The process is this
// program begun anew, so nothing of the bench's past is in it. What the kernel says is told in two
// shares: memory of the process's own, and pages of mapped files, which the kernel takes back when
// it wants.
#include "bench/history.h"

#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 100, PACE_US = 1000, READERS = 1, LOOK_MS = 25 };
enum { MAPPED_BYTES_MIN = 128 << 10, ARENAS_MAX = 2 };

struct resident { // the greatest that were seen, MiB
    double total, anonymous, file, cache;
    double appended, asked; // a second
};

struct load {
    struct als *als;
    uint64_t events;
    _Atomic bool over;
    _Atomic uint64_t appended, asked, seeds;
};

static void *append_run(void *context)
{
    struct load *load = context;
    uint64_t start_ns = clock_ns();
    for (uint64_t batches = 0; !load->over; batches++) {
        double ahead_s = (double)batches * PACE_US / 1e6 - clock_seconds_since(start_ns);
        if (ahead_s > 0)
            nanosleep(&(struct timespec){0, (long)(ahead_s * 1e9)}, NULL);
        append_many(load->als, &shape_history, load->events + batches * BATCH, BATCH, BATCH);
        load->appended += BATCH;
    }
    return NULL;
}

static void read_all(struct als *als, const struct als_query *query)
{
    struct als_why why = {""};
    struct als_cursor *cursor;
    struct als_event event = {.position = 1};
    must(als_query_open(als, query, &cursor, &why), &why, "als_query_open");
    while (event.position)
        must(als_cursor_next(cursor, &event, &why), &why, "als_cursor_next");
    als_cursor_close(cursor);
}

static void *ask_run(void *context)
{
    struct load *load = context;
    uint64_t state = ++load->seeds;
    while (!load->over) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint64_t number = state >> 33;
        char space[HISTORY_NAME_BYTES], type_space[HISTORY_NAME_BYTES];
        struct als_query by_entity = ALS_QUERY_INIT, by_type = ALS_QUERY_INIT;
        uint64_t stretch = number % (load->events / LIFE_STRETCH);
        by_entity.entity = number % 50 == 0 ? long_name(number % LONG_ENTITIES, space)
                                            : life_name(stretch, number % LIFE_ENTITIES, space);
        als_str type = history_type(number % HISTORY_TYPES, type_space);
        by_type.types = &type;
        by_type.type_count = 1;
        by_type.limit = 100;
        by_type.after = number % load->events;
        read_all(load->als, number % 4 ? &by_entity : &by_type);
        load->asked++;
    }
    return NULL;
}

static void keep_greatest(double *greatest, const char *line, const char *name)
{
    size_t len = strlen(name);
    double mib = strncmp(line, name, len) == 0 ? strtod(line + len, NULL) / 1024 : 0;
    *greatest = mib > *greatest ? mib : *greatest;
}

static void look(struct resident *resident)
{
    char line[256];
    FILE *file = fopen("/proc/self/status", "r");
    must_be(file != NULL, "/proc/self/status");
    while (fgets(line, sizeof line, file)) {
        keep_greatest(&resident->total, line, "VmRSS:");
        keep_greatest(&resident->anonymous, line, "RssAnon:");
        keep_greatest(&resident->file, line, "RssFile:");
    }
    fclose(file);
}

static struct resident run_load(const struct place *closed, uint64_t events, double seconds)
{
    struct resident resident = {0};
    struct place place = *closed;
    mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES_MIN); // both as the server does
    mallopt(M_ARENA_MAX, ARENAS_MAX);
    history_open(&place);
    struct load load = {.als = place.als, .events = events};
    pthread_t threads[1 + READERS];
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        must_be(pthread_create(&threads[i], NULL, i ? ask_run : append_run, &load) == 0,
                "a thread");
    for (uint64_t start_ns = clock_ns(); clock_seconds_since(start_ns) < seconds;) {
        nanosleep(&(struct timespec){0, LOOK_MS * 1000000}, NULL);
        look(&resident);
    }
    load.over = true;
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_join(threads[i], NULL);
    struct als_stats stats;
    struct als_why why = {""};
    must(als_stats(place.als, (als_str){NULL, 0}, &stats, &why), &why, "als_stats");
    resident.cache = (double)stats.cache_bytes / (1 << 20);
    resident.appended = (double)load.appended / seconds;
    resident.asked = (double)load.asked / seconds;
    place_close(&place);
    return resident;
}

int history_serve(char *const *words)
{
    struct place place = {.als = NULL};
    (void)snprintf(place.path, sizeof place.path, "%s", words[0]);
    struct resident resident =
        run_load(&place, strtoull(words[1], NULL, 10), strtod(words[2], NULL));
    return fwrite(&resident, sizeof resident, 1, stdout) == 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static struct resident in_a_child(const struct place *place, uint64_t events, double seconds)
{
    struct resident resident;
    char events_text[32], seconds_text[32];
    int ends[2], status = 0;
    (void)snprintf(events_text, sizeof events_text, "%llu", (unsigned long long)events);
    (void)snprintf(seconds_text, sizeof seconds_text, "%.0f", seconds);
    must_be(pipe(ends) == 0, "pipe");
    fflush(NULL);
    pid_t child = fork();
    must_be(child >= 0, "fork");
    if (child == 0) {
        if (dup2(ends[1], STDOUT_FILENO) >= 0)
            execl("/proc/self/exe", "allsource-bench", HISTORY_SERVE, place->path, events_text,
                  seconds_text, NULL);
        _exit(EXIT_FAILURE);
    }
    close(ends[1]);
    bool read_all_of_it = read(ends[0], &resident, sizeof resident) == sizeof resident;
    close(ends[0]);
    must_be(waitpid(child, &status, 0) == child && status == 0 && read_all_of_it, "the child");
    return resident;
}

static void add(const struct bench *bench, const char *name, const char *what, const char *unit,
                double value)
{
    struct row row = {.what = what, .unit = unit, .better = BETTER_LOWER};
    row.target = strcmp(name, "memory") == 0 ? 300 : 0;
    struct samples samples = {.count = 0};
    samples_add(&samples, value);
    history_add_row(bench, row, name, &samples);
}

void history_add_memory(const struct bench *bench, const struct place *place, uint64_t events)
{
    struct resident resident = in_a_child(place, events, bench->quick ? 2 : 10);
    add(bench, "memory", "the greatest VmRSS while it is read and written", "MiB", resident.total);
    add(bench, "memory, its own", "the greatest RssAnon meanwhile", "MiB", resident.anonymous);
    add(bench, "memory, of files", "the greatest RssFile meanwhile", "MiB", resident.file);
    add(bench, "memory, pages kept", "what the page cache holds at the end", "MiB", resident.cache);
    add(bench, "memory, appended", "events appended meanwhile", "/s", resident.appended);
    add(bench, "memory, asked", "queries answered meanwhile", "/s", resident.asked);
}
