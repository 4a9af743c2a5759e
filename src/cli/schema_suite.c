// SPDX-License-Identifier: Apache-2.0
// `allsource schema test-suite`: runs files in the format of the official JSON-Schema-Test-Suite.
//
// A file is an array of groups, a group a schema with tests, a test an instance and whether it is
// valid. Those of tests/draft7 and tests/draft2020-12 are run; the ones below `optional` count
// apart, and formats are asserted below `optional/format`. What a schema refers to at
// http://localhost:1234/ is read from the directory `remotes`.
#include "base/limits.h"
#include "cli/schema.h"
#include "cli/words.h"
#include "os/os.h"
#include "json/json.h"

#include <allsource.h>

#include <stdlib.h>

enum { FILES_MAX = 4096, PATH_BYTES_MAX = 4096 };
#define FILE_BYTES_MAX (16u << 20)

struct suite_words {
    str directory;
    bool failures, strict;
};

static const struct flag flags[] = {
    {"failures", NULL, FLAG_SWITCH, offsetof(struct suite_words, failures), NULL,
     "name each test that failed"},
    {"strict", NULL, FLAG_SWITCH, offsetof(struct suite_words, strict), NULL,
     "optional tests decide about the exit code, too"},
};

static const struct manual manual = {
    .usage = "[FLAGS] DIR",
    .text =
        "Runs a directory in the layout of the official JSON-Schema-Test-Suite: tests/draft7 and\n"
        "tests/draft2020-12, with what they refer to in remotes. Prints a line for each file.\n"
        "Exits with 0 when all required tests passed, 1 when one failed.\n",
    .examples = "  allsource schema test-suite ./JSON-Schema-Test-Suite\n"
                "  allsource schema test-suite --failures /usr/share/json-schema-test-suite\n",
    .flags = flags,
    .flag_count = COUNT_OF(flags),
    .operand = "DIR",
    .operand_at = offsetof(struct suite_words, directory),
    .operand_needed = true,
};

struct tally {
    uint64_t passed, failed;
};

struct suite {
    struct cli *cli;
    str directory;
    bool failures;
    struct tally required, optional;
    // of the file that is run
    int draft;
    bool assert_formats;
    struct tally file;
    str file_name;
    struct arena *arena; // of the file's text and tape
};

// ---- Files

static err read_whole(struct os *os, struct os_file *file, struct arena *arena, str *ret_text,
                      struct als_why *why)
{
    uint64_t size;
    TRY(os->file_size(file, &size, why));
    if (size > FILE_BYTES_MAX)
        return FAIL(why, ALS_TOO_LARGE, "longer than %u bytes", FILE_BYTES_MAX);
    char *bytes = arena_alloc(arena, size + 1);
    if (!bytes)
        return FAIL(why, ALS_NO_MEMORY, "no memory");
    size_t read;
    TRY(os->file_read(file, 0, bytes, size, &read, why));
    *ret_text = (str){bytes, read};
    return ALS_OK;
}

// `path` below `directory`.
static err read_file(struct os *os, str directory, str path, struct arena *arena, str *ret_text,
                     struct als_why *why)
{
    char whole[PATH_BYTES_MAX];
    int len = snprintf(whole, sizeof whole, "%.*s/%.*s", STR(directory), STR(path));
    if (len >= (int)sizeof whole)
        return FAIL(why, ALS_INVALID_INPUT, "the path is too long");
    size_t slash = (size_t)len;
    while (whole[slash - 1] != '/')
        slash--;
    struct os_dir *dir;
    struct os_file *file;
    TRY(os->dir_open(os, NULL, (str){whole, slash}, false, &dir, why));
    err code = os->file_open(dir, (str){whole + slash, (size_t)len - slash}, OS_READ, &file, why);
    if (code == ALS_OK) {
        code = read_whole(os, file, arena, ret_text, why);
        os->file_close(file);
    }
    os->dir_close(dir);
    return code;
}

struct listing {
    struct os *os;
    struct arena *arena;
    str *files;
    size_t count;
    str prefix; // of the names that are listed now
    str directories[64];
    size_t directory_count;
};

static bool each_entry(void *context, const struct os_entry *entry)
{
    struct listing *listing = context;
    bool json = str_ends(entry->name, S(".json"));
    if (!entry->directory && !json)
        return true;
    char name[PATH_BYTES_MAX];
    int len = snprintf(name, sizeof name, "%.*s/%.*s", STR(listing->prefix), STR(entry->name));
    str path = arena_copy(listing->arena, (str){name, (size_t)len});
    if (entry->directory && listing->directory_count < COUNT_OF(listing->directories))
        listing->directories[listing->directory_count++] = path;
    else if (!entry->directory && listing->count < FILES_MAX)
        listing->files[listing->count++] = path;
    return true;
}

// All files below `directory`/`prefix`, as paths that begin with the prefix.
static err list_files(struct listing *listing, str directory, str prefix, struct als_why *why)
{
    listing->directory_count = 0;
    listing->directories[listing->directory_count++] = prefix;
    for (size_t i = 0; i < listing->directory_count; i++) {
        char whole[PATH_BYTES_MAX];
        listing->prefix = listing->directories[i];
        int len = snprintf(whole, sizeof whole, "%.*s/%.*s", STR(directory), STR(listing->prefix));
        struct os_dir *dir;
        TRY(listing->os->dir_open(listing->os, NULL, (str){whole, (size_t)len}, false, &dir, why));
        err code = listing->os->dir_list(dir, each_entry, listing, why);
        listing->os->dir_close(dir);
        TRY(code);
    }
    return ALS_OK;
}

static int compare_paths(const void *a, const void *b)
{
    return str_compare(*(const str *)a, *(const str *)b);
}

// ---- Tests

static err resolve(void *context, als_str uri, als_str *ret_text, struct als_why *why)
{
    struct suite *suite = context;
    str server = S("http://localhost:1234/");
    if (!str_starts(uri, server))
        return FAIL(why, ALS_NOT_FOUND, "only %.*s is served", STR(server));
    char path[PATH_BYTES_MAX];
    int len = snprintf(path, sizeof path, "remotes/%.*s", STR(str_from(uri, server.len)));
    err code = read_file(suite->cli->os, suite->directory, (str){path, (size_t)len}, suite->arena,
                         ret_text, why);
    return code == ALS_OK ? ALS_OK : ALS_NOT_FOUND;
}

static str text_member(const struct suite *suite, const struct json_doc *doc,
                       const struct json_node *object, str key)
{
    const struct json_node *node = json_member(doc, object, key);
    return node && node->kind == JSON_STRING ? json_text(doc, node, suite->arena) : S("?");
}

static void failed(struct suite *suite, str group, str test, const char *words)
{
    suite->file.failed++;
    if (suite->failures)
        fprintf(suite->cli->out, "  FAILED %.*s: %.*s: %.*s: %s\n", STR(suite->file_name),
                STR(group), STR(test), words);
}

static void run_test(struct suite *suite, const struct als_schema *schema, str group,
                     const struct json_doc *doc, const struct json_node *test)
{
    const struct json_node *data = json_member(doc, test, S("data"));
    const struct json_node *valid = json_member(doc, test, S("valid"));
    str name = text_member(suite, doc, test, S("description"));
    struct als_why why = {};
    bool answer;
    if (!data || !valid) {
        failed(suite, group, name, "it has no data, or does not say whether they are valid");
        return;
    }
    if (als_schema_validate(schema, json_span(doc, data), &answer, &why) != ALS_OK)
        failed(suite, group, name, why.text);
    else if (answer != (valid->kind == JSON_TRUE))
        failed(suite, group, name, answer ? "is valid here" : "is not valid here");
    else
        suite->file.passed++;
}

static void run_group(struct suite *suite, const struct json_doc *doc,
                      const struct json_node *group)
{
    const struct json_node *text = json_member(doc, group, S("schema"));
    const struct json_node *tests = json_member(doc, group, S("tests"));
    str name = text_member(suite, doc, group, S("description"));
    if (!text || !tests) {
        failed(suite, name, S("group"), "it has no schema or no tests");
        return;
    }
    struct als_schema_options options = ALS_SCHEMA_OPTIONS_INIT;
    options.draft = suite->draft;
    options.assert_formats = suite->assert_formats;
    options.resolve = resolve;
    options.context = suite;
    struct als_schema *schema = NULL;
    struct als_why why = {};
    err code = als_schema_compile(json_span(doc, text), &options, &schema, &why);
    for (const struct json_node *test = json_first(doc, tests); test;
         test = json_after(doc, tests, test)) {
        if (code == ALS_OK)
            run_test(suite, schema, name, doc, test);
        else
            failed(suite, name, text_member(suite, doc, test, S("description")), why.text);
    }
    als_schema_free(schema);
}

static err run_file(struct suite *suite, struct als_why *why)
{
    str text;
    struct json_doc doc;
    TRY(read_file(suite->cli->os, suite->directory, suite->file_name, suite->arena, &text, why));
    struct json_options options = {.depth_max = JSON_DEPTH_CAP, .span_depth = UINT32_MAX};
    TRY(json_parse(text, options, suite->arena, &doc, NULL, why));
    const struct json_node *root = json_root(&doc);
    if (root->kind != JSON_ARRAY)
        return FAIL(why, ALS_JSON_SHAPE, "expected an array of groups");
    for (const struct json_node *group = json_first(&doc, root); group;
         group = json_after(&doc, root, group))
        run_group(suite, &doc, group);
    return ALS_OK;
}

static void run_path(struct suite *suite, str path)
{
    struct arena arena;
    arena_init(&arena, 1 << 16, 1 << 28);
    suite->arena = &arena;
    suite->file = (struct tally){};
    suite->file_name = path;
    suite->draft = str_starts(path, S("tests/draft7/")) ? 7 : 2020;
    bool optional = memmem(path.ptr, path.len, "/optional/", 10) != NULL;
    // The optional tests of draft-07 assert formats wherever they are.
    suite->assert_formats = (optional && suite->draft == 7) ||
                            memmem(path.ptr, path.len, "/optional/format/", 17) != NULL;
    struct als_why why = {};
    if (run_file(suite, &why) != ALS_OK)
        failed(suite, S("file"), S("file"), why.text);
    arena_deinit(&arena);
    suite->arena = NULL;
    fprintf(suite->cli->out, "%-64.*s %5llu passed %4llu failed\n", STR(path),
            (unsigned long long)suite->file.passed, (unsigned long long)suite->file.failed);
    struct tally *total = optional ? &suite->optional : &suite->required;
    total->passed += suite->file.passed;
    total->failed += suite->file.failed;
}

static err run_suite(struct suite *suite, struct als_why *why)
{
    struct arena *arena = suite->cli->arena;
    struct listing listing = {
        .os = suite->cli->os, .arena = arena, .files = ARENA_ARRAY(arena, str, FILES_MAX)};
    if (!listing.files)
        return FAIL(why, ALS_NO_MEMORY, "no memory");
    struct als_why other;
    err old = list_files(&listing, suite->directory, S("tests/draft7"), why);
    err current = list_files(&listing, suite->directory, S("tests/draft2020-12"), &other);
    if (old != ALS_OK && current != ALS_OK)
        return old;
    qsort(listing.files, listing.count, sizeof *listing.files, compare_paths);
    for (size_t i = 0; i < listing.count; i++)
        run_path(suite, listing.files[i]);
    return ALS_OK;
}

int schema_test_suite(struct cli *cli)
{
    struct suite_words asked = {};
    int code;
    if (!words_accept(cli, &manual, &asked, &code))
        return code;
    struct suite suite = {.cli = cli, .directory = asked.directory, .failures = asked.failures};
    struct als_why why = {};
    err result = run_suite(&suite, &why);
    if (result != ALS_OK)
        return cli_failed(cli, result, &why);
    fprintf(cli->out, "required: %llu passed, %llu failed\noptional: %llu passed, %llu failed\n",
            (unsigned long long)suite.required.passed, (unsigned long long)suite.required.failed,
            (unsigned long long)suite.optional.passed, (unsigned long long)suite.optional.failed);
    bool bad = suite.required.failed || (asked.strict && suite.optional.failed) ||
               suite.required.passed + suite.optional.passed == 0;
    return cli_finish(cli, bad ? EXIT_FAILED : EXIT_DONE);
}
