// SPDX-License-Identifier: Apache-2.0
// A tenant's events as files: what the SQL worker reads.
//
// The view is pinned as a query's is, so nothing that it leads to is removed while it is open.
#include "engine/engine.h"

#include "base/arena.h"
#include "base/buf.h"
#include "segment/segment.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define PATHS_BYTES_MAX MIB(64)

struct als_files {
    struct view view;
    struct als_files_view facts;
    char directory[PATH_MAX];
    struct als_file *files;
    struct store_segment *segments;
    struct arena paths;
};

void als_files_close(struct als_files *files)
{
    if (!files)
        return;
    view_unpin(files->view);
    arena_deinit(&files->paths);
    free(files->files);
    free(files->segments);
    free(files);
}
AUTO_WITH(als_files, als_files_close)

static err find_directory(struct als *als, str tenant, struct als_files *files, struct als_why *why)
{
    char space[TENANT_DIRECTORY_MAX];
    if (!als->directory)
        return FAIL(why, ALS_STORAGE, "where the data directory is could not be told");
    struct buf buf;
    buf_init(&buf, sizeof files->directory);
    buf_printf(&buf, "%s/tenants/%.*s", als->directory, STR(tenant_directory(tenant, space)));
    buf_put_char(&buf, '\0');
    err code = ALS_OK;
    if (buf_failed(&buf))
        code = FAIL(why, ALS_TOO_LARGE, "the name of the data directory is too long");
    else
        memcpy(files->directory, buf.ptr, buf.len);
    files->facts.directory = (str){files->directory, buf.len ? buf.len - 1 : 0};
    buf_deinit(&buf);
    return code;
}

static err keep_file(struct als_files *files, const struct store_segment *segment,
                     struct als_file *ret_file, struct als_why *why)
{
    const struct segment_facts *facts = segment->facts;
    char name[SEGMENT_NAME_MAX], path[PATH_MAX + SEGMENT_NAME_MAX + 16];
    int len = snprintf(path, sizeof path, "%s/segments/%.*s", files->directory,
                       STR(store_segment_name(segment, name)));
    *ret_file = (struct als_file){.path = arena_copy(&files->paths, (str){path, (size_t)len}),
                                  .first = facts->first,
                                  .last = facts->last,
                                  .rows = facts->rows,
                                  .least_us = facts->least_us,
                                  .greatest_us = facts->greatest_us,
                                  .bytes = facts->bytes};
    return ret_file->path.ptr ? ALS_OK : FAIL(why, ALS_NO_MEMORY, "a list of files");
}

static err list_files(struct als_files *files, struct als_why *why)
{
    size_t count = view_segments(files->view, NULL, 0);
    files->segments = calloc(count + 1, sizeof files->segments[0]);
    files->files = calloc(count + 1, sizeof files->files[0]);
    if (!files->segments || !files->files)
        return FAIL(why, ALS_NO_MEMORY, "a list of %zu files", count);
    (void)view_segments(files->view, files->segments, count);
    for (size_t i = 0; i < count; i++)
        TRY(keep_file(files, &files->segments[i], &files->files[i], why));
    files->facts.files = files->files;
    files->facts.count = count;
    files->facts.sealed = view_sealed(files->view);
    return ALS_OK;
}

enum als_err als_files_open(struct als *als, als_str tenant, struct als_files **ret_files,
                            struct als_why *why)
{
    CHECK_ALS(als, why);
    if (!ret_files)
        return FAIL(why, ALS_INVALID_INPUT, "ret_files is NULL");
    struct store *store;
    TRY(tenant_store(als, tenant, &store, why));
    AUTO(als_files) files = calloc(1, sizeof *files);
    if (!files)
        return FAIL(why, ALS_NO_MEMORY, "the files cannot be opened");
    files->view = view_pin(store);
    files->facts.position = files->view.position;
    arena_init(&files->paths, KIB(4), PATHS_BYTES_MAX);
    if (store) {
        TRY(find_directory(als, store_tenant(store), files, why));
        TRY(list_files(files, why));
    }
    *ret_files = MOVE(files);
    return ALS_OK;
}

struct als_files_view als_files_view(const struct als_files *files)
{
    return files->facts;
}
