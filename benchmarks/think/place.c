// SPDX-License-Identifier: GPL-3.0-or-later
// Measures src/place for benchmarks/think and for tests: `think-place WHAT ARGUMENTS…` prints one
// JSON object.
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <fcntl.h>
#include <math.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/prng.h"
#include "place/allocate.h"
#include "place/bitbrains.h"
#include "place/pack.h"
#include "place/queueing.h"
#include "place/relocate.h"
#include "place/reliability.h"
#include "place/rightsize.h"

#define TEXT_MAX_BYTES ((size_t)64 << 20)

static double seconds_since(int64_t begin_ns)
{
    return (double)(clock_mono_ns(&clock_system) - begin_ns) / 1e9;
}

static int fail(const char *message)
{
    fprintf(stderr, "think-place: %s\n", message);
    return 1;
}

static uint64_t number(const char *s, uint64_t otherwise)
{
    uint64_t v;
    return s && number_parse_u64(s, &v) == 0 ? v : otherwise;
}

// online SCORE KNOWN_ENDS MOVES FLAVOURS ARRIVALS LIFETIMES INTERVALS
static int online(char **argv, int argc, struct json *j)
{
    struct place_text texts[ARRIVALS_TEXTS];
    if (argc != 7)
        return fail("online SCORE KNOWN_ENDS MOVES FLAVOURS ARRIVALS LIFETIMES INTERVALS");
    for (int i = 0; i < ARRIVALS_TEXTS; i++) {
        char *data;
        texts[i].name = argv[3 + i];
        if (fs_read_file(AT_FDCWD, argv[3 + i], TEXT_MAX_BYTES, &data, &texts[i].len) < 0)
            return fail("cannot read the trace");
        texts[i].data = data;
    }
    struct place_arrivals a;
    struct err err = {0};
    if (place_arrivals_read(texts, &a, &err) < 0)
        return fail(err.message);
    struct place_pack_options options = {
        .score = place_score_parse(argv[0]),
        .host = {.of = {[PLACE_CPU] = 64 * PLACE_CPU_UNIT, [PLACE_MEMORY] = INT64_C(256) << 30}},
        .n_hosts = 2000,
        .known_ends = number(argv[1], 0) != 0,
        .moves_per_step = (int)number(argv[2], 0),
    };
    if (options.score == PLACE_SCORE_INVALID)
        return fail("no such score");
    struct place_pack_result result;
    int64_t begin_ns = clock_mono_ns(&clock_system);
    if (place_pack_online(&a, &options, &result) < 0)
        return fail("out of memory");
    json_kv_f64(j, "seconds", seconds_since(begin_ns));
    json_kv_f64(j, "mean_hosts", result.mean_hosts);
    json_kv_f64(j, "mean_bound", result.mean_bound);
    json_kv_u64(j, "peak_hosts", result.peak_hosts);
    json_kv_u64(j, "placed", result.placed);
    json_kv_u64(j, "refused", result.refused);
    json_kv_u64(j, "moves", result.moves);
    json_kv_u64(j, "breaches", result.breaches);
    place_arrivals_done(&a);
    for (int i = 0; i < ARRIVALS_TEXTS; i++)
        free((char *)texts[i].data);
    return 0;
}

// offline [N]: each generator, hosts used beside the bound.
static int offline(char **argv, int argc, struct json *j)
{
    size_t n = number(argc > 0 ? argv[0] : NULL, 2000);
    for (int g = 0; g < PLACE_GENERATORS; g++) {
        struct place_snapshot *s = place_generate(g, n, 1);
        CLEANUP(freep) int32_t *hosts = calloc(n + 1, sizeof(*hosts));
        int64_t begin_ns = clock_mono_ns(&clock_system);
        size_t used = hosts ? place_pack_offline(s, 1000, hosts) : 0;
        json_key(j, place_generator_name(g));
        json_object_begin(j);
        json_kv_u64(j, "hosts", used);
        json_kv_u64(j, "bound", place_pack_bound(s));
        json_kv_f64(j, "seconds", seconds_since(begin_ns));
        for (size_t i = 0; i < s->n_vms && used > 0; i++)
            s->vms[i].host = hosts[i];
        struct place_room room;
        if (used > 0 && place_room_init(&room, s) == 0) {
            json_kv_u64(j, "breaches", place_count_breaches(&room));
            place_room_done(&room);
        }
        json_object_end(j);
        place_snapshot_free(s);
    }
    return 0;
}

// A herd of `hosts` hosts in racks of 40 and `vms` unplaced VMs of the usual flavours.
static struct place_snapshot *herd(size_t hosts, size_t vms)
{
    struct place_snapshot *s = place_snapshot_new();
    struct prng p;
    prng_init(&p, 1, 0);
    char name[32];
    int32_t net = place_snapshot_trait(s, PLACE_TRAIT_NETWORK, "lan");
    for (size_t i = 0; i < hosts; i++) {
        snprintf(name, sizeof(name), "host%zu", i);
        int32_t h = place_snapshot_add_host(s, name);
        snprintf(name, sizeof(name), "rack%zu", i / 40);
        s->hosts[h].domain = place_snapshot_domain(s, name);
        s->hosts[h].capacity = (struct place_vector){
            .of = {[PLACE_CPU] = 64 * PLACE_CPU_UNIT, [PLACE_MEMORY] = INT64_C(256) << 30}};
        place_traits_add(&s->hosts[h].provides, net);
    }
    for (size_t i = 0; i < vms; i++) {
        snprintf(name, sizeof(name), "vm%zu", i);
        int32_t v = place_snapshot_add_vm(s, name);
        int64_t cpus = INT64_C(1) << prng_below(&p, 4);
        s->vms[v].request.of[PLACE_CPU] = cpus * PLACE_CPU_UNIT;
        s->vms[v].request.of[PLACE_MEMORY] = cpus * (INT64_C(2) << prng_below(&p, 3)) << 30;
        place_traits_add(&s->vms[v].needs, net);
        // Every tenth is one of four that have to stand apart.
        if (i % 10 == 0) {
            snprintf(name, sizeof(name), "group%zu", i / 40);
            s->vms[v].anti_affinity = place_snapshot_group(s, name, PLACE_APART);
        }
    }
    return s;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// speed SCORE [HOSTS VMS]: all from empty, then one more VM, a thousand times.
static int speed(char **argv, int argc, struct json *j)
{
    size_t hosts = number(argc > 1 ? argv[1] : NULL, 10000);
    size_t vms = number(argc > 2 ? argv[2] : NULL, 100000);
    enum place_score score = argc > 0 ? place_score_parse(argv[0]) : PLACE_SCORE_BEST_FIT;
    if (score == PLACE_SCORE_INVALID)
        return fail("no such score");
    const size_t more = 1000;
    struct place_snapshot *s = herd(hosts, vms + more);
    struct place_room room;
    CLEANUP(freep) int32_t *list = calloc(vms + more, sizeof(*list));
    CLEANUP(freep) int32_t *at = calloc(vms + more, sizeof(*at));
    if (!list || !at)
        return fail("out of memory");
    for (size_t i = 0; i < vms + more; i++)
        list[i] = (int32_t)i;
    int64_t begin_ns = clock_mono_ns(&clock_system);
    if (place_room_init(&room, s) < 0)
        return fail("out of memory");
    struct place_chooser *c = place_chooser_new(&room, score, NULL, NULL, NULL);
    size_t placed = place_many(c, list, vms, at);
    json_kv_f64(j, "from_empty_seconds", seconds_since(begin_ns));
    json_kv_u64(j, "placed", placed);
    CLEANUP(freep) double *each = calloc(more, sizeof(*each));
    for (size_t i = 0; each && i < more; i++) {
        begin_ns = clock_mono_ns(&clock_system);
        int32_t host = place_choose(c, (int32_t)(vms + i));
        if (host >= 0)
            place_chooser_put(c, (int32_t)(vms + i), host);
        each[i] = seconds_since(begin_ns);
    }
    if (each)
        qsort(each, more, sizeof(*each), by_value);
    json_kv_f64(j, "one_more_median_seconds", each ? each[more / 2] : NAN);
    json_kv_f64(j, "one_more_p99_seconds", each ? each[more * 99 / 100] : NAN);
    json_kv_u64(j, "breaches", place_count_breaches(&room));
    place_chooser_free(c);
    place_room_done(&room);
    place_snapshot_free(s);
    return 0;
}

struct sums {
    double provisioned_cpus, advised_cpus, rule_cpus;
    double provisioned_bytes, advised_bytes, rule_bytes;
    size_t n, cpu_exceeding, memory_exceeding, rule_cpu_exceeding, rule_memory_exceeding;
    double added_cpus, added_bytes;
    size_t vms;
};

static int read_months(const char *directory, const char *vm, const char *const *months,
                       struct bitbrains *b)
{
    for (; *months; months++) {
        CLEANUP(freep) char *path = mem_printf("%s/%s/%s.csv", directory, *months, vm);
        CLEANUP(freep) char *text = NULL;
        size_t len;
        struct err err = {0};
        if (fs_read_file(AT_FDCWD, path, TEXT_MAX_BYTES, &text, &len) < 0)
            return fail(path);
        if (bitbrains_read(path, text, len, b, &err) < 0)
            return fail(err.message);
    }
    return 0;
}

static void judge(const struct rightsize_vm *vm, const struct bitbrains *later, struct sums *sums)
{
    struct rightsize_advice a;
    struct usage_series cpu = {later->t_s, later->cpus, later->n};
    struct usage_series memory = {later->t_s, later->memory_bytes, later->n};
    if (rightsize_advise(vm, &rightsize_standard, &a) < 0 || !a.known)
        return;
    double bytes = (double)vm->memory_bytes;
    // What is taken away counts; growing a VM that is short is advice of its own.
    double cpus = MIN_OF(a.vcpus, vm->vcpus), advised = MIN_OF((double)a.memory_bytes, bytes);
    double rule_cpus = MIN_OF(a.rule_vcpus, vm->vcpus);
    double rule_bytes = MIN_OF((double)a.rule_memory_bytes, bytes);
    sums->vms++;
    sums->provisioned_cpus += vm->vcpus;
    sums->advised_cpus += cpus;
    sums->added_cpus += a.vcpus - cpus;
    sums->added_bytes += (double)a.memory_bytes - advised;
    sums->rule_cpus += rule_cpus;
    sums->provisioned_bytes += bytes;
    sums->advised_bytes += advised;
    sums->rule_bytes += rule_bytes;
    sums->n += later->n;
    sums->cpu_exceeding += rightsize_exceeding(&cpu, vm->vcpus, cpus);
    sums->memory_exceeding += rightsize_exceeding(&memory, bytes, advised);
    sums->rule_cpu_exceeding += rightsize_exceeding(&cpu, vm->vcpus, rule_cpus);
    sums->rule_memory_exceeding += rightsize_exceeding(&memory, bytes, rule_bytes);
}

// rightsize DIRECTORY VM…: July and August to learn, September to judge.
static int rightsize(char **argv, int argc, struct json *j)
{
    static const char *const learn[] = {"2013-7", "2013-8", NULL};
    static const char *const later[] = {"2013-9", NULL};
    struct sums sums = {0};
    for (int i = 1; i < argc; i++) {
        struct bitbrains seen = {0}, then = {0};
        if (read_months(argv[0], argv[i], learn, &seen) ||
            read_months(argv[0], argv[i], later, &then))
            return 1;
        struct rightsize_vm vm = {argv[i],
                                  seen.vcpus,
                                  seen.provisioned_bytes,
                                  {seen.t_s, seen.cpus, seen.n},
                                  {seen.t_s, seen.memory_bytes, seen.n}};
        judge(&vm, &then, &sums);
        bitbrains_done(&seen);
        bitbrains_done(&then);
    }
    double n = (double)sums.n;
    json_kv_u64(j, "vms", sums.vms);
    json_kv_f64(j, "vcpu_reclaimed", 1 - sums.advised_cpus / sums.provisioned_cpus);
    json_kv_f64(j, "memory_reclaimed", 1 - sums.advised_bytes / sums.provisioned_bytes);
    json_kv_f64(j, "vcpus_added", sums.added_cpus);
    json_kv_f64(j, "memory_added_bytes", sums.added_bytes);
    json_kv_f64(j, "vcpu_exceeding", (double)sums.cpu_exceeding / n);
    json_kv_f64(j, "memory_exceeding", (double)sums.memory_exceeding / n);
    json_kv_f64(j, "rule97_vcpu_reclaimed", 1 - sums.rule_cpus / sums.provisioned_cpus);
    json_kv_f64(j, "rule97_memory_reclaimed", 1 - sums.rule_bytes / sums.provisioned_bytes);
    json_kv_f64(j, "rule97_vcpu_exceeding", (double)sums.rule_cpu_exceeding / n);
    json_kv_f64(j, "rule97_memory_exceeding", (double)sums.rule_memory_exceeding / n);
    return 0;
}

static double relative(double value, double expected)
{
    return fabs(value - expected) / expected;
}

#define SEEDS 3

static int by_value(const void *a, const void *b);

// One queue against theory: relative errors of means, the median of a few seeds. Theory is asked
// for the arrival rate and mean service that were drawn, which a million draws leave off by 0.1 %
// or so.
static int one_queue(struct json *j, const char *name, int servers, double arrivals_per_s,
                     enum queue_service service, size_t n)
{
    double wait[SEEDS], response[SEEDS], utilisation[SEEDS];
    CLEANUP(freep) struct queue_request *q = calloc(n, sizeof(*q));
    struct queue_options o = {.discipline = QUEUE_FCFS,
                              .capacity = {.of = {[PLACE_CPU] = servers * PLACE_CPU_UNIT}}};
    double variation = queue_service_variation(service);
    if (!q)
        return fail("out of memory");
    for (int seed = 0; seed < SEEDS; seed++) {
        struct err err = {0};
        struct queue_report r;
        struct prng p;
        prng_init(&p, (uint64_t)seed, 0);
        queue_generate(&p, arrivals_per_s, 1, service, q, n);
        if (queue_run(&o, q, n, &err) < 0 || queue_report(&o, q, n, &r) < 0)
            return fail(err.message);
        double mean_s = 0, rate = (double)n / q[n - 1].arrival_s;
        for (size_t i = 0; i < n; i++)
            mean_s += q[i].service_s / (double)n;
        struct queue_forecast f = servers > 1 ? queue_mmc(rate, mean_s, servers)
                                              : queue_mg1(rate, mean_s, variation * mean_s);
        wait[seed] = relative(r.wait_mean_s, f.wait_mean_s);
        response[seed] = relative(r.response_mean_s, f.response_mean_s);
        utilisation[seed] = relative(r.utilisation_ratio, f.utilisation_ratio);
    }
    qsort(wait, SEEDS, sizeof(*wait), by_value);
    qsort(response, SEEDS, sizeof(*response), by_value);
    qsort(utilisation, SEEDS, sizeof(*utilisation), by_value);
    json_key(j, name);
    json_object_begin(j);
    json_kv_f64(j, "wait_error", wait[SEEDS / 2]);
    json_kv_f64(j, "response_error", response[SEEDS / 2]);
    json_kv_f64(j, "utilisation_error", utilisation[SEEDS / 2]);
    json_object_end(j);
    return 0;
}

// Mean and longest wait of each of three priorities, and over all.
static int priorities(struct json *j, enum queue_discipline d, size_t n)
{
    double sum[3] = {0}, most[3] = {0};
    size_t count[3] = {0};
    CLEANUP(freep) struct queue_request *q = calloc(n, sizeof(*q));
    struct queue_options o = {.discipline = d,
                              .ageing_s = 10,
                              .slice_s = 1,
                              .capacity = {.of = {[PLACE_CPU] = PLACE_CPU_UNIT}}};
    struct queue_report r;
    struct err err = {0};
    struct prng p;
    prng_init(&p, 1, 0);
    if (!q)
        return fail("out of memory");
    queue_generate(&p, 0.9, 1, QUEUE_EXPONENTIAL, q, n);
    for (size_t i = 0; i < n; i++)
        q[i].priority = (int32_t)prng_below(&p, 3);
    if (queue_run(&o, q, n, &err) < 0 || queue_report(&o, q, n, &r) < 0)
        return fail(err.message);
    for (size_t i = 0; i < n; i++) {
        double wait_s = q[i].end_s - q[i].arrival_s - q[i].service_s;
        sum[q[i].priority] += wait_s;
        most[q[i].priority] = fmax(most[q[i].priority], wait_s);
        count[q[i].priority]++;
    }
    json_key(j, queue_discipline_name(d));
    json_object_begin(j);
    json_kv_f64(j, "wait_mean", r.wait_mean_s);
    json_kv_f64(j, "wait_max", r.wait_max_s);
    json_kv_f64(j, "slowdown_mean", r.slowdown_mean);
    json_kv_f64(j, "fairness", r.fairness);
    json_kv_f64(j, "utilisation", r.utilisation_ratio);
    json_key(j, "wait_by_priority");
    json_array_begin(j);
    for (int k = 0; k < 3; k++)
        json_f64(j, sum[k] / (double)count[k]);
    json_array_end(j);
    json_key(j, "longest_by_priority");
    json_array_begin(j);
    for (int k = 0; k < 3; k++)
        json_f64(j, most[k]);
    json_array_end(j);
    json_object_end(j);
    return 0;
}

// queues [N]: simulation beside theory, and the disciplines beside each other.
static int queues(char **argv, int argc, struct json *j)
{
    size_t n = number(argc > 0 ? argv[0] : NULL, 1000000);
    int status = one_queue(j, "M/M/1", 1, 0.7, QUEUE_EXPONENTIAL, n);
    status = status ? status : one_queue(j, "M/M/8", 8, 5.6, QUEUE_EXPONENTIAL, n);
    status = status ? status : one_queue(j, "M/D/1", 1, 0.7, QUEUE_DETERMINISTIC, n);
    status = status ? status : one_queue(j, "M/E2/1", 1, 0.7, QUEUE_ERLANG, n);
    status = status ? status : one_queue(j, "M/H2/1", 1, 0.6, QUEUE_HYPEREXPONENTIAL, n);
    double theory[3];
    struct queue_class classes[] = {{0.3, 1, 1}, {0.3, 1, 1}, {0.3, 1, 1}};
    queue_priority_waits(classes, 3, theory);
    json_key(j, "cobham");
    json_array_begin(j);
    for (int k = 3; k-- > 0;)
        json_f64(j, theory[k]);
    json_array_end(j);
    for (int d = 0; d < QUEUE_DISCIPLINES && status == 0; d++)
        status = priorities(j, d, n);
    return status;
}

#define LP_VMS 40

struct lp_case {
    struct allocate_vm vms[LP_VMS];
    struct allocate_cap caps[5];
    int32_t members[4][LP_VMS];
    struct allocate_problem problem;
};

static void draw_case(struct prng *p, struct lp_case *c)
{
    size_t n = 2 + prng_below(p, LP_VMS - 2), caps = 1 + prng_below(p, 5);
    double least = 0, most = 0;
    for (size_t i = 0; i < n; i++) {
        struct allocate_vm *v = &c->vms[i];
        *v = (struct allocate_vm){"vm", prng_below(p, 3) ? 0 : prng_double(p), 0,
                                  1 + (double)prng_below(p, 4)};
        v->most = v->least + 8 * prng_double(p);
        least += v->least;
        most += v->most;
    }
    c->caps[0] = (struct allocate_cap){"host", least + (most - least) * prng_double(p), NULL, 0};
    for (size_t k = 1; k < caps; k++) {
        double inside = 0, room = 0;
        size_t members = 0;
        for (size_t i = 0; i < n; i++) {
            if (prng_below(p, 3))
                continue;
            c->members[k - 1][members++] = (int32_t)i;
            inside += c->vms[i].least;
            room += c->vms[i].most - c->vms[i].least;
        }
        c->caps[k] = (struct allocate_cap){"cap", inside + room * prng_double(p), c->members[k - 1],
                                           members};
    }
    c->problem = (struct allocate_problem){c->vms, n, c->caps, caps};
}

// The same programme in lp_solve's own language, written from the problem.
static void write_lp(const struct allocate_problem *p, enum allocate_fairness f, struct buf *out)
{
    buf_puts(out, "max: ");
    if (f == ALLOCATE_MAX_MIN)
        buf_puts(out, "t");
    for (size_t i = 0; f == ALLOCATE_PROPORTIONAL && i < p->n_vms; i++) {
        for (int k = 1; k <= ALLOCATE_PIECES; k++) {
            double from = allocate_piece_end(p, i, k - 1), to = allocate_piece_end(p, i, k);
            double rise = allocate_value(p, i, to) - allocate_value(p, i, from);
            buf_printf(out, " + %.17g p%zu_%d", to > from ? rise / (to - from) : 0, i, k);
        }
    }
    buf_puts(out, ";\n");
    for (size_t c = 0; c < p->n_caps; c++) {
        size_t n = p->caps[c].members ? p->caps[c].n_members : p->n_vms;
        for (size_t i = 0; i < n; i++)
            buf_printf(out, "+ x%zu ", p->caps[c].members ? (size_t)p->caps[c].members[i] : i);
        if (n > 0)
            buf_printf(out, "<= %.17g;\n", p->caps[c].limit);
    }
    for (size_t i = 0; i < p->n_vms; i++) {
        if (f == ALLOCATE_MAX_MIN)
            buf_printf(out, "x%zu - %.17g t >= 0;\n", i, p->vms[i].weight);
        for (int k = 1; f == ALLOCATE_PROPORTIONAL && k <= ALLOCATE_PIECES; k++)
            buf_printf(out, "%s p%zu_%d", k > 1 ? "+" : "", i, k);
        if (f == ALLOCATE_PROPORTIONAL)
            buf_printf(out, " - x%zu = %.17g;\n", i, -p->vms[i].least);
    }
    for (size_t i = 0; i < p->n_vms; i++) {
        buf_printf(out, "x%zu >= %.17g;\nx%zu <= %.17g;\n", i, p->vms[i].least, i, p->vms[i].most);
        for (int k = 1; f == ALLOCATE_PROPORTIONAL && k <= ALLOCATE_PIECES; k++)
            buf_printf(out, "p%zu_%d <= %.17g;\n", i, k,
                       allocate_piece_end(p, i, k) - allocate_piece_end(p, i, k - 1));
    }
}

// What the pieces' objective leaves out: the values of the guarantees.
static double constant_of(const struct allocate_problem *p, enum allocate_fairness f)
{
    double sum = 0;
    for (size_t i = 0; f == ALLOCATE_PROPORTIONAL && i < p->n_vms; i++)
        sum += allocate_value(p, i, p->vms[i].least);
    return sum;
}

// lp N DIRECTORY: writes DIRECTORY/I.lp and tells our objective, the greedy one and breaches of
// each.
static int lp(char **argv, int argc, struct json *j)
{
    size_t n = number(argc > 0 ? argv[0] : NULL, 0);
    struct prng p;
    if (argc != 2)
        return fail("lp N DIRECTORY");
    CLEANUP(freep) struct lp_case *c = mem_zalloc(sizeof(*c));
    prng_init(&p, 1, 0);
    json_key(j, "cases");
    json_array_begin(j);
    for (size_t i = 0; i < n; i++) {
        double amount[LP_VMS], filled[LP_VMS];
        enum allocate_fairness f = i % ALLOCATE_FAIRNESSES;
        struct allocate_result ours = {.amount = amount}, greedy = {.amount = filled};
        struct err err = {0};
        CLEANUP(buf_done) struct buf text;
        CLEANUP(freep) char *path = mem_printf("%s/%zu.lp", argv[1], i);
        draw_case(&p, c);
        buf_init(&text, 1 << 22);
        write_lp(&c->problem, f, &text);
        CLEANUP(closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0 || fs_write_all(fd, text.data, text.len) < 0)
            return fail("cannot write a case");
        if (allocate_solve(&c->problem, f, NULL, &ours, &err) < 0 ||
            allocate_greedy(&c->problem, f, &greedy, &err) < 0)
            return fail(err.message);
        json_object_begin(j);
        json_kv_f64(j, "objective", ours.objective - constant_of(&c->problem, f));
        json_kv_f64(j, "greedy", greedy.objective - constant_of(&c->problem, f));
        json_kv_f64(j, "breach", allocate_worst_breach(&c->problem, amount));
        json_kv_bool(j, "optimal", ours.optimal);
        json_object_end(j);
    }
    json_array_end(j);
    return 0;
}

// reliability [YEARS]: groups on drawn places, formula beside simulated faults.
static int reliability(char **argv, int argc, struct json *j)
{
    double years = (double)number(argc > 0 ? argv[0] : NULL, 1000), worst = 0;
    struct prng p;
    prng_init(&p, 1, 0);
    for (int round = 0; round < 20; round++) {
        struct reliability_place places[6];
        size_t n = 2 + prng_below(&p, 5);
        int all = 0;
        for (size_t i = 0; i < n; i++) {
            places[i].fails = (struct reliability){(20 + 200 * prng_double(&p)) * 3600,
                                                   (1 + 20 * prng_double(&p)) * 3600};
            places[i].replicas = 1 + (int)prng_below(&p, 2);
            all += places[i].replicas;
        }
        int k = MAX_OF(1, all / 2);
        double seen = reliability_simulate(&p, places, n, k, years);
        worst = fmax(worst, fabs(seen - reliability_group(places, n, k)));
    }
    json_kv_f64(j, "worst_availability_error", worst);
    return 0;
}

// balance [HOSTS VMS]: a herd packed by best fit, whose use differs from what was asked, evened
// out.
static int balance(char **argv, int argc, struct json *j)
{
    size_t hosts = number(argc > 0 ? argv[0] : NULL, 10000);
    size_t vms = number(argc > 1 ? argv[1] : NULL, 100000);
    struct place_snapshot *s = herd(hosts, vms);
    struct relocate_options options = {0};
    struct relocate_plan plan;
    struct place_room room;
    struct prng p;
    prng_init(&p, 2, 0);
    CLEANUP(freep) int32_t *list = calloc(vms, sizeof(*list));
    CLEANUP(freep) int32_t *at = calloc(vms, sizeof(*at));
    if (!list || !at || place_room_init(&room, s) < 0)
        return fail("out of memory");
    for (size_t i = 0; i < vms; i++)
        list[i] = (int32_t)i;
    struct place_chooser *c = place_chooser_new(&room, PLACE_SCORE_BEST_FIT, NULL, NULL, NULL);
    place_many(c, list, vms, at);
    for (size_t i = 0; i < vms; i++) {
        struct place_usage *u = &s->vms[i].usage[PLACE_CPU];
        s->vms[i].host = at[i];
        u->n = 1;
        u->mean = (double)s->vms[i].request.of[PLACE_CPU] * prng_double(&p);
    }
    place_chooser_free(c);
    place_room_done(&room);
    int64_t begin_ns = clock_mono_ns(&clock_system);
    if (relocate_balance(s, &options, &plan) < 0)
        return fail("out of memory");
    json_kv_f64(j, "seconds", seconds_since(begin_ns));
    json_kv_u64(j, "moves", plan.n);
    json_kv_f64(j, "spread_before", plan.spread_before);
    json_kv_f64(j, "spread_after", plan.spread_after);
    for (size_t i = 0; i < plan.n; i++)
        s->vms[plan.moves[i].vm].host = plan.moves[i].to;
    relocate_plan_done(&plan);
    if (place_room_init(&room, s) < 0)
        return fail("out of memory");
    json_kv_u64(j, "breaches", place_count_breaches(&room));
    place_room_done(&room);
    place_snapshot_free(s);
    return 0;
}

static const struct {
    const char *name;
    int (*run)(char **argv, int argc, struct json *j);
} subjects[] = {{"online", online},           {"offline", offline}, {"speed", speed},
                {"rightsize", rightsize},     {"queues", queues},   {"lp", lp},
                {"reliability", reliability}, {"balance", balance}};

int main(int argc, char **argv)
{
    CLEANUP(buf_done) struct buf out;
    struct json j;
    buf_init(&out, 1 << 24);
    json_init(&j, &out);
    for (size_t i = 0; argc > 1 && i < ARRAY_LEN(subjects); i++) {
        if (strcmp(subjects[i].name, argv[1]) != 0)
            continue;
        json_object_begin(&j);
        int status = subjects[i].run(argv + 2, argc - 2, &j);
        json_object_end(&j);
        buf_putc(&out, '\n');
        return status ? status : fs_write_all(STDOUT_FILENO, out.data, out.len) < 0;
    }
    return fail("which? online, offline, speed, rightsize, queues, lp, reliability, balance");
}
