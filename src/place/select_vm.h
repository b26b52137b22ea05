// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PLACE_SELECT_VM_H
#define PLACE_SELECT_VM_H

#include "base/prng.h"
#include "place/consolidate.h"
#include "trial.h"

// The VM that leaves an overloaded host next; UINT32_MAX where none can.
uint32_t select_vm(const struct trial *t, enum place_selector selector, uint32_t host,
                   struct prng *prng);

#endif
