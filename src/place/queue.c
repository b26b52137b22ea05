// SPDX-License-Identifier: GPL-3.0-or-later
// Two heaps: requests that wait, by the discipline's key, and those that run, by the time at which
// they end or lose their slice. Invariant, of each host: free = capacity - sum of needs of those
// that run there.
#include "place/queue.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define SHORT_RUN_S 10

struct entry {
    double key;
    uint64_t order; // breaks ties: first in, first out
    size_t request;
};

struct heap {
    struct entry *items;
    size_t n, cap;
};

struct run {
    const struct queue_options *options;
    struct queue_request *requests;
    struct heap waiting, running;
    struct place_vector *free; // of each host
    size_t hosts;
    uint32_t *host_of; // where each request ran last
    double *left_s;    // of each request's service
    double now_s;
    uint64_t order;
};

static bool before(const struct entry *a, const struct entry *b)
{
    return a->key < b->key || (a->key == b->key && a->order < b->order);
}

static void push(struct heap *h, struct entry e)
{
    mem_grow(&h->items, &h->cap, h->n, sizeof(*h->items));
    size_t i = h->n++;
    while (i > 0 && before(&e, &h->items[(i - 1) / 2])) {
        h->items[i] = h->items[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    h->items[i] = e;
}

// Put `e` where the hole at `i` is, at the right depth.
static void sink(struct heap *h, size_t i, struct entry e)
{
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= h->n)
            break;
        if (child + 1 < h->n && before(&h->items[child + 1], &h->items[child]))
            child++;
        if (!before(&h->items[child], &e))
            break;
        h->items[i] = h->items[child];
        i = child;
    }
    h->items[i] = e;
}

static struct entry pop(struct heap *h)
{
    struct entry first = h->items[0];
    struct entry last = h->items[--h->n];
    if (h->n > 0)
        sink(h, 0, last);
    return first;
}

// The key by which requests wait; the least is first.
static double key_arrival(const struct run *r, const struct queue_request *q)
{
    return q->arrival_s;
}

static double key_shortest(const struct run *r, const struct queue_request *q)
{
    return q->estimate_s;
}

static double key_priority(const struct run *r, const struct queue_request *q)
{
    return -(double)q->priority;
}

// All age at one rate, so that their order never changes while they wait.
static double key_ageing(const struct run *r, const struct queue_request *q)
{
    return q->arrival_s - (double)q->priority * r->options->ageing_s;
}

// Whoever waits since the earliest, be it after arrival or after a slice.
static double key_turn(const struct run *r, const struct queue_request *q)
{
    return r->now_s;
}

static const struct {
    const char *name;
    double (*key)(const struct run *r, const struct queue_request *q);
} disciplines[QUEUE_DISCIPLINES] = {
    [QUEUE_FCFS] = {"fcfs", key_arrival},
    [QUEUE_SJF] = {"sjf", key_shortest},
    [QUEUE_PRIORITY] = {"priority", key_priority},
    [QUEUE_AGEING] = {"ageing", key_ageing},
    [QUEUE_ROUND_ROBIN] = {"round-robin", key_turn},
    [QUEUE_BACKFILL] = {"backfill", key_arrival},
};

const char *queue_discipline_name(enum queue_discipline d)
{
    return disciplines[d].name;
}

enum queue_discipline queue_discipline_parse(const char *name)
{
    for (int d = 0; d < QUEUE_DISCIPLINES; d++)
        if (strcmp(disciplines[d].name, name) == 0)
            return d;
    return QUEUE_INVALID;
}

static bool fits(const struct place_vector *need, const struct place_vector *room)
{
    for (int k = 0; k < PLACE_RESOURCES; k++)
        if (need->of[k] > room->of[k])
            return false;
    return true;
}

static void add(struct place_vector *v, const struct place_vector *by, int sign)
{
    for (int k = 0; k < PLACE_RESOURCES; k++)
        v->of[k] += sign * by->of[k];
}

static void wait_for_turn(struct run *r, size_t i)
{
    push(&r->waiting, (struct entry){disciplines[r->options->discipline].key(r, &r->requests[i]),
                                     r->order++, i});
}

// What keeps the first in the queue's place free; host == NOWHERE: nothing.
struct reservation {
    size_t host;
    double at_s;
    struct place_vector spare; // what is left there beside it, at that time
};

#define NOWHERE SIZE_MAX

// The fullest host that has room, so that large requests find some; a reservation respected.
static size_t find_host(const struct run *r, const struct queue_request *q,
                        const struct reservation *kept)
{
    size_t best = NOWHERE;
    bool in_time = !kept || r->now_s + q->estimate_s <= kept->at_s;
    for (size_t h = 0; h < r->hosts; h++)
        if (fits(&q->need, &r->free[h]) &&
            (in_time || h != kept->host || fits(&q->need, &kept->spare)) &&
            (best == NOWHERE || r->free[h].of[PLACE_CPU] < r->free[best].of[PLACE_CPU]))
            best = h;
    return best;
}

static void start(struct run *r, size_t i, size_t host)
{
    struct queue_request *q = &r->requests[i];
    if (isnan(q->start_s))
        q->start_s = r->now_s;
    double run_s = r->left_s[i];
    if (r->options->discipline == QUEUE_ROUND_ROBIN)
        run_s = fmin(run_s, r->options->slice_s);
    add(&r->free[host], &q->need, -1);
    r->host_of[i] = (uint32_t)host;
    push(&r->running, (struct entry){r->now_s + run_s, r->order++, i});
}

static int by_key(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return before(x, y) ? -1 : before(y, x);
}

// When and where the first in the queue can start by what the running ones say of their end.
static int reserve(const struct run *r, const struct queue_request *first, struct reservation *ret)
{
    CLEANUP(freep) struct entry *ends = calloc(r->running.n + 1, sizeof(*ends));
    CLEANUP(freep) struct place_vector *room = calloc(r->hosts, sizeof(*room));
    *ret = (struct reservation){.host = NOWHERE, .at_s = INFINITY};
    if (!ends || !room)
        return -ENOMEM;
    memcpy(room, r->free, r->hosts * sizeof(*room));
    for (size_t i = 0; i < r->running.n; i++) {
        size_t k = r->running.items[i].request;
        const struct queue_request *q = &r->requests[k];
        ends[i] = (struct entry){fmax(r->now_s, q->start_s + q->estimate_s), k, k};
    }
    qsort(ends, r->running.n, sizeof(*ends), by_key);
    for (size_t i = 0; i < r->running.n && ret->host == NOWHERE; i++) {
        size_t k = ends[i].request, host = r->host_of[k];
        add(&room[host], &r->requests[k].need, 1);
        if (!fits(&first->need, &room[host]))
            continue;
        add(&room[host], &first->need, -1);
        *ret = (struct reservation){host, ends[i].key, room[host]};
    }
    return 0;
}

// EASY: whoever fits now and either ends before the reservation or leaves room for it.
static int backfill(struct run *r)
{
    struct reservation kept;
    size_t n = r->waiting.n, left = 0;
    CLEANUP(freep) struct entry *order = calloc(n, sizeof(*order));
    if (!order || reserve(r, &r->requests[r->waiting.items[0].request], &kept) < 0)
        return -ENOMEM;
    memcpy(order, r->waiting.items, n * sizeof(*order));
    qsort(order, n, sizeof(*order), by_key);
    for (size_t i = 0; i < n; i++) {
        const struct queue_request *q = &r->requests[order[i].request];
        size_t host = i == 0 ? NOWHERE : find_host(r, q, &kept);
        if (host == NOWHERE) {
            order[left++] = order[i];
            continue;
        }
        if (host == kept.host && r->now_s + q->estimate_s > kept.at_s)
            add(&kept.spare, &q->need, -1);
        start(r, order[i].request, host);
    }
    // A sorted array is a heap.
    memcpy(r->waiting.items, order, left * sizeof(*order));
    r->waiting.n = left;
    return 0;
}

static int start_those_who_may(struct run *r)
{
    while (r->waiting.n > 0) {
        size_t host = find_host(r, &r->requests[r->waiting.items[0].request], NULL);
        if (host == NOWHERE)
            break;
        start(r, pop(&r->waiting).request, host);
    }
    return r->options->discipline == QUEUE_BACKFILL && r->waiting.n > 1 ? backfill(r) : 0;
}

static void stop(struct run *r, const struct entry *e)
{
    struct queue_request *q = &r->requests[e->request];
    double ran_s = r->left_s[e->request];
    if (r->options->discipline == QUEUE_ROUND_ROBIN)
        ran_s = fmin(ran_s, r->options->slice_s);
    r->left_s[e->request] -= ran_s;
    add(&r->free[r->host_of[e->request]], &q->need, 1);
    if (r->left_s[e->request] <= 0) {
        q->end_s = r->now_s;
        return;
    }
    // With nobody waiting it goes on at once, which is no suspension.
    q->suspended += r->waiting.n > 0;
    wait_for_turn(r, e->request);
}

static int check(const struct queue_options *o, const struct queue_request *q, size_t n,
                 struct err *err)
{
    if (o->discipline == QUEUE_AGEING && !(o->ageing_s > 0))
        return err_set(err, EINVAL, "ageing needs a time above 0");
    if (o->discipline == QUEUE_ROUND_ROBIN && !(o->slice_s > 0))
        return err_set(err, EINVAL, "round robin needs a slice above 0");
    if (o->hosts > QUEUE_HOSTS_MAX)
        return err_set(err, EINVAL, "more than %d hosts", QUEUE_HOSTS_MAX);
    for (size_t i = 0; i < n; i++) {
        if (!(q[i].service_s > 0) || !isfinite(q[i].service_s) || !isfinite(q[i].arrival_s) ||
            !(q[i].estimate_s >= 0))
            return err_set(err, EINVAL, "request %zu: its times make no sense", i);
        if (i > 0 && q[i].arrival_s < q[i - 1].arrival_s)
            return err_set(err, EINVAL, "request %zu arrives before the one in front of it", i);
    }
    return 0;
}

static int play(struct run *r, size_t n)
{
    size_t i = 0;
    int result = 0;
    while (result == 0 && (i < n || r->running.n > 0)) {
        double arrival_s = i < n ? r->requests[i].arrival_s : INFINITY;
        double stop_s = r->running.n > 0 ? r->running.items[0].key : INFINITY;
        r->now_s = fmin(arrival_s, stop_s);
        while (r->running.n > 0 && r->running.items[0].key <= r->now_s) {
            struct entry e = pop(&r->running);
            stop(r, &e);
        }
        for (; i < n && r->requests[i].arrival_s <= r->now_s; i++)
            if (fits(&r->requests[i].need, &r->options->capacity))
                wait_for_turn(r, i);
        result = start_those_who_may(r);
    }
    return result;
}

static int run_init(struct run *r, size_t n)
{
    const struct queue_options *o = r->options;
    r->hosts = o->hosts ? o->hosts : 1;
    r->free = calloc(r->hosts, sizeof(*r->free));
    r->host_of = calloc(n + 1, sizeof(*r->host_of));
    r->left_s = calloc(n + 1, sizeof(*r->left_s));
    if (!r->free || !r->host_of || !r->left_s)
        return -ENOMEM;
    for (size_t h = 0; h < r->hosts; h++)
        r->free[h] = o->capacity;
    for (size_t i = 0; i < n; i++) {
        r->requests[i].start_s = NAN;
        r->requests[i].end_s = NAN;
        r->requests[i].suspended = 0;
        r->left_s[i] = r->requests[i].service_s;
    }
    return 0;
}

static void run_done(struct run *r)
{
    free(r->free);
    free(r->host_of);
    free(r->left_s);
    free(r->waiting.items);
    free(r->running.items);
}

int queue_run(const struct queue_options *options, struct queue_request *requests, size_t n,
              struct err *err)
{
    int result = check(options, requests, n, err);
    if (result < 0)
        return result;
    CLEANUP(run_done) struct run r = {.options = options, .requests = requests};
    result = run_init(&r, n);
    if (result == 0)
        result = play(&r, n);
    return result < 0 ? err_set(err, ENOMEM, "no memory for %zu requests", n) : 0;
}

double queue_jain(const double *x, size_t n)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        sum += x[i];
        squares += x[i] * x[i];
    }
    return squares > 0 ? sum * sum / ((double)n * squares) : 1;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int queue_report(const struct queue_options *options, const struct queue_request *requests,
                 size_t n, struct queue_report *ret)
{
    struct queue_report s = {0};
    CLEANUP(freep) double *waits = calloc(n + 1, sizeof(*waits));
    CLEANUP(freep) double *slowdowns = calloc(n + 1, sizeof(*slowdowns));
    double cpus =
        (double)options->capacity.of[PLACE_CPU] * (double)(options->hosts ? options->hosts : 1);
    double cpu_seconds = 0, last_s = 0, response_s = 0, wait_s = 0, slowdown = 0;
    if (!waits || !slowdowns)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const struct queue_request *q = &requests[i];
        if (isnan(q->end_s)) {
            s.impossible++;
            continue;
        }
        double took_s = q->end_s - q->arrival_s;
        waits[s.served] = fmax(0, took_s - q->service_s);
        slowdowns[s.served] = fmax(1, took_s / fmax(q->service_s, SHORT_RUN_S));
        wait_s += waits[s.served];
        slowdown += slowdowns[s.served];
        response_s += took_s;
        cpu_seconds += q->service_s * (double)q->need.of[PLACE_CPU];
        last_s = fmax(last_s, q->end_s);
        s.suspensions += q->suspended;
        s.served++;
    }
    if (s.served > 0) {
        double served = (double)s.served;
        qsort(waits, s.served, sizeof(*waits), by_value);
        s.wait_mean_s = wait_s / served;
        s.wait_p95_s = waits[(size_t)(0.95 * (served - 1))];
        s.wait_max_s = waits[s.served - 1];
        s.response_mean_s = response_s / served;
        s.slowdown_mean = slowdown / served;
        s.makespan_s = last_s - requests[0].arrival_s;
        if (cpus > 0 && s.makespan_s > 0)
            s.utilisation_ratio = cpu_seconds / (cpus * s.makespan_s);
    }
    s.fairness = queue_jain(slowdowns, s.served);
    *ret = s;
    return 0;
}
