// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner.h"
#include "base/mem.h"
struct steady {
    int x;
};
struct steady *steady_new(void)
{
    return mem_zalloc(sizeof(struct steady));
}
void steady_free(struct steady *s)
{
    free(s);
}
int steady_step(struct place_planner *p, const struct place_live *live, struct place_plan *plan)
{
    return 0;
}
