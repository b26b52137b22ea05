// SPDX-License-Identifier: GPL-3.0-or-later
// Whose turn it is. Quadratic in the number of open tasks, of which there are few thousand at most.
#include "manage/queue.h"

#include <string.h>

static bool same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

static bool collide(const struct queue_item *a, const struct queue_item *b)
{
    return same(a->vm, b->vm) || same(a->vm, b->other) || same(a->other, b->vm) ||
           same(a->other, b->other);
}

// Running, or chosen in this round.
static bool busy(const struct queue_item *items, size_t i, const size_t *chosen, size_t n_chosen)
{
    if (items[i].running)
        return true;
    for (size_t k = 0; k < n_chosen; k++)
        if (chosen[k] == i)
            return true;
    return false;
}

static bool may_start(const struct queue_item *items, size_t n, size_t which, const size_t *chosen,
                      size_t n_chosen)
{
    const struct queue_item *t = &items[which];
    int64_t in_batch = 0;
    if (t->after != 0)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (i == which)
            continue;
        bool runs = busy(items, i, chosen, n_chosen);
        if (collide(&items[i], t) && (runs || items[i].id < t->id))
            return false;
        in_batch += runs && same(items[i].batch, t->batch);
    }
    return t->parallel == 0 || !t->batch || in_batch < t->parallel;
}

size_t queue_pick(const struct queue_item *items, size_t n, size_t limit, size_t *ret)
{
    size_t running = 0, chosen = 0;
    for (size_t i = 0; i < n; i++)
        running += items[i].running;
    for (size_t i = 0; i < n && running + chosen < limit; i++)
        if (!items[i].running && may_start(items, n, i, ret, chosen))
            ret[chosen++] = i;
    return chosen;
}
