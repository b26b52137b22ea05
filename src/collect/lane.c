// SPDX-License-Identifier: GPL-3.0-or-later
// Entries live in a map by key and in a plain array; an array walk for each decision is cheap
// enough (10,000 objects: 20 µs) and keeps the rules in one readable place.
//
// Invariants: an entry has at most one call; `orphans` counts written-off calls whose entry is gone
// or was reset, so that written_off falls when they come back.
#include "collect/lane.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"

#define RETRY_NS INT64_C(1000000000)
// Who answered so often and quickly may share a call with others. One that never failed need do so
// only once.
#define STEADY 3
#define QUICK_SHARE 4 // of the deadline

struct entry {
    void *key;
    size_t len;
    int64_t due_ns;
    int64_t free_ns;    // end of the quarantine, 0 = none
    int64_t pause_ns;   // length of the last quarantine, 0 = healthy
    int64_t started_ns; // of the call under way
    uint64_t call;      // 0 = none
    bool lost;          // the call is written off
    bool blocked;
    bool first;  // not called yet
    bool again;  // hastened while its call was under way
    bool shares; // its call is another's too, which is counted
    int steady;  // quick answers in a row
};

struct orphan {
    uint64_t call;
    bool counted; // among the written-off
};

struct call_lane {
    struct lane_policy policy;
    struct map *by_key;
    struct entry **entries;
    size_t n, cap;
    struct orphan *orphans;
    size_t n_orphans, cap_orphans;
    uint64_t last_call;
    int64_t last_start_ns;
    struct lane_stats stats;
};

struct call_lane *lane_new(const struct lane_policy *policy)
{
    struct call_lane *l = mem_zalloc(sizeof(*l));
    l->policy = *policy;
    l->by_key = map_new();
    return l;
}

static void entry_free(struct entry *e)
{
    free(e->key);
    free(e);
}

void lane_free(struct call_lane *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < l->n; i++)
        entry_free(l->entries[i]);
    free(l->entries);
    free(l->orphans);
    map_free(l->by_key);
    free(l);
}

void lane_set_policy(struct call_lane *l, const struct lane_policy *policy)
{
    l->policy = *policy;
}

void lane_add(struct call_lane *l, const void *key, size_t len, int64_t now_ns)
{
    if (map_get(l->by_key, key, len))
        return;
    struct entry *e = mem_zalloc(sizeof(*e));
    e->key = mem_strndup(key, len);
    e->len = len;
    e->due_ns = now_ns;
    e->first = true;
    e->steady = STEADY - 1;
    map_put(l->by_key, key, len, e);
    mem_grow(&l->entries, &l->cap, l->n, sizeof(struct entry *));
    l->entries[l->n++] = e;
}

static void not_in_flight(struct call_lane *l, struct entry *e)
{
    l->stats.in_flight -= !e->shares;
    e->shares = false;
}

// The call goes on without its entry; its answer will be late.
static void orphan_call(struct call_lane *l, struct entry *e, bool counted)
{
    mem_grow(&l->orphans, &l->cap_orphans, l->n_orphans, sizeof(*l->orphans));
    l->orphans[l->n_orphans++] = (struct orphan){e->call, counted};
    if (!e->lost)
        not_in_flight(l, e);
    if (e->lost && !counted)
        l->stats.written_off--;
    if (!e->lost && counted)
        l->stats.written_off++;
    e->call = 0;
    e->lost = false;
}

void lane_remove(struct call_lane *l, const void *key, size_t len)
{
    struct entry *e = map_remove(l->by_key, key, len);
    if (!e)
        return;
    if (e->call)
        orphan_call(l, e, true);
    for (size_t i = 0; i < l->n; i++)
        if (l->entries[i] == e)
            l->entries[i] = l->entries[--l->n];
    entry_free(e);
}

bool lane_has(const struct call_lane *l, const void *key, size_t len)
{
    return map_get(l->by_key, key, len) != NULL;
}

void lane_block(struct call_lane *l, const void *key, size_t len, bool blocked, int64_t now_ns)
{
    struct entry *e = map_get(l->by_key, key, len);
    if (!e || e->blocked == blocked)
        return;
    e->blocked = blocked;
    if (!blocked) {
        e->due_ns = now_ns;
        if (!e->call)
            e->free_ns = 0;
    }
}

void lane_hasten(struct call_lane *l, const void *key, size_t len, int64_t now_ns)
{
    struct entry *e = map_get(l->by_key, key, len);
    if (!e)
        return;
    if (e->call)
        e->again = true;
    else if (e->due_ns > now_ns)
        e->due_ns = now_ns;
}

// A place between 0 and 1 that depends on the key alone (FNV-1a), so that a trace can be repeated.
static double place_of(const struct entry *e)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < e->len; i++)
        hash = (hash ^ ((const unsigned char *)e->key)[i]) * 16777619u;
    return (double)(hash >> 8) / (double)(1u << 24);
}

static bool may_call(const struct call_lane *l, const struct entry *e, int64_t now_ns)
{
    if (e->call || e->blocked || e->due_ns > now_ns || e->free_ns > now_ns)
        return false;
    int limit = e->pause_ns ? l->policy.max_written_off : 2 * l->policy.max_written_off;
    return l->stats.written_off < limit;
}

static uint64_t give_out(struct call_lane *l, struct entry *e, int64_t now_ns, const void **ret_key,
                         size_t *ret_len)
{
    e->call = ++l->last_call;
    e->started_ns = l->last_start_ns = now_ns;
    e->again = false;
    l->stats.calls++;
    *ret_key = e->key;
    *ret_len = e->len;
    return e->call;
}

uint64_t lane_next(struct call_lane *l, int64_t now_ns, const void **ret_key, size_t *ret_len)
{
    if (l->stats.in_flight >= l->policy.max_in_flight)
        return 0;
    if (l->stats.in_flight > 0 && now_ns - l->last_start_ns < l->policy.patience_ns)
        return 0;
    struct entry *best = NULL;
    for (size_t i = 0; i < l->n; i++)
        if (may_call(l, l->entries[i], now_ns) && (!best || l->entries[i]->due_ns < best->due_ns))
            best = l->entries[i];
    if (!best)
        return 0;
    l->stats.in_flight++;
    return give_out(l, best, now_ns, ret_key, ret_len);
}

uint64_t lane_more(struct call_lane *l, int64_t now_ns, const void **ret_key, size_t *ret_len)
{
    for (size_t i = 0; i < l->n; i++) {
        struct entry *e = l->entries[i];
        if (!may_call(l, e, now_ns) || e->steady < STEADY)
            continue;
        e->shares = true;
        return give_out(l, e, now_ns, ret_key, ret_len);
    }
    return 0;
}

bool lane_steady(const struct call_lane *l, const void *key, size_t len)
{
    const struct entry *e = map_get(l->by_key, key, len);
    return e && e->steady >= STEADY;
}

#define SLOTS 2

// Objects that come together part after their first call: the second follows at the next instant or
// the one after, further ones an interval apart. Instants are whole halves of an interval: calls
// one after the other find the caches of both sides warm, which halves their cost, and wake
// everybody once.
static void schedule_next(const struct call_lane *l, struct entry *e, int64_t now_ns)
{
    int64_t slot = MAX_OF(l->policy.interval_ns / SLOTS, 1);
    if (e->first)
        e->due_ns = now_ns + slot * (1 + (int64_t)(place_of(e) * SLOTS));
    else
        e->due_ns += l->policy.interval_ns;
    e->due_ns -= e->due_ns % slot;
    if (e->due_ns <= now_ns)
        e->due_ns = now_ns + l->policy.interval_ns;
    e->first = false;
}

static bool forget_orphan(struct call_lane *l, uint64_t call)
{
    for (size_t i = 0; i < l->n_orphans; i++) {
        if (l->orphans[i].call == call) {
            if (l->orphans[i].counted)
                l->stats.written_off--;
            l->orphans[i] = l->orphans[--l->n_orphans];
            return true;
        }
    }
    return false;
}

static struct entry *entry_of_call(const struct call_lane *l, uint64_t call)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->entries[i]->call == call)
            return l->entries[i];
    return NULL;
}

static void quarantine(const struct call_lane *l, struct entry *e, int64_t now_ns)
{
    int64_t pause = e->pause_ns ? 2 * e->pause_ns : l->policy.quarantine_min_ns;
    e->pause_ns = MIN_OF(pause, l->policy.quarantine_max_ns);
    e->free_ns = now_ns + e->pause_ns;
}

void lane_part(struct call_lane *l, uint64_t call, int64_t now_ns)
{
    struct entry *e = entry_of_call(l, call);
    if (!e || e->lost)
        return;
    orphan_call(l, e, !e->shares); // one stands for all
    e->steady = 0;
    e->due_ns = now_ns;
}

bool lane_done(struct call_lane *l, uint64_t call, enum lane_outcome outcome, int64_t now_ns)
{
    struct entry *e = entry_of_call(l, call);
    if (!e) {
        if (forget_orphan(l, call))
            l->stats.late++;
        return false;
    }
    e->call = 0;
    if (e->lost) {
        e->lost = false;
        l->stats.written_off--;
        l->stats.late++;
        // It lives, so the pause shrinks; but one that is slow again and again waits longer.
        e->free_ns = now_ns + MAX_OF(RETRY_NS, e->pause_ns / 5);
        e->due_ns = now_ns;
        return false;
    }
    not_in_flight(l, e);
    bool is_quick = now_ns - e->started_ns < l->policy.deadline_ns / QUICK_SHARE;
    e->steady = outcome == LANE_OK && is_quick ? MIN_OF(e->steady + 1, STEADY) : 0;
    if (outcome == LANE_SKIPPED) {
        e->due_ns = now_ns + RETRY_NS;
        return true;
    }
    if (outcome == LANE_STUCK) {
        l->stats.timeouts++;
        quarantine(l, e, now_ns);
        return true;
    }
    e->pause_ns = 0;
    e->free_ns = 0;
    if (outcome == LANE_ERROR)
        l->stats.errors++;
    schedule_next(l, e, now_ns);
    if (e->again)
        e->due_ns = now_ns;
    return true;
}

static bool is_overdue(const struct call_lane *l, const struct entry *e, int64_t now_ns)
{
    return e->call && !e->lost && now_ns - e->started_ns >= l->policy.deadline_ns;
}

uint64_t lane_expire(struct call_lane *l, int64_t now_ns, int64_t answered_ns, const void **ret_key,
                     size_t *ret_len)
{
    for (size_t i = 0; i < l->n; i++) {
        struct entry *e = l->entries[i];
        if (!is_overdue(l, e, now_ns) || e->started_ns >= answered_ns)
            continue;
        e->lost = true;
        not_in_flight(l, e);
        l->stats.written_off++;
        l->stats.timeouts++;
        quarantine(l, e, now_ns);
        *ret_key = e->key;
        *ret_len = e->len;
        return e->call;
    }
    return 0;
}

bool lane_overdue(const struct call_lane *l, int64_t now_ns)
{
    for (size_t i = 0; i < l->n; i++)
        if (is_overdue(l, l->entries[i], now_ns))
            return true;
    return false;
}

static bool in_quarantine(const struct entry *e)
{
    return e->lost || e->pause_ns > 0;
}

bool lane_quarantined(const struct call_lane *l, const void *key, size_t len)
{
    const struct entry *e = map_get(l->by_key, key, len);
    return e && in_quarantine(e);
}

void lane_reset(struct call_lane *l, int64_t now_ns)
{
    for (size_t i = 0; i < l->n; i++) {
        struct entry *e = l->entries[i];
        if (e->call)
            orphan_call(l, e, false);
        e->pause_ns = 0;
        e->free_ns = 0;
        e->steady = 0;
        e->first = true;
        e->due_ns = now_ns;
    }
    // The other side's workers are gone with it: nothing of it counts any more.
    for (size_t i = 0; i < l->n_orphans; i++) {
        if (l->orphans[i].counted)
            l->stats.written_off--;
        l->orphans[i].counted = false;
    }
}

int64_t lane_wake_ns(const struct call_lane *l, int64_t now_ns)
{
    int64_t wake = INT64_MAX;
    for (size_t i = 0; i < l->n; i++) {
        const struct entry *e = l->entries[i];
        int64_t at = INT64_MAX;
        if (e->call && !e->lost)
            at = e->started_ns + l->policy.deadline_ns;
        else if (!e->call && !e->blocked)
            at = MAX_OF(e->due_ns, e->free_ns);
        wake = MIN_OF(wake, at);
    }
    if (wake > now_ns)
        return wake;
    // Something is due but may not be called yet: until others have taken long enough, or until
    // there is room, which an answer will tell.
    bool has_room = l->stats.in_flight < l->policy.max_in_flight;
    return has_room && l->stats.in_flight > 0
               ? MAX_OF(l->last_start_ns + l->policy.patience_ns, now_ns + NS_PER_MS)
               : now_ns + RETRY_NS / 4;
}

struct lane_stats lane_stats(const struct call_lane *l)
{
    struct lane_stats stats = l->stats;
    for (size_t i = 0; i < l->n; i++)
        stats.quarantined += in_quarantine(l->entries[i]);
    return stats;
}
