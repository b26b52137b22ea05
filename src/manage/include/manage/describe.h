// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MANAGE_DESCRIBE_H
#define MANAGE_DESCRIBE_H

#include "base/json.h"
#include "virt/manage.h"

/** A VM's definition as JSON, in the words of the deeds' fields (docs/api.md), and what state the
 * VM is in (NULL: not told). */
void describe_spec(const struct virt_spec *spec, const char *state, struct json *j);

/** A VM's snapshots: parents first, siblings by age; each with its depth in the tree and its age.
 */
void describe_snapshots(const struct virt_snapshot *snapshots, size_t n, int64_t now_s,
                        struct json *j);

#endif
