// SPDX-License-Identifier: Apache-2.0
#include "config/config.h"

#include "base/rand.h"
#include "config/options.h"
#include "test.h"

#include <stdio.h>

enum { WORDS_MAX = 16 };

struct fixture {
    struct arena arena;
    struct config config;
    struct als_why why;
    struct buf buf;
};

static void fixture_init(struct fixture *fixture)
{
    *fixture = (struct fixture){};
    arena_init(&fixture->arena, 4096, 1 << 20);
    buf_init(&fixture->buf, 1 << 20);
}

static void fixture_deinit(struct fixture *fixture)
{
    arena_deinit(&fixture->arena);
    buf_deinit(&fixture->buf);
}

#define FIXTURE(name)                                                                              \
    __attribute__((cleanup(fixture_deinit))) struct fixture name;                                  \
    fixture_init(&name)

// Both lists are separated by blanks; NULL is an empty one.
static err read(struct fixture *f, const char *flags, const char *environment)
{
    static char space[2][2048];
    char *lists[2][WORDS_MAX] = {};
    const char *texts[2] = {flags, environment};
    size_t counts[2] = {0, 0};
    for (size_t i = 0; i < 2; i++) {
        snprintf(space[i], sizeof space[i], "%s", texts[i] ? texts[i] : "");
        for (str rest = str_of(space[i]); rest.len;) {
            char *word = space[i] + (rest.ptr - space[i]);
            word[str_cut(&rest, ' ').len] = '\0';
            CHECK(counts[i] < WORDS_MAX - 1);
            lists[i][counts[i]++] = word;
        }
    }
    return config_read(lists[0], counts[0], lists[1], &f->arena, &f->config, &f->why);
}

static str printed(struct fixture *f)
{
    buf_reset(&f->buf);
    config_print(&f->config, &f->buf);
    CHECK(!buf_failed(&f->buf));
    return buf_str(&f->buf);
}

static const char *file_of(const char *text)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/allsource.conf", test_directory());
    FILE *file = fopen(path, "w");
    CHECK(file);
    CHECK(fputs(text, file) >= 0 && fclose(file) == 0);
    return path;
}

static err read_with_file(struct fixture *f, const char *text, const char *flags,
                          const char *environment)
{
    char words[512];
    snprintf(words, sizeof words, "--config=%s%s%s", file_of(text), flags ? " " : "",
             flags ? flags : "");
    return read(f, words, environment);
}

static bool has(str text, const char *part)
{
    return memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

#define CHECK_HAS(text, part)                                                                      \
    do {                                                                                           \
        str test_text_ = (text);                                                                   \
        if (!has(test_text_, (part)))                                                              \
            test_fail(__FILE__, __LINE__, "'%s' lacks '%s'", test_text(test_text_), (part));       \
    } while (0)

TEST(config_without_anything_is_the_table)
{
    FIXTURE(f);
    CHECK_OK(read(&f, NULL, NULL));
    CHECK_STR(S("./data"), f.config.data_dir);
    CHECK_EQUAL(1, f.config.listen_count);
    CHECK_STR(S("127.0.0.1:8080"), f.config.listen[0]);
    CHECK_EQUAL(64 << 20, f.config.request_bytes_max);
    CHECK_EQUAL(1 << 20, f.config.event_bytes_max);
    CHECK_EQUAL(CONFIG_DURABILITY_SYNC, f.config.durability_kind);
    CHECK_EQUAL(LOG_INFO, f.config.log_least);
    CHECK(!f.config.insecure && !f.config.ephemeral && !f.config.help);
    CHECK_EQUAL(CONFIG_DEFAULT, f.config.from.data_dir);
    CHECK_OK(config_read(NULL, 0, NULL, &f.arena, &f.config, NULL));
}

// A row of the table is wrong before any user sees it.
TEST(config_defaults_lie_within_their_ranges)
{
    for (size_t i = 0; i < option_count; i++) {
        uint64_t value, least, most;
        if (options[i].kind != OPTION_NUMBER)
            continue;
        CHECK(number_read(str_of(options[i].value), &value));
        CHECK(number_read(str_of(options[i].least), &least));
        CHECK(number_read(str_of(options[i].most), &most));
        CHECK(least <= value && value <= most);
    }
}

TEST(config_takes_the_flag_before_the_environment_before_the_file)
{
    FIXTURE(f);
    static const char file[] = "threads = 1\nwriters=1\n\n# note\n  max-tenants =  7  # seven\r\n"
                               "listen = 127.0.0.1:1, [::1]:2\nephemeral = true\n";
    CHECK_OK(read_with_file(&f, file, "--threads 3 --ephemeral=false",
                            "ALLSOURCE_THREADS=2 ALLSOURCE_WRITERS=2"));
    CHECK_EQUAL(3, f.config.threads);
    CHECK_EQUAL(CONFIG_FLAG, f.config.from.threads);
    CHECK_EQUAL(2, f.config.writers);
    CHECK_EQUAL(CONFIG_ENVIRONMENT, f.config.from.writers);
    CHECK_EQUAL(7, f.config.tenants_max);
    CHECK_EQUAL(CONFIG_FILE, f.config.from.tenants_max);
    CHECK_EQUAL(CONFIG_DEFAULT, f.config.from.batch_events_max);
    CHECK_EQUAL(2, f.config.listen_count);
    CHECK_STR(S("[::1]:2"), f.config.listen[1]);
    CHECK(!f.config.ephemeral);
    CHECK_EQUAL(CONFIG_FLAG, f.config.from.ephemeral);
}

TEST(config_finds_the_file_by_the_environment_too)
{
    FIXTURE(f);
    char variable[300];
    snprintf(variable, sizeof variable, "ALLSOURCE_CONFIG=%s", file_of("writers = 9"));
    CHECK_OK(read(&f, NULL, variable));
    CHECK_EQUAL(9, f.config.writers);
    CHECK_OK(read_with_file(&f, "", NULL, variable)); // the flag names another one
    CHECK_EQUAL(1, f.config.writers);
}

TEST(config_lists_append_among_flags_and_replace_what_came_before)
{
    FIXTURE(f);
    CHECK_OK(read(&f, "--listen 127.0.0.1:1 --listen=[::1]:2",
                  "ALLSOURCE_LISTEN=127.0.0.1:8,127.0.0.1:9,127.0.0.1:10"));
    CHECK_EQUAL(2, f.config.listen_count);
    CHECK_STR(S("127.0.0.1:1"), f.config.listen[0]);
    CHECK_STR(S("[::1]:2"), f.config.listen[1]);
    CHECK_OK(read(&f, NULL, "ALLSOURCE_LISTEN=127.0.0.1:8,127.0.0.1:9,127.0.0.1:10"));
    CHECK_EQUAL(3, f.config.listen_count);
}

TEST(config_numbers_take_suffixes_and_nothing_else)
{
    static const struct {
        const char *text;
        uint64_t value;
    } good[] = {{"0", 0},           {"17", 17},      {"1k", 1024},
                {"2K", 2048},       {"3m", 3 << 20}, {"4M", 4 << 20},
                {"5g", 5ULL << 30}, {"007", 7},      {"17179869183g", 17179869183ULL << 30}};
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        uint64_t value = 99;
        CHECK(number_read(str_of(good[i].text), &value));
        CHECK_EQUAL(good[i].value, value);
    }
    static const char *const bad[] = {"",   "k",  "1kk",          "1 k",
                                      "-1", "+1", "1.5m",         "0x10",
                                      "1b", "1t", "17179869184g", "18446744073709551616"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        uint64_t value = 99;
        CHECK(!number_read(str_of(bad[i]), &value));
        CHECK_EQUAL(99, value);
    }
}

// Each wrong start ends in a sentence that says what to do.
TEST(config_refuses_what_is_wrong_and_says_where_and_what_to_do)
{
    static const struct {
        const char *flags, *environment, *says;
    } rows[] = {
        {"--thread=1", NULL, "flag '--thread' is unknown; did you mean --threads?"},
        {"--event-bytes-max=1", NULL, "flag '--event-bytes-max' is unknown"},
        {"--max-event-byte 1", NULL, "did you mean --max-event-bytes?"},
        {"--zzzzzz", NULL, "flag '--zzzzzz' is unknown; --help lists the flags"},
        {"serve", NULL, "no other arguments: 'serve' is unknown; --help"},
        {"-listen", NULL, "'-listen' is unknown; did you mean --listen?"},
        {"--", NULL, "'--' is unknown"},
        {"--threads", NULL, "--threads needs a value"},
        {"--data-dir --insecure", NULL, "--data-dir needs a value"},
        {"--data-dir=", NULL, "--data-dir: a value is needed"},
        {"--threads 257", NULL, "--threads: '257' is no number from 0 to 256"},
        {"--max-event-bytes 2x", NULL, "--max-event-bytes: '2x' is no number from 256 to 64m"},
        {NULL, "ALLSOURCE_WRITERS=0", "ALLSOURCE_WRITERS: '0' is no number from 1 to 64"},
        {NULL, "ALLSOURCE_DATADIR=/x",
         "has ALLSOURCE_DATADIR, which is unknown; did you mean "
         "ALLSOURCE_DATA_DIR?"},
        {NULL, "ALLSOURCE_data_dir=/x", "did you mean ALLSOURCE_DATA_DIR?"},
        {"--insecure=yes", NULL, "--insecure: 'yes' is neither true nor false"},
        {"--durability fsync", NULL, "--durability: 'fsync' is none of sync, none and interval:"},
        {"--durability interval:0", NULL, "--durability: 'interval:0' is none of"},
        {"--durability interval:60001", NULL, "(1 to 60000 milliseconds)"},
        {"--durability interval:", NULL, "--durability: 'interval:'"},
        {"--durability interval:5ms", NULL, "--durability: 'interval:5ms'"},
        {"--log-level loud", NULL, "--log-level: 'loud' is none of debug, info, warn, error"},
        {"--max-event-bytes 1m --max-request-bytes 1m", NULL, "must fit into a request"},
        {"--ephemeral --data-dir x", NULL, "give one of them"},
        {"--listen 8080", NULL, "'8080' is no HOST:PORT, such as 127.0.0.1:8080"},
        {"--listen 127.0.0.1", NULL, "no HOST:PORT"},
        {"--listen 127.0.0.1:", NULL, "no HOST:PORT"},
        {"--listen 127.0.0.1:65536", NULL, "no HOST:PORT"},
        {"--listen 127.0.0.1:-1", NULL, "no HOST:PORT"},
        {"--listen 127.0.0.1:80:80", NULL, "no HOST:PORT"},
        {"--listen :8080", NULL, "no HOST:PORT"},
        {"--listen ::1:8080", NULL, "no HOST:PORT"},
        {"--listen [::1]8080", NULL, "no HOST:PORT"},
        {"--listen [::1]:", NULL, "no HOST:PORT"},
        {"--listen [::1", NULL, "no HOST:PORT"},
        {"--listen [127.0.0.1]:80", NULL, "no HOST:PORT"},
        {"--listen example.com:80", NULL, "(HOST is an address, not a name)"},
        {"--listen localhost:99999", NULL, "no HOST:PORT"},
        {"--listen 127.0.0.1:1 --listen 127.0.0.1:1", NULL, "127.0.0.1:1 is given twice"},
        {NULL, "ALLSOURCE_LISTEN=127.0.0.1:1,,127.0.0.1:2", "ALLSOURCE_LISTEN: a value is empty"},
        {NULL,
         "ALLSOURCE_LISTEN=127.0.0.1:1,127.0.0.1:2,127.0.0.1:3,127.0.0.1:4,127.0.0.1:5,"
         "127.0.0.1:6,127.0.0.1:7,127.0.0.1:8,127.0.0.1:9",
         "at most 8 values"},
        {"--config /no/such/file.conf", NULL, "--config /no/such/file.conf: "},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        FIXTURE(f);
        CHECK_ERR(ALS_INVALID_INPUT, read(&f, rows[i].flags, rows[i].environment));
        CHECK_HAS(str_of(f.why.text), rows[i].says);
        CHECK_EQUAL(0, f.config.writers); // the output is untouched
    }
}

TEST(config_refuses_bad_files_by_line)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"threads = 1\n\nthreads 2\n", "allsource.conf:3: expected 'key = value'"},
        {"threads\n", "allsource.conf:1: expected 'key = value'"},
        {"thread = 1", "allsource.conf:1: key 'thread' is unknown; did you mean threads?"},
        {"xyzzyxyzzy = 1", "allsource.conf:1: key 'xyzzyxyzzy' is unknown; keys are"},
        {"threads = 1\nthreads = 1\n", "allsource.conf:2: 'threads' is already set further up"},
        {"config = other", "allsource.conf:1: a file cannot name another file"},
        {"data-dir = \"/x\"", "allsource.conf:1: values stand without quotes"},
        {"\nwriters = many", "allsource.conf:2: writers: 'many' is no number from 1 to 64"},
        {"data-dir =", "allsource.conf:1: data-dir: a value is needed"},
        {"data-dir = a\x01", "allsource.conf:1: data-dir: a value is needed, without control"},
        {"= 1", "allsource.conf:1: key '' is unknown"},
        {"listen = 0.0.0.0:80", "--listen 0.0.0.0:80 is open to other machines"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        FIXTURE(f);
        CHECK_ERR(ALS_INVALID_INPUT, read_with_file(&f, rows[i].text, NULL, NULL));
        CHECK_HAS(str_of(f.why.text), rows[i].says);
    }
}

TEST(config_refuses_a_file_that_is_too_long)
{
    FIXTURE(f);
    static char text[CONFIG_FILE_BYTES_MAX + 2];
    memset(text, '#', CONFIG_FILE_BYTES_MAX);
    CHECK_OK(read_with_file(&f, text, NULL, NULL));
    text[CONFIG_FILE_BYTES_MAX] = '#';
    CHECK_ERR(ALS_INVALID_INPUT, read_with_file(&f, text, NULL, NULL));
    CHECK_HAS(str_of(f.why.text), "longer than 65536 bytes");
}

TEST(config_opens_to_other_machines_only_when_told_that_it_is_insecure)
{
    static const char *const open[] = {"0.0.0.0:80",      "192.168.0.1:80", "[::]:80",
                                       "[2001:db8::1]:1", "128.0.0.1:80",   "[::ffff:10.0.0.1]:80"};
    static const char *const closed[] = {"127.0.0.1:80", "127.255.0.9:0", "[::1]:80",
                                         "[::ffff:127.0.0.1]:80", "localhost:80"};
    char flags[100];
    for (size_t i = 0; i < COUNT_OF(open); i++) {
        FIXTURE(f);
        CHECK(!config_is_loopback(str_of(open[i])));
        snprintf(flags, sizeof flags, "--listen %s", open[i]);
        CHECK_ERR(ALS_INVALID_INPUT, read(&f, flags, NULL));
        CHECK_HAS(str_of(f.why.text), "is open to other machines");
        CHECK_HAS(str_of(f.why.text), "or say --insecure");
        snprintf(flags, sizeof flags, "--insecure --listen %s", open[i]);
        CHECK_OK(read(&f, flags, NULL));
    }
    for (size_t i = 0; i < COUNT_OF(closed); i++) {
        FIXTURE(f);
        snprintf(flags, sizeof flags, "--listen %s", closed[i]);
        CHECK_OK(read(&f, flags, NULL));
        CHECK(config_is_loopback(f.config.listen[0]));
    }
    CHECK(!config_is_loopback(S("nonsense")) && !config_is_loopback(S("")));
}

TEST(config_reads_the_durability)
{
    FIXTURE(f);
    CHECK_OK(read(&f, "--durability interval:250", NULL));
    CHECK_EQUAL(CONFIG_DURABILITY_INTERVAL, f.config.durability_kind);
    CHECK_EQUAL(250, f.config.durability_interval_ms);
    CHECK_OK(read(&f, "--durability none", NULL));
    CHECK_EQUAL(CONFIG_DURABILITY_NONE, f.config.durability_kind);
    CHECK_EQUAL(0, f.config.durability_interval_ms);
}

TEST(config_reads_whether_schemas_are_enforced)
{
    FIXTURE(f);
    CHECK_OK(read(&f, NULL, NULL));
    CHECK(!f.config.schemas_strict);
    CHECK_OK(read(&f, "--schema-enforcement strict", NULL));
    CHECK(f.config.schemas_strict);
    CHECK_OK(read(&f, "--schema-enforcement off", NULL));
    CHECK(!f.config.schemas_strict);
    CHECK_ERR(ALS_INVALID_INPUT, read(&f, "--schema-enforcement on", NULL));
}

TEST(config_reads_whether_formats_refuse)
{
    FIXTURE(f);
    CHECK_OK(read(&f, NULL, NULL));
    CHECK(!f.config.schemas_assert_formats);
    CHECK_OK(read(&f, "--schema-formats assert", NULL));
    CHECK(f.config.schemas_assert_formats);
    CHECK_ERR(ALS_INVALID_INPUT, read(&f, "--schema-formats strict", NULL));
}

TEST(config_takes_localhost_for_127_0_0_1)
{
    FIXTURE(f);
    CHECK_OK(read(&f, "--listen localhost:0", NULL));
    CHECK_STR(S("127.0.0.1:0"), f.config.listen[0]);
}

TEST(config_ignores_variables_of_others_and_empty_ones)
{
    FIXTURE(f);
    CHECK_OK(read(&f, NULL,
                  "ALLSOURCE_CORE_URL=http://x ALLSOURCE_PORT=tcp://10.0.0.1:8080 "
                  "ALLSOURCE_SERVICE_HOST=10.0.0.1 ALLSOURCE_PORT_8080_TCP_PORT=8080 "
                  "ALLSOURCE_SEED=3 ALLSOURCE_DURABILITY= ALLSOURCE_ PATH=/bin odd"));
    CHECK_STR(S("sync"), f.config.durability);
    CHECK_EQUAL(CONFIG_DEFAULT, f.config.from.durability);
}

TEST(config_help_and_version_win_over_errors)
{
    FIXTURE(f);
    CHECK_OK(read(&f, "--nonsense --help", "ALLSOURCE_THREADS=x"));
    CHECK(f.config.help);
    CHECK_OK(read(&f, "-V --threads", NULL));
    CHECK(f.config.version && !f.config.help);
    config_version(&f.buf);
    CHECK_STR(S("allsourced " ALLSOURCE_VERSION "\n"), buf_str(&f.buf));
}

TEST(config_help_names_every_flag_and_stays_within_100_columns)
{
    FIXTURE(f);
    config_help(&f.buf);
    CHECK(!buf_failed(&f.buf));
    for (size_t i = 0; i < option_count; i++) {
        char row[100];
        snprintf(row, sizeof row, options[i].kind == OPTION_GROUP ? "\n%s\n" : "\n  --%s ",
                 options[i].kind == OPTION_GROUP ? options[i].help : options[i].flag);
        CHECK_HAS(buf_str(&f.buf), row);
    }
    CHECK_HAS(buf_str(&f.buf),
              "\n  --max-event-bytes BYTES           one event: names, payload and "
              "metadata; less than\n"
              "                                    --max-request-bytes "
              "[1m; 256 to 64m]\n");
    for (str rest = buf_str(&f.buf); rest.len;) {
        str line = str_cut(&rest, '\n');
        CHECK(line.len <= 100);
        CHECK(!str_ends(line, S(" ")));
    }
}

TEST(config_print_tells_each_value_and_its_origin)
{
    FIXTURE(f);
    CHECK_OK(read_with_file(&f, "max-batch-events = 10", "--data-dir=/var/x --print-config",
                            "ALLSOURCE_WRITERS=2"));
    CHECK(f.config.print_config);
    str text = printed(&f);
    CHECK_HAS(text, "\ndata-dir = /var/x                           # command line, --data-dir\n");
    CHECK_HAS(text, "\nwriters = 2                                 # environment, "
                    "ALLSOURCE_WRITERS\n");
    CHECK_HAS(text, "\nmax-batch-events = 10                       # file\n");
    CHECK_HAS(text, "\nmax-request-bytes = 64m                     # default\n");
    CHECK_HAS(text, "\nephemeral = false                           # default\n");
    CHECK_HAS(text, "\n# config = ");
}

static str without_origins(struct fixture *f, str text)
{
    struct buf buf;
    buf_init(&buf, 1 << 20);
    while (text.len) {
        str line = str_cut(&text, '\n');
        if (str_starts(line, S("#")))
            continue;
        buf_put_str(&buf, str_trim(str_first(line, str_find(line, '#'))));
        buf_put_char(&buf, '\n');
    }
    str copy = arena_copy(&f->arena, buf_str(&buf));
    buf_deinit(&buf);
    return copy;
}

// What --print-config shows can be given back as a file, whatever the values are.
TEST(config_print_reads_back_as_a_file)
{
    FOR_EACH_SEED(seed, 200) {
        FIXTURE(f);
        struct rand rand = {seed};
        CHECK_OK(read(&f,
                      seed % 2 ? "--listen 127.0.0.1:1 --listen [::1]:2 --insecure"
                               : "--durability interval:7 --data-dir /a=b#c,d --log-level off",
                      NULL));
        for (size_t i = 0; i < option_count; i++) {
            uint64_t least, most;
            if (options[i].kind != OPTION_NUMBER)
                continue;
            CHECK(number_read(str_of(options[i].least), &least));
            CHECK(number_read(str_of(options[i].most), &most));
            uint64_t value = least + rand_below(&rand, most - least + 1);
            value = value > 4096 && rand_below(&rand, 2) ? value & ~UINT64_C(1023) : value;
            *option_number(&options[i], &f.config) = value < least ? least : value;
        }
        f.config.event_bytes_max = 256 + rand_below(&rand, 512);
        str first = without_origins(&f, printed(&f));
        char *text = arena_alloc(&f.arena, f.buf.len + 1);
        memcpy(text, f.buf.ptr, f.buf.len);
        text[f.buf.len] = '\0';
        CHECK_OK(read_with_file(&f, text, NULL, NULL));
        CHECK_STR(first, without_origins(&f, printed(&f)));
        CHECK_EQUAL(CONFIG_FILE, f.config.from.threads);
    }
}
