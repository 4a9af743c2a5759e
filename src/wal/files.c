// SPDX-License-Identifier: Apache-2.0
#include "wal/files.h"

#include "os/os.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { NUMBER_DIGITS = 16 };

str wal_name(uint64_t number, char space[static WAL_NAME_MAX])
{
    int len = snprintf(space, WAL_NAME_MAX, "%016llx.wal", (unsigned long long)number);
    return (str){space, (size_t)len};
}

str wal_name_new(uint64_t number, uint64_t epoch, char space[static WAL_NAME_MAX])
{
    int len = snprintf(space, WAL_NAME_MAX, "%016llx-%016llx.new", (unsigned long long)number,
                       (unsigned long long)epoch);
    return (str){space, (size_t)len};
}

// Lower case only: exactly what we print.
static bool parse_number(str digits, uint64_t *ret_number)
{
    uint64_t number = 0;
    for (size_t i = 0; i < digits.len; i++) {
        char c = digits.ptr[i];
        bool decimal = c >= '0' && c <= '9';
        if (!decimal && !(c >= 'a' && c <= 'f'))
            return false;
        number = number << 4 | (uint64_t)(decimal ? c - '0' : c - 'a' + 10);
    }
    *ret_number = number;
    return digits.len == NUMBER_DIGITS;
}

bool wal_name_parse(str name, uint64_t *ret_number, uint64_t *ret_epoch)
{
    uint64_t number, epoch = 0;
    if (!parse_number(str_first(name, NUMBER_DIGITS), &number) || number == 0)
        return false;
    str rest = str_from(name, NUMBER_DIGITS);
    if (!str_equal(rest, S(".wal"))) {
        bool made = str_starts(rest, S("-")) &&
                    parse_number(str_first(str_from(rest, 1), NUMBER_DIGITS), &epoch) &&
                    str_equal(str_from(rest, 1 + NUMBER_DIGITS), S(".new"));
        if (!made || epoch == 0)
            return false;
    }
    *ret_number = number;
    *ret_epoch = epoch;
    return true;
}

err wal_files_reserve(struct wal_files *files, struct als_why *why)
{
    if (files->count < files->capacity)
        return ALS_OK;
    size_t capacity = files->capacity ? files->capacity * 2 : 8;
    struct wal_file *items = realloc(files->items, capacity * sizeof *items);
    if (!items)
        return FAIL(why, ALS_NO_MEMORY, "no memory for the list of log files");
    files->items = items;
    files->capacity = capacity;
    return ALS_OK;
}

void wal_files_remove(struct wal_files *files, struct os *os, size_t index)
{
    assert(index < files->count);
    os->file_unmap(os, files->items[index].bytes, files->items[index].size);
    files->count--;
    memmove(files->items + index, files->items + index + 1,
            (files->count - index) * sizeof *files->items);
}

void wal_files_deinit(struct wal_files *files, struct os *os)
{
    for (size_t i = 0; i < files->count; i++)
        os->file_unmap(os, files->items[i].bytes, files->items[i].size);
    free(files->items);
    *files = (struct wal_files){};
}
