// SPDX-License-Identifier: Apache-2.0
// allsource-bench: what the engine and the server do in a second, and what an event costs in bytes.
// docs/performance.md tells how to read it.
#include "bench/history.h"

#include <errno.h>
#include <ftw.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, OUTPUT_BYTES_MAX = 1 << 20 };

static const struct {
    const char *name;
    void (*run)(const struct bench *bench);
    const char *what;
} groups[] = {
    {"ingest", bench_ingest, "appending in process, in memory and durable"},
    {"schemas", bench_schemas, "checking payloads by a schema"},
    {"reads", bench_reads, "queries and states in process"},
    {"latency", bench_latency, "durable appends beside the device's own rate"},
    {"http", bench_http, "the server, over loopback"},
    {"index", bench_index_file, "the index beside a sealed segment"},
    {"http-schemas", bench_http_schemas, "the server, with payloads that are checked by a schema"},
    {"space", bench_space, "bytes an event takes"},
    {"analytics", bench_analytics, "frequency, summary and correlation over sealed history"},
    {"snapshots", bench_snapshots, "states with snapshots and without"},
    {"sealing", bench_sealing, "appending while sealing goes on"},
    {"history", bench_history, "a long history that is sealed: opening, reading, memory"},
    {"compaction", bench_compaction, "merging sealed files"},
};

// ---- Shared by the groups

uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

double clock_seconds_since(uint64_t start_ns)
{
    return (double)(clock_ns() - start_ns) / 1e9;
}

void must(err code, const struct als_why *why, const char *what)
{
    if (code == ALS_OK)
        return;
    fprintf(stderr, "allsource-bench: %s: %s%s\n", what, err_prefix(code), why->text);
    exit(EXIT_FAILURE);
}

void must_be(bool held, const char *what)
{
    if (held)
        return;
    fprintf(stderr, "allsource-bench: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

void directory_make(const struct bench *bench, char path[static PATH_BYTES])
{
    int len = snprintf(path, PATH_BYTES, "%s/XXXXXX", bench->directory);
    must_be(len < PATH_BYTES && mkdtemp(path) != NULL, bench->directory);
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info, (void)type, (void)at;
    return remove(path);
}

void directory_remove(const char *path)
{
    enum { OPEN_MAX_ = 16 };
    must_be(nftw(path, remove_one, OPEN_MAX_, FTW_DEPTH | FTW_PHYS) == 0, path);
}

// ---- The program

struct arguments {
    bool quick;
    uint64_t events;
    const char *json, *markdown, *revision, *directory, *server;
};

static int usage(FILE *stream, int exit_code)
{
    fprintf(stream, "usage: allsource-bench [OPTION...] [GROUP...]\n"
                    "  --quick          small sizes and few rounds, some 20 seconds\n"
                    "  --events N       length of the longest history in millions (default: 10; "
                    "quick: 1)\n"
                    "  --json FILE      write the figures as one JSON document\n"
                    "  --markdown FILE  write them as tables\n"
                    "  --revision TEXT  what is measured, for these two\n"
                    "  --dir DIR        on the disk that is to be measured (default: beside this "
                    "program)\n"
                    "  --server FILE    the server (default: allsourced beside this program)\n"
                    "groups, all of them when none is named:\n");
    for (size_t i = 0; i < COUNT_OF(groups); i++)
        fprintf(stream, "  %-12s  %s\n", groups[i].name, groups[i].what);
    return exit_code;
}

// Returns 0, or the program's exit code with `*ret_ends`.
static int parse(int count, char **values, struct arguments *arguments, bool *ret_ends)
{
    static const struct option options[] = {{"quick", no_argument, NULL, 'q'},
                                            {"json", required_argument, NULL, 'j'},
                                            {"markdown", required_argument, NULL, 'm'},
                                            {"revision", required_argument, NULL, 'r'},
                                            {"dir", required_argument, NULL, 'd'},
                                            {"server", required_argument, NULL, 's'},
                                            {"events", required_argument, NULL, 'e'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int option;
    *ret_ends = true;
    while ((option = getopt_long(count, values, "", options, NULL)) != -1) {
        switch (option) {
        case 'q':
            arguments->quick = true;
            break;
        case 'j':
            arguments->json = optarg;
            break;
        case 'm':
            arguments->markdown = optarg;
            break;
        case 'r':
            arguments->revision = optarg;
            break;
        case 'd':
            arguments->directory = optarg;
            break;
        case 's':
            arguments->server = optarg;
            break;
        case 'e':
            arguments->events = strtoull(optarg, NULL, 10);
            break;
        case 'h':
            return usage(stdout, EXIT_SUCCESS);
        default:
            return usage(stderr, EXIT_USAGE);
        }
    }
    *ret_ends = false;
    return 0;
}

static bool known_group(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(groups); i++)
        if (strcmp(groups[i].name, name) == 0)
            return true;
    return false;
}

static bool wanted(const char *name, char *const *names)
{
    if (!*names)
        return true;
    for (; *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

static void write_file(const char *path, const struct buf *buf)
{
    must_be(!buf_failed(buf), "the output");
    FILE *file = fopen(path, "w");
    must_be(file != NULL, path);
    must_be(fwrite(buf->ptr, 1, buf->len, file) == buf->len, path);
    must_be(fclose(file) == 0, path);
}

static void write_outputs(const struct table *table, const struct machine *machine,
                          const struct arguments *arguments)
{
    struct buf buf;
    buf_init(&buf, OUTPUT_BYTES_MAX);
    if (arguments->json) {
        table_put_json(table, machine, &buf);
        write_file(arguments->json, &buf);
        buf_reset(&buf);
    }
    if (arguments->markdown) {
        table_put_markdown(table, machine, &buf);
        write_file(arguments->markdown, &buf);
    }
    buf_deinit(&buf);
}

// "DIR/name" of this program's own directory.
static void beside_program(const char *name, char path[static PATH_BYTES])
{
    ssize_t len = readlink("/proc/self/exe", path, PATH_BYTES - 1);
    must_be(len > 0, "/proc/self/exe");
    path[len] = '\0';
    char *slash = strrchr(path, '/');
    must_be(slash && (size_t)(slash + 1 - path) + strlen(name) < PATH_BYTES, path);
    strcpy(slash + 1, name);
}

int main(int count, char **values)
{
    if (count == 5 && strcmp(values[1], HISTORY_SERVE) == 0)
        return history_serve(values + 2);
    char server[PATH_BYTES], directory[PATH_BYTES];
    beside_program("allsourced", server);
    beside_program("", directory);
    struct arguments arguments = {.revision = "", .directory = directory, .server = server};
    bool ends;
    int exit_code = parse(count, values, &arguments, &ends);
    if (ends)
        return exit_code;
    for (char **name = values + optind; *name; name++)
        if (!known_group(*name))
            return usage(stderr, EXIT_USAGE);

    static struct table table;
    struct bench bench = {.table = &table, .quick = arguments.quick, .server = arguments.server};
    bench.events = 1000000 * (arguments.events ? arguments.events : arguments.quick ? 1 : 10);
    bench.directory = arguments.directory;
    char own[PATH_BYTES];
    directory_make(&bench, own);
    bench.directory = own;
    struct machine machine;
    machine_describe(&machine, own);
    machine.revision = arguments.revision;
    machine.quick = arguments.quick;
    for (size_t i = 0; i < COUNT_OF(groups); i++)
        if (wanted(groups[i].name, values + optind))
            groups[i].run(&bench);
    directory_remove(own);
    write_outputs(&table, &machine, &arguments);
    return EXIT_SUCCESS;
}
