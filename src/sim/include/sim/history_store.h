// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef SIM_HISTORY_STORE_H
#define SIM_HISTORY_STORE_H

#include "base/err.h"

struct scenario_vms;
struct tsdb;

/**
 * Open the store in a directory in order to read it: a snapshot, or one that no daemon uses.
 * Nothing is deleted from it, however old. The caller closes it with tsdb_close(). 0, -ENOENT
 * (there is no store), -EBUSY (it is in use), or -errno.
 */
int sim_store_open(const char *directory, struct tsdb **ret, struct err *err);

/**
 * Give VMs of a scenario the last `v->days` of the domains in a store, by their names: VM number k
 * follows the k-th, beginning again after the last. Sizes are the scenario's, what is wanted is
 * what was used. Fills `set`, `memory` and `sample_s`. 0, -ENODATA, what opening or reading gave.
 */
int history_load(const char *directory, struct scenario_vms *v, struct err *err);

#endif
