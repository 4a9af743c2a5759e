// SPDX-License-Identifier: Apache-2.0
#include "wal_damage.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { SECTOR = 512, FILES = 3, FILE_SIZE_MAX = 8192 };

// A log of three files on a machine where all is durable.
struct specimen {
    struct sim *sim;
    struct model model;
    size_t proven; // so many batches the log itself says to be durable
};

static void must(err code, const struct als_why *why)
{
    if (code == ALS_OK)
        return;
    fprintf(stderr, "specimen: %s\n", why->text);
    abort();
}

static void fill(struct specimen *specimen, struct wal *wal)
{
    struct model *model = &specimen->model;
    struct als_why why;
    for (size_t i = 0, in_last = 0; in_last < 5; i++) {
        specimen->proven = model->acknowledged;
        must(model_append(model, wal, 1 + i % 3, 200, i % 3 != 1, &why), &why);
        in_last += wal_stat(wal).files == FILES;
        if (i % 5 == 4 && in_last < 4)
            must(wal_mark(wal, &why), &why);
    }
    must(wal_sync(wal, &why), &why);
    model->acknowledged = model->tried;
}

// ---- The files, as bytes that may be changed.

struct image {
    struct os *os;
    struct os_dir *data, *dir;
    uint8_t bytes[FILE_SIZE_MAX];
    uint64_t size;
    char name[32];
};

static str image_name(struct image *image, unsigned number)
{
    int len = snprintf(image->name, sizeof image->name, "%016x.wal", number);
    return (str){image->name, (size_t)len};
}

static void image_load(struct image *image, struct sim *sim, unsigned number)
{
    struct os *os = sim_os(sim);
    struct als_why why;
    image->os = os;
    must(os->dir_open(os, NULL, S("data"), false, &image->data, &why), &why);
    must(os->dir_open(os, image->data, S("wal"), false, &image->dir, &why), &why);
    struct os_file *file = NULL;
    must(os->file_open(image->dir, image_name(image, number), OS_READ, &file, &why), &why);
    size_t size = 0;
    must(os->file_read(file, 0, image->bytes, sizeof image->bytes, &size, &why), &why);
    image->size = size;
    os->file_close(file);
}

// Writes it back, `size` bytes of it, durable.
static void image_store(struct image *image)
{
    struct os *os = image->os;
    struct os_file *file = NULL;
    struct als_why why;
    must(os->file_open(image->dir, str_of(image->name), OS_READ_WRITE, &file, &why), &why);
    must(os->file_truncate(file, image->size, &why), &why);
    str bytes = {(const char *)image->bytes, image->size};
    must(os_write_one(os, file, 0, bytes, &why), &why);
    must(os->file_sync(file, &why), &why);
    os->file_close(file);
    os->dir_close(image->dir);
    os->dir_close(image->data);
}

static bool is_zero(const uint8_t *bytes, uint64_t size)
{
    for (uint64_t i = 0; i < size; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

// The log gives back what its old files do not use, but need not make that durable. Here it is, so
// that every byte of theirs means something.
static void cut_unused(struct sim *sim, unsigned number)
{
    struct image image;
    image_load(&image, sim, number);
    while (is_zero(image.bytes + image.size - 8, 8))
        image.size -= 8;
    image_store(&image);
}

static void specimen_make(struct specimen *specimen, bool marked)
{
    *specimen = (struct specimen){.model = {.salt = 1}};
    AUTO(sim) sim = sim_new(7);
    struct opened opened;
    struct als_why why;
    must(model_open(&specimen->model, sim, &opened, &why), &why);
    fill(specimen, opened.wal);
    if (marked) {
        must(wal_mark(opened.wal, &why), &why);
        specimen->proven = specimen->model.tried;
    }
    specimen->sim = sim_crash(sim, 1, SIM_DROP);
    opened_close(&opened);
    for (unsigned number = 1; number < FILES; number++)
        cut_unused(specimen->sim, number);
}

// ---- The verdict.

enum allowed {
    ALLOW_CUT,  // what was not proven to be durable may be cut off, and is counted
    ALLOW_LOSS, // the end itself was hit, and with it the proof
};

// Opens what has become of the specimen.
static void judge(struct damage *damage, const struct specimen *specimen, struct sim *sim,
                  enum allowed allowed, uint64_t where)
{
    struct model model = specimen->model;
    model.acknowledged = 0;
    struct opened opened;
    struct als_why why = {""};
    damage->cases++;
    err code = model_open(&model, sim, &opened, &why);
    if (code == ALS_FORMAT_TOO_NEW || (code == ALS_CORRUPT && strstr(why.text, ".wal"))) {
        damage->refused++;
        return;
    }
    if (code == ALS_OK) {
        size_t found = opened.found;
        bool counted = opened.report.torn_bytes > 0;
        opened_close(&opened);
        bool enough = allowed == ALLOW_LOSS || found >= specimen->proven;
        if (enough && (counted || allowed == ALLOW_LOSS)) {
            *(counted ? &damage->counted : &damage->exempt) += 1;
            return;
        }
        err_explain(&why, "%zu of %zu batches, %s", found, model.tried,
                    counted ? "counted" : "not a word");
    }
    if (damage->silent++ == 0)
        err_explain(&damage->first, "case %llu: %s: %s", (unsigned long long)where, err_code(code),
                    why.text);
}

static void flips(struct damage *ret_damage, bool marked)
{
    struct damage damage = {};
    struct specimen specimen;
    specimen_make(&specimen, marked);
    for (uint64_t bit = 0; bit < sim_bits(specimen.sim); bit++) {
        AUTO(sim) sim = sim_crash(specimen.sim, 1, SIM_DROP);
        sim_flip(sim, bit, NULL);
        judge(&damage, &specimen, sim, ALLOW_CUT, bit);
    }
    sim_free(specimen.sim);
    *ret_damage = damage;
}

void damage_flips(struct damage *ret_damage)
{
    flips(ret_damage, true);
}

void damage_flips_without_mark(struct damage *ret_damage)
{
    flips(ret_damage, false);
}

void damage_cuts(struct damage *ret_damage)
{
    struct damage damage = {};
    struct specimen specimen;
    specimen_make(&specimen, true);
    for (unsigned number = 1; number <= FILES; number++) {
        uint64_t size = UINT64_MAX;
        for (uint64_t cut = 0; cut < size; cut++) {
            AUTO(sim) sim = sim_crash(specimen.sim, 1, SIM_DROP);
            struct image image;
            image_load(&image, sim, number);
            size = image.size;
            image.size = cut;
            image_store(&image);
            bool last = number == FILES;
            judge(&damage, &specimen, sim, last ? ALLOW_LOSS : ALLOW_CUT, cut);
        }
    }
    sim_free(specimen.sim);
    *ret_damage = damage;
}

void damage_zeros(struct damage *ret_damage)
{
    struct damage damage = {};
    struct specimen specimen;
    specimen_make(&specimen, true);
    for (unsigned number = 1; number <= FILES; number++) {
        uint64_t size = UINT64_MAX;
        for (uint64_t at = 0; at < size; at += SECTOR) {
            AUTO(sim) sim = sim_crash(specimen.sim, 1, SIM_DROP);
            struct image image;
            image_load(&image, sim, number);
            size = image.size;
            uint64_t count = size - at < SECTOR ? size - at : SECTOR;
            bool unchanged = is_zero(image.bytes + at, count);
            bool end = number == FILES && is_zero(image.bytes + at + count, size - at - count);
            memset(image.bytes + at, 0, count);
            image_store(&image);
            if (unchanged)
                damage.unchanged++;
            else
                judge(&damage, &specimen, sim, end ? ALLOW_LOSS : ALLOW_CUT, at);
        }
    }
    sim_free(specimen.sim);
    *ret_damage = damage;
}

static void swap(uint8_t *a, uint8_t *b)
{
    uint8_t held[SECTOR];
    memcpy(held, a, SECTOR);
    memcpy(a, b, SECTOR);
    memcpy(b, held, SECTOR);
}

void damage_swaps(struct damage *ret_damage)
{
    struct damage damage = {};
    struct specimen specimen;
    specimen_make(&specimen, true);
    for (uint64_t pair = 0;; pair++) {
        // Every sector of all files with every later one.
        AUTO(sim) sim = sim_crash(specimen.sim, 1, SIM_DROP);
        struct image images[FILES];
        uint8_t *sectors[FILES * FILE_SIZE_MAX / SECTOR];
        uint64_t count = 0, content = 0;
        for (unsigned i = 0; i < FILES; i++) {
            image_load(&images[i], sim, i + 1);
            for (uint64_t at = 0; at + SECTOR <= images[i].size; at += SECTOR) {
                sectors[count++] = images[i].bytes + at;
                content = is_zero(images[i].bytes + at, SECTOR) ? content : count;
            }
        }
        bool done = pair >= count * count;
        uint64_t a = pair / count, b = pair % count;
        bool unchanged = done || a >= b || memcmp(sectors[a], sectors[b], SECTOR) == 0;
        if (!unchanged)
            swap(sectors[a], sectors[b]);
        for (unsigned i = 0; i < FILES; i++)
            image_store(&images[i]);
        if (done)
            break;
        if (unchanged)
            damage.unchanged += a < b;
        else
            judge(&damage, &specimen, sim, b + 1 >= content ? ALLOW_LOSS : ALLOW_CUT, pair);
    }
    sim_free(specimen.sim);
    *ret_damage = damage;
}

// ---- Another history of the same log: every frame is whole, and its number is right.

static struct sim *append_text(struct sim *start, char fill_with)
{
    struct sim *sim = sim_crash(start, 1, SIM_DROP);
    struct model any = {};
    struct opened opened;
    struct als_why why;
    must(model_open(&any, sim, &opened, &why), &why);
    char body[100];
    const uint8_t *kept;
    for (als_position i = 1; i <= 3; i++) {
        memset(body, fill_with, sizeof body);
        struct wal_draft draft = {.first = i, .count = 1, .body = {body, sizeof body}};
        must(wal_append(opened.wal, i - 1, &draft, 1, true, &kept, &why), &why);
    }
    must(wal_mark(opened.wal, &why), &why);
    opened_close(&opened);
    return sim;
}

static err see_all(void *context, const struct wal_batch *batch, struct als_why *why)
{
    (void)context, (void)batch, (void)why;
    return ALS_OK;
}

// Puts frame `index` of `source` into `target`, and tells whether the log still opens.
static err splice(struct sim *source, struct sim *target, unsigned index, struct als_why *why)
{
    enum { HEADER = 256, FRAME = 152 }; // 48 + 100, padded
    static struct image from, into;
    AUTO(sim) sim = sim_crash(target, 1, SIM_DROP);
    image_load(&from, source, 1);
    image_load(&into, sim, 1);
    uint64_t at = HEADER + (uint64_t)index * FRAME;
    memcpy(into.bytes + at, from.bytes + at, FRAME);
    image_store(&from);
    image_store(&into);
    struct os *os = sim_os(sim);
    struct os_dir *dir = NULL;
    struct wal_verdict verdict;
    must(os->dir_open(os, NULL, S("data/wal"), false, &dir, why), why);
    err code = wal_verify(os, dir, see_all, NULL, &verdict, why);
    os->dir_close(dir);
    return code == ALS_OK && verdict.finding == WAL_DAMAGED ? ALS_CORRUPT : code;
}

void damage_splice(struct damage *ret_damage)
{
    struct damage damage = {};
    AUTO(sim) start = sim_new(3);
    AUTO(sim) one = append_text(start, '1');
    AUTO(sim) two = append_text(start, '2'); // the same entropy, so the same log
    for (unsigned i = 0; i < 3; i++) {
        struct als_why why = {""};
        damage.cases++;
        if (splice(one, two, i, &why) == ALS_CORRUPT)
            damage.refused++;
        else if (damage.silent++ == 0)
            err_explain(&damage.first, "frame %u of another history was taken", i);
    }
    *ret_damage = damage;
}

void damage_print(const char *what, const struct damage *damage)
{
    printf("%s: %llu cases, refused %llu, cut and counted %llu, end lost %llu, silent %llu\n", what,
           (unsigned long long)damage->cases, (unsigned long long)damage->refused,
           (unsigned long long)damage->counted, (unsigned long long)damage->exempt,
           (unsigned long long)damage->silent);
    if (damage->silent > 0)
        printf("  first silent: %s\n", damage->first.text);
}
