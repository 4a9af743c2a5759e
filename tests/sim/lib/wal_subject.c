// SPDX-License-Identifier: Apache-2.0
#include "wal_subject.h"

#include "base/rand.h"

#include <assert.h>

enum { GROUP_MAX = 5 };

const struct wal_options wal_subject_options = {
    .file_bytes = 4096, .batch_bytes_max = MODEL_BODY_MAX, .label = {"default", 7}};

// ---- The model.

static void draw_body(const struct model_batch *batch, uint8_t body[static MODEL_BODY_MAX])
{
    struct rand rand = {batch->salt};
    for (size_t i = 0; i < batch->size; i += 8) {
        uint64_t word = rand_next(&rand);
        memcpy(body + i, &word, 8);
    }
}

static als_position position_behind(const struct model *model, size_t count)
{
    return count ? model->batches[count - 1].first + model->batches[count - 1].count - 1 : 0;
}

static bool is_same(const struct model_batch *wanted, const struct wal_batch *found)
{
    uint8_t body[MODEL_BODY_MAX];
    draw_body(wanted, body);
    return wanted->first == found->first && wanted->count == found->count &&
           wanted->recorded_us == found->recorded_us && wanted->size == found->size &&
           memcmp(body, found->body, found->size) == 0;
}

struct comparison {
    const struct model *model;
    size_t next; // of the model
    bool begun;
};

static err compare(void *context, const struct wal_batch *batch, struct als_why *why)
{
    struct comparison *comparison = context;
    const struct model *model = comparison->model;
    if (!comparison->begun) {
        while (comparison->next < model->tried &&
               model->batches[comparison->next].first < batch->first)
            comparison->next++;
        comparison->begun = true;
        if (batch->first > model->trimmed + 1)
            return FAIL(why, ALS_INTERNAL, "the log begins at position %llu, trimmed up to %llu",
                        (unsigned long long)batch->first, (unsigned long long)model->trimmed);
    }
    if (comparison->next == model->tried)
        return FAIL(why, ALS_INTERNAL, "a batch at position %llu that nobody appended",
                    (unsigned long long)batch->first);
    if (!is_same(&model->batches[comparison->next], batch))
        return FAIL(why, ALS_INTERNAL, "the batch at position %llu is not what was appended",
                    (unsigned long long)batch->first);
    comparison->next++;
    return ALS_OK;
}

// How many batches of the model the log has come to, or ALS_INTERNAL when that cannot be.
static err count_found(const struct model *model, const struct comparison *comparison,
                       struct wal_head head, size_t *ret_found, struct als_why *why)
{
    size_t found = comparison->next;
    if (!comparison->begun)
        while (found < model->tried && model->batches[found].first <= head.position)
            found++;
    if (position_behind(model, found) != head.position || head.durable != head.position)
        return FAIL(why, ALS_INTERNAL, "the log ends at position %llu, its batches at %llu",
                    (unsigned long long)head.position,
                    (unsigned long long)position_behind(model, found));
    if (!comparison->begun && head.position > model->trimmed)
        return FAIL(why, ALS_INTERNAL, "nothing was handed back up to position %llu",
                    (unsigned long long)head.position);
    if (found < model->acknowledged)
        return FAIL(why, ALS_INTERNAL, "%zu batches were acknowledged, %zu are there",
                    model->acknowledged, found);
    *ret_found = found;
    return ALS_OK;
}

void opened_close(struct opened *opened)
{
    wal_close(opened->wal);
    if (opened->os) {
        opened->os->dir_close(opened->dir);
        opened->os->dir_close(opened->data);
    }
    *opened = (struct opened){};
}

static err open_all(const struct model *model, struct opened *opened, struct als_why *why)
{
    struct os *os = opened->os;
    TRY(os->dir_open(os, NULL, S("data"), true, &opened->data, why));
    TRY(os->dir_open(os, opened->data, S("wal"), true, &opened->dir, why));
    struct comparison comparison = {.model = model};
    TRY(wal_open(os, opened->dir, wal_subject_options, compare, &comparison, &opened->report,
                 &opened->wal, why));
    return count_found(model, &comparison, wal_head(opened->wal), &opened->found, why);
}

err model_open(const struct model *model, struct sim *sim, struct opened *ret_opened,
               struct als_why *why)
{
    struct opened opened = {.os = sim_os(sim)};
    err code = open_all(model, &opened, why);
    if (code != ALS_OK)
        opened_close(&opened);
    else
        *ret_opened = opened;
    return code;
}

err model_append(struct model *model, struct wal *wal, size_t count, uint32_t size_max, bool sync,
                 struct als_why *why)
{
    uint8_t bodies[GROUP_MAX][MODEL_BODY_MAX];
    struct wal_draft drafts[GROUP_MAX];
    const uint8_t *kept[GROUP_MAX];
    assert(count <= GROUP_MAX && model->tried + count <= MODEL_BATCHES_MAX);
    size_t before = model->tried;
    for (size_t i = 0; i < count; i++) {
        struct rand rand = {++model->salt};
        struct model_batch *batch = &model->batches[before + i];
        *batch = (struct model_batch){.first = position_behind(model, before + i) + 1,
                                      .count = 1 + (uint32_t)rand_below(&rand, 3),
                                      .size = model->size,
                                      .recorded_us = (int64_t)model->salt,
                                      .salt = model->salt};
        if (batch->size == 0)
            batch->size = 1 + (uint32_t)rand_below(&rand, size_max);
        draw_body(batch, bodies[i]);
        drafts[i] = (struct wal_draft){.first = batch->first,
                                       .count = batch->count,
                                       .recorded_us = batch->recorded_us,
                                       .body = {(const char *)bodies[i], batch->size}};
    }
    model->tried = before + count;
    err code = wal_append(wal, wal_head(wal).batch, drafts, count, sync, kept, why);
    if (code == ALS_STORAGE_FULL || code == ALS_NO_MEMORY)
        model->tried = before;
    if (code == ALS_OK && sync)
        model->acknowledged = model->tried;
    for (size_t i = 0; code == ALS_OK && i < count; i++)
        if (memcmp(kept[i], bodies[i], drafts[i].body.len) != 0)
            return FAIL(why, ALS_INTERNAL, "what was appended is not what was handed out");
    return code;
}

// ---- The workload.

struct work {
    struct model *model;
    struct sim *sim;
    struct rand rand;
    struct opened opened;
};

// A process ends and the next one opens the log. A fault may make that fail once; a full disk must
// not.
static err reopen(struct work *work, struct als_why *why)
{
    struct model *model = work->model;
    bool failed = work->opened.wal && wal_head(work->opened.wal).failed;
    size_t expected = failed ? 0 : model->tried;
    opened_close(&work->opened);
    bool faulty = sim_fault_pending(work->sim);
    err code = model_open(model, work->sim, &work->opened, why);
    if (code != ALS_OK && code != ALS_INTERNAL && code != ALS_CORRUPT && faulty &&
        !sim_fault_pending(work->sim))
        code = model_open(model, work->sim, &work->opened, why);
    TRY(code);
    if (work->opened.found < expected)
        return FAIL(why, ALS_INTERNAL, "%zu batches before a restart, %zu after it", expected,
                    work->opened.found);
    model->tried = model->acknowledged = work->opened.found; // served, so it must stay
    return ALS_OK;
}

static err step(struct work *work, struct als_why *why)
{
    struct model *model = work->model;
    struct wal *wal = work->opened.wal;
    uint64_t choice = rand_below(&work->rand, 16);
    err code = ALS_OK;
    if (choice < 9) {
        size_t count = 1 + rand_below(&work->rand, GROUP_MAX);
        uint32_t size_max = rand_below(&work->rand, 8) == 0 ? MODEL_BODY_MAX : 400;
        code = model_append(model, wal, count, size_max, choice < 6, why);
        if (code == ALS_STORAGE_FULL && rand_below(&work->rand, 3) == 0)
            sim_heal(work->sim); // somebody has made room
    } else if (choice < 11) {
        code = wal_sync(wal, why);
        if (code == ALS_OK)
            model->acknowledged = model->tried;
    } else if (choice < 13) {
        code = wal_mark(wal, why);
    } else if (choice == 13) {
        size_t up_to = rand_below(&work->rand, model->acknowledged + 1);
        if (position_behind(model, up_to) > model->trimmed)
            model->trimmed = position_behind(model, up_to);
        code = wal_trim(wal, model->trimmed, why);
    } else {
        return reopen(work, why);
    }
    if (code == ALS_STORAGE_FULL || code == ALS_NO_MEMORY || code == ALS_STORAGE)
        return ALS_OK; // refused; the log goes on
    return code == ALS_STORAGE_FAILED ? reopen(work, why) : code;
}

static bool work(void *context, struct sim *sim, uint64_t seed, struct als_why *why)
{
    struct wal_subject *subject = context;
    subject->model = (struct model){.salt = seed << 32, .size = seed % 2 ? 0 : 150};
    struct work work = {.model = &subject->model, .sim = sim, .rand = {seed}};
    err code = reopen(&work, why);
    uint64_t steps = 8 + rand_below(&work.rand, 12);
    for (uint64_t i = 0; i < steps && code == ALS_OK; i++) {
        sim_advance_us(sim, 1000);
        code = step(&work, why);
    }
    opened_close(&work.opened);
    return code == ALS_OK;
}

// ---- After a crash.

static bool check(void *context, struct sim *sim, struct als_why *why)
{
    const struct wal_subject *subject = context;
    struct model model = subject->model;
    struct opened opened;
    err code = model_open(&model, sim, &opened, why);
    sim_set_hook(sim, NULL, NULL);
    if (code != ALS_OK)
        return false;

    sim_heal(sim);
    model.tried = model.acknowledged = opened.found;
    if (model.tried + 2 > MODEL_BATCHES_MAX)
        model.tried -= 2;
    code = model_append(&model, opened.wal, 1 + model.salt % 2, 300, true, why);
    if (code == ALS_OK) {
        AUTO(sim) after = sim_crash(sim, 1, SIM_DROP);
        struct opened again;
        code = model_open(&model, after, &again, why);
        if (code == ALS_OK)
            opened_close(&again);
    }
    opened_close(&opened);
    return code == ALS_OK;
}

static bool attempt(void *context, struct sim *sim, struct als_why *why)
{
    const struct wal_subject *subject = context;
    struct opened opened;
    err code = model_open(&subject->model, sim, &opened, why);
    if (code == ALS_OK)
        opened_close(&opened);
    return code != ALS_CORRUPT && code != ALS_INTERNAL;
}

struct crash_subject wal_subject(struct wal_subject *space)
{
    return (struct crash_subject){.context = space,
                                  .work = work,
                                  .check = check,
                                  .attempt = attempt,
                                  .capacity_min = 300,
                                  .capacity_max = 30'000};
}
