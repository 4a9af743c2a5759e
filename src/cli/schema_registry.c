// SPDX-License-Identifier: Apache-2.0
// The verbs that talk to a registry have one shape: words in, a request, an answer, an exit code.
// What is particular to one stands in its struct, at the end.
#include "cli/schema_registry.h"

#include "base/limits.h"
#include "cli/remote.h"
#include "cli/show.h"
#include "json/json.h"

enum { DOCUMENT_BYTES_MAX = 64 << 20, URL_BYTES_MAX = 64 << 10, WAIT_MS = 60'000 };

struct registry_verb;

// What all of them take; each reads its own part.
struct schema_words {
    struct remote_words remote;
    const struct registry_verb *verb;
    str subject, file, description, compatibility, enforce, as_of;
    struct word_list tags;
    struct word_number version;
    bool deprecated, versions;
};

struct exchange {
    struct remote *remote;
    const struct schema_words *asked;
    struct buf url, request, answer, text;
};

struct registry_verb {
    struct manual manual;
    err (*ask)(struct exchange *exchange, struct als_why *why); // the rest of the URL, and a body
    int (*print)(struct exchange *exchange);                    // the answer; the exit code
};

// ---- Reading the document

static err read_stream(FILE *file, struct buf *document, struct als_why *why)
{
    char piece[16 << 10];
    size_t len;
    while ((len = fread(piece, 1, sizeof piece, file)) > 0)
        buf_put(document, piece, len);
    if (ferror(file))
        return FAIL(why, ALS_STORAGE, "the document cannot be read");
    if (buf_failed(document))
        return FAIL(why, ALS_TOO_LARGE, "a document is at most %d bytes", DOCUMENT_BYTES_MAX);
    return ALS_OK;
}

// The JSON document of --file, or of standard input.
static err read_document(str name, struct buf *document, struct als_why *why)
{
    bool standard = !name.ptr || str_equal(name, S("-"));
    FILE *file = standard ? stdin : fopen(name.ptr, "re");
    if (!file)
        return FAIL(why, ALS_INVALID_INPUT, "%.180s cannot be opened", name.ptr);
    err code = read_stream(file, document, why);
    if (!standard)
        fclose(file);
    TRY(code);
    struct als_why inner;
    if (json_check(buf_str(document), JSON_DEPTH_MAX, &inner) != ALS_OK)
        return FAIL(why, ALS_INVALID_INPUT, "the document is no JSON: %.180s", inner.text);
    return ALS_OK;
}

// ---- Asking

static void exchange_begin(struct exchange *exchange, struct remote *remote,
                           const struct schema_words *asked)
{
    *exchange = (struct exchange){.remote = remote, .asked = asked};
    buf_init(&exchange->url, URL_BYTES_MAX);
    buf_init(&exchange->request, 2 * DOCUMENT_BYTES_MAX);
    buf_init(&exchange->answer, 2 * DOCUMENT_BYTES_MAX);
    buf_init(&exchange->text, 2 * DOCUMENT_BYTES_MAX);
    url_begin(&exchange->url, remote, S("/api/v1/schemas"));
}

static void exchange_end(struct exchange *exchange)
{
    buf_deinit(&exchange->url);
    buf_deinit(&exchange->request);
    buf_deinit(&exchange->answer);
    buf_deinit(&exchange->text);
}

static err send_request(struct exchange *exchange, struct als_why *why)
{
    bool posts = exchange->request.len > 0;
    struct remote_request request = {.method = posts ? S("POST") : S("GET"),
                                     .url = buf_str(&exchange->url),
                                     .content_type = posts ? S("application/json") : S(""),
                                     .body = buf_str(&exchange->request),
                                     .timeout_ms = WAIT_MS};
    return remote_call(exchange->remote, request, &exchange->answer, why);
}

static bool for_people(const struct exchange *exchange)
{
    return exchange->remote->cli->out_terminal && !exchange->asked->remote.json;
}

static void put_line(struct exchange *exchange, str text)
{
    buf_printf(&exchange->text, "%.*s\n", STR(text));
}

// The answer as it is, or indented.
static int print_answer(struct exchange *exchange)
{
    if (for_people(exchange)) {
        show_json(buf_str(&exchange->answer), &exchange->text);
        buf_put_char(&exchange->text, '\n');
    } else
        put_line(exchange, str_trim(buf_str(&exchange->answer)));
    cli_write(exchange->remote->cli, buf_str(&exchange->text));
    return cli_finish(exchange->remote->cli, EXIT_DONE);
}

static err parse_answer(const struct exchange *exchange, struct json_doc *ret_doc,
                        struct als_why *why)
{
    struct json_options options = {.span_depth = UINT32_MAX};
    TRY(json_parse(buf_str(&exchange->answer), options, exchange->remote->cli->arena, ret_doc, NULL,
                   why));
    if (json_root(ret_doc)->kind == JSON_OBJECT)
        return ALS_OK;
    return FAIL(why, ALS_INTERNAL, "the server's answer is no object");
}

static bool says(const struct json_doc *doc, str key)
{
    const struct json_node *node = json_member(doc, json_root(doc), key);
    return node && node->kind == JSON_TRUE;
}

// A line for each text of a list, or for the `field` of each of its objects.
static void put_lines(struct exchange *exchange, const struct json_doc *doc, str key, str field)
{
    const struct json_node *list = json_member(doc, json_root(doc), key);
    if (!list || list->kind != JSON_ARRAY)
        return;
    for (const struct json_node *item = json_first(doc, list); item;
         item = json_after(doc, list, item)) {
        const struct json_node *text = field.len ? json_member(doc, item, field) : item;
        if (text && text->kind == JSON_STRING) {
            show_cell(json_text(doc, text, exchange->remote->cli->arena), 2000, false,
                      &exchange->text);
            buf_put_char(&exchange->text, '\n');
        }
    }
}

static int run(struct remote *remote, const void *words)
{
    const struct schema_words *asked = words;
    struct exchange exchange;
    struct als_why why = {""};
    exchange_begin(&exchange, remote, asked);
    err code = asked->verb->ask(&exchange, &why);
    if (code == ALS_OK)
        code = send_request(&exchange, &why);
    int result = code ? remote_failed(remote, code, &why) : asked->verb->print(&exchange);
    exchange_end(&exchange);
    return result;
}

static int run_verb(struct cli *cli, const struct registry_verb *verb)
{
    struct schema_words asked = {.remote = REMOTE_WORDS_INIT, .verb = verb};
    int code;
    if (!words_accept(cli, &verb->manual, &asked, &code))
        return code;
    if (asked.enforce.ptr && !str_equal(asked.enforce, S("true")) &&
        !str_equal(asked.enforce, S("false"))) {
        cli_say(cli, "--enforce: '%.*s' is neither true nor false",
                STR(str_first(asked.enforce, 40)));
        return EXIT_USAGE;
    }
    return remote_run(cli, &asked, run);
}

// ---- register

static void put_enforce(struct json_writer *writer, str enforce)
{
    json_key(writer, S("enforce"));
    json_put_bool(writer, str_equal(enforce, S("true")));
}

static err ask_register(struct exchange *exchange, struct als_why *why)
{
    const struct schema_words *asked = exchange->asked;
    struct buf document;
    struct json_writer writer;
    buf_init(&document, DOCUMENT_BYTES_MAX);
    err code = read_document(asked->file, &document, why);
    json_writer_init(&writer, &exchange->request);
    json_open_object(&writer);
    json_field_string(&writer, S("subject"), asked->subject);
    if (code == ALS_OK)
        json_field_raw(&writer, S("schema"), str_trim(buf_str(&document)));
    if (asked->description.ptr)
        json_field_string(&writer, S("description"), asked->description);
    if (asked->compatibility.ptr)
        json_field_string(&writer, S("compatibility"), asked->compatibility);
    if (asked->enforce.ptr)
        put_enforce(&writer, asked->enforce);
    json_key(&writer, S("tags"));
    json_open_array(&writer);
    for (size_t i = 0; i < asked->tags.count; i++)
        json_put_string(&writer, asked->tags.items[i]);
    json_close_array(&writer);
    json_close_object(&writer);
    buf_deinit(&document);
    return code;
}

// ---- list and show

static err ask_list(struct exchange *exchange, struct als_why *why)
{
    (void)why; // it cannot fail
    if (exchange->asked->deprecated)
        url_parameter(&exchange->url, "deprecated", S("true"));
    return ALS_OK;
}

static int print_list(struct exchange *exchange)
{
    struct als_why why;
    struct json_doc doc;
    if (!for_people(exchange))
        return print_answer(exchange);
    err code = parse_answer(exchange, &doc, &why);
    if (code)
        return cli_failed(exchange->remote->cli, code, &why);
    put_lines(exchange, &doc, S("subjects"), S(""));
    cli_write(exchange->remote->cli, buf_str(&exchange->text));
    return cli_finish(exchange->remote->cli, EXIT_DONE);
}

static err ask_show(struct exchange *exchange, struct als_why *why)
{
    const struct schema_words *asked = exchange->asked;
    url_segment(&exchange->url, asked->subject);
    if (asked->versions)
        buf_put_str(&exchange->url, S("/versions"));
    url_number(&exchange->url, "version", asked->version);
    if (asked->as_of.ptr)
        url_parameter(&exchange->url, "as_of", asked->as_of);
    return ask_list(exchange, why);
}

// ---- validate and check: a document in, a verdict out

// The verdict's `good` decides the exit code; people see a line for each `message`.
static int print_verdict(struct exchange *exchange, str good)
{
    struct als_why why;
    struct json_doc doc;
    struct cli *cli = exchange->remote->cli;
    err code = parse_answer(exchange, &doc, &why);
    if (code)
        return cli_failed(cli, code, &why);
    bool is_good = says(&doc, good);
    if (!for_people(exchange))
        put_line(exchange, str_trim(buf_str(&exchange->answer)));
    else if (is_good)
        put_line(exchange, good);
    else
        put_lines(exchange, &doc, S("details"), S("message"));
    cli_write(cli, buf_str(&exchange->text));
    return cli_finish(cli, is_good ? EXIT_DONE : EXIT_FAILED);
}

static int print_valid(struct exchange *exchange)
{
    return print_verdict(exchange, S("valid"));
}

static int print_compatible(struct exchange *exchange)
{
    return print_verdict(exchange, S("compatible"));
}

static err write_document(struct exchange *exchange, bool with_subject, str field,
                          struct als_why *why)
{
    struct buf document;
    struct json_writer writer;
    buf_init(&document, DOCUMENT_BYTES_MAX);
    err code = read_document(exchange->asked->file, &document, why);
    json_writer_init(&writer, &exchange->request);
    json_open_object(&writer);
    if (with_subject)
        json_field_string(&writer, S("subject"), exchange->asked->subject);
    if (exchange->asked->version.given)
        json_field_u64(&writer, S("version"), exchange->asked->version.value);
    if (code == ALS_OK)
        json_field_raw(&writer, field, str_trim(buf_str(&document)));
    json_close_object(&writer);
    buf_deinit(&document);
    return code;
}

static err ask_validate(struct exchange *exchange, struct als_why *why)
{
    buf_put_str(&exchange->url, S("/validate"));
    return write_document(exchange, true, S("payload"), why);
}

static err ask_check(struct exchange *exchange, struct als_why *why)
{
    url_segment(&exchange->url, exchange->asked->subject);
    buf_put_str(&exchange->url, S("/compatibility/check"));
    return write_document(exchange, false, S("schema"), why);
}

// ---- The table

#define WORD(name) offsetof(struct schema_words, name)
#define JSON_FLAG                                                                                  \
    {                                                                                              \
        "json", NULL, FLAG_SWITCH, offsetof(struct remote_words, json), NULL,                      \
            "JSON, also on a terminal"                                                             \
    }
#define FILE_FLAG                                                                                  \
    {                                                                                              \
        "file", "FILE", FLAG_TEXT, WORD(file), NULL, "where it is; default standard input"         \
    }
#define VERSION_FLAG                                                                               \
    {                                                                                              \
        "version", "N", FLAG_NUMBER, WORD(version), NULL, "a version; default the latest"          \
    }
#define FLAGS(list) .flags = (list), .flag_count = COUNT_OF(list)
#define SUBJECT .operand = "SUBJECT", .operand_at = WORD(subject), .operand_needed = true

static const struct flag register_flags[] = {
    FILE_FLAG,
    {"description", "TEXT", FLAG_TEXT, WORD(description), NULL, "what it is for"},
    {"tag", "TAG", FLAG_LIST, WORD(tags), NULL, "may be repeated"},
    {"compatibility", "MODE", FLAG_TEXT, WORD(compatibility), NULL,
     "of the subject from now on: NONE, BACKWARD, FORWARD, FULL, or ..._TRANSITIVE"},
    {"enforce", "true|false", FLAG_TEXT, WORD(enforce), NULL,
     "whether events of this type are checked when they are appended"},
    REMOTE_FLAGS,
    JSON_FLAG,
};
static const struct flag list_flags[] = {
    {"deprecated", NULL, FLAG_SWITCH, WORD(deprecated), NULL,
     "also those of which all versions are deprecated"},
    REMOTE_FLAGS,
    JSON_FLAG,
};
static const struct flag show_flags[] = {
    VERSION_FLAG,
    {"as-of", "MOMENT", FLAG_MOMENT, WORD(as_of), NULL, "the one that was the latest then"},
    {"deprecated", NULL, FLAG_SWITCH, WORD(deprecated), NULL,
     "a deprecated one may be the latest, too"},
    {"versions", NULL, FLAG_SWITCH, WORD(versions), NULL, "only the numbers of all versions"},
    REMOTE_FLAGS,
    JSON_FLAG,
};
static const struct flag document_flags[] = {FILE_FLAG, VERSION_FLAG, REMOTE_FLAGS, JSON_FLAG};

static const struct registry_verb register_verb = {
    {.usage = "[FLAGS] SUBJECT",
     .text = "Registers a JSON Schema as the next version of a subject, the name of an event\n"
             "type. A schema that says the same as an existing version gives that version. One\n"
             "that is not compatible is refused with the reasons.\n",
     .examples = "  allsource schema register order.placed --file order.json --enforce true\n",
     FLAGS(register_flags),
     SUBJECT},
    ask_register,
    print_answer};

static const struct registry_verb list_verb = {
    {.usage = "[FLAGS]",
     .text = "Prints the subjects that have a schema. On a terminal one a line.\n",
     .examples = "  allsource schema list\n",
     FLAGS(list_flags)},
    ask_list,
    print_list};

static const struct registry_verb show_verb = {
    {.usage = "[FLAGS] SUBJECT",
     .text = "Prints a schema with its version, description, tags and what is set for its\n"
             "subject.\n",
     .examples = "  allsource schema show order.placed --version 2 --json | jq .schema\n"
                 "  allsource schema show order.placed --as-of 2026-01-01\n",
     FLAGS(show_flags),
     SUBJECT},
    ask_show,
    print_answer};

static const struct registry_verb validate_verb = {
    {.usage = "[FLAGS] SUBJECT",
     .text = "Checks a payload by a registered schema and prints all that is wrong with it.\n"
             "Exits with 0 when it is valid and with 1 when it is not.\n",
     .examples = "  echo '{\"total\":99}' | allsource schema validate order.placed\n",
     FLAGS(document_flags),
     SUBJECT},
    ask_validate,
    print_valid};

static const struct registry_verb check_verb = {
    {.usage = "[FLAGS] SUBJECT",
     .text = "Says whether a schema could be registered as the next version of a subject, and\n"
             "if not every reason why. Registers nothing.\n"
             "Exits with 0 when it is compatible and with 1 when it is not.\n",
     .examples = "  allsource schema check order.placed --file order.json\n",
     FLAGS(document_flags),
     SUBJECT},
    ask_check,
    print_compatible};

int verb_schema_register(struct cli *cli)
{
    return run_verb(cli, &register_verb);
}

int verb_schema_list(struct cli *cli)
{
    return run_verb(cli, &list_verb);
}

int verb_schema_show(struct cli *cli)
{
    return run_verb(cli, &show_verb);
}

int verb_schema_validate(struct cli *cli)
{
    return run_verb(cli, &validate_verb);
}

int verb_schema_check(struct cli *cli)
{
    return run_verb(cli, &check_verb);
}
