// SPDX-License-Identifier: Apache-2.0
// print_tables DIRECTORY: writes the pages of docs/ that are printed from tables.
#include "config/config.h"
#include "metrics/metrics.h"

#include <stdio.h>

static bool write_page(const char *directory, const char *name, void (*print)(struct buf *buf))
{
    char path[4096];
    struct buf buf;
    buf_init(&buf, 1 << 20);
    print(&buf);
    int len = snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = !buf_failed(&buf) && len < (int)sizeof path ? fopen(path, "w") : NULL;
    bool written = file && fwrite(buf.ptr, 1, buf.len, file) == buf.len;
    if (file && fclose(file) != 0)
        written = false;
    if (!written)
        fprintf(stderr, "print_tables: %s cannot be written\n", path);
    buf_deinit(&buf);
    return written;
}

int main(int count, char **words)
{
    if (count != 2) {
        fprintf(stderr, "Usage: print_tables DIRECTORY\n");
        return 2;
    }
    bool written = write_page(words[1], "metrics.md", metrics_reference);
    written &= write_page(words[1], "options.md", config_reference);
    return written ? 0 : 1;
}
