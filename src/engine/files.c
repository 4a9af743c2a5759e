// SPDX-License-Identifier: Apache-2.0
// A tenant's events as files: what the SQL worker reads.
//
// The view is pinned as a query's is, so nothing that it leads to is removed while it is open.
#include "engine/engine.h"

#include "base/buf.h"

#include <limits.h>
#include <stdlib.h>

struct als_files {
    struct view view;
    struct als_files_view facts;
    char directory[PATH_MAX];
};

void als_files_close(struct als_files *files)
{
    if (!files)
        return;
    view_unpin(files->view);
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
    if (store)
        TRY(find_directory(als, store_tenant(store), files, why));
    *ret_files = MOVE(files);
    return ALS_OK;
}

struct als_files_view als_files_view(const struct als_files *files)
{
    return files->facts;
}
