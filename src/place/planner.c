// SPDX-License-Identifier: GPL-3.0-or-later
// A planner of any policy, and how policies are called.
#include "planner.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "detect_overload.h"

static int step_none(struct place_planner *p, const struct place_live *live,
                     struct place_plan *plan)
{
    return 0;
}

static const struct {
    const char *name; // NULL: made of a detector and a selector
    int (*step)(struct place_planner *p, const struct place_live *live, struct place_plan *plan);
} kinds[] = {
    [PLACE_KIND_NONE] = {"none", step_none},
    [PLACE_KIND_PUBLISHED] = {NULL, published_step},
    [PLACE_KIND_STEADY] = {"vherd", steady_step},
};

#define WAKE_PREFIX "wake-"

static bool take_word(const char **text, const char *word)
{
    size_t n = strlen(word);
    if (strncmp(*text, word, n) != 0 || ((*text)[n] != '\0' && (*text)[n] != '-'))
        return false;
    *text += n + ((*text)[n] == '-');
    return true;
}

static int unknown(const char *name, struct err *err)
{
    return err_set(err, EINVAL,
                   "no policy \"%.60s\": vherd, none, or [wake-]DETECTOR-SELECTOR[-PARAMETER] with "
                   "thr, mad, iqr, lr, lrr, loess, robust and mmt, rs, mc, mu",
                   name);
}

int place_policy_parse(const char *name, struct place_policy *ret, struct err *err)
{
    struct place_policy policy = {.kind = PLACE_KIND_PUBLISHED};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (kinds[i].name && strcmp(kinds[i].name, name) == 0) {
            *ret = (struct place_policy){.kind = (enum place_kind)i};
            return 0;
        }
    const char *rest = name;
    if (strncmp(rest, WAKE_PREFIX, strlen(WAKE_PREFIX)) == 0) {
        policy.wake_aware = true;
        rest += strlen(WAKE_PREFIX);
    }
    while (policy.detector < PLACE_DETECT_MAX &&
           !take_word(&rest, place_detector_name(policy.detector)))
        policy.detector++;
    while (policy.selector < PLACE_SELECT_MAX &&
           !take_word(&rest, place_selector_name(policy.selector)))
        policy.selector++;
    if (policy.detector == PLACE_DETECT_MAX || policy.selector == PLACE_SELECT_MAX)
        return unknown(name, err);
    policy.safety = detect_default(policy.detector);
    if (*rest && (number_parse_f64(rest, &policy.safety) < 0 || policy.safety < 0))
        return err_set(err, EINVAL, "policy \"%.60s\": \"%.20s\" is no number", name, rest);
    *ret = policy;
    return 0;
}

struct place_planner *place_planner_new(const struct place_policy *policy, uint64_t seed)
{
    struct place_planner *p = mem_zalloc(sizeof(*p));
    p->policy = *policy;
    prng_init(&p->prng, seed, 0);
    if (policy->kind == PLACE_KIND_STEADY)
        p->steady = steady_new();
    return p;
}

void place_planner_free(struct place_planner *p)
{
    if (!p)
        return;
    trial_done(&p->trial);
    steady_free(p->steady);
    free(p->excluded);
    free(p->draws);
    free(p->leaving);
    free(p);
}

static int make_room(struct place_planner *p, size_t hosts)
{
    if (hosts <= p->hosts_cap)
        return 0;
    uint8_t *excluded = realloc(p->excluded, hosts);
    if (!excluded)
        return -ENOMEM;
    p->excluded = excluded;
    double *draws = realloc(p->draws, hosts * sizeof(*draws));
    if (!draws)
        return -ENOMEM;
    p->draws = draws;
    p->hosts_cap = hosts;
    return 0;
}

int place_planner_step(struct place_planner *p, const struct place_live *live,
                       struct place_plan *plan)
{
    place_plan_reset(plan);
    if (p->policy.kind == PLACE_KIND_NONE)
        return 0;
    int r = make_room(p, live->n_hosts);
    if (r < 0)
        return r;
    for (size_t i = 0; i < live->n_hosts; i++)
        p->draws[i] = place_power_watts(live->host[i].power, live->host[i].recorded);
    memset(p->excluded, 0, live->n_hosts);
    r = trial_begin(&p->trial, live);
    return r < 0 ? r : kinds[p->policy.kind].step(p, live, plan);
}
