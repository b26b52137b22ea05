// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef SEND_SEND_H
#define SEND_SEND_H

// What vherd-send's files share; one thread.

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "conf/conf.h"
#include "fetch.h"
#include "net/ipc.h"
#include "net/remote_write.h"
#include "net/samples.h"

#define SEND_FAMILIES_MAX 20000

/** The way to core, and what is known of metrics' metadata. */
struct outlet {
    struct ipc *core;             // NULL while it is away
    struct samples_writer *out;   // for the frame at hand
    struct rw_metadata *families; // from all that was read
    uint64_t frames_lost;         // core was away, or too slow
    uint32_t random;              // state of outlet_random()
};

/** Send the frame in `out` to core and begin another; and learn the families in it. */
void outlet_flush(struct outlet *o);

/** Learn families from a frame. 0 or -EPROTO. */
int outlet_learn(struct outlet *o, const char *frame, size_t len);

/** Jitter, not a secret. */
uint32_t outlet_random(struct outlet *o);

// scrape.c
struct scrapes;
/** Before the sandbox. `conf`, `pool` and `outlet` are borrowed. */
int scrapes_new(const struct conf *conf, struct fetch_pool *pool, struct outlet *outlet,
                struct scrapes **ret, struct err *err);
void scrapes_free(struct scrapes *s);
/** Begin what is due; how long until the next, in ms. */
int64_t scrapes_turn(struct scrapes *s, int64_t real_ms);

// textfile.c
struct textfiles;
struct textfiles *textfiles_new(const struct conf *conf, struct outlet *outlet);
void textfiles_free(struct textfiles *t);
int64_t textfiles_turn(struct textfiles *t, int64_t real_ms);

// remote.c
struct remotes;
/** Before the sandbox. */
int remotes_new(const struct conf *conf, struct fetch_pool *pool, struct outlet *outlet,
                struct remotes **ret, struct err *err);
void remotes_free(struct remotes *r);
/** Time has passed; how long until the next, in ms. */
int64_t remotes_turn(struct remotes *r, int64_t mono_ns);
/** core answered the receiver with this number. 0 or -EPROTO. */
int remotes_batch(struct remotes *r, uint32_t id, const char *payload, size_t len);
void remotes_lost_core(struct remotes *r);

// tell.c
struct tells;
/** Before the sandbox, and before other threads: starts the process that runs programs. */
int tells_new(const struct conf *conf, struct fetch_pool *pool, struct outlet *outlet,
              struct tells **ret, struct err *err);
void tells_free(struct tells *t);
/** core hands over a message. 0 or -EPROTO. */
int tells_take(struct tells *t, const char *payload, size_t len);
/** The channel to the process that runs programs, NULL: none; what it says. */
struct ipc *tells_runner(const struct tells *t);
int tells_read(struct tells *t);

#endif
