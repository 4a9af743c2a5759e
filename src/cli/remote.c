// SPDX-License-Identifier: Apache-2.0
#include "cli/remote.h"

#include "cli/show.h"
#include "json/json.h"

// ---- URLs

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

static void put_encoded(struct buf *url, str text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.ptr[i];
        if (is_unreserved(text.ptr[i])) {
            buf_put_char(url, text.ptr[i]);
        } else {
            buf_put_char(url, '%');
            buf_put_char(url, digits[byte >> 4]);
            buf_put_char(url, digits[byte & 15]);
        }
    }
}

void url_begin(struct buf *url, const struct remote *remote, str path)
{
    buf_reset(url);
    buf_put_str(url, remote->base);
    buf_put_str(url, path);
}

void url_segment(struct buf *url, str segment)
{
    buf_put_char(url, '/');
    // Bare, they would be taken for a step in the path.
    bool dots = str_equal(segment, S(".")) || str_equal(segment, S(".."));
    for (size_t i = 0; dots && i < segment.len; i++)
        buf_put_str(url, S("%2E"));
    if (!dots)
        put_encoded(url, segment);
}

void url_parameter(struct buf *url, const char *name, str value)
{
    bool first = str_find(buf_str(url), '?') == url->len;
    buf_put_char(url, first ? '?' : '&');
    buf_put_str(url, str_of(name));
    buf_put_char(url, '=');
    put_encoded(url, value);
}

void url_number(struct buf *url, const char *name, struct word_number number)
{
    if (!number.given)
        return;
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)number.value);
    url_parameter(url, name, (str){digits, (size_t)len});
}

// ---- Exchanges

static err remote_open(struct cli *cli, const struct remote_words *words, struct remote *ret_remote,
                       struct als_why *why)
{
    str base = words->url;
    while (base.len && base.ptr[base.len - 1] == '/')
        base.len--;
    if (base.len == 0)
        return FAIL(why, ALS_INVALID_INPUT, "--url is empty");
    if (!str_starts(base, S("http://")) && !str_starts(base, S("https://"))) {
        struct buf url;
        buf_init(&url, 4096);
        buf_printf(&url, "http://%.*s", STR(base));
        base = arena_copy(cli->arena, buf_str(&url));
        buf_deinit(&url);
        if (!base.ptr)
            return FAIL(why, ALS_NO_MEMORY, "no memory for the address");
    }
    struct remote remote = {.cli = cli, .base = base, .tenant = words->tenant};
    TRY(http_client_new(&remote.http, why));
    *ret_remote = remote;
    return ALS_OK;
}

int remote_run(struct cli *cli, const void *asked,
               int (*run)(struct remote *remote, const void *asked))
{
    struct als_why why;
    struct remote remote;
    err failed = remote_open(cli, asked, &remote, &why);
    if (failed != ALS_OK)
        return cli_failed(cli, failed, &why);
    int code = run(&remote, asked);
    http_client_free(remote.http);
    return code;
}

static void add_header(struct http_fetch *fetch, struct http_header *headers, str name, str value)
{
    if (value.len)
        headers[fetch->header_count++] = (struct http_header){name, value};
}

err remote_exchange(struct remote *remote, const struct remote_request *request, int *ret_status,
                    struct als_why *why)
{
    struct http_header headers[4];
    struct http_fetch fetch = {
        .method = request->method,
        .url = request->url,
        .headers = headers,
        .body = request->body,
        .timeout_ms = request->timeout_ms,
        .sink = request->sink,
        .context = request->context,
    };
    add_header(&fetch, headers, S("Content-Type"), request->content_type);
    add_header(&fetch, headers, S("Accept"), request->accept);
    add_header(&fetch, headers, S("Last-Event-ID"), request->last_event_id);
    add_header(&fetch, headers, S("X-Tenant-ID"), remote->tenant);
    struct als_why told = {""};
    err code = http_fetch(remote->http, fetch, ret_status, &told);
    remote->unreachable = code == ALS_NOT_READY;
    // The code is one for all that can go wrong on the way; the words know whether it began.
    remote->sent = !remote->unreachable || !str_starts(str_of(told.text), S("could not connect"));
    if (why)
        *why = told;
    return code;
}

static bool gather(void *context, str piece)
{
    struct buf *body = context;
    buf_put_str(body, piece);
    return !buf_failed(body);
}

err remote_call(struct remote *remote, struct remote_request request, struct buf *body,
                struct als_why *why)
{
    buf_reset(body);
    request.sink = gather;
    request.context = body;
    int status;
    TRY(remote_exchange(remote, &request, &status, why));
    if (buf_failed(body))
        return FAIL(why, ALS_TOO_LARGE, "the answer does not fit into memory");
    return status >= 400 ? remote_error(status, buf_str(body), why) : ALS_OK;
}

// ---- Errors

static err code_of_name(str name)
{
    for (int code = ALS_OK + 1; code < ALS_ERR_COUNT; code++)
        if (str_equal(name, str_of(err_code((err)code))))
            return (err)code;
    return ALS_INTERNAL; // a newer server knows more
}

// False when the body is not an error as our servers write it.
static bool error_of_json(str body, struct arena *arena, err *ret_code, struct als_why *why)
{
    struct json_doc doc;
    struct json_options options = {.span_depth = 1};
    if (json_parse(body, options, arena, &doc, NULL, NULL) != ALS_OK ||
        json_root(&doc)->kind != JSON_OBJECT)
        return false;
    const struct json_node *words = json_member(&doc, json_root(&doc), S("error"));
    const struct json_node *name = json_member(&doc, json_root(&doc), S("code"));
    if (!words || words->kind != JSON_STRING)
        return false;
    bool named = name && name->kind == JSON_STRING;
    err code = named ? code_of_name(json_text(&doc, name, arena)) : ALS_INTERNAL;
    str text = json_text(&doc, words, arena), prefix = str_of(err_prefix(code));
    if (str_starts(text, prefix))
        text = str_from(text, prefix.len);
    *ret_code = FAIL(why, code, "%.*s", STR(text));
    return true;
}

err remote_error(int status, str body, struct als_why *why)
{
    struct arena arena;
    arena_init(&arena, 4096, 1 << 20);
    err code;
    if (!error_of_json(body, &arena, &code, why))
        code = FAIL(why, ALS_INTERNAL, "the server answered %d without saying why", status);
    arena_deinit(&arena);
    return code;
}

int remote_failed(struct remote *remote, err code, const struct als_why *why)
{
    struct cli *cli = remote->cli;
    if (!remote->unreachable)
        return cli_failed(cli, code, why);
    cli_say(cli, "%s", why->text);
    fprintf(cli->err, "Start a server with:  allsource serve --data-dir ./data\n"
                      "or name another with: --url URL, or ALLSOURCE_URL in the environment\n");
    return EXIT_FAILED;
}

// ---- Answers

static void show_indented(struct cli *cli, str body, struct buf *text)
{
    (void)cli;
    show_json(body, text);
    buf_put_char(text, '\n');
}

int remote_end(struct remote *remote, err code, const struct als_why *why, str body, bool json,
               remote_show *show)
{
    struct cli *cli = remote->cli;
    if (code != ALS_OK)
        return remote_failed(remote, code, why);
    struct buf text;
    buf_init(&text, SIZE_MAX);
    if (cli->out_terminal && !json) {
        (show ? show : show_indented)(cli, body, &text);
    } else {
        buf_put_str(&text, str_trim(body));
        buf_put_char(&text, '\n');
    }
    cli_write(cli, buf_str(&text));
    buf_deinit(&text);
    return cli_finish(cli, EXIT_DONE);
}

uint64_t answer_number(const struct json_doc *doc, str name)
{
    uint64_t number = 0;
    const struct json_node *node = json_member(doc, json_root(doc), name);
    if (node && node->kind == JSON_NUMBER)
        (void)json_to_u64(json_span(doc, node), &number);
    return number;
}
