// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TSDB_PIN_H
#define TSDB_PIN_H

/*
 * What readers may still look at is not freed but retired: it goes once every reader that began
 * before has ended. Readers take no lock while they read.
 */

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

struct pin {
    struct pin *next, *prev;
    uint64_t since;
};

struct retired {
    struct retired *next;
    void (*free)(void *p);
    void *p;
    uint64_t at;
};

struct pins {
    pthread_mutex_t lock;
    uint64_t now; // grows with each retirement
    struct pin *oldest, *newest;
    struct retired *first, **last;
};

void pins_init(struct pins *pins);

/** Free what is left; no pin may be. */
void pins_done(struct pins *pins);

/** Begin and end reading. */
void pin_enter(struct pins *pins, struct pin *pin);
void pin_leave(struct pins *pins, struct pin *pin);

/** Free p when nobody who is reading now can still see it; at once where nobody is. */
void pin_retire(struct pins *pins, void (*free_)(void *p), void *p);

#endif
