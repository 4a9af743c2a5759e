// SPDX-License-Identifier: Apache-2.0
#include "cli/cli.h"

#include "cli/verb.h"
#include "cli/words.h"
#include "os/os.h"

#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static const struct command {
    const char *name, *help;
    int (*run)(struct cli *cli);
} commands[] = {
#define X(name, help) XX(name, #name, help)
#define XX(function, name, help) {name, help, verb_##function},
#include "cli/commands.def"
#undef XX
#undef X
};

static const struct command *command_find(str name)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (str_equal(name, str_of(commands[i].name)))
            return &commands[i];
    return NULL;
}

static void overview_print(FILE *file)
{
    fprintf(file, "AllSource %s: an event store\n\nusage: allsource VERB [FLAGS]\n\n",
            ALLSOURCE_VERSION);
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        fprintf(file, "  %-14s %s\n", commands[i].name, commands[i].help);
    fprintf(file, "\nBegin with:\n"
                  "  allsource serve --data-dir ./data\n"
                  "  echo '{\"event_type\":\"user.created\",\"entity_id\":\"u1\",\"payload\":{}}' "
                  "| allsource append\n"
                  "  allsource query --entity u1\n"
                  "\nEach verb explains itself: allsource VERB --help\n");
}

static int unknown_verb(FILE *file, const char *word)
{
    const char *names[COUNT_OF(commands)];
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        names[i] = commands[i].name;
    const char *nearest = words_nearest(str_of(word), names, COUNT_OF(names));
    fprintf(file, "allsource: there is no verb '%.60s'", word);
    if (nearest)
        fprintf(file, "; did you mean '%s'?", nearest);
    fprintf(file, "\nThe verbs are:");
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        fprintf(file, " %s", commands[i].name);
    fprintf(file, "\n");
    return EXIT_USAGE;
}

static int command_run(struct cli *cli, const struct command *command)
{
    cli->verb = command->name;
    return command->run(cli);
}

int verb_help(struct cli *cli)
{
    if (cli->count == 0 || cli->words[0][0] == '-') {
        overview_print(cli->out);
        return cli_finish(cli, EXIT_DONE);
    }
    const struct command *command = command_find(str_of(cli->words[0]));
    if (!command)
        return unknown_verb(cli->err, cli->words[0]);
    if (command->run == verb_help || command->run == verb_version) {
        fprintf(cli->out, "usage: allsource %s\n\n%s\n", command->name, command->help);
        return cli_finish(cli, EXIT_DONE);
    }
    char help[] = "--help", *words[] = {help, NULL};
    cli->words = words;
    cli->count = 1;
    return command_run(cli, command);
}

int verb_version(struct cli *cli)
{
    fprintf(cli->out, "allsource %s\n", ALLSOURCE_VERSION);
    return cli_finish(cli, EXIT_DONE);
}

str cli_environment(const struct cli *cli, const char *name)
{
    for (char **at = cli->environment; at && *at; at++) {
        str value = str_of(*at);
        if (str_equal(str_cut(&value, '='), str_of(name)))
            return value;
    }
    return (str){NULL, 0};
}

void cli_say(struct cli *cli, const char *format, ...)
{
    fflush(cli->out); // what was printed before comes before
    fprintf(cli->err, "allsource %s: ", cli->verb);
    va_list arguments;
    va_start(arguments, format);
    vfprintf(cli->err, format, arguments);
    va_end(arguments);
    fputc('\n', cli->err);
}

int cli_failed(struct cli *cli, err code, const struct als_why *why)
{
    cli_say(cli, "%s%s", err_prefix(code), why->text);
    return EXIT_FAILED;
}

bool cli_write(struct cli *cli, str text)
{
    return text.len == 0 || fwrite(text.ptr, 1, text.len, cli->out) == text.len;
}

int cli_finish(struct cli *cli, int code)
{
    if (fflush(cli->out) == 0 && !ferror(cli->out))
        return code;
    fprintf(cli->err, "allsource %s: the output could not be written completely\n", cli->verb);
    return EXIT_FAILED;
}

void cli_pause(uint32_t wait_ms)
{
    struct timespec wait = {wait_ms / 1000, (long)(wait_ms % 1000) * 1'000'000};
    (void)nanosleep(&wait, NULL); // cut short by a signal: so be it
}

static unsigned terminal_columns(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40)
        return size.ws_col;
    return 80;
}

static const struct command *command_of_word(const char *word)
{
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return command_find(S("help"));
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
        return command_find(S("version"));
    return command_find(str_of(word));
}

int cli_main(int count, char **words, char **environment, cli_serve *serve)
{
    if (count < 2) {
        overview_print(stderr);
        return EXIT_USAGE;
    }
    const struct command *command = command_of_word(words[1]);
    if (!command)
        return unknown_verb(stderr, words[1]);
    struct arena arena;
    arena_init(&arena, 64 << 10, 64 << 20);
    struct cli cli = {
        .os = os_posix(),
        .out = stdout,
        .err = stderr,
        .out_terminal = isatty(STDOUT_FILENO),
        .err_terminal = isatty(STDERR_FILENO),
        .columns = terminal_columns(),
        .words = words + 2,
        .count = (size_t)count - 2,
        .environment = environment,
        .serve = serve,
        .arena = &arena,
    };
    int code = command_run(&cli, command);
    arena_deinit(&arena);
    return code;
}
