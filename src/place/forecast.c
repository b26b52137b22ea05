// SPDX-License-Identifier: GPL-3.0-or-later
// What a VM will want over its stay: the mean of its samples, unless all loads rise together or its
// own has changed for good.
#include "base/mem.h"
#include "steady.h"

// Samples that the herd's mean counts for in a VM's forecast: the spread between VMs' means is
// about as large as that of one VM's samples.
#define PRIOR_SAMPLES 2
// The newest samples that may stand for a change, and how far off they have to be.
#define RECENT 6
#define CHANGE_DEVIATIONS 3.5
// Samples whose sum over the herd is compared with its mean, and by how much it has to be above.
#define FOLLOW 2
#define FOLLOW_LEAST 1.05

// Loads that rise together, as in the morning, show in the sum long before they show in a mean.
static void follow_herd(struct steady *s, const struct place_live *live)
{
    double mean = 0, now = 0;
    for (size_t i = 0; i < live->first[live->n_hosts]; i++) {
        const struct place_live_vm *v = &live->vm[live->listed[i]];
        mean += s->mean[live->listed[i]];
        for (size_t k = 0; k < FOLLOW && k < v->sampled; k++)
            now += v->history[k] * v->cpu / (double)MIN_OF(FOLLOW, v->sampled);
    }
    if (now <= mean * FOLLOW_LEAST)
        return;
    for (size_t i = 0; i < live->first[live->n_hosts]; i++)
        s->mean[live->listed[i]] *= now / mean;
}

// The newest samples, where they differ from the others by more than chance would have them: a VM
// whose load has changed for good, or is on the rise.
static double recent_mean(const struct place_live_vm *v, double mean, double variance)
{
    double sum = 0;
    if (v->sampled < 2 * RECENT)
        return mean;
    for (size_t k = 0; k < RECENT; k++)
        sum += v->history[k];
    double recent = sum / RECENT, away = recent - mean;
    return away * away > CHANGE_DEVIATIONS * CHANGE_DEVIATIONS * variance / RECENT ? recent : mean;
}

// Mean and variance of each VM's load, drawn towards the herd's where samples are few.
void steady_forecast(struct steady *s, const struct place_live *live)
{
    size_t n_listed = live->first[live->n_hosts];
    double sum = 0, squares = 0, n = 0;
    for (size_t i = 0; i < n_listed; i++) {
        const struct place_live_vm *v = &live->vm[live->listed[i]];
        if (v->sampled == 0)
            continue;
        sum += v->history[0];
        squares += v->history[0] * v->history[0];
        n++;
    }
    double herd = n > 0 ? sum / n : 0;
    double spread = n > 0 ? squares / n - herd * herd : 0;
    for (size_t i = 0; i < n_listed; i++) {
        uint32_t vm = live->listed[i];
        const struct place_live_vm *v = &live->vm[vm];
        double weight = PRIOR_SAMPLES + v->sampled;
        double total = PRIOR_SAMPLES * herd;
        for (size_t k = 0; k < v->sampled; k++)
            total += v->history[k];
        double mean = total / weight;
        // Half of what VMs differ by at one instant is each one's own unrest.
        double square = PRIOR_SAMPLES * spread / 2;
        for (size_t k = 0; k < v->sampled; k++)
            square += (v->history[k] - mean) * (v->history[k] - mean);
        s->mean[vm] = recent_mean(v, mean, square / weight) * v->cpu;
        s->variance[vm] = square / weight * v->cpu * v->cpu;
    }
    follow_herd(s, live);
}
