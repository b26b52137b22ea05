// SPDX-License-Identifier: GPL-3.0-or-later
// Statistics of an evaluation as Prometheus counts them: a sample counts once for each step that
// looks at it. What a subquery is made of counts only where nothing is computed over it; else the
// points in the windows do.
#include "base/clock.h"
#include "base/mem.h"
#include "eval.h"

int64_t stats_clock(const struct query *q)
{
    return q->options.counting ? clock_mono_ns(q->options.clock) : 0;
}

static size_t steps_of(const struct promql_range *r)
{
    return r->step_ms > 0 ? (size_t)((r->end_ms - r->start_ms) / r->step_ms) + 1 : 1;
}

void stats_begin(struct query *q)
{
    q->stats.range = q->range;
    q->stats.eval_ns = -stats_clock(q);
    if (q->options.counting == PROMQL_COUNT_STEPS)
        q->step_samples = arena_zalloc(&q->arena, steps_of(&q->range), sizeof(q->step_samples[0]));
}

void stats_end(struct query *q)
{
    q->stats.eval_ns += stats_clock(q);
    q->stats.step_samples = q->step_samples;
    if (q->options.counting)
        q->result->stats = q->stats;
}

void stats_count_column(struct query *q, const struct grid *g, const double *v, size_t present)
{
    q->stats.samples += present;
    for (size_t k = 0; q->step_samples && k < g->n; k++)
        q->step_samples[k] += !is_absent(v[k]);
}

// Roll-ups count for the samples that they stand for. above[i]: of those before the i-th.
static const uint64_t *count_buckets(struct windows *w)
{
    uint64_t *above = arena_array(&w->q->arena, w->n_buckets + 1, sizeof(*above));
    above[0] = 0;
    for (size_t i = 0; i < w->n_buckets; i++)
        above[i + 1] = above[i] + (uint64_t)w->bucket[i].count;
    return above;
}

void stats_count_windows(struct windows *w)
{
    struct query *q = w->q;
    if (!q->options.counting)
        return;
    const uint64_t *above = w->n_buckets > 0 ? count_buckets(w) : NULL;
    for (size_t k = 0; k < w->grid->n; k++) {
        uint64_t n = above ? above[w->hi[k]] - above[w->lo[k]] : w->hi[k] - w->lo[k];
        q->stats.samples += n;
        if (q->step_samples)
            q->step_samples[k] += n;
    }
}

void stats_count(struct query *q, size_t samples)
{
    q->stats.samples += samples;
    if (q->step_samples)
        q->step_samples[0] += samples;
}

struct stats_aside stats_set_aside(struct query *q)
{
    struct stats_aside aside = {q->stats.samples, q->step_samples};
    q->stats.samples = 0;
    q->step_samples = NULL;
    return aside;
}

void stats_take_up(struct query *q, const struct stats_aside *aside, size_t times)
{
    uint64_t each = q->stats.samples;
    q->step_samples = aside->step_samples;
    q->stats.samples = aside->samples + each * times;
    for (size_t k = 0; q->step_samples && k < times; k++)
        q->step_samples[k] += each;
}

static void put_seconds(struct buf *out, const char *name, int64_t ns)
{
    buf_printf(out, "\"%s\":", name);
    put_json_number(out, (double)ns / 1e9);
}

static void put_steps(const struct promql_stats *s, struct buf *out)
{
    buf_puts(out, "\"totalQueryableSamplesPerStep\":[");
    for (size_t k = 0; k < steps_of(&s->range); k++) {
        int64_t t_ms = s->range.start_ms + (int64_t)k * s->range.step_ms;
        buf_puts(out, k > 0 ? ",[" : "[");
        put_json_number(out, (double)t_ms / 1000);
        buf_printf(out, ",%llu]", (unsigned long long)s->step_samples[k]);
    }
    buf_puts(out, "],");
}

void promql_write_stats(const struct promql_stats *s, int64_t queue_ns, int64_t exec_ns,
                        struct buf *out)
{
    const struct {
        const char *name;
        int64_t ns;
    } timings[] = {
        {"evalTotalTime", s->eval_ns},
        {"resultSortTime", s->sort_ns},
        {"queryPreparationTime", s->prepare_ns},
        {"innerEvalTime", s->eval_ns - s->sort_ns - s->prepare_ns},
        {"execQueueTime", queue_ns},
        {"execTotalTime", exec_ns},
    };
    buf_puts(out, "\"stats\":{\"timings\":{");
    for (size_t i = 0; i < ARRAY_LEN(timings); i++) {
        buf_puts(out, i > 0 ? "," : "");
        put_seconds(out, timings[i].name, timings[i].ns);
    }
    buf_puts(out, "},\"samples\":{");
    if (s->step_samples)
        put_steps(s, out);
    buf_printf(out, "\"totalQueryableSamples\":%llu,\"peakSamples\":%zu}}",
               (unsigned long long)s->samples, s->peak_samples);
}
