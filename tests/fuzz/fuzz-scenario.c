// SPDX-License-Identifier: GPL-3.0-or-later
// A scenario is refused with a reason, or a world can be made of it and lives through a while.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "sim/scenario.h"
#include "sim/world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t count(const struct scenario *s)
{
    uint64_t n = 0;
    for (size_t i = 0; i < s->hosts_n; i++)
        n += s->hosts[i].count;
    for (size_t i = 0; i < s->vms_n; i++)
        n += s->vms[i].count;
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct scenario *s = NULL;
    struct world *w = NULL;
    struct err err = {0};
    if (scenario_parse("fuzz", (const char *)data, size, NULL, &s, &err) < 0) {
        if (s || err.code == 0 || err.message[0] == '\0')
            abort();
        return 0;
    }
    if (count(s) < 100 && s->step_s >= 60) {
        if (world_new(s, NULL, &w, &err) == 0)
            world_run(w, 900);
        else if (err.message[0] == '\0')
            abort();
    }
    world_free(w);
    scenario_free(s);
    return 0;
}
