// SPDX-License-Identifier: Apache-2.0
// Lines of text, so that a person with `cat` and any tool that knows CRC-32C can check a backup:
//
//   allsource-backup 1 CREATED_US
//   tenant DIRECTORY POSITION EVENTS      then its files:
//   file SUB NAME BYTES CRC
//   whole CRC                             of all bytes before this line
#include "engine/catalog.h"

#include "base/hash.h"
#include "base/limits.h"
#include "base/mutant.h"
#include "os/os.h"

#include <stdlib.h>

enum { CHUNK_BYTES = 64 << 10, NAME_BYTES_MAX = 255, CRC_DIGITS = 8 };

static const str name_final = {"CATALOG", 7}, name_new = {"CATALOG.new", 11};
static const str subs[] = {{"manifest", 8}, {"segments", 8}, {"settings", 8}, {"wal", 3}};

// ---- Checksums

static err file_crc(struct os *os, struct os_file *file, const struct catalog_pace *pace,
                    uint64_t *ret_bytes, uint32_t *ret_crc, struct als_why *why)
{
    uint8_t *chunk = malloc(CHUNK_BYTES);
    if (!chunk)
        return FAIL(why, ALS_NO_MEMORY, "a file cannot be read");
    uint64_t at = 0;
    uint32_t crc = 0;
    err code = ALS_OK;
    for (size_t got = 1; got && code == ALS_OK; at += got) {
        got = 0;
        code = os->file_read(file, at, chunk, CHUNK_BYTES, &got, why);
        crc = crc32c(crc, chunk, got);
        if (code == ALS_OK && pace->paced && !pace->paced(pace->context, got))
            code = FAIL(why, ALS_NOT_READY, "the copying was ended");
    }
    free(chunk);
    *ret_bytes = at;
    *ret_crc = crc;
    return code;
}

static err name_crc(struct os *os, struct os_dir *dir, const struct catalog_pace *pace,
                    struct catalog_file *file, struct als_why *why)
{
    struct os_file *opened;
    TRY(os->file_open(dir, file->name, OS_READ, &opened, why));
    err code = file_crc(os, opened, pace, &file->bytes, &file->crc, why);
    os->file_close(opened);
    return code;
}

// ---- Writing

void catalog_begin(struct catalog_writer *writer, struct os *os, struct catalog_pace pace)
{
    *writer = (struct catalog_writer){.os = os, .pace = pace, .created_us = os->now_us(os)};
    buf_init(&writer->text, CATALOG_BYTES_MAX);
    buf_printf(&writer->text, "allsource-backup 1 %lld\n", (long long)writer->created_us);
}

void catalog_end(struct catalog_writer *writer)
{
    buf_deinit(&writer->text);
}

struct listing {
    struct catalog_writer *writer;
    struct os_dir *dir;
    str sub;
    err code;
    struct als_why *why;
};

static bool add_file(void *context, const struct os_entry *entry)
{
    struct listing *listing = context;
    struct catalog_writer *writer = listing->writer;
    struct catalog_file file = {.sub = listing->sub, .name = entry->name};
    listing->code = name_crc(writer->os, listing->dir, &writer->pace, &file, listing->why);
    if (listing->code != ALS_OK)
        return false;
    buf_printf(&writer->text, "file %.*s %.*s %llu %08x\n", STR(file.sub), STR(file.name),
               (unsigned long long)file.bytes, file.crc);
    writer->files++;
    writer->bytes += file.bytes;
    return true;
}

static err add_sub(struct catalog_writer *writer, struct os_dir *tenant, str sub,
                   struct als_why *why)
{
    struct os *os = writer->os;
    struct listing listing = {.writer = writer, .sub = sub, .code = ALS_OK, .why = why};
    err code = os->dir_open(os, tenant, sub, false, &listing.dir, why);
    if (code == ALS_NOT_FOUND)
        return ALS_OK;
    TRY(code);
    code = os->dir_list(listing.dir, add_file, &listing, why);
    os->dir_close(listing.dir);
    return code == ALS_OK ? listing.code : code;
}

err catalog_add(struct catalog_writer *writer, struct os_dir *tenants,
                const struct catalog_tenant *tenant, struct als_why *why)
{
    struct os *os = writer->os;
    struct os_dir *dir;
    buf_printf(&writer->text, "tenant %.*s %llu %llu\n", STR(tenant->directory),
               (unsigned long long)tenant->position, (unsigned long long)tenant->events);
    TRY(os->dir_open(os, tenants, tenant->directory, false, &dir, why));
    err code = ALS_OK;
    for (size_t i = 0; i < COUNT_OF(subs) && code == ALS_OK; i++)
        code = add_sub(writer, dir, subs[i], why);
    os->dir_close(dir);
    return code;
}

static err write_text(struct catalog_writer *writer, struct os_dir *backup, struct als_why *why)
{
    struct os *os = writer->os;
    struct os_file *file;
    TRY(os->file_open(backup, name_new, OS_CREATE, &file, why));
    err code = os_write_one(os, file, 0, buf_str(&writer->text), why);
    if (code == ALS_OK && !MUTANT(CATALOG_NOT_SYNCED))
        code = os->file_sync(file, why);
    os->file_close(file);
    return code;
}

err catalog_write(struct catalog_writer *writer, struct os_dir *backup, struct als_why *why)
{
    struct buf *text = &writer->text;
    buf_printf(text, "whole %08x\n", crc32c(0, text->ptr, text->len));
    if (buf_failed(text))
        return FAIL(why, ALS_TOO_LARGE, "the list of the backup's files is longer than %llu bytes",
                    (unsigned long long)CATALOG_BYTES_MAX);
    TRY(write_text(writer, backup, why));
    TRY(writer->os->dir_rename(backup, name_new, name_final, why));
    return MUTANT(CATALOG_NAME_NOT_SYNCED) ? ALS_OK : writer->os->dir_sync(backup, why);
}

// ---- Reading

static err bad(size_t line, const char *what, struct als_why *why)
{
    return FAIL(why, ALS_CORRUPT, "the backup's CATALOG is damaged in line %zu: %s", line, what);
}

static bool take_number(str *rest, uint64_t *ret_number)
{
    return str_to_u64(str_cut(rest, ' '), ret_number);
}

static bool take_crc(str *rest, uint32_t *ret_crc)
{
    str word = str_cut(rest, ' ');
    uint32_t crc = 0;
    for (size_t i = 0; i < word.len; i++) {
        char c = word.ptr[i];
        bool decimal = c >= '0' && c <= '9';
        if (!decimal && !(c >= 'a' && c <= 'f'))
            return false;
        crc = crc << 4 | (uint32_t)(decimal ? c - '0' : c - 'a' + 10);
    }
    *ret_crc = crc;
    return word.len == CRC_DIGITS && rest->len == 0;
}

// A name that leads nowhere else.
static bool take_name(str *rest, str *ret_name)
{
    str name = str_cut(rest, ' ');
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!plain && c != '-' && c != '_' && c != '=' && (c != '.' || i == 0))
            return false;
    }
    *ret_name = name;
    return name.len > 0 && name.len <= NAME_BYTES_MAX;
}

static bool take_sub(str *rest, str *ret_sub)
{
    *ret_sub = str_cut(rest, ' ');
    for (size_t i = 0; i < COUNT_OF(subs); i++)
        if (str_equal(*ret_sub, subs[i]))
            return true;
    return false;
}

static err make_room(void **items, size_t count, size_t *room, size_t size, struct als_why *why)
{
    if (count < *room)
        return ALS_OK;
    size_t more = *room * 2 + 16;
    void *grown = realloc(*items, more * size);
    if (!grown)
        return FAIL(why, ALS_NO_MEMORY, "a list of %zu files", more);
    *items = grown;
    *room = more;
    return ALS_OK;
}

static err parse_tenant(struct catalog *catalog, str rest, size_t line, struct als_why *why)
{
    struct catalog_tenant tenant = {.first_file = catalog->file_count};
    if (!take_name(&rest, &tenant.directory) || !take_number(&rest, &tenant.position) ||
        !take_number(&rest, &tenant.events) || rest.len || tenant.events > tenant.position)
        return bad(line, "no tenant is like that", why);
    void *items = catalog->tenants;
    err code = make_room(&items, catalog->tenant_count, &catalog->tenant_room, sizeof tenant, why);
    catalog->tenants = items;
    TRY(code);
    catalog->tenants[catalog->tenant_count++] = tenant;
    return ALS_OK;
}

static err parse_file(struct catalog *catalog, str rest, size_t line, struct als_why *why)
{
    struct catalog_file file;
    if (!take_sub(&rest, &file.sub) || !take_name(&rest, &file.name) ||
        !take_number(&rest, &file.bytes) || !take_crc(&rest, &file.crc))
        return bad(line, "no file is like that", why);
    if (catalog->tenant_count == 0)
        return bad(line, "a file of no tenant", why);
    void *items = catalog->files;
    err code = make_room(&items, catalog->file_count, &catalog->file_room, sizeof file, why);
    catalog->files = items;
    TRY(code);
    catalog->files[catalog->file_count++] = file;
    catalog->tenants[catalog->tenant_count - 1].file_count++;
    catalog->bytes += file.bytes;
    return ALS_OK;
}

static err parse_head(struct catalog *catalog, str line, struct als_why *why)
{
    uint64_t format, created_us;
    if (!str_equal(str_cut(&line, ' '), S("allsource-backup")) || !take_number(&line, &format))
        return bad(1, "it is no catalog", why);
    if (format != 1)
        return FAIL(why, ALS_FORMAT_TOO_NEW,
                    "the backup was made by a newer version, which must restore it");
    if (!take_number(&line, &created_us) || line.len)
        return bad(1, "it is no catalog", why);
    catalog->created_us = (int64_t)created_us;
    return ALS_OK;
}

// The last line is there and right: then all others are as they were written.
static err check_whole(str text, str *ret_lines, struct als_why *why)
{
    enum { LAST_BYTES = 6 + CRC_DIGITS + 1 }; // "whole ", digits, the end of the line
    if (text.len < LAST_BYTES)
        return bad(1, "its end is missing", why);
    *ret_lines = str_first(text, text.len - LAST_BYTES);
    str last = str_from(text, text.len - LAST_BYTES);
    uint32_t crc;
    bool whole = str_equal(str_cut(&last, ' '), S("whole")) && str_ends(last, S("\n"));
    last.len -= whole;
    if (!whole || !take_crc(&last, &crc) || crc != crc32c(0, text.ptr, ret_lines->len))
        return FAIL(why, ALS_CORRUPT, "the backup's CATALOG is not what was written");
    return ALS_OK;
}

static err parse(struct catalog *catalog, struct als_why *why)
{
    str rest;
    str text = buf_str(&catalog->text);
    if (str_starts(text, S("allsource-backup ")) && !str_starts(text, S("allsource-backup 1 ")))
        return parse_head(catalog, str_first(text, str_find(text, '\n')), why);
    TRY(check_whole(text, &rest, why));
    TRY(parse_head(catalog, str_cut(&rest, '\n'), why));
    for (size_t number = 2; rest.len > 0; number++) {
        str line = str_cut(&rest, '\n');
        str kind = str_cut(&line, ' ');
        if (str_equal(kind, S("tenant")))
            TRY(parse_tenant(catalog, line, number, why));
        else if (str_equal(kind, S("file")))
            TRY(parse_file(catalog, line, number, why));
        else
            return bad(number, "no line is like that", why);
    }
    return ALS_OK;
}

static struct catalog *catalog_new(void)
{
    struct catalog *catalog = calloc(1, sizeof *catalog);
    if (catalog)
        buf_init(&catalog->text, CATALOG_BYTES_MAX);
    return catalog;
}

void catalog_free(struct catalog *catalog)
{
    if (!catalog)
        return;
    buf_deinit(&catalog->text);
    free(catalog->tenants);
    free(catalog->files);
    free(catalog);
}

err catalog_parse(str text, struct catalog **ret_catalog, struct als_why *why)
{
    AUTO(catalog) catalog = catalog_new();
    if (!catalog)
        return FAIL(why, ALS_NO_MEMORY, "a catalog cannot be read");
    buf_put_str(&catalog->text, text);
    if (buf_failed(&catalog->text))
        return FAIL(why, ALS_TOO_LARGE, "the backup's CATALOG has more than %llu bytes",
                    (unsigned long long)CATALOG_BYTES_MAX);
    TRY(parse(catalog, why));
    *ret_catalog = MOVE(catalog);
    return ALS_OK;
}

static err read_text(struct os *os, struct os_file *file, struct buf *text, struct als_why *why)
{
    uint64_t size;
    size_t got = 0;
    TRY(os->file_size(file, &size, why));
    char *room = size <= CATALOG_BYTES_MAX ? buf_room(text, size + 1) : NULL;
    if (!room)
        return FAIL(why, ALS_TOO_LARGE, "the backup's CATALOG has more than %llu bytes",
                    (unsigned long long)CATALOG_BYTES_MAX - 1);
    TRY(os->file_read(file, 0, room, size, &got, why));
    buf_grew(text, got);
    return ALS_OK;
}

err catalog_read(struct os *os, struct os_dir *backup, struct catalog **ret_catalog,
                 struct als_why *why)
{
    struct os_file *file;
    err code = os->file_open(backup, name_final, OS_READ, &file, why);
    if (code == ALS_NOT_FOUND)
        return FAIL(why, code, "there is no file CATALOG: it is no backup, or was never finished");
    TRY(code);
    AUTO(catalog) catalog = catalog_new();
    if (catalog)
        code = read_text(os, file, &catalog->text, why);
    else
        code = FAIL(why, ALS_NO_MEMORY, "a catalog cannot be read");
    os->file_close(file);
    TRY(code);
    TRY(parse(catalog, why));
    *ret_catalog = MOVE(catalog);
    return ALS_OK;
}

// ---- Checking

struct checked {
    struct os *os;
    const struct catalog_tenant *tenant;
    const struct catalog_file *files; // the tenant's
    struct os_dir *dir;               // the tenant's
    const struct catalog_pace *pace;
};

static err wrong(const struct checked *checked, const struct catalog_file *file, const char *what,
                 struct als_why *why)
{
    return FAIL(why, ALS_CORRUPT, "tenants/%.*s/%.*s/%.*s %s", STR(checked->tenant->directory),
                STR(file->sub), STR(file->name), what);
}

static err check_file(const struct checked *checked, const struct catalog_file *wanted,
                      struct als_why *why)
{
    struct os *os = checked->os;
    struct os_dir *dir;
    struct catalog_file found = {.name = wanted->name};
    TRY(os->dir_open(os, checked->dir, wanted->sub, false, &dir, why));
    err code = name_crc(os, dir, checked->pace, &found, why);
    os->dir_close(dir);
    TRY(code);
    if (found.bytes == wanted->bytes && found.crc == wanted->crc)
        return ALS_OK;
    return wrong(checked, wanted,
                 found.bytes < wanted->bytes   ? "is shorter than what was written"
                 : found.bytes > wanted->bytes ? "is longer than what was written"
                                               : "is not what was written",
                 why);
}

struct strangers {
    const struct checked *checked;
    str sub;
    size_t count; // of entries
    err code;
    struct als_why *why;
};

static bool count_entry(void *context, const struct os_entry *entry)
{
    struct strangers *strangers = context;
    (void)entry;
    strangers->count++;
    return true;
}

static bool know(void *context, const struct os_entry *entry)
{
    struct strangers *strangers = context;
    const struct checked *checked = strangers->checked;
    for (size_t i = 0; i < checked->tenant->file_count; i++)
        if (str_equal(checked->files[i].sub, strangers->sub) &&
            str_equal(checked->files[i].name, entry->name))
            return true;
    struct catalog_file file = {.sub = strangers->sub, .name = entry->name};
    strangers->code = wrong(checked, &file, "is no file of the backup", strangers->why);
    return false;
}

static size_t files_in(const struct checked *checked, str sub)
{
    size_t count = 0;
    for (size_t i = 0; i < checked->tenant->file_count; i++)
        count += str_equal(checked->files[i].sub, sub);
    return count;
}

// A file that is not of the backup may be a log that somebody has gone on with. All that are of it
// have been found, so numbers tell, and only then is it searched for.
static err check_strangers(const struct checked *checked, str sub, struct als_why *why)
{
    struct os *os = checked->os;
    struct os_dir *dir;
    struct strangers strangers = {.checked = checked, .sub = sub, .code = ALS_OK, .why = why};
    err code = os->dir_open(os, checked->dir, sub, false, &dir, why);
    if (code == ALS_NOT_FOUND)
        return ALS_OK;
    TRY(code);
    code = os->dir_list(dir, count_entry, &strangers, why);
    if (code == ALS_OK && strangers.count != files_in(checked, sub))
        code = os->dir_list(dir, know, &strangers, why);
    os->dir_close(dir);
    return code == ALS_OK ? strangers.code : code;
}

static err check_files(const struct checked *checked, struct als_why *why)
{
    for (size_t i = 0; i < checked->tenant->file_count; i++) {
        err code = check_file(checked, &checked->files[i], why);
        if (code == ALS_NOT_FOUND)
            return wrong(checked, &checked->files[i], "is missing", why);
        TRY(code);
    }
    for (size_t i = 0; i < COUNT_OF(subs); i++)
        TRY(check_strangers(checked, subs[i], why));
    return ALS_OK;
}

err catalog_check(const struct catalog *catalog, const struct catalog_tenant *tenant, struct os *os,
                  struct os_dir *tenants, const struct catalog_pace *pace, struct als_why *why)
{
    struct checked checked = {
        .os = os, .tenant = tenant, .files = catalog->files + tenant->first_file, .pace = pace};
    err code = os->dir_open(os, tenants, tenant->directory, false, &checked.dir, why);
    if (code == ALS_NOT_FOUND)
        return FAIL(why, ALS_CORRUPT, "tenants/%.*s is missing", STR(tenant->directory));
    TRY(code);
    code = check_files(&checked, why);
    os->dir_close(checked.dir);
    return code;
}
