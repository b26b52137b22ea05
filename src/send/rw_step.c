// SPDX-License-Identifier: GPL-3.0-or-later
#include "rw_step.h"

#include "base/clock.h"
#include "base/mem.h"

#define RETRY_AFTER_MAX_NS (300 * NS_PER_S)

void rw_step_init(struct rw_step *s, const struct rw_params *params, int64_t now_ns)
{
    *s = (struct rw_step){
        .params = *params, .version = params->version, .due_ns = now_ns, .metadata_due_ns = now_ns};
}

int64_t rw_backoff_ns(const struct rw_params *p, uint32_t attempt, uint32_t random)
{
    int64_t pause = p->min_backoff_ns;
    for (uint32_t i = 1; i < attempt && pause < p->max_backoff_ns; i++)
        pause *= 2;
    pause = MIN_OF(pause, p->max_backoff_ns);
    int64_t spread = pause / 2;
    return pause - pause / 4 + (int64_t)((double)spread * ((double)random / 4294967296.0));
}

static bool wants_metadata(const struct rw_step *s, const struct rw_event *e)
{
    return s->params.metadata && s->version == RW_1_0 && e->families > 0 &&
           s->metadata_due_ns <= e->now_ns;
}

static struct rw_update wait_until(int64_t ns)
{
    return (struct rw_update){.deed = RW_WAIT, .wake_ns = ns};
}

static struct rw_update act(enum rw_deed deed)
{
    return (struct rw_update){.deed = deed, .wake_ns = INT64_MAX};
}

static struct rw_update post(struct rw_step *s)
{
    s->state = RW_SENDING;
    s->stats.requests++;
    return act(RW_POST);
}

static struct rw_update on_tick(struct rw_step *s, const struct rw_event *e)
{
    if (s->state == RW_BACKOFF) {
        if (e->now_ns < s->due_ns)
            return wait_until(s->due_ns);
        s->stats.retries++;
        return post(s);
    }
    if (s->state != RW_IDLE)
        return wait_until(INT64_MAX);
    if (wants_metadata(s, e)) {
        s->state = RW_TELLING;
        s->stats.requests++;
        return act(RW_POST_METADATA);
    }
    if (e->now_ns < s->due_ns) {
        bool later = s->params.metadata && s->version == RW_1_0 && e->families > 0;
        return wait_until(later ? MIN_OF(s->due_ns, s->metadata_due_ns) : s->due_ns);
    }
    s->state = RW_ASKED;
    return act(RW_ASK);
}

// The batch is dealt with, one way or the other.
static struct rw_update finish(struct rw_step *s, const struct rw_event *e)
{
    s->place = s->batch.next;
    s->placed = true;
    s->state = RW_IDLE;
    s->attempts = 0;
    s->batch_samples = 0;
    // A full batch says that more waits.
    s->due_ns = s->batch.more ? e->now_ns : e->now_ns + s->params.deadline_ns;
    struct rw_update u = wait_until(s->due_ns);
    u.done = true;
    return u;
}

static struct rw_update on_batch(struct rw_step *s, const struct rw_event *e)
{
    if (s->state != RW_ASKED)
        return wait_until(s->due_ns);
    s->batch = e->batch;
    s->batch_samples = e->samples;
    s->stats.lost += e->batch.lost;
    return e->samples > 0 ? post(s) : finish(s, e);
}

enum verdict {
    TAKEN,
    AGAIN,
    REFUSED,
    OLDER_VERSION,
};

// By the specification: 2xx is success, 5xx (and no answer, and 429 where wanted) is tried again,
// 415 to 2.0 asks for 1.0, all else is refused for good. A 2.0 request that is not confirmed went
// to a receiver of 1.0 that stored nothing.
static enum verdict judge(const struct rw_step *s, const struct rw_event *e)
{
    if (e->status >= 200 && e->status < 300)
        return s->version == RW_2_0 && !e->confirmed ? OLDER_VERSION : TAKEN;
    if (e->status == 415 && s->version == RW_2_0)
        return OLDER_VERSION;
    if (e->status == 0 || e->status >= 500 || (e->status == 429 && s->params.retry_429))
        return AGAIN;
    return REFUSED;
}

static struct rw_update back_off(struct rw_step *s, const struct rw_event *e)
{
    s->attempts++;
    int64_t pause = rw_backoff_ns(&s->params, s->attempts, e->random);
    if (e->retry_after_ns > pause)
        pause = MIN_OF(e->retry_after_ns, RETRY_AFTER_MAX_NS);
    s->state = RW_BACKOFF;
    s->due_ns = e->now_ns + pause;
    struct rw_update u = wait_until(s->due_ns);
    u.failed_first = s->attempts == 1;
    return u;
}

static struct rw_update on_batch_result(struct rw_step *s, const struct rw_event *e)
{
    enum verdict verdict = judge(s, e);
    if (verdict == AGAIN)
        return back_off(s, e);
    if (verdict == OLDER_VERSION) {
        s->version = RW_1_0;
        struct rw_update u = post(s);
        u.fell_back = true;
        return u;
    }
    bool recovered = s->attempts > 0;
    *(verdict == TAKEN ? &s->stats.sent : &s->stats.dropped) += s->batch_samples;
    struct rw_update u = finish(s, e);
    u.dropped = verdict == REFUSED;
    u.recovered = recovered;
    return u;
}

// Metadata are told again each round: a failure only ends this one.
static struct rw_update on_metadata_result(struct rw_step *s, const struct rw_event *e)
{
    s->state = RW_IDLE;
    s->metadata_at += s->params.metadata_per_request;
    if (e->status < 200 || e->status > 299 || s->metadata_at >= e->families) {
        s->metadata_at = 0;
        s->metadata_due_ns = e->now_ns + s->params.metadata_interval_ns;
    }
    return wait_until(e->now_ns);
}

static struct rw_update on_result(struct rw_step *s, const struct rw_event *e)
{
    if (s->state == RW_SENDING)
        return on_batch_result(s, e);
    return s->state == RW_TELLING ? on_metadata_result(s, e) : wait_until(s->due_ns);
}

static struct rw_update on_lost_core(struct rw_step *s, const struct rw_event *e)
{
    if (s->state == RW_ASKED) {
        s->state = RW_IDLE;
        s->due_ns = e->now_ns + s->params.deadline_ns;
    }
    return wait_until(s->state == RW_IDLE || s->state == RW_BACKOFF ? s->due_ns : INT64_MAX);
}

struct rw_update rw_step(struct rw_step *s, const struct rw_event *e)
{
    static struct rw_update (*const handlers[])(struct rw_step *, const struct rw_event *) = {
        [RW_TICK] = on_tick,
        [RW_GOT_BATCH] = on_batch,
        [RW_GOT_RESULT] = on_result,
        [RW_LOST_CORE] = on_lost_core,
    };
    return handlers[e->type](s, e);
}
