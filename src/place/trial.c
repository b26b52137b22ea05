// SPDX-License-Identifier: GPL-3.0-or-later
// Sums per host are made anew, in the order of its VMs, whenever that list changes: adding and
// subtracting would leave rounding errors behind that decide ties differently on each path.
#include "trial.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"

static int make_room(struct trial *t, const struct place_live *live)
{
    if (live->n_hosts > t->hosts_cap) {
        struct trial_host *more = realloc(t->host, live->n_hosts * sizeof(*more));
        if (!more)
            return -ENOMEM;
        memset(more + t->hosts_cap, 0, (live->n_hosts - t->hosts_cap) * sizeof(*more));
        t->host = more;
        t->hosts_cap = live->n_hosts;
    }
    if (live->n_vms > t->vms_cap) {
        struct trial_vm *more = realloc(t->vm, live->n_vms * sizeof(*more));
        if (!more)
            return -ENOMEM;
        t->vm = more;
        t->vms_cap = live->n_vms;
    }
    return 0;
}

// Least squares over the last samples: y = mean + slope·(x - middle), x = 1 … TRIAL_REGRESSION.
static void regress(const struct place_live_vm *v, struct trial_vm *ret)
{
    static const double middle = (TRIAL_REGRESSION + 1) / 2.0;
    static const double spread =
        TRIAL_REGRESSION * (TRIAL_REGRESSION * TRIAL_REGRESSION - 1) / 12.0;
    double sum = 0, moment = 0;
    size_t n = MIN_OF(v->sampled, TRIAL_REGRESSION);
    for (size_t i = 0; i < n; i++) {
        sum += v->history[i];
        moment += v->history[i] * ((double)(TRIAL_REGRESSION - i) - middle);
    }
    ret->mean = v->cpu * sum / TRIAL_REGRESSION;
    ret->slope = v->cpu * moment / spread;
    ret->sampled = v->sampled;
    while (ret->sampled > 0 && v->history[ret->sampled - 1] == 0)
        ret->sampled--;
}

static void allocate(struct trial_host *h, const struct trial *t, double cpu, double core)
{
    if (h->capped <= cpu) {
        h->allocated = h->capped;
        return;
    }
    double scale = cpu / h->capped;
    h->allocated = 0;
    for (size_t i = 0; i < h->n; i++)
        h->allocated += floor(MIN_OF(t->live->vm[h->vm[i]].wanted, core) * scale);
}

static void count_in(struct trial_host *h, const struct trial *t, uint32_t vm,
                     const struct place_live_host *host)
{
    const struct place_live_vm *v = &t->live->vm[vm];
    h->wanted += v->wanted;
    h->capped += MIN_OF(v->wanted, host->core);
    h->ram_mib += v->ram_mib;
    h->mean += t->vm[vm].mean / host->cpu;
    h->slope += t->vm[vm].slope / host->cpu;
    h->longest_s = MAX_OF(h->longest_s, v->copy_s);
    h->sampled = MAX_OF(h->sampled, t->vm[vm].sampled);
}

static void sum_up(struct trial *t, uint32_t host)
{
    struct trial_host *h = &t->host[host];
    const struct place_live_host *l = &t->live->host[host];
    *h = (struct trial_host){.vm = h->vm, .n = h->n, .cap = h->cap};
    for (size_t i = 0; i < h->n; i++)
        count_in(h, t, h->vm[i], l);
    allocate(h, t, l->cpu, l->core);
}

int trial_begin(struct trial *t, const struct place_live *live)
{
    int r = make_room(t, live);
    if (r < 0)
        return r;
    t->live = live;
    for (size_t i = 0; i < live->n_vms; i++) {
        t->vm[i].host = UINT32_MAX;
        regress(&live->vm[i], &t->vm[i]);
    }
    for (uint32_t h = 0; h < live->n_hosts; h++) {
        struct trial_host *host = &t->host[h];
        host->n = 0;
        for (uint32_t i = live->first[h]; i < live->first[h + 1]; i++) {
            mem_grow(&host->vm, &host->cap, host->n, sizeof(*host->vm));
            host->vm[host->n++] = live->listed[i];
            t->vm[live->listed[i]].host = h;
        }
        sum_up(t, h);
    }
    return 0;
}

void trial_done(struct trial *t)
{
    for (size_t h = 0; h < t->hosts_cap; h++)
        free(t->host[h].vm);
    free(t->host);
    free(t->vm);
    *t = (struct trial){0};
}

void trial_remove(struct trial *t, uint32_t vm)
{
    uint32_t at = t->vm[vm].host;
    struct trial_host *h = &t->host[at];
    size_t i = 0;
    while (h->vm[i] != vm)
        i++;
    h->n--;
    memmove(&h->vm[i], &h->vm[i + 1], (h->n - i) * sizeof(*h->vm));
    t->vm[vm].host = UINT32_MAX;
    sum_up(t, at);
}

void trial_add(struct trial *t, uint32_t vm, uint32_t host)
{
    struct trial_host *h = &t->host[host];
    mem_grow(&h->vm, &h->cap, h->n, sizeof(*h->vm));
    h->vm[h->n++] = vm;
    t->vm[vm].host = host;
    sum_up(t, host);
}

struct trial_host trial_with(const struct trial *t, uint32_t host, uint32_t vm)
{
    struct trial_host h = t->host[host];
    const struct place_live_host *l = &t->live->host[host];
    count_in(&h, t, vm, l);
    // Its own share is the last term of the sum; `vm` is not in the list.
    if (h.capped <= l->cpu) {
        h.allocated = h.capped;
    } else {
        allocate(&h, t, l->cpu, l->core);
        h.allocated += floor(MIN_OF(t->live->vm[vm].wanted, l->core) * (l->cpu / h.capped));
    }
    return h;
}

size_t trial_history(const struct trial *t, uint32_t host, uint32_t more, double ret[PLACE_HISTORY])
{
    const struct trial_host *h = &t->host[host];
    double cpu = t->live->host[host].cpu;
    memset(ret, 0, PLACE_HISTORY * sizeof(*ret));
    size_t n = h->n + (more != UINT32_MAX);
    for (size_t i = 0; i < n; i++) {
        const struct place_live_vm *v = &t->live->vm[i < h->n ? h->vm[i] : more];
        for (size_t k = 0; k < v->sampled; k++)
            ret[k] += v->history[k] * v->cpu / cpu;
    }
    size_t len = PLACE_HISTORY;
    while (len > 0 && ret[len - 1] == 0)
        len--;
    return len;
}
