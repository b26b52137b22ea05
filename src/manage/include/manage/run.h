// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MANAGE_RUN_H
#define MANAGE_RUN_H

/*
 * How each deed is checked, done and, where it broke off, mended. Runs on a worker thread, as its
 * calls may block for ever. Before a step that leaves something behind the deed writes a note; from
 * the notes alone manage_mend() closes the deed after a crash, or after a failure in the middle.
 */

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/uuid.h"
#include "verb/deed.h"
#include "virt/manage.h"

struct manage_run {
    const struct virt_ops *ops;
    const struct virt_manage *manage;
    struct virt *virt;
    const struct deed *deed;
    struct uuid uuid;      /**< the VM's; of one that does not exist yet: unset until it does */
    const char *vm;        /**< its name */
    const char *principal; /**< who asked */
    const json_t *body;    /**< checked by deed_check() */
    json_t *steps;         /**< an array; manage_check() appends sentences of what will be done */
    int patience_ms;       /**< how long a guest may take to follow; 0 = ten seconds */
    json_t *result;        /**< an object; manage_do() puts what a person wants to know */
    /** manage_mend(): the deed did not fail of itself; act or libvirt ended in the middle of it. */
    bool interrupted;
    /** Set by manage_mend() where the deed had begun: a process of the VM that libvirt has lost
     * meanwhile is the deed's to end. */
    bool mending;

    /** Write a note for good before going on; 0 or -errno: then the step must not be done. */
    int (*note)(void *arg, const json_t *note);
    /** Say how far it is: 0 to 1, or below 0 where that is unknown. May be called often. */
    void (*progress)(void *arg, double ratio, const char *phrase);
    /** Somebody wants it to end. */
    bool (*cancelled)(void *arg);
    /**
     * The hypervisor process of a VM on this machine, whatever libvirt says: its PID, 0 = none, or
     * -errno. `end`: and end it, so that it is gone on return. NULL: nobody can say.
     */
    int (*process)(void *arg, const struct uuid *uuid, bool end);
    void *arg;
};

/**
 * Can it be done as things are? Changes nothing; what would be done goes to `steps`. -EINVAL,
 * -ENOENT, -EEXIST or -ESRCH (not in this state) with a sentence, or what libvirt said.
 */
int manage_check(struct manage_run *r, struct err *err);

/**
 * Do it. 0, -ECANCELED, or -errno with the cause. After a failure manage_mend() is called with the
 * notes, at once or when libvirt is back.
 */
int manage_do(struct manage_run *r, struct err *err);

/**
 * Close a deed that broke off, given its notes in order: go on where that is the only way to a
 * whole state, else undo what it had made. Nothing that it had not made is touched. Returns 1: it
 * is done after all; 0: it is not done, and `ret_now` (a text of at most `size` bytes) says what is
 * now true; -errno: ask again when libvirt is back. May be called again after itself broke off.
 */
int manage_mend(struct manage_run *r, const json_t *notes, char *ret_now, size_t size,
                struct err *err);

/** What a deed that nobody can mend may have left, by its notes: "volume images/web-vda.qcow2, …";
 * "" for nothing. */
void manage_left(const json_t *notes, char *ret, size_t size);

/** A second name that the deed locks beside its VM (the one it makes), or NULL; lives in `body`. */
const char *manage_other_name(const struct deed *deed, const json_t *body);

#endif
