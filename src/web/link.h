// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef WEB_LINK_H
#define WEB_LINK_H

#include "loop.h"
#include "net/ipc.h"

/** A payload that is the answer to several questions. */
struct shared {
    unsigned holds; /**< freed with the last */
    size_t len;
    char *payload;
};

struct shared *shared_ref(struct shared *s);
void shared_unref(void *shared); /**< NULL is fine */

/** What becomes of a question, unless it was cancelled. */
struct link_events {
    /**
     * core answered, with the whole (IPC_RESPONSE, IPC_WRITTEN) or its beginning (IPC_BEGIN);
     * `payload` is the frame's, now owned by the callee.
     */
    void (*answer)(void *asker, const struct ipc_frame *frame, char *payload);
    /** The same with an answer that others get too; who keeps it takes a hold. */
    void (*share)(void *asker, const struct ipc_frame *frame, struct shared *answer);
    /** More of an answer that began, owned as above. */
    void (*piece)(void *asker, char *payload, size_t len);
    /** The end of an answer that began. */
    void (*end)(void *asker, bool whole);
    /** core went away before it answered, or within its answer. */
    void (*lost)(void *asker);
};

/** The connection to core and the questions that wait on it. */
struct link {
    struct loop *loop;
    const struct link_events *events;
    struct ipc *ipc; /**< NULL while core is away */
    struct watch watch;
    struct map *askers;    /**< by the question's id */
    struct shared *shared; /**< of the last IPC_SHARED, for those of IPC_AGAIN; or NULL */
    uint32_t last_id;
};

void link_init(struct link *l, struct loop *loop, const struct link_events *events);
void link_done(struct link *l);

/** A new connection; takes over `fd`. Questions that wait on the old one are lost. */
void link_connect(struct link *l, int fd);

/**
 * Ask; *ret_id stands for the question. `fd`: the client's connection, of which core gets a copy
 * where the request has no grant; else -1. 0 or -EPIPE (core is away).
 */
int link_ask(struct link *l, const struct ipc_request *r, int fd, void *asker, uint32_t *ret_id);

/** Hand over samples, a frame of net/samples.h, and ask what becomes of them. As link_ask(). */
int link_write(struct link *l, const char *frame, size_t len, void *asker, uint32_t *ret_id);

/** The same for history, whose samples may be of any age. */
int link_import(struct link *l, const char *frame, size_t len, void *asker, uint32_t *ret_id);

/** The same, but only to hear what would become of them. */
int link_import_try(struct link *l, const char *frame, size_t len, void *asker, uint32_t *ret_id);

/** Another piece of an answer may come. */
void link_more(struct link *l, uint32_t id);

/** Nobody waits for the answer any more. */
void link_cancel(struct link *l, uint32_t id);

#endif
