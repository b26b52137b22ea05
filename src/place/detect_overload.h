// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PLACE_DETECT_OVERLOAD_H
#define PLACE_DETECT_OVERLOAD_H

#include "place/consolidate.h"
#include "trial.h"

// THR where an adaptive detector has too few samples yet.
#define DETECT_FALLBACK_SHARE 0.7

// Whether a host is overloaded, with one VM more unless UINT32_MAX.
bool detect_overload(const struct trial *t, const struct place_policy *policy, uint32_t host,
                     uint32_t more);

// Parameter that a detector has where none is given.
double detect_default(enum place_detector detector);

#endif
