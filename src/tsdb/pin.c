// SPDX-License-Identifier: GPL-3.0-or-later
#include "pin.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

void pins_init(struct pins *pins)
{
    *pins = (struct pins){.now = 1};
    pins->last = &pins->first;
    pthread_mutex_init(&pins->lock, NULL);
}

static void free_all(struct retired *r)
{
    while (r) {
        struct retired *next = r->next;
        r->free(r->p);
        free(r);
        r = next;
    }
}

// Take out of the list, which is sorted by time, what no reader can see. Needs the lock.
static struct retired *take_free(struct pins *pins)
{
    uint64_t oldest = pins->oldest ? pins->oldest->since : UINT64_MAX;
    struct retired *first = pins->first, **end = &pins->first;
    while (*end && (*end)->at < oldest)
        end = &(*end)->next;
    if (end == &pins->first)
        return NULL;
    pins->first = *end;
    if (!pins->first)
        pins->last = &pins->first;
    *end = NULL;
    return first;
}

void pins_done(struct pins *pins)
{
    assert(!pins->oldest);
    free_all(pins->first);
    pthread_mutex_destroy(&pins->lock);
}

void pin_enter(struct pins *pins, struct pin *pin)
{
    pthread_mutex_lock(&pins->lock);
    *pin = (struct pin){.prev = pins->newest, .since = pins->now};
    *(pins->newest ? &pins->newest->next : &pins->oldest) = pin;
    pins->newest = pin;
    pthread_mutex_unlock(&pins->lock);
}

void pin_leave(struct pins *pins, struct pin *pin)
{
    pthread_mutex_lock(&pins->lock);
    *(pin->prev ? &pin->prev->next : &pins->oldest) = pin->next;
    *(pin->next ? &pin->next->prev : &pins->newest) = pin->prev;
    struct retired *gone = take_free(pins);
    pthread_mutex_unlock(&pins->lock);
    free_all(gone);
}

void pin_retire(struct pins *pins, void (*free_)(void *p), void *p)
{
    struct retired *r = mem_zalloc(sizeof(*r));
    pthread_mutex_lock(&pins->lock);
    *r = (struct retired){.free = free_, .p = p, .at = pins->now++};
    *pins->last = r;
    pins->last = &r->next;
    struct retired *gone = take_free(pins);
    pthread_mutex_unlock(&pins->lock);
    free_all(gone);
}
