// SPDX-License-Identifier: Apache-2.0
// The names of a table in bytewise order, made when somebody asks.
//
// Writers only append lists; whoever wants order sorts those that came since and merges them into
// the sorted rest, under a lock that no writer takes. So order costs nothing while nobody pages.
#pragma once

#include "base/lock.h"
#include "index/grow.h"
#include "index/index.h"

struct order {
    struct lock lock;
    uint32_t *numbers; // of the lists, sorted by name
    uint32_t count;
};

void order_init(struct order *order);
void order_deinit(struct order *order);

// Takes the first `count` lists into the order and gives a page of those that have events. False:
// no memory.
bool order_page(struct order *order, const struct grow *lists, uint32_t count,
                struct index_page page, const struct index_list **ret_lists, size_t *ret_found);
