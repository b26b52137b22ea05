// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * What the store costs; rows of `name value` for benchmarks/remember.
 *
 *   store append DIR SERIES SECONDS     batches of one second
 *   store memory DIR SERIES SECONDS     resident bytes a series
 *   store read DIR DAYS                 100 series from roll-ups, one series of an hour
 *   store generate FILE GUESTS SECONDS  plausible samples, as OpenMetrics text with timestamps
 *   store size DIR FILE                 bytes a sample of such a file
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/number.h"
#include "tsdb/tsdb.h"

#define T0 INT64_C(1700006400000)
#define LINE_BYTES 8192

static void settle(struct tsdb *db)
{
    struct err err = {0};
    if (tsdb_settle(db, &err) < 0)
        bench_fail("settle", err.message);
}

/** What a guest's series look like; the shares are guesses, the recorded file is the truth. */
enum shape {
    SHAPE_CONSTANT, // limits, sizes, states, flags
    SHAPE_IDLE,     // counters that move now and then
    SHAPE_CPU,      // ns, with jitter
    SHAPE_MEMORY,   // bytes, in pages
    SHAPE_BYTES,    // bursts of traffic
    SHAPE_MAX,
};

static const int shape_of_20[20] = {
    SHAPE_CONSTANT, SHAPE_CONSTANT, SHAPE_CONSTANT, SHAPE_CONSTANT, SHAPE_CONSTANT,
    SHAPE_CONSTANT, SHAPE_CONSTANT, SHAPE_CONSTANT, SHAPE_IDLE,     SHAPE_IDLE,
    SHAPE_IDLE,     SHAPE_IDLE,     SHAPE_IDLE,     SHAPE_IDLE,     SHAPE_CPU,
    SHAPE_CPU,      SHAPE_CPU,      SHAPE_MEMORY,   SHAPE_MEMORY,   SHAPE_BYTES,
};

static int64_t next_value(int shape, int64_t last)
{
    uint64_t r = bench_random();
    switch (shape) {
    case SHAPE_IDLE:
        return last + (r % 60 == 0 ? (int64_t)(r >> 40) % 8 : 0);
    case SHAPE_CPU:
        return last + 12000000 + (int64_t)(r >> 20) % 2000000;
    case SHAPE_MEMORY:
        return last + (r % 4 == 0 ? ((int64_t)(r >> 40) % 64 - 32) * 4096 : 0);
    case SHAPE_BYTES:
        return last + (r % 5 == 0 ? (int64_t)(r >> 40) % 100000 : 0);
    default:
        return last;
    }
}

/** Made-up series of guests. */
struct herd {
    size_t n;
    uint32_t *ref;
    union tsdb_value *v;
    int *shape;
};

static void herd_init(struct herd *h, struct tsdb *db, size_t n)
{
    *h = (struct herd){n, malloc(n * sizeof(*h->ref)), calloc(n, sizeof(*h->v)),
                       malloc(n * sizeof(*h->shape))};
    for (size_t i = 0; i < n; i++) {
        char metric[64], domain[32], uuid[48], device[16];
        snprintf(metric, sizeof(metric), "libvirt_domain_metric_%zu_total", i % 100);
        snprintf(domain, sizeof(domain), "guest-%05zu", i / 100);
        snprintf(uuid, sizeof(uuid), "6b1c3a52-0000-4000-8000-%012zu", i / 100);
        snprintf(device, sizeof(device), "vd%c", (char)('a' + i % 3));
        struct label label[] = {{"__name__", metric}, {"domain", domain},     {"uuid", uuid},
                                {"device", device},   {"instance", "host-1"}, {"job", "vherd"}};
        h->shape[i] = shape_of_20[i % 20];
        struct tsdb_kind_of of = {TSDB_SCALED, h->shape[i] == SHAPE_CPU ? 9 : 0, true, 0};
        struct err err = {0};
        if (tsdb_series(db, label, ARRAY_LEN(label), &of, &h->ref[i], &err) < 0)
            bench_fail("series", err.message);
        h->v[i].i64 = (int64_t)(bench_random() >> 30);
    }
}

static void herd_done(struct herd *h)
{
    free(h->ref);
    free(h->v);
    free(h->shape);
}

static void herd_step(struct herd *h)
{
    for (size_t i = 0; i < h->n; i++)
        h->v[i].i64 = next_value(h->shape[i], h->v[i].i64);
}

static int by_value(const void *a, const void *b)
{
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

static int append(const char *dir, int64_t n, int64_t seconds)
{
    struct tsdb *db = bench_open(dir, UINT64_C(4) << 30, 0);
    struct herd h;
    herd_init(&h, db, (size_t)n);
    CLEANUP(freep) double *batch = malloc((size_t)seconds * sizeof(*batch));
    CLEANUP(freep) double *batch_cpu = malloc((size_t)seconds * sizeof(*batch));
    double wall = 0, cpu = 0;
    for (int64_t i = 0; i < seconds; i++) {
        herd_step(&h);
        double before = bench_seconds(CLOCK_MONOTONIC);
        double cpu_before = bench_seconds(CLOCK_THREAD_CPUTIME_ID);
        tsdb_append(db, T0 + i * 1000, h.ref, h.v, h.n, NULL);
        batch[i] = bench_seconds(CLOCK_MONOTONIC) - before;
        batch_cpu[i] = bench_seconds(CLOCK_THREAD_CPUTIME_ID) - cpu_before;
        cpu += batch_cpu[i];
        wall += batch[i];
    }
    qsort(batch, (size_t)seconds, sizeof(*batch), by_value);
    qsort(batch_cpu, (size_t)seconds, sizeof(*batch_cpu), by_value);
    double samples = (double)n * (double)seconds;
    printf("append_per_s %.0f\nappend_per_cpu_s %.0f\n", samples / wall, samples / cpu);
    printf("batch_median_ms %.3f\nbatch_p99_ms %.3f\nbatch_max_ms %.3f\n", batch[seconds / 2] * 1e3,
           batch[seconds * 99 / 100] * 1e3, batch[seconds - 1] * 1e3);
    printf("batch_max_cpu_ms %.3f\n", batch_cpu[seconds - 1] * 1e3);
    double before = bench_seconds(CLOCK_MONOTONIC);
    settle(db);
    struct tsdb_status s;
    tsdb_status(db, &s);
    printf("settle_s %.3f\nbytes_per_sample %.4f\n", bench_seconds(CLOCK_MONOTONIC) - before,
           (double)s.block_bytes[0] / samples);
    herd_done(&h);
    tsdb_close(db);
    return 0;
}

// Without pages of mapped files, which the kernel takes back when it wants them.
static double resident_bytes(void)
{
    char text[256];
    const char *p = text;
    uint64_t all, resident = 0, shared = 0;
    malloc_trim(0);
    if (fs_read_small(AT_FDCWD, "/proc/self/statm", text, sizeof(text)) > 0 &&
        number_scan_u64(&p, &all) && number_scan_u64(&p, &resident))
        number_scan_u64(&p, &shared);
    return (double)(resident - shared) * (double)sysconf(_SC_PAGESIZE);
}

static int memory(const char *dir, int64_t n, int64_t seconds)
{
    struct tsdb *db = bench_open(dir, UINT64_C(4) << 30, 0);
    double before = resident_bytes(), most = 0;
    CLEANUP(freep) double *seen = malloc((size_t)seconds * sizeof(*seen));
    size_t n_seen = 0;
    struct herd h;
    herd_init(&h, db, (size_t)n);
    double own = (double)n * (sizeof(*h.ref) + sizeof(*h.v) + sizeof(*h.shape));
    for (int64_t i = 0; i < seconds; i++) {
        herd_step(&h);
        tsdb_append(db, T0 + i * 1000, h.ref, h.v, h.n, NULL);
        double now = resident_bytes() - before - own;
        most = MAX_OF(most, now);
        if (i >= seconds / 2)
            seen[n_seen++] = now;
        // So that the store's threads keep up, as they do when a second takes one.
        usleep((useconds_t)(n / 2));
    }
    // The median is the head's; the most is what writing blocks takes for a while, too.
    qsort(seen, n_seen, sizeof(*seen), by_value);
    printf("bytes_per_series %.1f\nmost_per_series %.1f\nmost_bytes %.0f\n",
           seen[n_seen / 2] / (double)n, most / (double)n, most);
    herd_done(&h);
    tsdb_close(db);
    return 0;
}

// Reads all of a selection; the number of samples or buckets.
static size_t read_all(struct tsdb *db, const struct query_matcher *m, size_t n,
                       const struct query_hints *hints, double *sum)
{
    struct query_source *source = tsdb_source(db);
    struct query_set *set = NULL;
    struct err err = {0};
    size_t values = 0;
    if (source->ops->select(source, m, n, hints, 0, &set, &err) < 0)
        bench_fail("select", err.message);
    for (size_t i = 0; i < set->n; i++) {
        const struct query_run *run = NULL;
        size_t n_runs = 0;
        if (set->ops->read(set, i, hints->start_ms, hints->end_ms, &run, &n_runs, &err) < 0)
            bench_fail("read", err.message);
        for (size_t k = 0; k < n_runs; k++) {
            values += run[k].n;
            *sum += run[k].resolution_ms ? run[k].bucket[0].sum : run[k].v[0];
        }
    }
    source->ops->free_set(set);
    return values;
}

static double timed_read(struct tsdb *db, const struct query_matcher *m, size_t n,
                         const struct query_hints *hints, size_t *ret_values)
{
    double best[15], sum = 0;
    for (size_t i = 0; i < ARRAY_LEN(best); i++) {
        double before = bench_seconds(CLOCK_MONOTONIC);
        *ret_values = read_all(db, m, n, hints, &sum);
        best[i] = bench_seconds(CLOCK_MONOTONIC) - before;
    }
    qsort(best, ARRAY_LEN(best), sizeof(best[0]), by_value);
    return best[ARRAY_LEN(best) / 2] * 1e3;
}

static int read_speed(const char *dir, int64_t days)
{
    struct tsdb *db = bench_open(dir, UINT64_C(4) << 30, 0);
    struct herd h;
    herd_init(&h, db, 100);
    int64_t end = T0 + days * INT64_C(86400000);
    for (int64_t t = T0 + 60000; t <= end; t += 60000) {
        herd_step(&h);
        tsdb_append(db, t, h.ref, h.v, h.n, NULL);
        if (t % 7200000 == 0)
            settle(db);
    }
    for (int64_t t = end + 1000; t <= end + 3 * 3600000; t += 1000) {
        herd_step(&h);
        tsdb_append(db, t, h.ref, h.v, h.n, NULL);
    }
    settle(db);
    size_t values = 0;
    struct query_matcher all = {QUERY_EQUAL, "job", "vherd", NULL};
    struct query_hints month = {T0 + 1, end, 3600000, 0};
    double ms = timed_read(db, &all, 1, &month, &values);
    if (values != (size_t)days * 24 * 100)
        bench_fail("read", "not the buckets that were expected");
    printf("rollup_ms %.3f\nrollup_buckets %zu\n", ms, values);

    struct query_matcher one = {QUERY_EQUAL, "__name__", "libvirt_domain_metric_14_total", NULL};
    struct query_hints hour = {end + 1, end + 3600000, 0, 0};
    ms = timed_read(db, &one, 1, &hour, &values);
    if (values != 3600)
        bench_fail("read", "not the samples that were expected");
    printf("raw_hour_ms %.4f\n", ms);

    struct query_hints raw = {end + 1, end + 7200000, 0, 0};
    for (int shape = 0; shape < SHAPE_MAX; shape++) {
        struct query_matcher m = one;
        char name[64];
        size_t i = 0;
        while (h.shape[i] != shape)
            i++;
        snprintf(name, sizeof(name), "libvirt_domain_metric_%zu_total", i);
        m.value = name;
        ms = timed_read(db, &m, 1, &raw, &values);
        printf("read_shape_%d_per_s %.0f\n", shape, (double)values / ms * 1e3);
    }
    ms = timed_read(db, &all, 1, &raw, &values);
    printf("read_all_per_s %.0f\n", (double)values / ms * 1e3);
    herd_done(&h);
    tsdb_close(db);
    return 0;
}

static int generate(const char *path, int64_t guests, int64_t seconds)
{
    FILE *file = fopen(path, "w");
    if (!file)
        bench_fail(path, strerror(errno));
    size_t n = (size_t)guests * 100;
    CLEANUP(freep) int64_t *v = malloc(n * sizeof(*v));
    for (size_t i = 0; i < n; i++)
        v[i] = (int64_t)(bench_random() >> 30);
    for (int64_t t = T0 / 1000; t < T0 / 1000 + seconds; t++)
        for (size_t i = 0; i < n; i++) {
            int shape = shape_of_20[i % 20];
            // One in ten is another name of its neighbour.
            v[i] = i % 10 == 9 && shape == shape_of_20[(i - 1) % 20] ? v[i - 1]
                                                                     : next_value(shape, v[i]);
            bool is_ns = shape == SHAPE_CPU;
            fprintf(file, "libvirt_domain_metric_%zu_total{domain=\"guest-%05zu\"} ", i % 100,
                    i / 100);
            if (is_ns)
                fprintf(file, "%" PRId64 ".%09" PRId64, v[i] / 1000000000, v[i] % 1000000000);
            else
                fprintf(file, "%" PRId64, v[i]);
            fprintf(file, " %" PRId64 "\n", t);
        }
    fputs("# EOF\n", file);
    return fclose(file) == 0 ? 0 : 1;
}

/** A series of the file. */
struct trace_series {
    uint32_t ref;
    int decimals; // most seen; -1: not a plain decimal, stored as doubles
};

// "name{labels} value time": the name with its labels, value and time. False: another line.
static bool split(char *line, char **series, char **value, char **time_text)
{
    size_t len = strcspn(line, "\n");
    line[len] = '\0';
    if (line[0] == '#' || len == 0)
        return false;
    char *last = strrchr(line, ' ');
    if (!last)
        return false;
    *last = '\0';
    char *middle = strrchr(line, ' ');
    if (!middle)
        return false;
    *middle = '\0';
    *series = line;
    *value = middle + 1;
    *time_text = last + 1;
    return true;
}

static int decimals_of(const char *value)
{
    size_t digits = strspn(value[0] == '-' ? value + 1 : value, "0123456789.");
    const char *dot = strchr(value, '.');
    if (value[digits + (value[0] == '-')] != '\0' || digits > 18)
        return -1;
    return dot ? (int)strlen(dot + 1) : 0;
}

// The labels between the braces, in place; how many.
static size_t read_labels(char *text, struct label *label, size_t max)
{
    size_t n = 0;
    char *brace = strchr(text, '{');
    if (brace)
        *brace = '\0';
    label[n++] = (struct label){"__name__", text};
    for (char *p = brace ? brace + 1 : NULL; p && *p && *p != '}' && n < max;) {
        char *equal = strstr(p, "=\"");
        if (!equal)
            break;
        *equal = '\0';
        char *value = equal + 2, *out = value, *in = value;
        for (; *in && *in != '"'; in++)
            *out++ = *in == '\\' && in[1] ? *++in : *in;
        label[n++] = (struct label){p + (*p == ',') + (p[*p == ','] == ' '), value};
        p = *in ? in + 1 : in;
        *out = '\0';
    }
    return n;
}

static void first_pass(FILE *file, struct map *all)
{
    char line[LINE_BYTES], *name, *value, *time_text;
    while (fgets(line, sizeof(line), file)) {
        if (!split(line, &name, &value, &time_text))
            continue;
        struct trace_series *s = map_get(all, name, strlen(name));
        if (!s) {
            s = mem_zalloc(sizeof(*s));
            s->ref = UINT32_MAX;
            map_put(all, name, strlen(name), s);
        }
        int decimals = decimals_of(value);
        if (decimals < 0 || decimals > TSDB_SCALE_MAX)
            s->decimals = -1;
        else if (s->decimals >= 0)
            s->decimals = MAX_OF(s->decimals, decimals);
    }
    rewind(file);
}

static double number(const char *text)
{
    char *end = NULL;
    return strtod(text, &end);
}

static void register_series(struct tsdb *db, struct trace_series *s, const char *text)
{
    struct label label[64];
    struct err err = {0};
    CLEANUP(freep) char *copy = mem_strdup(text);
    size_t n = read_labels(copy, label, ARRAY_LEN(label));
    struct tsdb_kind_of of = {s->decimals < 0 ? TSDB_DOUBLE : TSDB_SCALED, MAX_OF(s->decimals, 0),
                              false, 0};
    if (tsdb_series(db, label, n, &of, &s->ref, &err) < 0)
        bench_fail(text, err.message);
}

static int size(const char *dir, const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file)
        bench_fail(path, strerror(errno));
    struct map *all = map_new();
    first_pass(file, all);
    struct tsdb *db = bench_open(dir, UINT64_C(4) << 30, 0);
    char line[LINE_BYTES], *name, *value, *time_text;
    uint64_t samples = 0, refused = 0;
    while (fgets(line, sizeof(line), file)) {
        if (!split(line, &name, &value, &time_text))
            continue;
        struct trace_series *s = map_get(all, name, strlen(name));
        if (s->ref == UINT32_MAX)
            register_series(db, s, name);
        int64_t t_ms = (int64_t)rint(number(time_text) * 1000);
        int r = tsdb_append_one(db, s->ref, t_ms, number(value));
        samples += r == 0;
        refused += r != 0;
    }
    fclose(file);
    settle(db);
    struct tsdb_status s;
    tsdb_status(db, &s);
    printf("series %zu\nsamples %" PRIu64 "\nrefused %" PRIu64 "\n", map_count(all), samples,
           refused);
    printf("bytes_per_sample %.4f\n", (double)s.block_bytes[0] / (double)samples);
    tsdb_close(db);
    size_t cursor = 0;
    for (void *p; (p = map_next(all, &cursor));)
        free(p);
    map_free(all);
    return 0;
}

int main(int argc, char **argv)
{
    int64_t a = 0, b = 0;
    if (argc == 4 && strcmp(argv[1], "size") == 0)
        return size(argv[2], argv[3]);
    if (argc < 4 || number_parse_i64(argv[3], &a) < 0 ||
        (argc > 4 && number_parse_i64(argv[4], &b) < 0))
        bench_fail("arguments", "append|memory|read|generate|size DIR N [N]");
    if (strcmp(argv[1], "append") == 0)
        return append(argv[2], a, b);
    if (strcmp(argv[1], "memory") == 0)
        return memory(argv[2], a, b);
    if (strcmp(argv[1], "read") == 0)
        return read_speed(argv[2], a);
    if (strcmp(argv[1], "generate") == 0)
        return generate(argv[2], a, b);
    bench_fail("arguments", argv[1]);
    return 1;
}
