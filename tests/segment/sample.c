// SPDX-License-Identifier: Apache-2.0
// sample DIRECTORY NAME: reads a file that another program wrote and prints its rows.
// sample DIRECTORY NAME ROWS SHAPE: writes a segment of made-up events, and NAME.rows with what
// independent readers must find in it: a line a row, its values separated by tabs.
//
//   SHAPE 0  few entities, most rows with metadata
//   SHAPE 1  every row an entity of its own, no metadata, positions with gaps
//   SHAPE 2  texts of very different lengths, extreme numbers
#include "base/rand.h"
#include "base/uuid.h"
#include "os/os.h"
#include "segment/segment.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { TEXT_MAX = 200000 };

struct space {
    char entity[64], type[64], payload[TEXT_MAX], metadata[256];
};

static void must(err code, const struct als_why *why)
{
    if (code == ALS_OK)
        return;
    fprintf(stderr, "sample: %s\n", why->text);
    exit(1);
}

ALS_PRINTF(3, 4) static str print(char *space, size_t size, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int len = vsnprintf(space, size, format, list);
    va_end(list);
    return (str){space, (size_t)len};
}

static void make_event(struct rand *rand, unsigned shape, uint64_t row, struct space *space,
                       struct als_event *event)
{
    unsigned number = (unsigned)row;
    unsigned entity = shape == 1 ? number : (unsigned)rand_below(rand, 300);
    event->position = shape == 1 ? event->position + 1 + rand_below(rand, 3) : row + 1;
    event->version = row / 300 + 1;
    event->timestamp_us = 1700000000000000 + (int64_t)(row * 1000003 + rand_below(rand, 500000));
    event->recorded_us = 1700000100000000 + (int64_t)(row / 100 * 250000);
    event->schema_version = (uint32_t)rand_below(rand, 3);
    for (size_t i = 0; i < 16; i++)
        event->id.bytes[i] = (uint8_t)rand_next(rand);
    event->entity = print(space->entity, 64, "user-%u-\xc3\xbc", entity);
    event->type = print(space->type, 64, "order.kind_%u", (unsigned)rand_below(rand, 5));
    event->payload = print(space->payload, TEXT_MAX, "{\"amount\":%u,\"text\":\"\xe2\x82\xac %u\"}",
                           (unsigned)rand_below(rand, 100000), number);
    event->metadata = (str){};
    if (shape != 1 && rand_below(rand, 4))
        event->metadata = print(space->metadata, 256, "{\"source\":\"web\",\"n\":%u}", number);
    if (shape != 2)
        return;
    event->version = rand_below(rand, 9) == 0 ? UINT64_MAX - row : row;
    event->schema_version = rand_below(rand, 9) == 0 ? UINT32_MAX : 1;
    event->timestamp_us = (int64_t)(rand_below(rand, 4000000000000000)) - 2000000000000000;
    size_t len = rand_below(rand, 50) == 0 ? rand_below(rand, TEXT_MAX - 4) : rand_below(rand, 80);
    space->payload[0] = '"';
    for (size_t i = 1; i <= len; i++)
        space->payload[i] = (char)('a' + rand_below(rand, 26));
    space->payload[len + 1] = '"';
    event->payload = (str){space->payload, len + 2};
}

static void print_row(FILE *out, const struct als_event *event)
{
    char id[UUID_TEXT_LEN];
    uuid_format(event->id, id);
    fprintf(out, "%" PRIu64 "\t%.*s\t%" PRIu64 "\t%.*s\t%.*s\t%" PRId64 "\t%" PRId64 "\t%.*s\t",
            event->position, STR(event->entity), event->version, STR(event->type), UUID_TEXT_LEN,
            id, event->timestamp_us, event->recorded_us, STR(event->payload));
    if (event->metadata.len)
        fprintf(out, "%.*s", STR(event->metadata));
    else
        fprintf(out, "null");
    fprintf(out, "\t%u\n", event->schema_version);
}

static err print_each(void *context, const struct als_event *event, struct als_why *why)
{
    (void)why;
    print_row(context, event);
    return ALS_OK;
}

int main(int count, char **arguments)
{
    if (count != 3 && count != 5)
        return 2;
    struct os *os = os_posix();
    struct os_dir *dir = NULL;
    struct als_why why = {""};
    must(os->dir_open(os, NULL, str_of(arguments[1]), true, &dir, &why), &why);
    if (count == 3) {
        must(segment_import(os, dir, str_of(arguments[2]), print_each, stdout, &why), &why);
        os->dir_close(dir);
        return 0;
    }
    uint64_t rows = strtoull(arguments[3], NULL, 10);
    unsigned shape = (unsigned)strtoul(arguments[4], NULL, 10);
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s.rows", arguments[1], arguments[2]);
    FILE *out = fopen(path, "w");
    AUTO(segment_writer) writer = NULL;
    struct segment_write_options options = {.tenant = S("default"), .generation = 1};
    must(segment_writer_open(os, dir, str_of(arguments[2]), options, &writer, &why), &why);
    struct rand rand = {shape + 1};
    struct space *space = malloc(sizeof *space);
    if (!out || !space)
        return 1;
    struct als_event event = {};
    for (uint64_t row = 0; row < rows; row++) {
        make_event(&rand, shape, row, space, &event);
        must(segment_writer_add(writer, &event, &why), &why);
        print_row(out, &event);
    }
    struct segment_facts facts;
    must(segment_writer_finish(writer, &facts, &why), &why);
    printf("%" PRIu64 " rows, %" PRIu64 " bytes\n", facts.rows, facts.bytes);
    free(space);
    os->dir_close(dir);
    return fclose(out) == 0 ? 0 : 1;
}
