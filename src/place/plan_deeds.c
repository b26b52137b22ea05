// SPDX-License-Identifier: GPL-3.0-or-later
// What a plan comes to, as requests to the daemon. Only what is certain to differ is asked for, so
// that a plan that was carried out asks for nothing more.
#include <math.h>

#include "base/mem.h"
#include "plan.h"

// cgroup v2 takes weights from 1 to 10000, v1 from 2.
#define SHARES_LEAST 2
#define SHARES_MOST 10000

#define US_PER_PERCENT (RIGHTSIZE_PERIOD_US / 100)

static void deed_begin(struct json *j, const char *what, const char *deed)
{
    json_object_begin(j);
    json_kv_string(j, "what", what);
    json_kv_string(j, "deed", deed);
    json_key(j, "body");
    json_object_begin(j);
}

static void deed_end(struct json *j, bool now)
{
    json_object_end(j);
    json_kv_string(j, "effect", now ? "now" : "next start");
    json_object_end(j);
}

// The balloon of a VM that runs, within its ceiling; else its definition.
static void put_memory(struct json *j, const struct place_vm *v, const struct rightsize_advice *a)
{
    bool runs = v->host >= 0;
    bool raises = v->memory_most_bytes > 0 && a->memory_bytes > v->memory_most_bytes;
    if (a->memory_bytes == v->request.of[PLACE_MEMORY])
        return;
    // What it holds now would not fit: history knows no such need, but the guest has it.
    if (runs && a->memory_bytes < v->request.of[PLACE_MEMORY] &&
        a->memory.now > (double)a->memory_bytes)
        return;
    deed_begin(j, "memory", raises ? "vm.set" : "vm.set-memory");
    json_kv_i64(j, "memory", a->memory_bytes);
    if (!raises) // vm.set raises the ceiling with it
        json_kv_string(j, "scope", runs ? "both" : "config");
    deed_end(j, runs && !raises);
}

// Guests rarely let vCPUs go while they run.
static void put_vcpus(struct json *j, const struct place_vm *v, const struct rightsize_advice *a)
{
    if ((int64_t)a->vcpus * PLACE_CPU_UNIT == v->request.of[PLACE_CPU])
        return;
    deed_begin(j, "vcpus", "vm.set");
    json_kv_i64(j, "vcpus", a->vcpus);
    deed_end(j, false);
}

static void put_cpu(struct json *j, const struct place_vm *v, const char *what, int64_t value)
{
    deed_begin(j, what, "vm.set-cpu");
    json_kv_i64(j, what, value);
    json_kv_string(j, "scope", v->host >= 0 ? "both" : "config");
    deed_end(j, v->host >= 0);
}

void plan_put_sizing(const struct writing *w, int32_t vm, const struct rightsize_advice *a)
{
    const struct place_vm *v = &w->s->vms[vm];
    struct json *j = w->j;
    json_key(j, "deeds");
    json_array_begin(j);
    put_memory(j, v, a);
    put_vcpus(j, v, a);
    // Weights mean something beside those of all others only.
    if (!w->request->object)
        put_cpu(j, v, "shares", MAX_OF(SHARES_LEAST, MIN_OF((int64_t)a->cpu_shares, SHARES_MOST)));
    if (a->cpu_quota_us >= 0)
        put_cpu(j, v, "quota", (a->cpu_quota_us + US_PER_PERCENT - 1) / US_PER_PERCENT);
    json_array_end(j);
}

void plan_put_start(const struct writing *w, int32_t vm)
{
    json_key(w->j, "deeds");
    json_array_begin(w->j);
    if (w->s->vms[vm].host < 0 && !w->request->is_new) {
        deed_begin(w->j, "start", "vm.start");
        deed_end(w->j, true);
    }
    json_array_end(w->j);
}
