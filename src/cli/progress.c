// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.h"

#include "cli/show.h"
#include "cli/verb.h"
#include "os/os.h"

enum { DRAW_EVERY_NS = 100'000'000, BAR_COLUMNS = 24 };

double progress_rate(struct progress_numbers numbers)
{
    return numbers.elapsed_ns ? (double)numbers.count * 1e9 / (double)numbers.elapsed_ns : 0;
}

double progress_share(struct progress_numbers numbers)
{
    if (numbers.total_bytes == 0)
        return -1;
    double share = (double)numbers.bytes / (double)numbers.total_bytes;
    return share > 1 ? 1 : share; // the file grew meanwhile
}

double progress_left(struct progress_numbers numbers)
{
    double share = progress_share(numbers);
    if (share <= 0)
        return -1;
    return (double)numbers.elapsed_ns / 1e9 * (1 - share) / share;
}

static void bar(double share, struct buf *buf)
{
    int full = (int)(share * BAR_COLUMNS + 0.5);
    buf_put_char(buf, '[');
    for (int i = 0; i < BAR_COLUMNS; i++)
        buf_put_char(buf, i < full ? '#' : '.');
    buf_printf(buf, "] %3d%%  ", (int)(share * 100));
}

void progress_line(struct progress_numbers numbers, const char *what, size_t columns,
                   struct buf *buf)
{
    double share = progress_share(numbers), left = progress_left(numbers);
    if (share >= 0 && columns >= 70)
        bar(share, buf);
    else if (share >= 0)
        buf_printf(buf, "%3d%%  ", (int)(share * 100));
    show_count(numbers.count, buf);
    buf_printf(buf, " %s  ", what);
    show_count((uint64_t)progress_rate(numbers), buf);
    buf_put_str(buf, S("/s  "));
    if (left >= 0) {
        buf_put_str(buf, S("ETA "));
        show_duration(left, buf);
    } else {
        show_duration((double)numbers.elapsed_ns / 1e9, buf);
    }
}

void progress_begin(struct progress *progress, struct cli *cli, const char *what, bool wanted,
                    uint64_t total_bytes)
{
    *progress = (struct progress){
        .cli = cli,
        .what = what,
        .shown = wanted && cli->err_terminal,
        .start_ns = cli->os->monotonic_ns(cli->os),
        .total_bytes = total_bytes,
    };
}

void progress_show(struct progress *progress, uint64_t bytes, uint64_t count)
{
    struct cli *cli = progress->cli;
    if (!progress->shown)
        return;
    uint64_t now_ns = cli->os->monotonic_ns(cli->os);
    if (now_ns - progress->drawn_ns < DRAW_EVERY_NS)
        return;
    progress->drawn_ns = now_ns;
    struct progress_numbers numbers = {progress->total_bytes, bytes, count,
                                       now_ns - progress->start_ns};
    struct buf buf;
    buf_init(&buf, 4096);
    progress_line(numbers, progress->what, cli->columns, &buf);
    // To the line's begin, the text, and away with what is left of a longer one.
    fprintf(cli->err, "\r%.*s\x1b[K", STR(buf_str(&buf)));
    fflush(cli->err);
    progress->on_screen = true;
    buf_deinit(&buf);
}

void progress_clear(struct progress *progress)
{
    if (!progress->on_screen)
        return;
    fprintf(progress->cli->err, "\r\x1b[K");
    fflush(progress->cli->err);
    progress->on_screen = false;
}

double progress_seconds(const struct progress *progress)
{
    struct os *os = progress->cli->os;
    return (double)(os->monotonic_ns(os) - progress->start_ns) / 1e9;
}
