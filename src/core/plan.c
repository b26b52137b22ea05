// SPDX-License-Identifier: GPL-3.0-or-later
// Plans for the live host: a snapshot of the herd, taken on the loop, and what place/plan.h makes
// of it and of stored history, on a worker.
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/number.h"
#include "plan.h"
#include "sim/replay.h"

#define MOVES_MAX 100000

struct planning {
    struct api_job job;
    struct place_snapshot *s;
    struct plan_request request;
    char *object; // request.object, where the client named one
    struct plan_reader reader;
    struct replay replay; // where the plan is to be tried out
    struct plan_trial trial;
};

static double fresh(const struct core *c, const struct object *o, enum fact fact)
{
    return herd_fact(c->herd, o, fact, clock_mono_ns(&clock_system));
}

static int32_t add_host(const struct core *c, struct place_snapshot *s)
{
    const char *name = object_attr(c->herd->host, ATTR_HOST_NAME);
    double cpus = fresh(c, c->herd->host, FACT_HOST_CPUS);
    double memory = fresh(c, c->herd->host, FACT_HOST_MEM_TOTAL);
    int32_t host = place_snapshot_add_host(s, name ? name : "localhost");
    if (host < 0 || isnan(cpus) || isnan(memory))
        return -1;
    struct place_host *h = &s->hosts[host];
    h->capacity.of[PLACE_CPU] = (int64_t)cpus * PLACE_CPU_UNIT;
    h->capacity.of[PLACE_MEMORY] =
        (int64_t)(memory * (1 - (double)c->conf->plan.memory_reserve / 100));
    h->overcommit_ratio[PLACE_CPU] = (double)c->conf->plan.cpu_overcommit;
    OBJECT_FOREACH_CHILD (pool, c->herd->host, KIND_POOL) {
        int32_t trait =
            place_snapshot_trait(s, PLACE_TRAIT_STORAGE, object_attr(pool, ATTR_POOL_NAME));
        if (trait >= 0)
            place_traits_add(&h->provides, trait);
    }
    OBJECT_FOREACH_CHILD (network, c->herd->host, KIND_NETWORK) {
        int32_t trait =
            place_snapshot_trait(s, PLACE_TRAIT_NETWORK, object_attr(network, ATTR_NETWORK_NAME));
        if (trait >= 0)
            place_traits_add(&h->provides, trait);
    }
    return host;
}

static int64_t whole(double v)
{
    return v >= 0 && v < (double)PLACE_AMOUNT_MAX ? (int64_t)v : 0;
}

// Networks of libvirt that its interfaces hang on; other kinds are the host's own business.
static void add_needs(const struct vm *vm, struct place_snapshot *s, struct place_vm *v)
{
    OBJECT_FOREACH_CHILD (nic, &vm->obj, KIND_NIC) {
        const char *type = object_attr(nic, ATTR_NIC_TYPE);
        const char *source = object_attr(nic, ATTR_NIC_SOURCE);
        if (!type || !source || strcmp(type, "network") != 0)
            continue;
        int32_t trait = place_snapshot_trait(s, PLACE_TRAIT_NETWORK, source);
        if (trait >= 0)
            place_traits_add(&v->needs, trait);
    }
}

// A VM whose size is not known cannot be planned for and is left out.
static void add_vm(const struct core *c, const struct vm *vm, struct place_snapshot *s,
                   int32_t host)
{
    double vcpus = object_fact(&vm->obj, FACT_VM_VCPUS);
    double memory = object_fact(&vm->obj, FACT_VM_MEM_CURRENT);
    double busy = fresh(c, &vm->obj, FACT_VM_CPU_RATIO);
    if (isnan(memory))
        memory = object_fact(&vm->obj, FACT_VM_MEM_MAX);
    if (isnan(vcpus) || isnan(memory))
        return;
    int32_t i = place_snapshot_add_vm(s, object_attr(&vm->obj, ATTR_VM_NAME));
    if (i < 0)
        return;
    struct place_vm *v = &s->vms[i];
    v->host = vm->active ? host : -1;
    v->request.of[PLACE_CPU] = whole(vcpus * PLACE_CPU_UNIT);
    v->request.of[PLACE_MEMORY] = whole(memory);
    v->started_s = object_fact(&vm->obj, FACT_VM_START_TIME);
    v->memory_most_bytes = whole(object_fact(&vm->obj, FACT_VM_MEM_MAX));
    v->resident_bytes = whole(fresh(c, &vm->obj, FACT_VM_RSS));
    v->dirty_bytes_per_second = whole(object_fact(&vm->obj, FACT_VM_DIRTY_RATE));
    if (!isnan(busy))
        v->usage[PLACE_CPU] = (struct place_usage){.n = 1,
                                                   .now = busy * PLACE_CPU_UNIT,
                                                   .mean = busy * PLACE_CPU_UNIT,
                                                   .forecast = NAN,
                                                   .forecast_deviation = NAN};
    add_needs(vm, s, v);
}

struct place_snapshot *plan_snapshot(const struct core *c)
{
    struct place_snapshot *s = place_snapshot_new();
    s->now_s = (double)clock_real_ns(&clock_system) / 1e9;
    int32_t host = add_host(c, s);
    for (size_t i = 0; host >= 0 && i < c->herd->n_vms; i++)
        add_vm(c, c->herd->vms[i], s, host);
    if (host < 0)
        place_snapshot_free(TAKE_PTR(s));
    return s;
}

int plan_check_limits(void *arg, struct err *err)
{
    const struct plan_reader *r = arg;
    if (*r->limits->cancelled)
        return err_set(err, ECANCELED, "the client is gone");
    if (clock_mono_ns(&clock_system) > r->limits->deadline_ns)
        return err_set(err, ETIME, "history took too long (limit: query.timeout)");
    return 0;
}

int plan_read_history(void *arg, int32_t i, struct rightsize_vm *ret, struct err *err)
{
    struct plan_reader *p = arg;
    const struct place_vm *v = &p->s->vms[i];
    int r = plan_check_limits(p, err);
    if (r < 0)
        return r;
    place_history_done(&p->history);
    r = place_history_read(p->source, v->name, p->s->now_s, &p->history, err);
    if (r < 0)
        return r;
    const struct place_history *h = &p->history;
    *ret = (struct rightsize_vm){v->name,
                                 (int)(v->request.of[PLACE_CPU] / PLACE_CPU_UNIT),
                                 v->request.of[PLACE_MEMORY],
                                 {h->cpu_t_s, h->cpu, h->n_cpu},
                                 {h->memory_t_s, h->memory_bytes, h->n_memory}};
    return h->n_cpu > 0 && h->n_memory > 0 ? 0 : -ENODATA;
}

static bool get_count(const char *query, const char *name, uint64_t most, uint64_t *ret)
{
    CLEANUP(freep) char *text = ipc_query_param(query, name);
    *ret = 0;
    return !text || (number_parse_u64(text, ret) == 0 && *ret <= most);
}

static const char *read_simulate(const char *query, struct planning *p)
{
    CLEANUP(freep) char *simulate = ipc_query_param(query, "simulate");
    CLEANUP(freep) char *text = ipc_query_param(query, "days");
    uint64_t days = REPLAY_DAYS;
    if (text && (number_parse_u64(text, &days) < 0 || days == 0 || days > SIM_HISTORY_DAYS_MAX))
        return "days must be a whole number from 1 to 366";
    if (!simulate || strcmp(simulate, "false") == 0)
        return NULL;
    if (p->request.kind == PLAN_PLACE)
        return "place cannot be simulated: a new VM has no history";
    p->replay =
        (struct replay){p->job.source, (double)days, false, {plan_check_limits, &p->reader}};
    p->trial = (struct plan_trial){replay_write, &p->replay};
    p->request.trial = &p->trial;
    return NULL;
}

static const char *read_query(const struct view *v, struct planning *p)
{
    struct plan_request *request = &p->request;
    const char *query = v->request->query;
    CLEANUP(freep) char *score = ipc_query_param(query, "score");
    const char *bad;
    uint64_t candidates, moves;
    request->kind = plan_kind_parse(v->object);
    request->score = score ? place_score_parse(score) : PLACE_SCORE_BEST_FIT;
    if (request->score == PLACE_SCORE_INVALID)
        return "score must be first-fit, best-fit, worst-fit, dot-product, fragmentation or "
               "departure";
    if (!get_count(query, "candidates", 1000, &candidates))
        return "candidates must be a whole number up to 1000";
    if (!get_count(query, "moves", MOVES_MAX, &moves))
        return "moves must be a whole number up to 100000";
    bad = read_simulate(query, p);
    if (bad)
        return bad;
    request->candidates = candidates;
    request->moves_max = moves;
    request->object = p->object = ipc_query_param(query, "name");
    return NULL;
}

// A VM that is not there yet, under the name given or "new".
static const char *add_new(const struct view *v, struct planning *p)
{
    struct place_snapshot *s = p->s;
    struct plan_request *request = &p->request;
    CLEANUP(freep) char *memory = ipc_query_param(v->request->query, "memory");
    uint64_t vcpus, bytes = 0;
    CLEANUP(freep) char *asked = ipc_query_param(v->request->query, "vcpus");
    if (!memory && !asked)
        return NULL;
    if (!asked || !get_count(v->request->query, "vcpus", 4096, &vcpus) || vcpus == 0 || !memory ||
        number_parse_size(memory, &bytes) < 0 || bytes == 0 || bytes > (uint64_t)PLACE_AMOUNT_MAX)
        return "a new VM needs vcpus, a whole number up to 4096, and memory, such as 8G";
    const char *name = request->object ? request->object : "new";
    if (place_snapshot_find_vm(s, name) >= 0)
        return "a VM of that name exists";
    int32_t i = place_snapshot_add_vm(s, name);
    if (i < 0)
        return "the name is too long";
    s->vms[i].request.of[PLACE_CPU] = (int64_t)vcpus * PLACE_CPU_UNIT;
    s->vms[i].request.of[PLACE_MEMORY] = (int64_t)bytes;
    request->object = s->vms[i].name;
    request->is_new = true;
    return NULL;
}

static void plan_free(void *arg)
{
    struct planning *p = arg;
    place_history_done(&p->reader.history);
    place_snapshot_free(p->s);
    buf_done(&p->job.whole);
    free(p->object);
    free(p);
}

static int status_of(int r)
{
    return r == -ENOENT ? 404 : r == -ENODATA ? 409 : 503;
}

static int plan_run(void *arg, const struct job_limits *limits, struct buf *out, bool *ret_more)
{
    struct planning *p = arg;
    struct plan_history history = {plan_read_history, &p->reader};
    struct err err = {0};
    struct json j;
    p->reader = (struct plan_reader){.source = p->job.source, .s = p->s, .limits = limits};
    buf_init(&p->job.whole, API_WHOLE_MAX);
    json_init(&j, &p->job.whole);
    int r = plan_write(p->s, &p->request, p->job.source ? &history : NULL, &j, &err);
    if (r == 0 && p->job.whole.error)
        r = err_set(&err, E2BIG, "the plan is too long");
    if (r == 0)
        return api_whole_begin(&p->job, out, ret_more);
    problem_put(out, status_of(r), err.message);
    return status_of(r);
}

static bool plan_next(void *arg, struct buf *out)
{
    return api_whole_next(&((struct planning *)arg)->job, out);
}

static const struct job_ops plan_ops = {plan_run, plan_next, api_whole_held, plan_free,
                                        PROBLEM_TYPE};

static void start_plan(const struct view *v, struct planning *p)
{
    struct core *c = v->core;
    int64_t deadline_ns = clock_mono_ns(&clock_system) + c->conf->query.timeout_ns;
    int r = jobs_add(c->jobs, v->id, &plan_ops, p, deadline_ns);
    if (r == -EBUSY)
        answer_problem(c, v->id, 503, "%zu queries are under way already (limit: query.queue)",
                       jobs_count(c->jobs));
    else if (r < 0)
        answer_problem(c, v->id, 503,
                       "slow clients hold too many answers (limit: query.max_memory_mib)");
}

void view_plan(const struct view *v)
{
    struct planning *p = mem_zalloc(sizeof(*p));
    p->job.source = v->core->source;
    const char *bad = read_query(v, p);
    p->s = bad ? NULL : plan_snapshot(v->core);
    if (!bad && p->s && p->request.kind == PLAN_PLACE)
        bad = add_new(v, p);
    if (p->request.kind == PLAN_INVALID)
        answer_problem(v->core, v->id, 404,
                       "plans are place, balance, consolidate, evacuate and rightsize");
    else if (bad)
        answer_problem(v->core, v->id, 400, "%s", bad);
    else if (!p->s)
        answer_problem(v->core, v->id, 503, "the host's CPUs and memory are not known yet");
    else
        start_plan(v, TAKE_PTR(p));
    if (p)
        plan_free(p);
}
