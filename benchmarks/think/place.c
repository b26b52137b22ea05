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

static const struct {
    const char *name;
    int (*run)(char **argv, int argc, struct json *j);
} subjects[] = {
    {"online", online}, {"offline", offline}, {"speed", speed}, {"rightsize", rightsize}};

int main(int argc, char **argv)
{
    CLEANUP(buf_done) struct buf out;
    struct json j;
    buf_init(&out, 1 << 20);
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
    return fail("which? online, offline, speed, rightsize");
}
