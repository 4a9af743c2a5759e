// SPDX-License-Identifier: Apache-2.0
// Backups under power cuts: a tenant is appended to, sealed and set while backups of it are made
// and restored. After a crash at any call a directory is a backup as a whole or not at all, what
// was said to be done is there, and the tenant itself has lost nothing by it.
#include "base/limits.h"
#include "base/rand.h"
#include "crash.h"
#include "engine/backup.h"
#include "event/event.h"
#include "settings/settings.h"
#include "store/store.h"
#include "test.h"

#include <stdlib.h>

enum { EVENTS_MAX = 200, BATCH_MAX = 5, ENTITIES = 3, COPIES_MAX = 8, SETTINGS_MAX = 8 };

enum copy_kind { BACKUP, RESTORED };

struct made { // a backup, or what was restored from one
    enum copy_kind kind;
    bool done; // it was said to be
    uint32_t position, settings;
};

struct model {
    uint32_t acknowledged, tried; // events
    uint32_t seal_events;
    uint32_t settings_at[SETTINGS_MAX]; // where the events stood
    uint32_t settings, settings_tried;
    struct made made[COPIES_MAX];
    uint32_t made_count;
    bool opening; // a crash now is one inside the recovery from another
};

static str numbered(const char *kind, uint32_t number, char space[static 16])
{
    return (str){space, (size_t)snprintf(space, 16, "%s-%u", kind, number)};
}

static str made_name(const struct model *model, uint32_t index, char space[static 16])
{
    return numbered(model->made[index].kind == BACKUP ? "b" : "r", index, space);
}

// ---- Events: what one says follows from its position

static uint32_t entity_of(uint32_t position)
{
    return (uint32_t)(position * 2654435761U >> 8) % ENTITIES;
}

static str payload_of(uint32_t position, char space[static 256])
{
    int fill = (int)(position * 2654435761U >> 16) % 200;
    return (str){space,
                 (size_t)snprintf(space, 256, "{\"n\":%u,\"f\":\"%0*d\"}", position, fill, 7)};
}

static void answered(struct append *append)
{
    append->owner = NULL;
}

static void encode(struct append *append, const struct store *store, uint32_t position)
{
    char entity[16], payload_space[256];
    struct buf *bytes = &append->bytes;
    struct record_draft draft = {.entity = numbered("e", entity_of(position), entity),
                                 .type = S("t.u"),
                                 .id = {{1, 2, (uint8_t)position}},
                                 .timestamp_us = position};
    str payload = payload_of(position, payload_space);
    uint8_t *record = (uint8_t *)buf_room(bytes, record_size_max(&draft, payload.len, 0));
    uint8_t *at = record_begin(record, (uint32_t)bytes->len, &draft);
    memcpy(at, payload.ptr, payload.len);
    record_payload_done(record, payload.len);
    append->events[append->count++] =
        (struct append_event){.offset = (uint32_t)bytes->len,
                              .has_timestamp = true,
                              .expected_version = STORE_ANY_VERSION,
                              .entity_hash = store_hash_name(store, draft.entity),
                              .type_hash = store_hash_name(store, draft.type),
                              .id_hash = store_hash_id(store, draft.id)};
    buf_grew(bytes, record_finish(record, 0, 0));
}

struct reading {
    uint32_t position;
};

static err read_event(void *context, const struct als_event *event, struct als_why *why)
{
    struct reading *reading = context;
    char space[256];
    reading->position++;
    if (event->position != reading->position || event->timestamp_us != reading->position ||
        !str_equal(event->payload, payload_of(reading->position, space)))
        return FAIL(why, ALS_INTERNAL, "event %u is not what was appended", reading->position);
    return ALS_OK;
}

static err count_setting(void *context, const struct setting *setting, struct als_why *why)
{
    char space[16];
    uint32_t *count = context;
    if (!str_equal(setting->body, numbered("s", (*count)++, space)))
        return FAIL(why, ALS_INTERNAL, "setting %u is not what was set", *count);
    return ALS_OK;
}

// ---- What is there after a crash

static err check_tenant(const struct made *made, struct os *os, struct os_dir *dir,
                        struct als_why *why)
{
    struct reading reading = {0};
    struct store_verdict verdict;
    AUTO(settings) settings = NULL;
    uint32_t count = 0;
    TRY(store_verify(os, dir, S("default"), read_event, &reading, &verdict, why));
    TRY(settings_open(os, dir, S("default"), count_setting, &count, &settings, why));
    if (reading.position != made->position || count != made->settings)
        return FAIL(why, ALS_INTERNAL, "%u events and %u settings, not %u and %u", reading.position,
                    count, made->position, made->settings);
    return ALS_OK;
}

static err check_tenants(const struct made *made, struct os *os, struct os_dir *dir,
                         struct als_why *why)
{
    struct os_dir *tenants, *tenant = NULL;
    TRY(os->dir_open(os, dir, S("tenants"), false, &tenants, why));
    err code = os->dir_open(os, tenants, S("default"), false, &tenant, why);
    os->dir_close(tenants);
    TRY(code);
    code = check_tenant(made, os, tenant, why);
    os->dir_close(tenant);
    if (code == ALS_NOT_FOUND)
        return FAIL(why, ALS_INTERNAL, "something is missing");
    return code;
}

// ALS_NOT_FOUND: there is none.
static err check_backup(const struct made *made, struct os *os, struct os_dir *dir,
                        struct als_why *why)
{
    struct als_backup_report report;
    struct restore_options options = {.at = 0};
    TRY(backup_check(os, dir, &options, &report, why));
    return check_tenants(made, os, dir, why);
}

static err check_restored(const struct made *made, struct os *os, struct os_dir *dir,
                          struct als_why *why)
{
    err finished = restore_check_finished(os, dir, why);
    err code = check_tenants(made, os, dir, why);
    if (finished != ALS_OK && code != ALS_NOT_FOUND)
        return FAIL(why, ALS_INTERNAL, "a restore is finished and is not");
    return code;
}

static err check_made(const struct model *model, uint32_t index, struct os *os, struct als_why *why)
{
    const struct made *made = &model->made[index];
    struct os_dir *dir;
    char space[16];
    err code = os->dir_open(os, NULL, made_name(model, index, space), false, &dir, why);
    if (code == ALS_OK) {
        code = made->kind == BACKUP ? check_backup(made, os, dir, why)
                                    : check_restored(made, os, dir, why);
        os->dir_close(dir);
    }
    return code == ALS_NOT_FOUND && !made->done ? ALS_OK : code;
}

static err check_all_made(const struct model *model, struct os *os, struct als_why *why)
{
    for (uint32_t i = 0; i < model->made_count; i++) {
        struct als_why cause = {""};
        char space[16];
        err code = check_made(model, i, os, &cause);
        if (code != ALS_OK)
            return FAIL(why, code, "%.*s (%s): %s", STR(made_name(model, i, space)),
                        model->made[i].done ? "done" : "begun", cause.text);
    }
    return ALS_OK;
}

// ---- The tenant

struct opened {
    struct os *os;
    struct os_dir *dir;
    struct store *store;
    struct settings *settings;
    uint32_t settings_count;
};

static void opened_close(struct opened *opened)
{
    store_close(opened->store);
    settings_close(opened->settings);
    if (opened->dir)
        opened->os->dir_close(opened->dir);
    *opened = (struct opened){};
}

static err check_events(const struct model *model, struct store *store, struct als_why *why)
{
    AUTO(cursor) cursor = cursor_new();
    struct view view = view_pin(store);
    struct reading reading = {0};
    struct als_event event = {.position = 1};
    err code = cursor_over_all(cursor, view, (struct cursor_bounds){.up_to = UINT64_MAX}, why);
    while (code == ALS_OK && event.position) {
        code = cursor_next(cursor, &event, why);
        if (code == ALS_OK && event.position)
            code = read_event(&reading, &event, why);
    }
    if (code == ALS_OK &&
        (reading.position < model->acknowledged || reading.position > model->tried))
        code = FAIL(why, ALS_INTERNAL, "%u events acknowledged, %u tried, %u found",
                    model->acknowledged, model->tried, reading.position);
    cursor_reset(cursor);
    view_unpin(view);
    return code;
}

static err open_tenant(struct model *model, struct opened *opened, struct als_why *why)
{
    struct os *os = opened->os;
    struct store_options options = {.tenant = S("default"),
                                    .wal_file_bytes = WAL_FILE_BYTES_MIN,
                                    .seal_events = model->seal_events};
    struct store_report report;
    uint32_t *count = &opened->settings_count;
    TRY(os->dir_open(os, NULL, S("data"), true, &opened->dir, why));
    TRY(settings_open(os, opened->dir, S("default"), count_setting, count, &opened->settings, why));
    if (*count < model->settings || *count > model->settings_tried)
        return FAIL(why, ALS_INTERNAL, "%u settings made, %u found", model->settings, *count);
    TRY(store_open(os, opened->dir, options, &report, &opened->store, why));
    return check_events(model, opened->store, why);
}

static err model_open(struct model *model, struct sim *sim, struct opened *opened,
                      struct als_why *why)
{
    *opened = (struct opened){.os = sim_os(sim)};
    err code = open_tenant(model, opened, why);
    if (code != ALS_OK)
        opened_close(opened);
    return code;
}

// ---- The workload

struct work {
    struct model *model;
    struct sim *sim;
    struct rand rand;
    struct opened opened;
};

static err append_some(struct work *work, struct als_why *why)
{
    struct model *model = work->model;
    struct append_event events[BATCH_MAX];
    struct append append = {.done = answered, .events = events, .owner = work};
    static const uint8_t head[BATCH_HEAD_BYTES];
    uint32_t before = model->tried, count = 1 + (uint32_t)rand_below(&work->rand, BATCH_MAX);
    bool first;
    if (before + count > EVENTS_MAX)
        return ALS_OK;
    buf_init(&append.bytes, 1 << 16);
    buf_put(&append.bytes, head, sizeof head);
    while (model->tried < before + count)
        encode(&append, work->opened.store, ++model->tried);
    err code = store_post(work->opened.store, &append, &first, why);
    if (code == ALS_OK) {
        while (store_turn(work->opened.store))
            continue;
        code = append.code;
    } else
        model->tried = before;
    buf_deinit(&append.bytes);
    if (code == ALS_OK)
        model->acknowledged = model->tried;
    else if (code != ALS_STORAGE_FAILED)
        model->tried = before;
    return code;
}

static err set(struct work *work, struct als_why *why)
{
    struct model *model = work->model;
    char space[16];
    struct setting setting;
    uint32_t number = model->settings;
    if (number == SETTINGS_MAX)
        return ALS_OK;
    model->settings_at[number] = (uint32_t)store_position(work->opened.store);
    model->settings_tried = number + 1;
    err code = settings_append(work->opened.settings, SETTING_SCHEMA, model->settings_at[number],
                               numbered("s", number, space), &setting, why);
    if (code == ALS_OK)
        model->settings++;
    else if (code != ALS_STORAGE_FAILED)
        model->settings_tried--;
    return code;
}

static uint32_t settings_up_to(const struct model *model, uint32_t count, uint32_t position)
{
    uint32_t found = 0;
    while (found < count && model->settings_at[found] <= position)
        found++;
    return found;
}

static err take_backup(struct work *work, struct os_dir *dir, TAKES struct view view,
                       struct als_why *why)
{
    struct backup backup;
    struct backup_options options = {.bytes = rand_below(&work->rand, 2) == 0,
                                     .unverified = rand_below(&work->rand, 2) == 0};
    err code = backup_begin(&backup, work->opened.os, dir, options, why);
    if (code == ALS_OK)
        code = backup_take_view(&backup, view, work->opened.settings, why);
    else
        view_unpin(view);
    if (code == ALS_OK)
        code = backup_commit(&backup, why);
    backup_end(&backup);
    return code;
}

static err back_up(struct work *work, struct als_why *why)
{
    struct model *model = work->model;
    struct os *os = work->opened.os;
    struct os_dir *dir;
    char space[16];
    if (model->made_count == COPIES_MAX)
        return ALS_OK;
    struct view view = view_pin(work->opened.store);
    struct made *made = &model->made[model->made_count];
    *made =
        (struct made){.kind = BACKUP,
                      .position = (uint32_t)view.position,
                      .settings = settings_up_to(model, model->settings, (uint32_t)view.position)};
    str name = made_name(model, model->made_count++, space);
    err code = os->dir_open(os, NULL, name, true, &dir, why);
    if (code == ALS_OK) {
        code = take_backup(work, dir, view, why);
        os->dir_close(dir);
    } else
        view_unpin(view);
    made->done = code == ALS_OK;
    return code;
}

static err restore_from(struct work *work, const struct made *source, str source_name,
                        struct made *made, struct als_why *why)
{
    struct os *os = work->opened.os;
    struct os_dir *from, *to;
    char space[16];
    struct als_backup_report report;
    struct restore_options options = {.at = 0};
    if (source->position && rand_below(&work->rand, 2) == 0) {
        options.at = 1 + rand_below(&work->rand, source->position);
        made->position = (uint32_t)options.at;
        made->settings = settings_up_to(work->model, source->settings, made->position);
    }
    TRY(os->dir_open(os, NULL, source_name, false, &from, why));
    str name = made_name(work->model, work->model->made_count - 1, space);
    err code = os->dir_open(os, NULL, name, true, &to, why);
    if (code == ALS_OK) {
        code = backup_restore(os, from, to, &options, &report, why);
        os->dir_close(to);
    }
    os->dir_close(from);
    return code;
}

static err restore(struct work *work, struct als_why *why)
{
    struct model *model = work->model;
    char space[16];
    uint32_t index = model->made_count;
    while (index > 0 && !(model->made[index - 1].kind == BACKUP && model->made[index - 1].done))
        index--;
    if (index == 0 || model->made_count == COPIES_MAX)
        return ALS_OK;
    const struct made *source = &model->made[index - 1];
    struct made *made = &model->made[model->made_count++];
    *made = *source;
    made->kind = RESTORED;
    made->done = false;
    err code = restore_from(work, source, made_name(model, index - 1, space), made, why);
    made->done = code == ALS_OK;
    return code;
}

static err seal(struct work *work, struct als_why *why)
{
    bool sealed;
    TRY(store_seal(work->opened.store, &sealed, why));
    return store_settle(work->opened.store, why);
}

static err compact(struct work *work, struct als_why *why)
{
    struct store_compaction how = {
        .strategy = STORE_ALL, .files_min = 2, .target_bytes = SEAL_BYTES_MAX};
    struct store_compacted compacted;
    return store_compact(work->opened.store, &how, &compacted, why);
}

static err reopen(struct work *work, struct als_why *why)
{
    struct model *model = work->model;
    opened_close(&work->opened);
    bool faulty = sim_fault_pending(work->sim);
    err code = model_open(model, work->sim, &work->opened, why);
    if (code != ALS_OK && code != ALS_INTERNAL && code != ALS_CORRUPT && faulty &&
        !sim_fault_pending(work->sim))
        code = model_open(model, work->sim, &work->opened, why);
    TRY(code);
    model->tried = model->acknowledged = (uint32_t)store_position(work->opened.store);
    model->settings = model->settings_tried = work->opened.settings_count;
    return ALS_OK;
}

static err step(struct work *work, struct als_why *why)
{
    static err (*const steps[])(struct work * work, struct als_why * why) = {
        append_some, append_some, append_some, append_some, seal,    seal,  compact,
        set,         back_up,     back_up,     restore,     restore, reopen};
    err code = steps[rand_below(&work->rand, COUNT_OF(steps))](work, why);
    if (code == ALS_STORAGE_FULL && rand_below(&work->rand, 3) == 0)
        sim_heal(work->sim);
    if (code == ALS_STORAGE_FULL || code == ALS_NO_MEMORY || code == ALS_STORAGE)
        return ALS_OK;
    return code == ALS_STORAGE_FAILED ? reopen(work, why) : code;
}

static bool work(void *context, struct sim *sim, uint64_t seed, struct als_why *why)
{
    struct model *model = context;
    *model = (struct model){.tried = 0};
    struct work work = {.model = model, .sim = sim, .rand = {seed}};
    model->seal_events = 1 + (uint32_t)rand_below(&work.rand, 12);
    err code = reopen(&work, why);
    uint64_t steps = 8 + rand_below(&work.rand, 12);
    for (uint64_t i = 0; i < steps && code == ALS_OK; i++)
        code = step(&work, why);
    opened_close(&work.opened);
    return code == ALS_OK;
}

// ---- After a crash

static bool check(void *context, struct sim *sim, struct als_why *why)
{
    struct model *shared = context;
    struct model model = *shared;
    struct opened opened;
    shared->opening = true;
    err code = model_open(&model, sim, &opened, why);
    shared->opening = model.opening;
    sim_set_hook(sim, NULL, NULL);
    if (code != ALS_OK)
        return false;
    sim_heal(sim);
    if (!model.opening) // opening the tenant leaves backups alone
        code = check_all_made(&model, sim_os(sim), why);
    opened_close(&opened);
    return code == ALS_OK;
}

static bool attempt(void *context, struct sim *sim, struct als_why *why)
{
    struct model model = *(const struct model *)context;
    struct opened opened;
    err code = check_all_made(&model, sim_os(sim), why);
    if (code == ALS_CORRUPT || code == ALS_INTERNAL || !sim_fault_pending(sim))
        return code != ALS_CORRUPT && code != ALS_INTERNAL;
    code = model_open(&model, sim, &opened, why);
    if (code == ALS_OK)
        opened_close(&opened);
    return code != ALS_CORRUPT && code != ALS_INTERNAL;
}

static struct crash_subject subject(struct model *model)
{
    return (struct crash_subject){.context = model,
                                  .work = work,
                                  .check = check,
                                  .attempt = attempt,
                                  .capacity_min = 4'000,
                                  .capacity_max = 400'000};
}

static uint64_t seeds(uint64_t usual)
{
    const char *text = getenv("ALLSOURCE_CRASH_SEEDS");
    return text ? strtoull(text, NULL, 10) : usual;
}

TEST(a_backup_is_whole_or_none_at_every_crash_point)
{
    static struct model model;
    struct crash_subject backups = subject(&model);
    struct crash_options options = {
        .seed_first = test_seed_first(), .seed_last = test_seed_last(seeds(12)), .variants = 4};
    struct crash_result result;
    crash_run(&backups, &options, &result);
    crash_print("backup", &result);
    CHECK_EQUAL(0, result.failures);
}

// ---- One fault at a time, on a tenant with some segments and a log, and a backup of it

static void prepare(struct work *work, struct model *model)
{
    *model = (struct model){.seal_events = 6};
    *work = (struct work){.model = model, .sim = sim_new(7), .rand = {7}};
    CHECK_OK(reopen(work, NULL));
    for (int i = 0; i < 12; i++) {
        CHECK_OK(append_some(work, NULL));
        CHECK_OK(i % 3 == 0 ? set(work, NULL) : store_settle(work->opened.store, NULL));
    }
    for (int i = 0; i < 3; i++)
        CHECK_OK(seal(work, NULL));
    CHECK_OK(append_some(work, NULL));
    struct view view = view_pin(work->opened.store);
    CHECK(view_segments(view, NULL, 0) > 1 && view_sealed(view) < view.position);
    view_unpin(view);
    CHECK_OK(back_up(work, NULL));
    opened_close(&work->opened);
}

typedef err work_step(struct work *work, struct als_why *why);
typedef void work_hurt(struct sim *sim, uint64_t nth);

// Takes the step on a machine of its own that is hurt before it. What fails must leave nothing that
// is taken for whole, and succeed afterwards. Returns its code.
static err take_hurt(const struct work *prepared, work_step *take, work_hurt *hurt, uint64_t nth)
{
    struct model model = *prepared->model;
    AUTO(sim) sim = sim_crash(prepared->sim, 1, SIM_KILL);
    struct work work = {.model = &model, .sim = sim, .rand = {nth}};
    struct als_why why = {""};
    CHECK_OK(model_open(&model, sim, &work.opened, NULL));
    hurt(sim, nth);
    err code = take(&work, &why);
    bool happened = !sim_fault_pending(sim);
    sim_heal(sim);
    if (check_all_made(&model, sim_os(sim), &why) != ALS_OK)
        test_fail(__FILE__, __LINE__, "%llu: %s", (unsigned long long)nth, why.text);
    CHECK_OK(check_events(&model, work.opened.store, NULL));
    CHECK_OK(take(&work, NULL));
    CHECK_OK(check_all_made(&model, sim_os(sim), NULL));
    opened_close(&work.opened);
    return code == ALS_OK && !happened ? ALS_NOT_FOUND : code; // ALS_NOT_FOUND: there was no nth
}

static void fail_read(struct sim *sim, uint64_t nth)
{
    sim_fail(sim, SIM_FAIL_READ | SIM_FAIL_OPEN | SIM_FAIL_MAP, nth, ALS_STORAGE);
}

static void fail_change(struct sim *sim, uint64_t nth)
{
    sim_fail(sim, SIM_FAIL_SYNC | SIM_FAIL_WRITE | SIM_FAIL_DIRECTORY | SIM_FAIL_ALLOCATE, nth,
             ALS_STORAGE);
}

// Reads all count. Of the changes some do not: a last mark, what was made and is removed again.
static void sweep(const struct work *prepared, work_step *take, work_hurt *hurt)
{
    uint64_t nth = 1, ignored = 0;
    for (err code; (code = take_hurt(prepared, take, hurt, nth)) != ALS_NOT_FOUND; nth++) {
        ignored += code == ALS_OK;
        if (code != ALS_OK && code != ALS_STORAGE && code != ALS_STORAGE_FAILED)
            test_fail(__FILE__, __LINE__, "call %llu: %s", (unsigned long long)nth, err_code(code));
    }
    CHECK(nth > 20 && ignored <= (hurt == fail_read ? 0 : 5));
}

TEST(every_call_of_a_backup_and_of_a_restore_may_fail_and_is_told)
{
    static struct model model;
    struct work work;
    prepare(&work, &model);
    sweep(&work, back_up, fail_read);
    sweep(&work, back_up, fail_change);
    sweep(&work, restore, fail_read);
    sweep(&work, restore, fail_change);
    sim_free(work.sim);
}

static void fill(struct sim *sim, uint64_t nth)
{
    sim_set_capacity(sim, sim_space(sim) + nth * 512);
}

TEST(a_disk_may_be_full_at_any_sector_of_a_backup_and_of_a_restore)
{
    static struct model model;
    static work_step *const steps[] = {back_up, restore};
    struct work work;
    prepare(&work, &model);
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        uint64_t sectors = 0;
        err code = ALS_STORAGE_FULL;
        for (; code == ALS_STORAGE_FULL; sectors++)
            code = take_hurt(&work, steps[i], fill, sectors);
        if (code != ALS_OK)
            test_fail(__FILE__, __LINE__, "%llu: %s", (unsigned long long)sectors, err_code(code));
        CHECK(sectors > 5);
    }
    sim_free(work.sim);
}

#ifdef ALLSOURCE_MUTANTS
TEST(every_bug_planted_in_backups_is_caught)
{
    static struct model model;
    struct crash_subject backups = subject(&model);
    struct crash_options options = {.seed_first = 1, .seed_last = 100};
    CHECK_EQUAL(0,
                crash_plant("backup", &backups, &options, MUTANT_BACKUP_FIRST, MUTANT_BACKUP_LAST));
}
#endif
