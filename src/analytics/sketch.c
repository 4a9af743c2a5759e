// SPDX-License-Identifier: Apache-2.0
// The first bits of a hash choose a register, which keeps the longest run of zeros, plus one, that
// the other bits began with.
#include "analytics/sketch.h"

#include <math.h>

enum { RUN_BITS = 64 - SKETCH_BITS, RUN_MAX = RUN_BITS + 1 };

void sketch_add(struct sketch *sketch, uint64_t hash)
{
    uint64_t rest = hash << SKETCH_BITS | UINT64_C(1) << (SKETCH_BITS - 1); // ends the run
    uint8_t run = (uint8_t)(__builtin_clzll(rest) + 1);
    uint8_t *held = &sketch->registers[hash >> RUN_BITS];
    if (run > *held)
        *held = run;
}

void sketch_merge(struct sketch *target, const struct sketch *source)
{
    for (uint32_t i = 0; i < SKETCH_REGISTERS; i++)
        if (source->registers[i] > target->registers[i])
            target->registers[i] = source->registers[i];
}

// Ertl's sigma and tau: what empty and full registers stand for. Both series converge in some tens
// of steps, until doubles change no more.
static double sigma(double x)
{
    double power = 1, sum = x, before;
    do {
        x *= x;
        before = sum;
        sum += x * power;
        power *= 2;
    } while (sum > before);
    return sum;
}

static double tau(double x)
{
    if (x <= 0 || x >= 1)
        return 0;
    double power = 1, sum = 1 - x, before;
    do {
        x = sqrt(x);
        before = sum;
        power /= 2;
        sum -= (1 - x) * (1 - x) * power;
    } while (sum < before);
    return sum / 3;
}

uint64_t sketch_count(const struct sketch *sketch)
{
    uint32_t with_run[RUN_MAX + 1] = {};
    for (uint32_t i = 0; i < SKETCH_REGISTERS; i++)
        with_run[sketch->registers[i]]++;
    const double registers = SKETCH_REGISTERS;
    if (with_run[0] == SKETCH_REGISTERS)
        return 0;
    double sum = registers * tau(1 - with_run[RUN_MAX] / registers);
    for (int run = RUN_BITS; run >= 1; run--)
        sum = 0.5 * (sum + with_run[run]);
    sum += registers * sigma(with_run[0] / registers);
    return (uint64_t)(registers * registers / (2 * M_LN2 * sum) + 0.5);
}
