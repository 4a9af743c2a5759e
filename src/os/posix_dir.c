// SPDX-License-Identifier: Apache-2.0
// Directories. Everything below the first one is reached from its parent's descriptor and never
// through a symbolic link, so nobody can lead us out of the data directory while we run.
#include "os/posix.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_retry(int at, const char *path, int flags, mode_t mode)
{
    int fd;
    do
        fd = openat(at, path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static int sync_retry(int fd)
{
    int result;
    do
        result = fsync(fd);
    while (result < 0 && errno == EINTR);
    return result;
}

// The host's path up to its last '/': the directory whose entry the new one is.
static err sync_parent_path(str path, struct als_why *why)
{
    while (path.len > 1 && path.ptr[path.len - 1] == '/')
        path.len--;
    while (path.len > 0 && path.ptr[path.len - 1] != '/')
        path.len--;
    char parent[OS_PATH_MAX + 1] = ".";
    if (path.len > 0) {
        memcpy(parent, path.ptr, path.len);
        parent[path.len] = '\0';
    }
    int fd = open_retry(AT_FDCWD, parent, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return posix_failed(why, "open", parent);
    err code = sync_retry(fd) == 0 ? ALS_OK : posix_failed(why, "sync directory", parent);
    close(fd);
    return code;
}

// An existing directory's parent is synced, too: whoever made it may have died before the sync.
static err make_dir(struct os_dir *parent, str name, const char *path, const char *shown,
                    struct als_why *why)
{
    if (mkdirat(parent ? parent->fd : AT_FDCWD, path, 0700) < 0 && errno != EEXIST)
        return posix_failed(why, "make directory", shown);
    return parent ? posix_dir_sync(parent, why) : sync_parent_path(name, why);
}

static struct os_dir *dir_new(const struct os_dir *parent, str name)
{
    size_t above = parent ? strlen(parent->path) + 1 : 0;
    struct os_dir *dir = malloc(sizeof *dir + above + name.len + 1);
    if (!dir)
        return NULL;
    dir->fd = -1;
    if (parent) {
        memcpy(dir->path, parent->path, above - 1);
        dir->path[above - 1] = '/';
    }
    memcpy(dir->path + above, name.ptr, name.len);
    dir->path[above + name.len] = '\0';
    return dir;
}

err posix_dir_open(struct os *os, struct os_dir *parent, str name, bool create,
                   struct os_dir **ret_dir, struct als_why *why)
{
    (void)os;
    if (name.len == 0 || name.len > OS_PATH_MAX || str_find(name, '\0') < name.len)
        return FAIL(why, ALS_INVALID_INPUT, "'%.*s' is no path of a directory", STR(name));
    char component[OS_NAME_MAX + 1];
    if (parent)
        (void)posix_name(name, component); // asserts that it is one

    struct os_dir *dir = dir_new(parent, name);
    if (!dir)
        return FAIL(why, ALS_NO_MEMORY, "open '%.*s': no memory", STR(name));
    const char *path = parent ? component : dir->path;
    err code = create ? make_dir(parent, name, path, dir->path, why) : ALS_OK;
    if (code == ALS_OK) {
        int flags = O_RDONLY | O_DIRECTORY | (parent ? O_NOFOLLOW : 0);
        dir->fd = open_retry(parent ? parent->fd : AT_FDCWD, path, flags, 0);
        if (dir->fd < 0)
            code = posix_failed(why, "open", dir->path);
    }
    if (code != ALS_OK) {
        posix_dir_close(dir);
        return code;
    }
    *ret_dir = dir;
    return ALS_OK;
}

void posix_dir_close(struct os_dir *dir)
{
    if (!dir)
        return;
    if (dir->fd >= 0)
        close(dir->fd); // nothing is buffered in a descriptor that was only read and synced
    free(dir);
}

static bool is_directory(int fd, const struct dirent *entry)
{
    if (entry->d_type != DT_UNKNOWN)
        return entry->d_type == DT_DIR;
    struct stat info;
    return fstatat(fd, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode);
}

err posix_dir_list(struct os_dir *dir, os_each_entry *each, void *context, struct als_why *why)
{
    int fd = open_retry(dir->fd, ".", O_RDONLY | O_DIRECTORY, 0); // a cursor of its own
    if (fd < 0)
        return posix_failed(why, "open", dir->path);
    DIR *stream = fdopendir(fd);
    if (!stream) {
        err code = posix_failed(why, "list", dir->path);
        close(fd);
        return code;
    }
    bool more = true;
    errno = 0;
    for (const struct dirent *at; more && (at = readdir(stream)); errno = 0) {
        str name = str_of(at->d_name);
        if (str_equal(name, S(".")) || str_equal(name, S("..")))
            continue;
        more = each(context, &(struct os_entry){name, is_directory(fd, at)});
    }
    err code = more && errno ? posix_failed(why, "list", dir->path) : ALS_OK;
    closedir(stream);
    return code;
}

err posix_dir_sync(struct os_dir *dir, struct als_why *why)
{
    return sync_retry(dir->fd) == 0 ? ALS_OK : posix_failed(why, "sync directory", dir->path);
}

err posix_dir_rename(struct os_dir *dir, str source, str target, struct als_why *why)
{
    char from[OS_NAME_MAX + 1], to[OS_NAME_MAX + 1];
    if (renameat(dir->fd, posix_name(source, from), dir->fd, posix_name(target, to)) < 0)
        return posix_failed(why, "rename", from);
    return ALS_OK;
}

err posix_dir_unlink(struct os_dir *dir, str name, struct als_why *why)
{
    char text[OS_NAME_MAX + 1];
    if (unlinkat(dir->fd, posix_name(name, text), 0) < 0)
        return posix_failed(why, "remove", text);
    return ALS_OK;
}

err posix_dir_link(struct os_dir *source, str name, struct os_dir *target, struct als_why *why)
{
    char text[OS_NAME_MAX + 1];
    (void)posix_name(name, text);
    if (linkat(source->fd, text, target->fd, text, 0) == 0)
        return ALS_OK;
    bool impossible = errno == EXDEV || errno == EMLINK || errno == EPERM || errno == EOPNOTSUPP;
    err code = posix_failed(why, "link", text);
    return impossible ? ALS_UNSUPPORTED : code;
}

err posix_dir_lock(struct os_dir *dir, str name, struct os_file **ret_file, struct als_why *why)
{
    char text[OS_NAME_MAX + 1];
    int fd = open_retry(dir->fd, posix_name(name, text), O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (fd < 0)
        return posix_failed(why, "open", text);
    int locked;
    do
        locked = flock(fd, LOCK_EX | LOCK_NB);
    while (locked < 0 && errno == EINTR);
    if (locked < 0) {
        err code = posix_failed(why, "lock", text);
        close(fd);
        if (code == ALS_LOCKED)
            err_explain(why, "'%s/%s' is held by another process", dir->path, text);
        return code;
    }
    return posix_file_new(fd, dir, name, ret_file, why);
}
