// SPDX-License-Identifier: Apache-2.0
// Random documents, good and damaged: all passes agree on the verdict, the place and the tape; what
// the tape says can be written again; and nothing outside of the text is ever read.
#include "base/rand.h"
#include "test.h"
#include "json/json.h"
#include "json/pass.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { TEXT_MAX = 1 << 16 };

// Text that ends where the page behind it may not be touched.
struct guarded {
    char *pages;
    size_t size, page;
};

static struct guarded guarded_new(void)
{
    struct guarded guarded = {.page = (size_t)sysconf(_SC_PAGESIZE)};
    guarded.size = TEXT_MAX + 2 * guarded.page;
    guarded.pages =
        mmap(NULL, guarded.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(guarded.pages != MAP_FAILED);
    CHECK(mprotect(guarded.pages, guarded.page, PROT_NONE) == 0);
    CHECK(mprotect(guarded.pages + guarded.size - guarded.page, guarded.page, PROT_NONE) == 0);
    return guarded;
}

static void guarded_end(struct guarded *guarded)
{
    (void)munmap(guarded->pages, guarded->size); // the test is over
}

static str at_the_end(const struct guarded *guarded, str text)
{
    char *place = guarded->pages + guarded->size - guarded->page - text.len;
    memcpy(place, text.ptr, text.len);
    return (str){place, text.len};
}

static str at_the_begin(const struct guarded *guarded, str text)
{
    memcpy(guarded->pages + guarded->page, text.ptr, text.len);
    return (str){guarded->pages + guarded->page, text.len};
}

static void put_space(struct buf *buf, struct rand *rand, bool laid_out)
{
    static const char *const spaces[] = {"", " ", "\n", "\t\r\n ", "\n                      "};
    if (laid_out)
        buf_put_str(buf, str_of(spaces[rand_below(rand, COUNT_OF(spaces))]));
}

static void put_random_string(struct buf *buf, struct rand *rand)
{
    static const char *const pieces[] = {"a",
                                         "order",
                                         "\\\"",
                                         "\\\\",
                                         "\\u00e9",
                                         "\\ud83d\\ude00",
                                         "\xc3\xa9",
                                         "\xe6\xbc\xa2\xe5\xad\x97",
                                         "\xf0\x9f\x98\x80",
                                         "{}[]:,",
                                         "0123456789abcdefghijklmnopqrstuvwxyz",
                                         "\\n",
                                         " ",
                                         "\\u0000"};
    buf_put_char(buf, '"');
    for (uint64_t i = rand_below(rand, 6); i > 0; i--)
        buf_put_str(buf, str_of(pieces[rand_below(rand, COUNT_OF(pieces))]));
    buf_put_char(buf, '"');
}

static void put_random_scalar(struct buf *buf, struct rand *rand)
{
    static const char *const scalars[] = {
        "null", "true", "false", "0", "-1", "12.5e-7", "1E400", "123456789012345678901234567890",
        "-0.0"};
    if (rand_below(rand, 2))
        put_random_string(buf, rand);
    else
        buf_put_str(buf, str_of(scalars[rand_below(rand, COUNT_OF(scalars))]));
}

static void put_random_value(struct buf *buf, struct rand *rand, int depth, bool laid_out)
{
    uint64_t kind = depth ? rand_below(rand, depth > 3 ? 2 : 3) : 2;
    put_space(buf, rand, laid_out);
    if (kind == 2) {
        put_random_scalar(buf, rand);
    } else {
        buf_put_char(buf, "[{"[kind]);
        put_space(buf, rand, laid_out);
        for (uint64_t i = 0, count = rand_below(rand, 7); i < count; i++) {
            if (i)
                buf_put_char(buf, ',');
            put_space(buf, rand, laid_out);
            if (kind == 1) {
                put_random_string(buf, rand);
                put_space(buf, rand, laid_out);
                buf_put_char(buf, ':');
            }
            put_random_value(buf, rand, depth - 1, laid_out);
        }
        buf_put_char(buf, "]}"[kind]);
    }
    put_space(buf, rand, laid_out);
}

static void damage(struct buf *buf, struct rand *rand)
{
    static const char bytes[] = "\"\\{}[]:,0123456789.eE+-tfn \n\x01\x1f\x80\xc3\xff/'\x7f";
    for (uint64_t i = rand_below(rand, 3); i > 0 && buf->len > 2; i--) {
        size_t place = rand_below(rand, buf->len);
        char byte = bytes[rand_below(rand, sizeof bytes)];
        switch (rand_below(rand, 4)) {
        case 0:
            buf->ptr[place] = byte;
            break;
        case 1:
            memmove(buf->ptr + place, buf->ptr + place + 1, --buf->len - place);
            break;
        case 2:
            buf->ptr[place] = (char)(buf->ptr[place] ^ 1 << rand_below(rand, 8));
            break;
        default:
            buf->len = place;
        }
    }
}

struct verdict {
    err code;
    struct json_error error;
    struct json_doc doc;
};

static struct verdict judge(pass_run *run, str text, uint32_t span_depth, struct arena *arena)
{
    struct verdict verdict = {};
    struct json_options options = {.span_depth = span_depth};
    verdict.code = json_parse_by(run, text, options, arena, &verdict.doc, &verdict.error, NULL);
    CHECK_ERR(verdict.code, json_check_by(run, text, 0, NULL, NULL));
    return verdict;
}

static bool same_nodes(const struct json_doc *a, const struct json_doc *b)
{
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++) {
        const struct json_node *x = &a->nodes[i], *y = &b->nodes[i];
        if (x->kind != y->kind || x->spaced != y->spaced || x->escaped != y->escaped ||
            x->key_escaped != y->key_escaped || x->sealed != y->sealed || x->count != y->count ||
            x->start != y->start || x->len != y->len || x->key_start != y->key_start ||
            x->key_len != y->key_len || x->next != y->next)
            return false;
    }
    return true;
}

static void check_passes_agree(str text, uint32_t span_depth, struct arena *arena)
{
    arena_reset(arena);
    struct verdict portable = judge(json_pass_portable, text, span_depth, arena);
    pass_run *others[] = {
#if defined(__x86_64__)
        json_pass_sse2,
#endif
        json_pass_best(),
    };
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        struct verdict other = judge(others[i], text, span_depth, arena);
        if (portable.code != other.code || portable.error.offset != other.error.offset ||
            portable.error.truncated != other.error.truncated ||
            !same_nodes(&portable.doc, &other.doc))
            test_fail(__FILE__, __LINE__, "pass %zu differs on %s", i, test_text(text));
    }
}

TEST(json_passes_agree_on_random_and_damaged_texts_and_read_nothing_beyond_them)
{
    __attribute__((cleanup(guarded_end))) struct guarded guarded = guarded_new();
    struct buf buf;
    struct arena arena;
    buf_init(&buf, TEXT_MAX);
    arena_init(&arena, 1 << 20, 1 << 26);
    FOR_EACH_SEED(seed, 20000) {
        struct rand rand = {seed};
        buf_reset(&buf);
        put_random_value(&buf, &rand, (int)(seed % 6), seed % 3 == 0);
        CHECK(!buf_failed(&buf));
        if (seed % 4)
            damage(&buf, &rand);
        uint32_t span_depth = (uint32_t)rand_below(&rand, 5);
        check_passes_agree(at_the_end(&guarded, buf_str(&buf)), span_depth, &arena);
        check_passes_agree(at_the_begin(&guarded, buf_str(&buf)), UINT32_MAX, &arena);
    }
    buf_deinit(&buf);
    arena_deinit(&arena);
}

// What the piece that the first byte asks for leaves of the text must be white space.
static bool is_one_piece(str text)
{
    const char *at = text.ptr, *end = text.ptr + text.len;
    bool spaced;
    if (text.len == 0)
        return false;
    if (*at == '"')
        at = json_take_string(at + 1, end).at;
    else if (*at == '-' || (unsigned)(*at - '0') < 10)
        at = json_take_number(at, end);
    else if (*at == 't' || *at == 'f' || *at == 'n')
        at = json_take_literal(at, end);
    else
        at = json_take_value(at, end, JSON_DEPTH_MAX, &spaced);
    return at && json_take_space(at, end) == end;
}

TEST(json_pieces_agree_with_the_check_on_random_and_damaged_texts)
{
    __attribute__((cleanup(guarded_end))) struct guarded guarded = guarded_new();
    struct buf buf;
    size_t taken = 0;
    char *small = malloc(TEXT_MAX);
    buf_init(&buf, TEXT_MAX);
    FOR_EACH_SEED(seed, 20000) {
        struct rand rand = {seed};
        buf_reset(&buf);
        put_random_value(&buf, &rand, (int)(seed % 3), seed % 3 == 0);
        if (seed % 4)
            damage(&buf, &rand);
        str text = at_the_end(&guarded, buf_str(&buf));
        while (text.len && strchr(" \t\r\n", *text.ptr))
            text = str_from(text, 1);
        bool spaced = false;
        err code = json_check_spaced(text, 0, &spaced, NULL);
        CHECK_EQUAL(json_check(text, 0, NULL), code);
        CHECK_EQUAL(code == ALS_OK, is_one_piece(text));
        if (code == ALS_OK)
            CHECK_EQUAL(json_minify(text, small) != text.len, spaced);
        taken += code == ALS_OK;
    }
    CHECK(taken > 1000 || test_seed_first() == test_seed_last(20000));
    buf_deinit(&buf);
    free(small);
}

TEST(json_passes_agree_on_every_cut_and_every_shift_of_a_text)
{
    __attribute__((cleanup(guarded_end))) struct guarded guarded = guarded_new();
    str text =
        S("                                        {\"order\":\"A-17\\u00e9 \xe6\xbc\xa2 with a "
          "text longer than a register\",\"n\":[1.5e-3,-0,true,null],\"\\\"\":{}}       ");
    struct arena arena;
    arena_init(&arena, 1 << 16, 1 << 20);
    for (size_t start = 0; start < 40; start++)
        for (size_t end = start; end <= text.len; end++) {
            str part = {text.ptr + start, end - start};
            check_passes_agree(at_the_end(&guarded, part), 1, &arena);
            check_passes_agree(at_the_begin(&guarded, part), 1, &arena);
        }
    arena_deinit(&arena);
}

// Where a text is refused, what is before can still become a document: all of it is right.
TEST(json_errors_point_to_the_first_byte_that_cannot_be_right)
{
    struct buf buf;
    buf_init(&buf, TEXT_MAX);
    size_t refused = 0;
    FOR_EACH_SEED(seed, 20000) {
        struct rand rand = {seed};
        buf_reset(&buf);
        put_random_value(&buf, &rand, (int)(seed % 5), seed % 2);
        damage(&buf, &rand);
        struct json_error error = {}, before = {};
        err code = json_check_by(json_pass_best(), buf_str(&buf), 0, &error, NULL);
        if (code == ALS_OK)
            continue;
        refused++;
        CHECK_EQUAL(error.offset == buf.len, error.truncated);
        str prefix = str_first(buf_str(&buf), error.offset);
        code = json_check_by(json_pass_best(), prefix, 0, &before, NULL);
        CHECK(code == ALS_OK || before.truncated);
    }
    CHECK(refused > 1000 || test_seed_first() == test_seed_last(20000));
    buf_deinit(&buf);
}

// Writes a tape again, without recursion: `open` holds the containers that are not yet at their
// end.
static void write_tape(const struct json_doc *doc, struct arena *arena, struct json_writer *writer)
{
    const struct json_node *open[JSON_DEPTH_MAX];
    size_t depth = 0;
    for (uint32_t i = 0; i <= doc->count; i++) {
        while (depth && open[depth - 1]->next == i) {
            const struct json_node *ended = open[--depth];
            if (ended->kind == JSON_OBJECT)
                json_close_object(writer);
            else
                json_close_array(writer);
        }
        if (i == doc->count)
            return;
        const struct json_node *node = &doc->nodes[i];
        if (depth && open[depth - 1]->kind == JSON_OBJECT)
            json_key(writer, json_key_text(doc, node, arena));
        if (node->kind == JSON_STRING) {
            json_put_string(writer, json_text(doc, node, arena));
        } else if (node->kind == JSON_OBJECT || node->kind == JSON_ARRAY) {
            if (node->kind == JSON_OBJECT)
                json_open_object(writer);
            else
                json_open_array(writer);
            open[depth++] = node;
        } else {
            json_put_raw(writer, json_span(doc, node));
        }
    }
}

static void check_walk(const struct json_doc *doc)
{
    const struct json_node *root = json_root(doc);
    if (root->kind != JSON_OBJECT)
        return;
    struct json_member_walk walk = json_walk(doc->text);
    struct json_pair pair;
    for (const struct json_node *child = json_first(doc, root); child;
         child = json_after(doc, root, child)) {
        CHECK(json_walk_next(&walk, &pair));
        CHECK_STR(json_key_span(doc, child), pair.key);
        CHECK_STR(json_span(doc, child), pair.value);
        CHECK_EQUAL(child->key_escaped, pair.key_escaped);
    }
    CHECK(!json_walk_next(&walk, &pair));
}

TEST(json_text_written_from_its_tape_or_minified_is_an_equal_value)
{
    __attribute__((cleanup(guarded_end))) struct guarded guarded = guarded_new();
    struct buf buf, copy;
    struct arena arena;
    buf_init(&buf, TEXT_MAX);
    buf_init(&copy, TEXT_MAX);
    arena_init(&arena, 1 << 20, 1 << 26);
    FOR_EACH_SEED(seed, 5000) {
        struct rand rand = {seed};
        buf_reset(&buf);
        buf_reset(&copy);
        arena_reset(&arena);
        put_random_value(&buf, &rand, (int)(seed % 6), seed % 2);
        str text = at_the_end(&guarded, buf_str(&buf));
        struct json_doc doc;
        CHECK_OK(json_parse(text, (struct json_options){.span_depth = UINT32_MAX}, &arena, &doc,
                            NULL, NULL));
        check_walk(&doc);

        struct json_writer writer;
        json_writer_init(&writer, &copy);
        write_tape(&doc, &arena, &writer);
        bool equal = false;
        CHECK_OK(json_equal(text, buf_str(&copy), &arena, &equal));
        CHECK(equal);

        char small[TEXT_MAX];
        size_t len = json_minify(text, small);
        CHECK(len <= text.len);
        CHECK_OK(json_equal(text, (str){small, len}, &arena, &equal));
        CHECK(equal);
        CHECK_EQUAL(len, json_minify((str){small, len}, small));
        bool spaced = json_root(&doc)->spaced;
        CHECK_EQUAL(spaced,
                    json_minify(json_span(&doc, json_root(&doc)), small) < json_root(&doc)->len);
    }
    buf_deinit(&buf);
    buf_deinit(&copy);
    arena_deinit(&arena);
}
