// SPDX-License-Identifier: Apache-2.0
// A gate is a lock that may be held while the disk works. Inside its own lock nothing happens but
// that a flag is read and set, so the ranks of locks have nothing to say about what is done behind
// it.
#include "store/inside.h"

void gate_init(struct gate *gate)
{
    lock_init(&gate->lock, LOCK_POOL);
    signal_init(&gate->left);
}

void gate_deinit(struct gate *gate)
{
    signal_deinit(&gate->left);
    lock_deinit(&gate->lock);
}

void gate_enter(struct gate *gate)
{
    lock_take(&gate->lock);
    while (gate->taken)
        signal_wait(&gate->left, &gate->lock);
    gate->taken = true;
    lock_release(&gate->lock);
}

void gate_leave(struct gate *gate)
{
    lock_take(&gate->lock);
    gate->taken = false;
    signal_one(&gate->left);
    lock_release(&gate->lock);
}
