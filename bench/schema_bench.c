// SPDX-License-Identifier: Apache-2.0
// How fast values are checked by a schema, one core, the best of many runs: MB/s of JSON text, and
// what one document costs.
//
//   schema_bench [milliseconds a row]
#include "base/rand.h"
#include "schema/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { DOCUMENTS = 1000 };

struct subject {
    const struct schema *schema;
    str texts[DOCUMENTS];
    struct json_doc docs[DOCUMENTS];
    size_t bytes;
    struct arena arena;
};

// Each returns something that depends on all its work.
typedef size_t task(struct subject *subject, size_t index);

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// Ten fields, none of them deep: what most events are.
static const char flat_schema[] =
    "{\"type\":\"object\",\"additionalProperties\":false,"
    "\"required\":[\"order_id\",\"customer_id\",\"amount\",\"currency\",\"placed_at\"],"
    "\"properties\":{\"order_id\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":64},"
    "\"customer_id\":{\"type\":\"integer\",\"minimum\":1},\"amount\":{\"type\":\"number\","
    "\"minimum\":0},\"currency\":{\"enum\":[\"EUR\",\"USD\",\"GBP\",\"CHF\",\"JPY\"]},"
    "\"placed_at\":{\"type\":\"string\"},\"express\":{\"type\":\"boolean\"},"
    "\"city\":{\"type\":\"string\",\"maxLength\":100},\"note\":{\"type\":[\"string\",\"null\"]},"
    "\"quantity\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000},"
    "\"channel\":{\"type\":\"string\"}}}";

// The same with everything that has to look at characters.
static const char strict_schema[] =
    "{\"type\":\"object\",\"additionalProperties\":false,"
    "\"required\":[\"order_id\",\"customer_id\",\"amount\",\"currency\",\"placed_at\"],"
    "\"properties\":{\"order_id\":{\"type\":\"string\",\"pattern\":\"^A-[0-9a-f]{16}$\"},"
    "\"customer_id\":{\"type\":\"integer\",\"minimum\":1},\"amount\":{\"type\":\"number\","
    "\"minimum\":0,\"multipleOf\":0.01},\"currency\":{\"enum\":[\"EUR\",\"USD\",\"GBP\",\"CHF\","
    "\"JPY\"]},\"placed_at\":{\"type\":\"string\",\"format\":\"date-time\"},"
    "\"express\":{\"type\":\"boolean\"},\"city\":{\"type\":\"string\",\"pattern\":\"^\\\\p{L}+$\"},"
    "\"note\":{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]},"
    "\"quantity\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000},"
    "\"channel\":{\"$ref\":\"#/$defs/channel\"}},\"$defs\":{\"channel\":{\"enum\":[\"web\","
    "\"app\",\"store\"]}}}";

static void put_document(struct buf *buf, struct rand *rand)
{
    static const char *const cities[] = {"Lisbon", "Z\xc3\xbcrich", "Osaka", "Montevideo"};
    static const char *const channels[] = {"web", "app", "store"};
    buf_printf(buf,
               "{\"order_id\":\"A-%016llx\",\"customer_id\":%u,\"amount\":%u.%02u,\"currency\":"
               "\"EUR\",\"placed_at\":\"2026-03-%02uT%02u:14:15.926535Z\",\"express\":%s,\"city\":"
               "\"%s\",\"note\":\"leave it with the neighbours, please\",\"quantity\":%u,"
               "\"channel\":\"%s\"}",
               (unsigned long long)rand_next(rand), 1 + (unsigned)rand_below(rand, 100000),
               (unsigned)rand_below(rand, 2000), (unsigned)rand_below(rand, 100),
               (unsigned)rand_below(rand, 28) + 1, (unsigned)rand_below(rand, 24),
               rand_below(rand, 2) ? "true" : "false", cities[rand_below(rand, COUNT_OF(cities))],
               1 + (unsigned)rand_below(rand, 9), channels[rand_below(rand, COUNT_OF(channels))]);
}

static struct json_doc parsed(str text, struct arena *arena)
{
    struct json_doc doc = {};
    struct json_options options = {.span_depth = UINT32_MAX};
    if (json_parse(text, options, arena, &doc, NULL, NULL) != ALS_OK)
        abort();
    return doc;
}

static size_t parse(struct subject *subject, size_t index)
{
    arena_reset(&subject->arena);
    return parsed(subject->texts[index], &subject->arena).count;
}

static size_t check(struct subject *subject, size_t index)
{
    bool valid;
    if (schema_check(subject->schema, &subject->docs[index], &subject->arena, &valid, NULL) !=
            ALS_OK ||
        !valid)
        abort();
    return valid;
}

static size_t both(struct subject *subject, size_t index)
{
    bool valid;
    arena_reset(&subject->arena);
    if (schema_check_text(subject->schema, subject->texts[index], &subject->arena, &valid, NULL) !=
            ALS_OK ||
        !valid)
        abort();
    return valid;
}

static void print_row(const char *name, struct subject *subject, task *work, int64_t row_ns)
{
    int64_t best_ns = INT64_MAX;
    volatile size_t keep = 0;
    for (int64_t begin_ns = now_ns(); now_ns() - begin_ns < row_ns;) {
        int64_t start_ns = now_ns();
        for (size_t i = 0; i < DOCUMENTS; i++)
            keep += work(subject, i);
        int64_t spent_ns = now_ns() - start_ns;
        best_ns = spent_ns < best_ns ? spent_ns : best_ns;
    }
    printf("%-34s %8.0f MB/s %8.0f ns a document\n", name,
           (double)subject->bytes * 1000 / (double)best_ns, (double)best_ns / DOCUMENTS);
    (void)keep;
}

static struct schema *compiled(const char *text, bool assert_formats)
{
    struct schema *schema = NULL;
    struct als_why why = {};
    struct schema_options options = {.assert_formats = assert_formats};
    if (schema_compile(str_of(text), &options, &schema, &why) != ALS_OK) {
        fprintf(stderr, "%s\n", why.text);
        abort();
    }
    return schema;
}

int main(int count, char **arguments)
{
    int64_t row_ns = (count > 1 ? strtol(arguments[1], NULL, 10) : 500) * 1000000;
    static struct subject subject;
    struct arena tapes;
    struct buf buf;
    struct rand rand = {7};
    arena_init(&subject.arena, 1 << 20, 1 << 26);
    arena_init(&tapes, 1 << 20, 1 << 28);
    buf_init(&buf, 1 << 26);
    size_t ends[DOCUMENTS];
    for (size_t i = 0; i < DOCUMENTS; i++) {
        put_document(&buf, &rand);
        ends[i] = buf.len;
    }
    for (size_t i = 0; i < DOCUMENTS; i++) {
        size_t begin = i ? ends[i - 1] : 0;
        subject.texts[i] = (str){buf.ptr + begin, ends[i] - begin};
        subject.docs[i] = parsed(subject.texts[i], &tapes);
    }
    subject.bytes = buf.len;
    printf("documents of %zu bytes with ten fields\n", buf.len / DOCUMENTS);
    print_row("parse", &subject, parse, row_ns);
    AUTO(schema) flat = compiled(flat_schema, false);
    AUTO(schema) strict = compiled(strict_schema, true);
    subject.schema = flat;
    print_row("check, flat", &subject, check, row_ns);
    print_row("parse and check, flat", &subject, both, row_ns);
    if (count > 2)
        return 0;
    subject.schema = strict;
    print_row("check, patterns and formats", &subject, check, row_ns);
    print_row("parse and check, both", &subject, both, row_ns);
    int64_t start_ns = now_ns();
    schema_free(compiled(flat_schema, false));
    printf("%-34s %8.0f us\n", "compile, flat", (double)(now_ns() - start_ns) / 1000);
    buf_deinit(&buf);
    arena_deinit(&tapes);
    arena_deinit(&subject.arena);
    return 0;
}
