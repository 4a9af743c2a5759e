// SPDX-License-Identifier: Apache-2.0
// For each two lines of its input, an old and a new schema, a line: whether the new one is backward
// compatible, and why not.
#include "compat/compat.h"

#include <stdio.h>
#include <stdlib.h>

static str read_line(char **line, size_t *room)
{
    ssize_t len = getline(line, room, stdin);
    return len < 0 ? (str){} : str_trim((str){*line, (size_t)len});
}

int main(void)
{
    char *lines[2] = {NULL, NULL};
    size_t rooms[2] = {0, 0};
    struct arena arena;
    arena_init(&arena, 1 << 20, 1 << 26);
    for (;;) {
        str old_schema = read_line(&lines[0], &rooms[0]);
        str new_schema = read_line(&lines[1], &rooms[1]);
        if (!old_schema.ptr || !new_schema.ptr)
            break;
        struct compat_answer answer;
        struct als_why why;
        err code =
            compat_check(old_schema, new_schema, (struct compat_options){}, &arena, &answer, &why);
        if (code != ALS_OK)
            printf("error: %s\n", why.text);
        else if (answer.compatible)
            printf("yes\n");
        else
            printf("no: %.*s\n", STR(answer.reasons[0].message));
        (void)fflush(stdout); // a failure shows as a missing line
        arena_reset(&arena);
    }
    arena_deinit(&arena);
    free(lines[0]);
    free(lines[1]);
    return 0;
}
