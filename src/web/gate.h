// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef WEB_GATE_H
#define WEB_GATE_H

#include <stdint.h>

#include "loop.h"
#include "net/gate.h"
#include "net/ipc.h"

/** What the other end says of a credential; see net/gate.h. */
struct verdict {
    int status;
    const char *grant, *session, *csrf;
    unsigned retry_s;
};

/** The connection to act, and the grants that it gave, kept for most of the time they last. */
struct gate {
    struct loop *loop;
    /** act answered; not called for what was cancelled. Status 503 where act went away. */
    void (*answered)(void *asker, const struct verdict *v);
    struct ipc *ipc; /**< NULL while act is away */
    struct watch watch;
    struct map *askers; /**< by the question's id */
    struct map *grants; /**< by kind and secret */
    uint32_t last_id;
};

void gate_init(struct gate *g, struct loop *loop,
               void (*answered)(void *asker, const struct verdict *v));
void gate_done(struct gate *g);

/** A new connection; takes over `fd`. Questions that wait on the old one get status 503. */
void gate_connect(struct gate *g, int fd);

/** A grant that is still good. True: *ret is valid until the next call of any function here. */
bool gate_known(struct gate *g, const struct gate_question *q, int64_t now_ns, struct verdict *ret);

/** Ask; 0 or -EPIPE (act is away). *ret_id stands for the question, never 0. */
int gate_ask(struct gate *g, const struct gate_question *q, void *asker, uint32_t *ret_id);
void gate_cancel(struct gate *g, uint32_t id);

/** Keep what act said of this credential. */
void gate_keep(struct gate *g, const struct gate_question *q, const struct verdict *v,
               int64_t now_ns);
/** Forget it. */
void gate_forget(struct gate *g, const struct gate_question *q);

#endif
