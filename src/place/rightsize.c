// SPDX-License-Identifier: GPL-3.0-or-later
// The need is the quantile that the allowed risk leaves, over all history and over the last two
// weeks, whichever is larger; plus growth over the horizon; plus a margin.
#include "place/rightsize.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/human.h"
#include "base/mem.h"

#define RECENT_S (14 * 86400)
#define DAY_S 86400.0
#define SHARES_PER_CPU 1024
#define SHARES_LEAST 2
#define QUOTA_LEAST_US 1000
#define RULE_QUANTILE 0.97

const struct rightsize_policy rightsize_standard = {
    .risk_ratio = 0.01,
    .margin_ratio = 0.15,
    .horizon_days = 30,
    .least_days = 7,
    .memory_step_bytes = INT64_C(64) << 20,
    .memory_least_bytes = INT64_C(128) << 20,
};

// The later part of a series, beginning RECENT_S before its end.
static struct usage_series recent(const struct usage_series *s)
{
    struct usage_series r = *s;
    while (r.n > 1 && r.t_s[0] < s->t_s[s->n - 1] - RECENT_S) {
        r.t_s++;
        r.v++;
        r.n--;
    }
    return r;
}

static int quantile_of(const struct usage_series *s, double quantile, double *ret)
{
    CLEANUP(freep) double *sorted = usage_sorted(s->v, s->n);
    if (!sorted)
        return -ENOMEM;
    *ret = usage_quantile(sorted, s->n, quantile);
    return 0;
}

static int need_of(const struct usage_series *s, const struct rightsize_policy *p, double *ret_need,
                   double *ret_growth, double *ret_rule)
{
    double all, late, growth = usage_growth_per_day(s, 0.95);
    struct usage_series last = recent(s);
    if (isnan(growth) || quantile_of(s, 1 - p->risk_ratio, &all) < 0 ||
        quantile_of(&last, 1 - p->risk_ratio, &late) < 0 ||
        quantile_of(s, RULE_QUANTILE, ret_rule) < 0)
        return -ENOMEM;
    double most = fmax(all, late);
    *ret_growth = fmax(0, growth);
    // Growth of months does not double a VM on its own: that is for the next advice.
    *ret_need = (most + fmin(most / 2, *ret_growth * p->horizon_days)) * (1 + p->margin_ratio);
    return 0;
}

static int whole_cpus(double need)
{
    return need <= 1 ? 1 : (int)fmin(ceil(need - 1e-9), 4096);
}

static int64_t memory_rounded(double need, const struct rightsize_policy *p)
{
    double step = (double)p->memory_step_bytes;
    double rounded = ceil(need / step - 1e-9) * step;
    return (int64_t)fmax((double)p->memory_least_bytes, fmin(rounded, (double)PLACE_AMOUNT_MAX));
}

static int64_t quota(double need, int vcpus)
{
    double each = need / vcpus;
    if (each >= 1)
        return -1;
    int64_t us = (int64_t)ceil(each * RIGHTSIZE_PERIOD_US / QUOTA_LEAST_US) * QUOTA_LEAST_US;
    return MAX_OF(us, QUOTA_LEAST_US);
}

size_t rightsize_exceeding(const struct usage_series *s, double provisioned, double advised)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++)
        n += MIN_OF(s->v[i], provisioned) > advised;
    return n;
}

static double risk(const struct usage_series *s, double provisioned, double advised)
{
    return (double)rightsize_exceeding(s, provisioned, advised) / (double)s->n;
}

static double days_of(const struct usage_series *s)
{
    return s->n > 1 ? (double)(s->t_s[s->n - 1] - s->t_s[0]) / DAY_S : 0;
}

int rightsize_advise(const struct rightsize_vm *vm, const struct rightsize_policy *p,
                     struct rightsize_advice *ret)
{
    struct rightsize_advice a = {.least_days = p->least_days};
    double rule_cpu, rule_memory;
    a.days = fmin(days_of(&vm->cpu), days_of(&vm->memory));
    if (usage_summarise(&vm->cpu, &a.cpu) < 0 || usage_summarise(&vm->memory, &a.memory) < 0)
        return -ENOMEM;
    if (a.days < p->least_days) {
        *ret = a;
        return 0;
    }
    if (need_of(&vm->cpu, p, &a.cpu_need, &a.cpu_growth_per_day, &rule_cpu) < 0 ||
        need_of(&vm->memory, p, &a.memory_need_bytes, &a.memory_growth_per_day, &rule_memory) < 0)
        return -ENOMEM;
    a.known = true;
    a.vcpus = whole_cpus(a.cpu_need);
    // What runs at its limit says nothing of how much more it wants; what does not is large enough.
    if (a.vcpus > vm->vcpus && a.cpu.p95 < 0.95 * vm->vcpus)
        a.vcpus = vm->vcpus;
    a.memory_bytes = memory_rounded(a.memory_need_bytes, p);
    if (a.memory_bytes > vm->memory_bytes && a.memory.p95 < 0.95 * (double)vm->memory_bytes)
        a.memory_bytes = vm->memory_bytes;
    a.cpu_shares = (unsigned)fmax(SHARES_LEAST, round(a.cpu.p95 * SHARES_PER_CPU));
    a.cpu_quota_us = quota(fmax(a.cpu_need, a.cpu.max), a.vcpus);
    a.cpu_risk_ratio = risk(&vm->cpu, vm->vcpus, a.vcpus);
    a.memory_risk_ratio = risk(&vm->memory, (double)vm->memory_bytes, (double)a.memory_bytes);
    a.rule_vcpus = whole_cpus(rule_cpu);
    a.rule_memory_bytes = memory_rounded(rule_memory, p);
    *ret = a;
    return 0;
}

void rightsize_explain(const struct rightsize_vm *vm, const struct rightsize_advice *a,
                       struct buf *out)
{
    if (!a->known) {
        buf_printf(out, "%.1f days of history, %.0f are needed", a->days, a->least_days);
        return;
    }
    buf_printf(out, "over %.0f days the 99th percentile is ", a->days);
    buf_printf(out, "%.2f of %d vCPUs and ", a->cpu.p99, vm->vcpus);
    human_bytes(a->memory.p99, out);
    buf_puts(out, " of ");
    human_bytes((double)vm->memory_bytes, out);
    if (a->cpu_growth_per_day * 30 > 0.05 * a->cpu.p99)
        buf_puts(out, ", CPU use grows");
    if (a->memory_growth_per_day * 30 > 0.05 * a->memory.p99)
        buf_puts(out, ", memory use grows");
    buf_puts(out, ", risk ");
    human_percent(fmax(a->cpu_risk_ratio, a->memory_risk_ratio), out);
}
