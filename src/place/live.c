// SPDX-License-Identifier: GPL-3.0-or-later
#include "place/live.h"

#include "base/mem.h"

static const char *const reasons[] = {
    [PLACE_REASON_OVERLOAD] = "overload",
    [PLACE_REASON_UNDERLOAD] = "underload",
    [PLACE_REASON_EVACUATE] = "evacuate",
    [PLACE_REASON_BALANCE] = "balance",
};
_Static_assert(ARRAY_LEN(reasons) == PLACE_REASON_MAX, "a reason without a name");

const char *place_reason_name(enum place_reason reason)
{
    return reasons[reason];
}

// Many placements cost the same but for rounding, and rounding then decides: the terms are in the
// order of CloudSim's PowerModelSpecPower, whose figures have to come out.
double place_power_watts(const struct place_power *power, double ratio)
{
    if (!(ratio > 0))
        return power->watts[0];
    if (ratio >= 1)
        return power->watts[PLACE_POWER_POINTS - 1];
    // The multiples of 0.1 that doubles hold exactly, which CloudSim looks up by fmod().
    if (ratio == 0.1 || ratio == 0.2 || ratio == 0.4 || ratio == 0.8)
        return power->watts[(size_t)(ratio * 10)];
    double tenths = ratio * 10;
    size_t low = (size_t)tenths, high = low + (tenths > (double)low);
    double delta = (power->watts[high] - power->watts[low]) / 10;
    return power->watts[low] + delta * (ratio - (double)low / 10) * 100;
}

void place_plan_reset(struct place_plan *plan)
{
    plan->n = 0;
}

void place_plan_done(struct place_plan *plan)
{
    free(plan->move);
    *plan = (struct place_plan){0};
}

void place_plan_add(struct place_plan *plan, const struct place_move *move)
{
    mem_grow(&plan->move, &plan->cap, plan->n, sizeof(*plan->move));
    plan->move[plan->n++] = *move;
}
