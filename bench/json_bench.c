// SPDX-License-Identifier: Apache-2.0
// How fast src/json is, one core, the best of many runs: MB/s of text and what one call costs.
//
//   json_bench [milliseconds a row]
#include "base/rand.h"
#include "json/pass.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { EVENTS = 1000 };

struct subject {
    str text;
    struct arena *arena;
    char *room; // as large as the text
    pass_run *run;
    uint32_t span_depth;
};

// Each returns something that depends on all its work.
typedef size_t task(const struct subject *subject);

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void put_event(struct buf *buf, struct rand *rand)
{
    static const char *const types[] = {"order.placed", "payment.captured", "user.address_changed"};
    static const char *const cities[] = {"Lisbon", "Z\xc3\xbcrich", "Osaka", "Montevideo"};
    unsigned user = (unsigned)rand_below(rand, 100000);
    buf_printf(
        buf,
        "{\"event_type\":\"%s\",\"entity_id\":\"user-%u\",\"timestamp\":"
        "\"2026-03-%02uT%02u:14:15.926535Z\",\"payload\":{\"order\":\"A-%llx\",\"amount\":%u.%02u,"
        "\"currency\":\"EUR\",\"items\":[{\"sku\":\"SKU-%u\",\"quantity\":%u,\"price\":%u},"
        "{\"sku\":\"SKU-%u\",\"quantity\":1,\"price\":7.5}],\"city\":\"%s\",\"express\":%s},"
        "\"metadata\":{\"source\":\"web\",\"correlation_id\":\"%016llx%016llx\"}}",
        types[rand_below(rand, COUNT_OF(types))], user, (unsigned)rand_below(rand, 28) + 1,
        (unsigned)rand_below(rand, 24), (unsigned long long)rand_next(rand),
        (unsigned)rand_below(rand, 2000), (unsigned)rand_below(rand, 100),
        (unsigned)rand_below(rand, 100000), (unsigned)rand_below(rand, 9) + 1,
        (unsigned)rand_below(rand, 500), (unsigned)rand_below(rand, 100000),
        cities[rand_below(rand, COUNT_OF(cities))], rand_below(rand, 2) ? "true" : "false",
        (unsigned long long)rand_next(rand), (unsigned long long)rand_next(rand));
}

static void put_batch(struct buf *buf)
{
    struct rand rand = {7};
    for (int i = 0; i < EVENTS; i++) {
        buf_put_char(buf, i ? ',' : '[');
        put_event(buf, &rand);
    }
    buf_put_char(buf, ']');
}

// The same batch as a person would lay it out.
static void put_pretty(struct buf *buf, str compact)
{
    int depth = 0;
    bool inside = false;
    for (size_t i = 0; i < compact.len; i++) {
        char c = compact.ptr[i];
        inside ^= c == '"';
        depth -= !inside && (c == '}' || c == ']');
        if (!inside && (c == '}' || c == ']'))
            buf_printf(buf, "\n%*s", depth * 2, "");
        buf_put_char(buf, c);
        depth += !inside && (c == '{' || c == '[');
        if (!inside && (c == '{' || c == '[' || c == ','))
            buf_printf(buf, "\n%*s", depth * 2, "");
        if (!inside && c == ':')
            buf_put_char(buf, ' ');
    }
}

static size_t parse(const struct subject *subject)
{
    struct json_doc doc = {};
    struct json_options options = {.span_depth = subject->span_depth};
    arena_reset(subject->arena);
    err code =
        json_parse_by(subject->run, subject->text, options, subject->arena, &doc, NULL, NULL);
    if (code != ALS_OK)
        abort();
    return doc.count;
}

static size_t check(const struct subject *subject)
{
    if (json_check_by(subject->run, subject->text, 0, NULL, NULL) != ALS_OK)
        abort();
    return 1;
}

static size_t minify(const struct subject *subject)
{
    return json_minify(subject->text, subject->room);
}

static size_t walk(const struct subject *subject)
{
    struct json_member_walk walk = json_walk(subject->text);
    struct json_pair pair;
    size_t sum = 0;
    while (json_walk_next(&walk, &pair))
        sum += pair.key.len + pair.value.len;
    return sum;
}

static void print_row(const char *name, const struct subject *subject, task *work, int64_t row_ns)
{
    int64_t best_ns = INT64_MAX;
    volatile size_t keep = 0;
    size_t calls = 1 + (size_t)200000 / (subject->text.len + 1);
    for (int64_t begin = now_ns(); now_ns() - begin < row_ns;) {
        int64_t start = now_ns();
        for (size_t i = 0; i < calls; i++)
            keep = keep + work(subject);
        int64_t took_ns = now_ns() - start;
        best_ns = took_ns < best_ns ? took_ns : best_ns;
    }
    double each_ns = (double)best_ns / (double)calls;
    printf("%-44s %10zu B %10.0f MB/s %12.3f us\n", name, subject->text.len,
           (double)subject->text.len / each_ns * 1e3, each_ns / 1e3);
}

static void print_rows(const char *pass, struct subject subject, const str texts[4], int64_t row_ns)
{
    static const struct {
        const char *name;
        task *work;
        uint32_t span_depth;
        int text;
    } rows[] = {
        {"1,000 events, spans to depth 2", parse, 2, 0},
        {"1,000 events, every value listed", parse, UINT32_MAX, 0},
        {"1,000 events, checked only", check, 0, 0},
        {"1,000 events laid out, spans to depth 2", parse, 2, 1},
        {"one event, spans to depth 1", parse, 1, 2},
        {"one event, checked only", check, 0, 2},
        {"text of three-byte characters, checked", check, 0, 3},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "%-8s %s", pass, rows[i].name);
        subject.text = texts[rows[i].text];
        subject.span_depth = rows[i].span_depth;
        print_row(name, &subject, rows[i].work, row_ns);
    }
}

int main(int count, char **arguments)
{
    int64_t row_ns = (count > 1 ? atoll(arguments[1]) : 200) * 1000000;
    struct buf batch, pretty, one, wide;
    struct buf *const bufs[] = {&batch, &pretty, &one, &wide};
    for (size_t i = 0; i < COUNT_OF(bufs); i++)
        buf_init(bufs[i], 1 << 24);
    put_batch(&batch);
    put_pretty(&pretty, buf_str(&batch));
    put_event(&one, &(struct rand){7});
    buf_put_char(&wide, '"');
    for (int i = 0; i < 100000; i++)
        buf_put_str(&wide, S("\xe6\xbc\xa2"));
    buf_put_char(&wide, '"');
    const str texts[] = {buf_str(&batch), buf_str(&pretty), buf_str(&one), buf_str(&wide)};

    struct arena arena;
    arena_init(&arena, 8 << 20, 256 << 20);
    struct subject subject = {.arena = &arena, .room = malloc(pretty.len)};
    subject.run = json_pass_portable;
    print_rows("portable", subject, texts, row_ns);
#if defined(__x86_64__)
    subject.run = json_pass_sse2;
    print_rows("sse2", subject, texts, row_ns);
    if (json_pass_best() == json_pass_avx2) {
        subject.run = json_pass_avx2;
        print_rows("avx2", subject, texts, row_ns);
    }
#endif
    subject.text = texts[1];
    print_row("minify 1,000 events laid out", &subject, minify, row_ns);
    subject.text = texts[0];
    print_row("minify 1,000 events without white space", &subject, minify, row_ns);
    subject.text = texts[2];
    print_row("walk the members of one event", &subject, walk, row_ns);

    free(subject.room);
    arena_deinit(&arena);
    for (size_t i = 0; i < COUNT_OF(bufs); i++)
        buf_deinit(bufs[i]);
    return 0;
}
