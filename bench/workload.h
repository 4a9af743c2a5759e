// SPDX-License-Identifier: Apache-2.0
// Events to append, and the ways of appending them.
#pragma once

#include "bench/bench.h"

#include <allsource.h>
#include <semaphore.h>
#include <stdatomic.h>

// What event number i looks like. Drafts are made inside of what is timed, as a program would make
// them, so the texts are put together without printf.
struct draft_text;
struct shape {
    // Makes it in ways of its own; NULL: as the rest says.
    void (*draw)(struct als_draft *draft, struct draft_text *text, uint64_t number);
    const char *entity; // the number i % entities follows; entities 0: i itself
    uint64_t entities;
    const char *type; // the number i % types follows; types 0: nothing does
    uint64_t types;
    const char *payload_before, *payload_after; // i stands between them
    size_t payload_bytes; // at least so many: text is added before payload_after; 0: as it comes
};

enum { DRAFT_TEXT_BYTES = 768 };
struct draft_text { // where the texts of one draft are
    char bytes[DRAFT_TEXT_BYTES];
};
void draft_make(struct als_draft *draft, struct draft_text *text, const struct shape *shape,
                uint64_t number);

// `{"index":i,"data":"payload"}` of 100 entities: what the published figures of 0.6 are made of.
extern const struct shape shape_plain;
// The same spread with payloads of 256 bytes.
extern const struct shape shape_256;

// Orders with ten fields, and a schema that they satisfy.
extern const struct shape shape_order;
extern const char shape_order_schema[];

// ---- A store to measure

enum kind { KIND_MEMORY, KIND_DURABLE };

struct place {
    struct als *als;
    char path[PATH_BYTES]; // empty: the engine's own temporary directory
};
void place_make(struct place *place, const struct bench *bench, enum kind kind);
void place_open(struct place *place);
void place_open_with(struct place *place, const struct als_options *options);
void place_close(struct place *place);  // the engine; a temporary directory ends with it
void place_remove(struct place *place); // what is left on the disk

// ---- Appending without waiting for each answer

struct flow { // of one thread
    struct als *als;
    uint64_t total;                   // appends that will be sent
    uint64_t in_flight_max, a_credit; // appends
    uint64_t sent, credits_taken;
    _Atomic uint64_t answered;
    _Atomic err failed;
    sem_t credits;
};
void flow_init(struct flow *flow, struct als *als, uint64_t total, size_t batch);
void flow_append(struct flow *flow, const struct als_draft *drafts, size_t count);
void flow_finish(struct flow *flow); // waits for all answers, which must be good; then ends

// Appends events first to first + count - 1, `batch` of them in each append.
void append_many(struct als *als, const struct shape *shape, uint64_t first, uint64_t count,
                 size_t batch);
