// SPDX-License-Identifier: GPL-3.0-or-later
// Which stored metric becomes which field stands in one table. A VM is there while any of its
// series is: it has not ended, and its last sample is not older than ALIVE_MS.
#include "tool/replay.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/query.h"

#define ALIVE_MS (INT64_C(300) * 1000) // as PromQL looks back
#define NO_RULE UINT8_MAX

enum field {
    FIELD_STATE,
    FIELD_CPU,
    FIELD_WAIT,
    FIELD_VCPUS,
    FIELD_MEMORY,
    FIELD_USED,
    FIELD_READ,
    FIELD_WRITE,
    FIELD_IOPS,
    FIELD_DISK_TIME,
    FIELD_RX,
    FIELD_TX,
    FIELD_MAX,
};

// Of the API; FIELD_STATE and FIELD_DISK_TIME are made into others.
static const char *const names[FIELD_MAX] = {
    [FIELD_CPU] = "cpu_ratio",
    [FIELD_WAIT] = "cpu_wait_ratio",
    [FIELD_VCPUS] = "vcpus_current",
    [FIELD_MEMORY] = "memory_current_bytes",
    [FIELD_USED] = "memory_used_ratio",
    [FIELD_READ] = "read_bytes_per_second",
    [FIELD_WRITE] = "write_bytes_per_second",
    [FIELD_IOPS] = "disk_requests_per_second",
    [FIELD_RX] = "receive_bytes_per_second",
    [FIELD_TX] = "transmit_bytes_per_second",
};

struct rule {
    const char *metric;
    enum field field;
    bool is_rate; // else the last value
    double factor;
};

#define BLOCK "libvirt_domain_block_stats_"
#define NIC "libvirt_domain_interface_stats_"

static const struct rule rules[] = {
    {"libvirt_domain_info_vstate", FIELD_STATE, false, 1},
    {"libvirt_domain_info_cpu_time_seconds_total", FIELD_CPU, true, 1},
    {"libvirt_domain_vcpu_wait_seconds_total", FIELD_WAIT, true, 1},
    {"libvirt_domain_info_virtual_cpus", FIELD_VCPUS, false, 1},
    {"libvirt_domain_info_memory_usage_bytes", FIELD_MEMORY, false, 1},
    {"libvirt_domain_memory_stats_used_percent", FIELD_USED, false, 0.01},
    {BLOCK "read_bytes_total", FIELD_READ, true, 1},
    {BLOCK "write_bytes_total", FIELD_WRITE, true, 1},
    {BLOCK "read_requests_total", FIELD_IOPS, true, 1},
    {BLOCK "write_requests_total", FIELD_IOPS, true, 1},
    {BLOCK "flush_requests_total", FIELD_IOPS, true, 1},
    {BLOCK "read_time_seconds_total", FIELD_DISK_TIME, true, 1},
    {BLOCK "write_time_seconds_total", FIELD_DISK_TIME, true, 1},
    {BLOCK "flush_time_seconds_total", FIELD_DISK_TIME, true, 1},
    {NIC "receive_bytes_total", FIELD_RX, true, 1},
    {NIC "transmit_bytes_total", FIELD_TX, true, 1},
};

// By virDomainState.
static const char *const states[] = {"no state",    "running",  "blocked", "paused",
                                     "in shutdown", "shut off", "crashed", "pmsuspended"};

struct domain {
    const char *name;
    double value[FIELD_MAX]; // NaN: absent
    unsigned summed[FIELD_MAX];
    bool is_alive;
};

struct track {
    uint8_t rule; // NO_RULE
    bool has_last, has_before;
    uint32_t domain;
    int64_t last_ms, before_ms; // `before`: as of the last step that was shown
    double last, before;
};

struct replay {
    const struct tool_replay_options *o;
    tool_replay_fn *show;
    void *arg;
    struct track *tracks;
    struct domain *domains; // by name
    size_t n_tracks, n_domains;
    int64_t due_ms; // the next step
};

static uint8_t rule_of(const char *metric)
{
    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        if (strcmp(rules[i].metric, metric) == 0)
            return (uint8_t)i;
    return NO_RULE;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct domain *)a)->name, ((const struct domain *)b)->name);
}

static void find_domains(struct replay *r, const struct history *h)
{
    size_t cap = 0;
    r->n_tracks = history_count(h);
    r->tracks = mem_zalloc((r->n_tracks + 1) * sizeof(*r->tracks));
    for (size_t i = 0; i < r->n_tracks; i++) {
        const struct labels *l = history_labels(h, i);
        const char *metric = labels_get(l, LABEL_METRIC_NAME), *domain = labels_get(l, "domain");
        r->tracks[i].rule = metric && domain ? rule_of(metric) : NO_RULE;
        if (r->tracks[i].rule == NO_RULE)
            continue;
        mem_grow(&r->domains, &cap, r->n_domains, sizeof(*r->domains));
        r->domains[r->n_domains++] = (struct domain){.name = domain};
    }
    if (r->n_domains > 0)
        qsort(r->domains, r->n_domains, sizeof(*r->domains), by_name);
    size_t kept = 0;
    for (size_t i = 0; i < r->n_domains; i++)
        if (kept == 0 || strcmp(r->domains[kept - 1].name, r->domains[i].name) != 0)
            r->domains[kept++] = r->domains[i];
    r->n_domains = kept;
    for (size_t i = 0; i < r->n_tracks; i++) {
        if (r->tracks[i].rule == NO_RULE)
            continue;
        struct domain key = {.name = labels_get(history_labels(h, i), "domain")};
        const struct domain *found =
            bsearch(&key, r->domains, r->n_domains, sizeof(*r->domains), by_name);
        r->tracks[i].domain = (uint32_t)(found - r->domains);
    }
}

static void add(struct domain *d, enum field field, double v)
{
    d->value[field] = d->summed[field]++ ? d->value[field] + v : v;
}

static void add_track(struct replay *r, struct track *t, int64_t now_ms)
{
    const struct rule *rule = &rules[t->rule];
    struct domain *d = &r->domains[t->domain];
    if (!t->has_last || now_ms - t->last_ms > ALIVE_MS)
        return;
    d->is_alive = true;
    if (!rule->is_rate)
        add(d, rule->field, t->last * rule->factor);
    else if (t->has_before && t->last_ms > t->before_ms && t->last >= t->before)
        add(d, rule->field,
            (t->last - t->before) * rule->factor * 1000 / (double)(t->last_ms - t->before_ms));
    t->has_before = true;
    t->before = t->last;
    t->before_ms = t->last_ms;
}

static json_t *object_of(const struct domain *d)
{
    json_t *o = json_object();
    double state = d->value[FIELD_STATE], requests = d->value[FIELD_IOPS];
    json_object_set_new(o, "name", json_string(d->name));
    if (state >= 0 && state < (double)ARRAY_LEN(states))
        json_object_set_new(o, "state", json_string(states[(size_t)state]));
    for (enum field f = 0; f < FIELD_MAX; f++) {
        double v = d->value[f];
        if (f == FIELD_WAIT)
            v /= MAX_OF(d->summed[f], 1u); // per vCPU
        if (names[f] && isfinite(v))
            json_object_set_new(o, names[f], json_real(v));
    }
    if (requests > 0 && isfinite(d->value[FIELD_DISK_TIME]))
        json_object_set_new(o, "disk_latency_seconds",
                            json_real(d->value[FIELD_DISK_TIME] / requests));
    return o;
}

static int show(struct replay *r, int64_t t_ms)
{
    for (size_t i = 0; i < r->n_domains; i++) {
        struct domain *d = &r->domains[i];
        *d = (struct domain){.name = d->name};
        for (enum field f = 0; f < FIELD_MAX; f++)
            d->value[f] = NAN;
    }
    for (size_t i = 0; i < r->n_tracks; i++)
        if (r->tracks[i].rule != NO_RULE)
            add_track(r, &r->tracks[i], t_ms);
    json_t *answer = json_object(), *vms = json_array();
    json_object_set_new(answer, "time", json_real((double)t_ms / 1000));
    for (size_t i = 0; i < r->n_domains; i++)
        if (r->domains[i].is_alive)
            json_array_append_new(vms, object_of(&r->domains[i]));
    json_object_set_new(answer, "vms", vms);
    int e = r->show(r->arg, t_ms, answer);
    json_decref(answer);
    return e;
}

static int take_time(void *arg, int64_t t_ms, const struct history_sample *sample, size_t n)
{
    struct replay *r = arg;
    for (; t_ms > r->due_ms; r->due_ms += r->o->step_ms) {
        int e = show(r, r->due_ms);
        if (e < 0)
            return e;
    }
    for (size_t i = 0; i < n; i++) {
        struct track *t = &r->tracks[sample[i].series];
        bool ends = sample_is_stale(sample[i].v);
        t->has_last = !ends;
        t->has_before &= !ends;
        t->last_ms = t_ms;
        t->last = sample[i].v;
    }
    return 0;
}

int tool_replay(struct history *h, const struct tool_replay_options *o, tool_replay_fn *fn,
                void *arg, struct err *err)
{
    struct replay r = {.o = o, .show = fn, .arg = arg};
    int64_t start_ms = MAX_OF(o->start_ms, history_start_ms(h));
    int64_t end_ms = MIN_OF(o->end_ms, history_end_ms(h));
    r.due_ms = start_ms;
    find_domains(&r, h);
    // What a VM was before the start counts from the start on.
    int e = history_walk(h, start_ms - ALIVE_MS, end_ms, take_time, &r, err);
    for (; e == 0 && history_count(h) > 0 && r.due_ms <= end_ms; r.due_ms += o->step_ms)
        e = show(&r, r.due_ms);
    free(r.tracks);
    free(r.domains);
    return e;
}
