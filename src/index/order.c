// SPDX-License-Identifier: Apache-2.0
#include "index/order.h"

#include "index/list.h"

#include <stdlib.h>

void order_init(struct order *order)
{
    *order = (struct order){.numbers = NULL};
    lock_init(&order->lock, LOCK_NAMES);
}

void order_deinit(struct order *order)
{
    free(order->numbers);
    lock_deinit(&order->lock);
}

static str name_of(const struct grow *lists, uint32_t number)
{
    return index_list_name((const struct index_list *)grow_at(lists, number));
}

static int by_name(const void *a, const void *b, void *lists)
{
    return str_compare(name_of(lists, *(const uint32_t *)a), name_of(lists, *(const uint32_t *)b));
}

// Merges the sorted numbers [0, old) with the sorted fresh ones from the back, in place.
static void merge(uint32_t *numbers, uint32_t old, const uint32_t *fresh, uint32_t fresh_count,
                  const struct grow *lists)
{
    uint32_t to = old + fresh_count;
    while (fresh_count) {
        bool take_old = old && str_compare(name_of(lists, numbers[old - 1]),
                                           name_of(lists, fresh[fresh_count - 1])) > 0;
        numbers[--to] = take_old ? numbers[--old] : fresh[--fresh_count];
    }
}

static bool bring_up_to(struct order *order, const struct grow *lists, uint32_t count)
{
    if (order->count >= count)
        return true;
    uint32_t fresh_count = count - order->count;
    uint32_t *numbers = realloc(order->numbers, (size_t)count * sizeof *numbers);
    if (!numbers)
        return false;
    order->numbers = numbers;
    uint32_t *fresh = malloc((size_t)fresh_count * sizeof *fresh);
    if (!fresh)
        return false;
    for (uint32_t i = 0; i < fresh_count; i++)
        fresh[i] = order->count + i;
    qsort_r(fresh, fresh_count, sizeof *fresh, by_name, (void *)(uintptr_t)lists);
    merge(numbers, order->count, fresh, fresh_count, lists);
    order->count = count;
    free(fresh);
    return true;
}

// The first place whose name is not before `name`, or is behind it.
static uint32_t lower_bound(const struct order *order, const struct grow *lists, str name,
                            bool behind)
{
    uint32_t low = 0, high = order->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int compared = str_compare(name_of(lists, order->numbers[middle]), name);
        if (compared < 0 || (behind && compared == 0))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool order_page(struct order *order, const struct grow *lists, uint32_t count,
                struct index_page page, const struct index_list **ret_lists, size_t *ret_found)
{
    lock_take(&order->lock);
    bool done = bring_up_to(order, lists, count);
    size_t found = 0;
    if (done) {
        bool after = str_compare(page.after, page.prefix) >= 0 && page.after.len;
        uint32_t at = lower_bound(order, lists, after ? page.after : page.prefix, after);
        for (; at < order->count && found < page.count; at++) {
            const struct index_list *list = grow_at(lists, order->numbers[at]);
            if (!str_starts(index_list_name(list), page.prefix))
                break;
            if (index_list_count(list))
                ret_lists[found++] = list;
        }
        *ret_found = found;
    }
    lock_release(&order->lock);
    return done;
}
