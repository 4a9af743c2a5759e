// SPDX-License-Identifier: Apache-2.0
#include "bench/table.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#ifdef __clang__
#define COMPILER __VERSION__ // it names itself
#else
#define COMPILER "gcc " __VERSION__
#endif

// ---- Statistics

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void sort(struct samples *samples)
{
    assert(samples->count > 0);
    qsort(samples->values, samples->count, sizeof samples->values[0], by_value);
}

static double middle(const struct samples *sorted)
{
    return (sorted->values[(sorted->count - 1) / 2] + sorted->values[sorted->count / 2]) / 2;
}

double samples_median(struct samples samples)
{
    sort(&samples);
    return middle(&samples);
}

static void fill_in(struct row *row, const struct samples *samples)
{
    struct samples sorted = *samples;
    sort(&sorted);
    row->least = sorted.values[0];
    row->most = sorted.values[sorted.count - 1];
    row->median = middle(&sorted);
    row->samples = sorted.count;
}

void latencies_add(struct latencies *latencies, uint64_t ns)
{
    if (latencies->count == latencies->room) {
        size_t room = latencies->room ? latencies->room * 2 : 4096;
        uint32_t *grown = realloc(latencies->ns, room * sizeof *grown);
        assert(grown);
        latencies->ns = grown;
        latencies->room = room;
    }
    latencies->ns[latencies->count++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

static int by_ns(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

void latencies_sort(struct latencies *latencies)
{
    if (latencies->count)
        qsort(latencies->ns, latencies->count, sizeof latencies->ns[0], by_ns);
}

double latencies_us(const struct latencies *latencies, double quantile)
{
    if (!latencies->count)
        return 0;
    size_t at = (size_t)(quantile * (double)latencies->count);
    return latencies->ns[at < latencies->count ? at : latencies->count - 1] / 1e3;
}

void latencies_deinit(struct latencies *latencies)
{
    free(latencies->ns);
    *latencies = (struct latencies){0};
}

// ---- Printing

enum { FIGURE_BYTES = 24 };

// Three digits and a factor, "2.53 M"; "-" for what does not apply.
static const char *figure(double value, char text[static FIGURE_BYTES])
{
    const char *factor = "";
    double shown = value;
    if (value >= 999500)
        shown = value / 1e6, factor = " M";
    else if (value >= 9995)
        shown = value / 1e3, factor = " K";
    int digits = shown >= 100 ? 0 : shown >= 10 ? 1 : 2;
    if (value == 0)
        snprintf(text, FIGURE_BYTES, "-");
    else
        snprintf(text, FIGURE_BYTES, "%.*f%s", digits, shown, factor);
    return text;
}

static const char *verdict(const struct row *row)
{
    return row->target == 0 ? "" : row_reached(row) ? "yes" : "NO";
}

static void print_row(const struct row *row)
{
    char median[FIGURE_BYTES], least[FIGURE_BYTES], most[FIGURE_BYTES], target[FIGURE_BYTES];
    printf("%-44s %9s %9s %9s %-8s %8s %-3s\n", row->name, figure(row->median, median),
           figure(row->least, least), figure(row->most, most), row->unit,
           figure(row->target, target), verdict(row));
    fflush(stdout);
}

void table_add(struct table *table, const struct row *row, const struct samples *samples)
{
    assert(table->count < ROWS_MAX);
    if (table->count == 0 && !table->silent)
        printf("%-44s %9s %9s %9s %-8s %8s\n", "", "median", "least", "most", "unit", "target");
    struct row *added = &table->rows[table->count++];
    *added = *row;
    fill_in(added, samples);
    if (!table->silent)
        print_row(added);
}

// ---- The machine

// The value of the first line of /proc/cpuinfo or /proc/meminfo that begins with `key`.
static void read_proc(const char *path, const char *key, char *text, size_t room)
{
    FILE *file = fopen(path, "r");
    char line[256];
    while (file && fgets(line, sizeof line, file)) {
        const char *value = strchr(line, ':');
        if (strncmp(line, key, strlen(key)) != 0 || !value)
            continue;
        value += 1 + strspn(value + 1, " \t");
        snprintf(text, room, "%.*s", (int)strcspn(value, "\n"), value);
        break;
    }
    if (file)
        fclose(file);
}

static void name_filesystem(const char *directory, char *text, size_t room)
{
    static const struct {
        long magic;
        const char *name;
    } known[] = {{0xEF53, "ext4"},
                 {0x58465342, "xfs"},
                 {0x9123683E, "btrfs"},
                 {0x01021994, "tmpfs"},
                 {0x794C7630, "overlayfs"}};
    struct statfs info;
    if (statfs(directory, &info) != 0)
        return;
    snprintf(text, room, "0x%lx", (unsigned long)info.f_type);
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if ((long)info.f_type == known[i].magic)
            snprintf(text, room, "%s", known[i].name);
}

void machine_describe(struct machine *machine, const char *directory)
{
    *machine = (struct machine){.processors = sysconf(_SC_NPROCESSORS_ONLN), .revision = ""};
    time_t now = time(NULL);
    struct tm utc;
    strftime(machine->date, sizeof machine->date, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    read_proc("/proc/cpuinfo", "model name", machine->processor, sizeof machine->processor);
    char memory[64] = "0";
    read_proc("/proc/meminfo", "MemTotal", memory, sizeof memory);
    machine->memory_mib = strtol(memory, NULL, 10) / 1024;
    if (getloadavg(&machine->others, 1) != 1)
        machine->others = 0;
    struct utsname name;
    if (uname(&name) == 0)
        snprintf(machine->kernel, sizeof machine->kernel, "%s %.*s", name.sysname,
                 (int)strcspn(name.release, "-"), name.release); // without a builder's suffix
    name_filesystem(directory, machine->filesystem, sizeof machine->filesystem);
}

// ---- JSON. Every text is ours or the kernel's; quotes and backslashes are dropped, not escaped.

static void put_json_text(struct buf *buf, const char *key, const char *text)
{
    buf_printf(buf, "\"%s\":\"", key);
    for (; *text; text++)
        if (*text != '"' && *text != '\\' && (unsigned char)*text >= ' ')
            buf_put_char(buf, *text);
    buf_put_char(buf, '"');
}

static void put_json_row(struct buf *buf, const struct row *row)
{
    buf_put_char(buf, '{');
    put_json_text(buf, "name", row->name);
    buf_put_char(buf, ',');
    put_json_text(buf, "timed", row->what);
    buf_put_char(buf, ',');
    put_json_text(buf, "unit", row->unit);
    buf_printf(buf, ",\"n\":%llu,\"samples\":%zu", (unsigned long long)row->count, row->samples);
    buf_printf(buf, ",\"median\":%.6g,\"min\":%.6g,\"max\":%.6g,\"better\":\"%s\"", row->median,
               row->least, row->most, row->better == BETTER_HIGHER ? "higher" : "lower");
    if (row->reference > 0)
        buf_printf(buf, ",\"version_0_2\":%.6g", row->reference);
    if (row->target > 0)
        buf_printf(buf, ",\"target\":%.6g,\"reached\":%s", row->target,
                   row_reached(row) ? "true" : "false");
    buf_put_char(buf, '}');
}

void table_put_json(const struct table *table, const struct machine *machine, struct buf *buf)
{
    buf_put_char(buf, '{');
    put_json_text(buf, "date", machine->date);
    buf_put_char(buf, ',');
    put_json_text(buf, "revision", machine->revision);
    buf_put_char(buf, ',');
    put_json_text(buf, "compiler", COMPILER);
    buf_printf(buf, ",\"quick\":%s,\"machine\":{", machine->quick ? "true" : "false");
    put_json_text(buf, "processor", machine->processor);
    buf_printf(buf, ",\"processors\":%ld,\"memory_mib\":%ld,\"load_before\":%.2f,",
               machine->processors, machine->memory_mib, machine->others);
    put_json_text(buf, "kernel", machine->kernel);
    buf_put_char(buf, ',');
    put_json_text(buf, "filesystem", machine->filesystem);
    buf_put_str(buf, S("},\"rows\":[\n"));
    for (size_t i = 0; i < table->count; i++) {
        if (i)
            buf_put_str(buf, S(",\n"));
        put_json_row(buf, &table->rows[i]);
    }
    buf_put_str(buf, S("\n]}\n"));
}

// ---- Markdown

static void put_markdown_row(struct buf *buf, const struct row *row)
{
    char median[FIGURE_BYTES], least[FIGURE_BYTES], most[FIGURE_BYTES], target[FIGURE_BYTES];
    char reference[FIGURE_BYTES];
    buf_printf(buf, "| %s | %s | %s | %s to %s | %s | %s |", row->name, row->what,
               figure(row->median, median), figure(row->least, least), figure(row->most, most),
               row->unit, row->reference > 0 ? figure(row->reference, reference) : "");
    if (row->target > 0)
        buf_printf(buf, " %s %s: %s |\n", row->better == BETTER_HIGHER ? "≥" : "≤",
                   figure(row->target, target), row_reached(row) ? "yes" : "**no**");
    else
        buf_put_str(buf, S(" |\n"));
}

static void put_markdown_missed(struct buf *buf, const struct table *table)
{
    size_t targets = 0, missed = 0;
    for (size_t i = 0; i < table->count; i++) {
        targets += table->rows[i].target > 0;
        missed += table->rows[i].target > 0 && !row_reached(&table->rows[i]);
    }
    buf_printf(buf, "\n%zu of %zu targets were reached.", targets - missed, targets);
    buf_put_str(buf, missed ? S(" Missed:\n\n") : S("\n"));
    for (size_t i = 0; i < table->count; i++) {
        const struct row *row = &table->rows[i];
        char median[FIGURE_BYTES], target[FIGURE_BYTES];
        if (row->target > 0 && !row_reached(row))
            buf_printf(buf, "- %s: %s %s, wanted %s\n", row->name, figure(row->median, median),
                       row->unit, figure(row->target, target));
    }
}

void table_put_markdown(const struct table *table, const struct machine *machine, struct buf *buf)
{
    buf_printf(buf,
               "Measured %.10s at revision `%s`: %ld cores of %s, %ld MiB, %s, %s, "
               "load before %.2f; compiler %s.\n",
               machine->date, machine->revision, machine->processors, machine->processor,
               machine->memory_mib, machine->kernel, machine->filesystem, machine->others,
               COMPILER);
    char group[sizeof table->rows[0].name] = "";
    for (size_t i = 0; i < table->count; i++) {
        const struct row *row = &table->rows[i];
        size_t len = strcspn(row->name, "/");
        if (strncmp(group, row->name, len) != 0 || group[len]) {
            snprintf(group, sizeof group, "%.*s", (int)len, row->name);
            buf_printf(buf,
                       "\n### %s\n\n| row | what is timed | median | least to most | unit | 0.6"
                       " | target reached |\n|---|---|---|---|---|---|---|\n",
                       group);
        }
        put_markdown_row(buf, row);
    }
    put_markdown_missed(buf, table);
}
