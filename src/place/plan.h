// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PLAN_H
#define PLAN_H

// What the files that write plans share; private to src/place.

#include "place/plan.h"

#define PLAN_TEXT_MAX 4096

struct writing {
    const struct place_snapshot *s;
    const struct plan_request *request;
    const struct plan_history *history;
    struct json *j;
    struct err *err;
};

// Have the plan tried out, where that was asked.
int plan_try(const struct writing *w, const struct plan_effect *effect);

// The deeds that carry out a row; the object of the row is open.
void plan_put_sizing(const struct writing *w, int32_t vm, const struct rightsize_advice *a);
void plan_put_start(const struct writing *w, int32_t vm);

int plan_write_rightsize(const struct writing *w);

#endif
