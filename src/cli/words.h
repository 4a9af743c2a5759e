// SPDX-License-Identifier: Apache-2.0
// Command lines from tables: a verb lists its flags, and parsing, defaults from the environment,
// ranges, help and hints for typing errors follow from that.
#pragma once

#include "cli/verb.h"

enum { WORDS_LIST_MAX = 64 };

enum flag_kind {
    FLAG_SWITCH, // bool
    FLAG_TEXT,   // str; its `ptr` stays NULL when the flag is not given
    FLAG_LIST,   // struct word_list: may be given several times
    FLAG_NUMBER, // struct word_number
    FLAG_MOMENT, // str: RFC 3339 text made of whatever moment_read() takes
};

struct word_list {
    str items[WORDS_LIST_MAX];
    size_t count;
};

struct word_number {
    uint64_t value;
    bool given;
};

struct flag {
    const char *name;  // without the dashes
    const char *value; // what stands for the value in the help; NULL for a switch
    enum flag_kind kind;
    size_t at;               // where in the verb's struct
    const char *environment; // a variable that stands in when the flag is not given; or NULL
    const char *help;
};

struct manual {
    const char *usage; // "[FLAGS] ENTITY"
    const char *text;  // what it does, in lines
    const char *examples;
    const struct flag *flags;
    size_t flag_count;
    const char *operand; // the word that is no flag; NULL: none is taken
    size_t operand_at;   // a str
    bool operand_needed;
};

// Reads the verb's words into `asked`, which holds the defaults. False when there is nothing more
// to do: help was asked for and printed, or a word was wrong and the person was told;
// *ret_exit is the exit code then.
bool words_accept(struct cli *cli, const struct manual *manual, void *asked, int *ret_exit);

// The same without any printing: ALS_INVALID_INPUT says what is wrong. *ret_help tells that help
// was asked for.
err words_read(struct cli *cli, const struct manual *manual, void *asked, bool *ret_help,
               struct als_why *why);
void words_help(const char *verb, const struct manual *manual, struct buf *buf);

// The candidate that `word` was probably meant to be, or NULL when none is near.
const char *words_nearest(str word, const char *const *candidates, size_t count);

// A moment: RFC 3339, a date (its midnight, UTC), or an age like "90s", "15m", "2h", "7d".
bool moment_read(str text, int64_t now_us, int64_t *ret_us);
