// SPDX-License-Identifier: Apache-2.0
#include "settings/settings.h"

#include "base/limits.h"
#include "base/rand.h"
#include "crash.h"
#include "test.h"
#include "wal/wal.h"

#include <pthread.h>
#include <stdlib.h>

enum { SETTINGS_MAX = 64, BODY_MAX = 3000 };

// ---- A model: setting n was drawn from what model.salts[n - 1] says.

struct model {
    uint64_t salts[SETTINGS_MAX], salt;
    size_t acknowledged, tried; // so many must, so many may be found
};

static str draw_body(uint64_t salt, char space[static BODY_MAX])
{
    struct rand rand = {salt};
    size_t size = rand_below(&rand, rand_below(&rand, 8) == 0 ? BODY_MAX : 200);
    for (size_t i = 0; i < size; i++)
        space[i] = (char)('a' + rand_below(&rand, 26));
    return (str){space, size};
}

struct opened {
    struct os *os;
    struct os_dir *dir;
    struct settings *settings;
    const struct model *model;
    size_t found;
    int64_t last_us;
};

static err compare(void *context, const struct setting *setting, struct als_why *why)
{
    struct opened *opened = context;
    char space[BODY_MAX];
    if (opened->found == opened->model->tried)
        return FAIL(why, ALS_INTERNAL, "setting %zu was never made", opened->found + 1);
    uint64_t salt = opened->model->salts[opened->found++];
    if (setting->number != opened->found || setting->kind != SETTING_SCHEMA ||
        setting->events != salt || !str_equal(setting->body, draw_body(salt, space)))
        return FAIL(why, ALS_INTERNAL, "setting %zu is another", opened->found);
    if (setting->recorded_us < opened->last_us)
        return FAIL(why, ALS_INTERNAL, "the time of setting %zu goes back", opened->found);
    opened->last_us = setting->recorded_us;
    return ALS_OK;
}

static void opened_close(struct opened *opened)
{
    settings_close(opened->settings);
    if (opened->dir)
        opened->os->dir_close(opened->dir);
    opened->settings = NULL;
    opened->dir = NULL;
}

static err try_open(struct opened *opened, struct als_why *why)
{
    struct os *os = opened->os;
    TRY(os->dir_open(os, NULL, S("tenant"), true, &opened->dir, why));
    TRY(settings_open(os, opened->dir, S("default"), compare, opened, &opened->settings, why));
    if (opened->found < opened->model->acknowledged)
        return FAIL(why, ALS_INTERNAL, "%zu settings were acknowledged, %zu are there",
                    opened->model->acknowledged, opened->found);
    return ALS_OK;
}

static err model_open(const struct model *model, struct sim *sim, struct opened *ret_opened,
                      struct als_why *why)
{
    *ret_opened = (struct opened){.os = sim_os(sim), .model = model};
    err code = try_open(ret_opened, why);
    if (code != ALS_OK)
        opened_close(ret_opened);
    return code;
}

static err model_append(struct model *model, struct settings *settings, struct als_why *why)
{
    char space[BODY_MAX];
    struct setting setting;
    uint64_t salt = ++model->salt;
    str body = draw_body(salt, space);
    model->salts[model->tried++] = salt;
    err code = settings_append(settings, SETTING_SCHEMA, salt, body, &setting, why);
    if (code == ALS_STORAGE_FAILED)
        return code;
    if (code != ALS_OK) {
        model->tried--;
        return code;
    }
    model->acknowledged = model->tried;
    if (setting.number != model->tried || !str_equal(setting.body, body))
        return FAIL(why, ALS_INTERNAL, "what was set is not what was handed out");
    return ALS_OK;
}

// ---- Under the crash driver.

static bool is_refusal(err code)
{
    return code != ALS_OK && code != ALS_INTERNAL && code != ALS_CORRUPT;
}

// A fault may make the opening fail, but only once.
static err reopen(struct model *model, struct sim *sim, struct opened *opened, struct als_why *why)
{
    opened_close(opened);
    err code = model_open(model, sim, opened, why);
    if (is_refusal(code) && !sim_fault_pending(sim))
        code = model_open(model, sim, opened, why);
    if (code == ALS_OK)
        model->tried = model->acknowledged = opened->found; // served, so they must stay
    return code;
}

static bool work(void *context, struct sim *sim, uint64_t seed, struct als_why *why)
{
    struct model *model = context;
    struct rand rand = {seed};
    struct opened opened = {.os = NULL};
    *model = (struct model){.salt = seed << 32};
    err code = reopen(model, sim, &opened, why);
    uint64_t steps = 4 + rand_below(&rand, 10);
    for (uint64_t i = 0; i < steps && code == ALS_OK; i++) {
        sim_set_now_us(sim, (int64_t)rand_below(&rand, 1000)); // it jumps back, too
        bool again = rand_below(&rand, 5) == 0;
        code = again ? reopen(model, sim, &opened, why) : model_append(model, opened.settings, why);
        if (code == ALS_STORAGE_FAILED)
            code = reopen(model, sim, &opened, why);
        else if (is_refusal(code) && opened.settings) {
            sim_heal(sim); // somebody has made room; the next may succeed
            code = ALS_OK;
        }
    }
    opened_close(&opened);
    return code == ALS_OK;
}

static bool check_apart(void *context, struct sim *sim, struct als_why *why)
{
    struct model model = *(struct model *)context;
    struct opened opened;
    err code = model_open(&model, sim, &opened, why);
    sim_set_hook(sim, NULL, NULL);
    if (code != ALS_OK)
        return false;
    sim_heal(sim);
    model.tried = model.acknowledged = opened.found;
    code = model_append(&model, opened.settings, why);
    if (code == ALS_OK) {
        AUTO(sim) after = sim_crash(sim, 1, SIM_DROP);
        struct opened again;
        code = model_open(&model, after, &again, why);
        opened_close(&again);
    }
    opened_close(&opened);
    return code == ALS_OK;
}

// The power is cut while the settings' lock is held, and another machine holds no lock of ours.
struct apart {
    void *context;
    struct sim *sim;
    struct als_why *why;
    bool good;
};

static void *run_apart(void *context)
{
    struct apart *apart = context;
    apart->good = check_apart(apart->context, apart->sim, apart->why);
    return NULL;
}

static bool check(void *context, struct sim *sim, struct als_why *why)
{
    struct apart apart = {context, sim, why, false};
    pthread_t thread;
    CHECK_EQUAL(0, pthread_create(&thread, NULL, run_apart, &apart));
    CHECK_EQUAL(0, pthread_join(thread, NULL));
    return apart.good;
}

static bool attempt(void *context, struct sim *sim, struct als_why *why)
{
    struct opened opened;
    err code = model_open(context, sim, &opened, why);
    opened_close(&opened);
    return code == ALS_OK || is_refusal(code);
}

TEST(settings_keep_every_acknowledged_one_at_every_crash_point)
{
    static struct model model;
    struct crash_subject subject = {.context = &model,
                                    .work = work,
                                    .check = check,
                                    .attempt = attempt,
                                    .capacity_min = 300,
                                    .capacity_max = 600'000};
    const char *text = getenv("ALLSOURCE_CRASH_SEEDS");
    uint64_t seeds = text ? strtoull(text, NULL, 10) : 3;
    struct crash_options options = {.seed_first = test_seed_first(),
                                    .seed_last = test_seed_last(seeds)};
    struct crash_result result;
    crash_run(&subject, &options, &result);
    crash_print("settings", &result);
    CHECK_EQUAL(0, result.failures);
    CHECK(result.states > 100);
}

// ---- One thing at a time.

static err count_one(void *context, const struct setting *setting, struct als_why *why)
{
    (void)setting, (void)why;
    ++*(size_t *)context;
    return ALS_OK;
}

static size_t count_settings(struct os *os, struct os_dir *dir)
{
    size_t count = 0;
    AUTO(settings) settings = NULL;
    CHECK_OK(settings_open(os, dir, S("default"), count_one, &count, &settings, NULL));
    return count;
}

TEST(a_tenant_without_settings_has_no_directory_for_them)
{
    AUTO(sim) sim = sim_new(1);
    struct os *os = sim_os(sim);
    struct os_dir *dir, *inner;
    CHECK_OK(os->dir_open(os, NULL, S("tenant"), true, &dir, NULL));
    CHECK_EQUAL(0, count_settings(os, dir));
    CHECK_ERR(ALS_NOT_FOUND, os->dir_open(os, dir, S("settings"), false, &inner, NULL));
    CHECK_EQUAL(0, sim_space(sim));
    struct wal_verdict verdict;
    CHECK_OK(settings_verify(os, dir, &verdict, NULL));
    CHECK_EQUAL(WAL_SOUND, verdict.finding);
    os->dir_close(dir);
}

TEST(a_setting_takes_its_greatest_length_and_not_a_byte_more)
{
    AUTO(sim) sim = sim_new(1);
    struct os *os = sim_os(sim);
    struct os_dir *dir;
    CHECK_OK(os->dir_open(os, NULL, S("tenant"), true, &dir, NULL));
    AUTO(settings) settings = NULL;
    size_t count = 0;
    CHECK_OK(settings_open(os, dir, S("default"), count_one, &count, &settings, NULL));
    char *bytes = malloc(SETTING_BYTES_MAX + 1);
    memset(bytes, 'x', SETTING_BYTES_MAX + 1);
    struct setting setting;
    str most = {bytes, SETTING_BYTES_MAX}, more = {bytes, SETTING_BYTES_MAX + 1};
    CHECK_ERR(ALS_TOO_LARGE, settings_append(settings, SETTING_SCHEMA, 0, more, &setting, NULL));
    CHECK_OK(settings_append(settings, SETTING_SCHEMA, 7, most, &setting, NULL));
    CHECK_EQUAL(1, setting.number);
    CHECK_EQUAL(7, setting.events);
    CHECK(str_equal(most, setting.body));
    free(bytes);
    settings_close(MOVE(settings));
    CHECK_EQUAL(1, count_settings(os, dir));
    os->dir_close(dir);
}

static void append_kind(struct os *os, struct os_dir *dir, unsigned kind)
{
    AUTO(settings) settings = NULL;
    size_t count = 0;
    struct setting setting;
    CHECK_OK(settings_open(os, dir, S("default"), count_one, &count, &settings, NULL));
    CHECK_OK(settings_append(settings, (enum setting_kind)kind, 0, S("{}"), &setting, NULL));
}

static err expect_unknown(void *context, const struct setting *setting, struct als_why *why)
{
    (void)why;
    if (setting->number == 2)
        *(unsigned *)context = setting->kind;
    return ALS_OK;
}

TEST(a_kind_that_only_a_newer_program_knows_is_kept)
{
    AUTO(sim) sim = sim_new(1);
    struct os *os = sim_os(sim);
    struct os_dir *dir;
    CHECK_OK(os->dir_open(os, NULL, S("tenant"), true, &dir, NULL));
    append_kind(os, dir, SETTING_SCHEMA);
    append_kind(os, dir, 4711);
    append_kind(os, dir, SETTING_SCHEMA);
    CHECK_EQUAL(3, count_settings(os, dir));
    unsigned kind = 0;
    AUTO(settings) settings = NULL;
    CHECK_OK(settings_open(os, dir, S("default"), expect_unknown, &kind, &settings, NULL));
    CHECK_EQUAL(4711, kind);
    os->dir_close(dir);
}

TEST(settings_of_another_tenant_are_refused)
{
    AUTO(sim) sim = sim_new(1);
    struct os *os = sim_os(sim);
    struct os_dir *dir;
    CHECK_OK(os->dir_open(os, NULL, S("tenant"), true, &dir, NULL));
    append_kind(os, dir, SETTING_SCHEMA);
    size_t count = 0;
    struct settings *settings;
    CHECK_ERR(ALS_CORRUPT, settings_open(os, dir, S("other"), count_one, &count, &settings, NULL));
    os->dir_close(dir);
}

TEST(a_flipped_bit_of_the_only_setting_is_damage_not_a_torn_end)
{
    AUTO(sim) sim = sim_new(1);
    struct os *os = sim_os(sim);
    struct os_dir *dir;
    CHECK_OK(os->dir_open(os, NULL, S("tenant"), true, &dir, NULL));
    append_kind(os, dir, SETTING_SCHEMA);
    enum { WAL_HEAD_BYTES = 256, FRAME_BYTES = 48 };
    sim_flip(sim, (WAL_HEAD_BYTES + FRAME_BYTES + 17) * 8, NULL); // a bit of the body's text
    size_t count = 0;
    struct settings *settings;
    CHECK_ERR(ALS_CORRUPT,
              settings_open(os, dir, S("default"), count_one, &count, &settings, NULL));
    struct wal_verdict verdict;
    CHECK_OK(settings_verify(os, dir, &verdict, NULL));
    CHECK_EQUAL(WAL_DAMAGED, verdict.finding);
    os->dir_close(dir);
}
