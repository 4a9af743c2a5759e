// SPDX-License-Identifier: Apache-2.0
#include "cli/schema_registry.h"

#include "base/limits.h"
#include "cli/remote.h"
#include "cli/show.h"
#include "json/json.h"

enum { DOCUMENT_BYTES_MAX = 64 << 20, URL_BYTES_MAX = 64 << 10, WAIT_MS = 60'000 };

// What all of them take; each reads its own part.
struct schema_words {
    struct remote_words remote;
    str subject, file, description, compatibility, enforce, as_of;
    struct word_list tags;
    struct word_number version;
    bool deprecated, versions;
};

#define JSON_FLAG                                                                                  \
    {                                                                                              \
        "json", NULL, FLAG_SWITCH, offsetof(struct remote_words, json), NULL,                      \
            "JSON, also on a terminal"                                                             \
    }
#define FILE_FLAG                                                                                  \
    {                                                                                              \
        "file", "FILE", FLAG_TEXT, offsetof(struct schema_words, file), NULL,                      \
            "where it is; default standard input"                                                  \
    }
#define VERSION_FLAG                                                                               \
    {                                                                                              \
        "version", "N", FLAG_NUMBER, offsetof(struct schema_words, version), NULL,                 \
            "a version; default the latest"                                                        \
    }

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

struct exchange {
    struct remote *remote;
    const struct schema_words *asked;
    struct buf url, request, answer, text;
};

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

static err ask(struct exchange *exchange, struct als_why *why)
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

// ---- register

static void put_enforce(struct json_writer *writer, str enforce)
{
    json_key(writer, S("enforce"));
    json_put_bool(writer, str_equal(enforce, S("true")));
}

static err write_registration(struct exchange *exchange, struct als_why *why)
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

static int run_register(struct remote *remote, const void *words)
{
    struct exchange exchange;
    struct als_why why = {""};
    exchange_begin(&exchange, remote, words);
    err code = write_registration(&exchange, &why);
    if (code == ALS_OK)
        code = ask(&exchange, &why);
    int result = code ? remote_failed(remote, code, &why) : print_answer(&exchange);
    exchange_end(&exchange);
    return result;
}

int verb_schema_register(struct cli *cli)
{
    static const struct flag flags[] = {
        FILE_FLAG,
        {"description", "TEXT", FLAG_TEXT, offsetof(struct schema_words, description), NULL,
         "what it is for"},
        {"tag", "TAG", FLAG_LIST, offsetof(struct schema_words, tags), NULL, "may be repeated"},
        {"compatibility", "MODE", FLAG_TEXT, offsetof(struct schema_words, compatibility), NULL,
         "of the subject from now on: NONE, BACKWARD, FORWARD, FULL, or ..._TRANSITIVE"},
        {"enforce", "true|false", FLAG_TEXT, offsetof(struct schema_words, enforce), NULL,
         "whether events of this type are checked when they are appended"},
        REMOTE_FLAGS,
        JSON_FLAG,
    };
    static const struct manual manual = {
        .usage = "[FLAGS] SUBJECT",
        .text = "Registers a JSON Schema as the next version of a subject, the name of an event\n"
                "type. A schema that says the same as an existing version gives that version. One\n"
                "that is not compatible is refused with the reasons.\n",
        .examples = "  allsource schema register order.placed --file order.json --enforce true\n",
        .flags = flags,
        .flag_count = COUNT_OF(flags),
        .operand = "SUBJECT",
        .operand_at = offsetof(struct schema_words, subject),
        .operand_needed = true,
    };
    struct schema_words asked = {.remote = REMOTE_WORDS_INIT};
    int code;
    if (!words_accept(cli, &manual, &asked, &code))
        return code;
    if (asked.enforce.ptr && !str_equal(asked.enforce, S("true")) &&
        !str_equal(asked.enforce, S("false"))) {
        cli_say(cli, "--enforce: '%.*s' is neither true nor false",
                STR(str_first(asked.enforce, 40)));
        return EXIT_USAGE;
    }
    return remote_run(cli, &asked, run_register);
}

// ---- list

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

static int run_list(struct remote *remote, const void *words)
{
    struct exchange exchange;
    struct als_why why = {""};
    exchange_begin(&exchange, remote, words);
    if (exchange.asked->deprecated)
        url_parameter(&exchange.url, "deprecated", S("true"));
    err code = ask(&exchange, &why);
    int result = code ? remote_failed(remote, code, &why) : print_list(&exchange);
    exchange_end(&exchange);
    return result;
}

int verb_schema_list(struct cli *cli)
{
    static const struct flag flags[] = {
        {"deprecated", NULL, FLAG_SWITCH, offsetof(struct schema_words, deprecated), NULL,
         "also those of which all versions are deprecated"},
        REMOTE_FLAGS,
        JSON_FLAG,
    };
    static const struct manual manual = {
        .usage = "[FLAGS]",
        .text = "Prints the subjects that have a schema. On a terminal one a line.\n",
        .examples = "  allsource schema list\n",
        .flags = flags,
        .flag_count = COUNT_OF(flags),
    };
    struct schema_words asked = {.remote = REMOTE_WORDS_INIT};
    int code;
    return words_accept(cli, &manual, &asked, &code) ? remote_run(cli, &asked, run_list) : code;
}

// ---- show

static int run_show(struct remote *remote, const void *words)
{
    struct exchange exchange;
    struct als_why why = {""};
    exchange_begin(&exchange, remote, words);
    const struct schema_words *asked = exchange.asked;
    url_segment(&exchange.url, asked->subject);
    if (asked->versions)
        buf_put_str(&exchange.url, S("/versions"));
    url_number(&exchange.url, "version", asked->version);
    if (asked->as_of.ptr)
        url_parameter(&exchange.url, "as_of", asked->as_of);
    if (asked->deprecated)
        url_parameter(&exchange.url, "deprecated", S("true"));
    err code = ask(&exchange, &why);
    int result = code ? remote_failed(remote, code, &why) : print_answer(&exchange);
    exchange_end(&exchange);
    return result;
}

int verb_schema_show(struct cli *cli)
{
    static const struct flag flags[] = {
        VERSION_FLAG,
        {"as-of", "MOMENT", FLAG_MOMENT, offsetof(struct schema_words, as_of), NULL,
         "the one that was the latest then"},
        {"deprecated", NULL, FLAG_SWITCH, offsetof(struct schema_words, deprecated), NULL,
         "a deprecated one may be the latest, too"},
        {"versions", NULL, FLAG_SWITCH, offsetof(struct schema_words, versions), NULL,
         "only the numbers of all versions"},
        REMOTE_FLAGS,
        JSON_FLAG,
    };
    static const struct manual manual = {
        .usage = "[FLAGS] SUBJECT",
        .text = "Prints a schema with its version, description, tags and what is set for its\n"
                "subject.\n",
        .examples = "  allsource schema show order.placed --version 2 --json | jq .schema\n"
                    "  allsource schema show order.placed --as-of 2026-01-01\n",
        .flags = flags,
        .flag_count = COUNT_OF(flags),
        .operand = "SUBJECT",
        .operand_at = offsetof(struct schema_words, subject),
        .operand_needed = true,
    };
    struct schema_words asked = {.remote = REMOTE_WORDS_INIT};
    int code;
    return words_accept(cli, &manual, &asked, &code) ? remote_run(cli, &asked, run_show) : code;
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

static int run_validate(struct remote *remote, const void *words)
{
    struct exchange exchange;
    struct als_why why = {""};
    exchange_begin(&exchange, remote, words);
    buf_put_str(&exchange.url, S("/validate"));
    err code = write_document(&exchange, true, S("payload"), &why);
    if (code == ALS_OK)
        code = ask(&exchange, &why);
    int result = code ? remote_failed(remote, code, &why) : print_verdict(&exchange, S("valid"));
    exchange_end(&exchange);
    return result;
}

int verb_schema_validate(struct cli *cli)
{
    static const struct flag flags[] = {FILE_FLAG, VERSION_FLAG, REMOTE_FLAGS, JSON_FLAG};
    static const struct manual manual = {
        .usage = "[FLAGS] SUBJECT",
        .text = "Checks a payload by a registered schema and prints all that is wrong with it.\n"
                "Exits with 0 when it is valid and with 1 when it is not.\n",
        .examples = "  echo '{\"total\":99}' | allsource schema validate order.placed\n",
        .flags = flags,
        .flag_count = COUNT_OF(flags),
        .operand = "SUBJECT",
        .operand_at = offsetof(struct schema_words, subject),
        .operand_needed = true,
    };
    struct schema_words asked = {.remote = REMOTE_WORDS_INIT};
    int code;
    return words_accept(cli, &manual, &asked, &code) ? remote_run(cli, &asked, run_validate) : code;
}

static int run_check(struct remote *remote, const void *words)
{
    struct exchange exchange;
    struct als_why why = {""};
    exchange_begin(&exchange, remote, words);
    url_segment(&exchange.url, exchange.asked->subject);
    buf_put_str(&exchange.url, S("/compatibility/check"));
    err code = write_document(&exchange, false, S("schema"), &why);
    if (code == ALS_OK)
        code = ask(&exchange, &why);
    int result =
        code ? remote_failed(remote, code, &why) : print_verdict(&exchange, S("compatible"));
    exchange_end(&exchange);
    return result;
}

int verb_schema_check(struct cli *cli)
{
    static const struct flag flags[] = {FILE_FLAG, VERSION_FLAG, REMOTE_FLAGS, JSON_FLAG};
    static const struct manual manual = {
        .usage = "[FLAGS] SUBJECT",
        .text = "Says whether a schema could be registered as the next version of a subject, and\n"
                "if not every reason why. Registers nothing.\n"
                "Exits with 0 when it is compatible and with 1 when it is not.\n",
        .examples = "  allsource schema check order.placed --file order.json\n",
        .flags = flags,
        .flag_count = COUNT_OF(flags),
        .operand = "SUBJECT",
        .operand_at = offsetof(struct schema_words, subject),
        .operand_needed = true,
    };
    struct schema_words asked = {.remote = REMOTE_WORDS_INIT};
    int code;
    return words_accept(cli, &manual, &asked, &code) ? remote_run(cli, &asked, run_check) : code;
}
