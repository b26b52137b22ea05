// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MANAGE_SELECT_H
#define MANAGE_SELECT_H

/*
 * Which VMs are meant: an object {"vms": [names], "match": [patterns], "label": ["env=test", "k"],
 * "all": true}. A VM is chosen that has one of the names or fits one of the patterns (or where
 * neither is given), and carries every label; patterns are those of fnmatch(3), in a label's value
 * too. Nothing at all chooses nothing.
 */

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "virt/manage.h"

/** Is it of that shape, and does it choose anything? 0 or -EINVAL with the member. Pure. */
int select_check(json_t *select, struct err *err);

/** Is this VM chosen? Pure. */
bool select_fits(const json_t *select, const struct virt_spec *spec);

/**
 * All VMs that are chosen and that `allowed` lets pass, in libvirt's order: an array of {"name",
 * "uuid"}, which the caller owns. Reads every definition; on a worker. One that goes away meanwhile
 * is left out. 0 or -errno.
 */
int select_run(const struct virt_ops *ops, struct virt *virt, const json_t *select,
               bool (*allowed)(void *arg, const struct virt_spec *spec), void *arg, json_t **ret,
               struct err *err);

#endif
