// SPDX-License-Identifier: GPL-3.0-or-later
#include <math.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "maths.h"
#include "sim/world.h"
#include "world.h"

static struct scenario *parse(const char *text)
{
    struct scenario *s = NULL;
    struct err err = {0};
    if (scenario_parse("s", text, strlen(text), NULL, &s, &err) < 0)
        fail_msg("%s", err.message);
    return s;
}

static struct world *run(const struct scenario *s, const char *policy)
{
    struct world *w = NULL;
    struct err err = {0};
    if (world_new(s, policy, &w, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(world_run(w, s->duration_s), 0);
    return w;
}

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b));
}

static void own_functions(void **state)
{
    for (double x = 1e-6; x < 1e6; x *= 1.37)
        assert_true(fabs(maths_ln(x) - log(x)) < 1e-12 * fmax(1, fabs(log(x))));
    for (double x = -20; x < 20; x += 0.37)
        assert_true(near(maths_exp(x), exp(x)));
    for (double x = -2; x < 2; x += 0.0371)
        assert_true(fabs(maths_cos_turns(x) - cos(2 * M_PI * x)) < 1e-12);
    struct prng p;
    double sum = 0, normal = 0, square = 0;
    prng_init(&p, 1, 1);
    for (int i = 0; i < 20000; i++) {
        sum += maths_exponential(&p, 3);
        double n = maths_normal(&p);
        normal += n;
        square += n * n;
    }
    assert_true(fabs(sum / 20000 - 3) < 0.1);
    assert_true(fabs(normal / 20000) < 0.03 && fabs(square / 20000 - 1) < 0.05);
}

static void copying_memory(void **state)
{
    // Nothing is dirtied: one round, no rest.
    struct precopy r = precopy(1000, 1000, 0, 100, 0.3);
    assert_int_equal(r.rounds, 1);
    assert_true(r.duration_s == 10 && r.pause_s == 0 && r.converged);
    assert_int_equal(r.copied_bytes, 1000);
    // Half the speed: 10 + 5 + 2.5 + 1.25 + 0.625 s, and 31.25 bytes take 0.3125 s: one round more.
    r = precopy(1000, 1000, 50, 100, 0.32);
    assert_int_equal(r.rounds, 5);
    assert_true(r.pause_s == 0.3125 && r.duration_s == 19.6875 && r.converged);
    assert_int_equal(precopy(1000, 1000, 50, 100, 0.3).rounds, 6);
    // Dirtied faster than copied: the working set is left over and has to be copied at a halt.
    r = precopy(1000, 400, 500, 100, 0.3);
    assert_true(r.pause_s == 4 && !r.converged);
    assert_in_range(r.rounds, 2, 3);
}

static void steal_and_energy(void **state)
{
    // 2 × 1 core wanted wholly on 1 core: half is not given; one host at full power for 1 h.
    struct scenario *s = parse(
        "duration: 1h\npolicy: none\nhosts: [{name: h, cores: 1, mips: 1000,\n"
        "  power: [50, 55, 60, 65, 70, 75, 80, 85, 90, 95, 100]}]\n"
        "vms: [{name: v, count: 2, mips: 1000, mean: 0.45, peak: 1, noise: 0, workload: bursty,\n"
        "  burst: 300d, calm: 1s}]\n");
    struct world *w = run(s, NULL);
    const struct world_totals *t = world_totals(w);
    assert_int_equal(t->starts, 2);
    assert_true(near(t->wanted, 2 * 1000 * 3600.0));
    assert_true(near(t->given, 1000 * 3600.0));
    assert_true(near(t->energy_kwh, 0.1));
    assert_true(near(t->contended_s, 3600) && near(t->host_hours, 1) && near(t->vm_hours, 2));
    world_free(w);
    scenario_free(s);
}

static void memory_is_ballooned_then_swapped(void **state)
{
    struct scenario *s =
        parse("duration: 1h\npolicy: none\n"
              "hosts: [{name: h, memory: 10G, swap: 8G, overcommit: 2}]\n"
              "vms: [{name: v, count: 5, memory: 4G, working_set: 0.6, mean: 0.1, noise: 0}]\n");
    struct world *w = run(s, NULL);
    const struct world_totals *t = world_totals(w);
    // 20 GiB of VMs on 10: 8 are not used; of the 12 that are, 2 do not fit.
    assert_int_equal(t->starts, 5);
    assert_true(near(t->balloon_gib_h, 8) && near(t->swap_gib_h, 2));
    assert_true(near(t->given, t->wanted * (1 - 2.0 / 12)));
    world_free(w);
    scenario_free(s);
}

static void what_does_not_fit_waits(void **state)
{
    struct scenario *s = parse("duration: 2h\npolicy: none\nhosts: [{name: h, memory: 4G}]\n"
                               "vms:\n  - {name: a, memory: 4G, lifetime: 1s, noise: 0}\n"
                               "  - {name: b, memory: 2G, arrive: 0s}\n"
                               "  - {name: c, memory: 8G, arrive: 0s}\n");
    struct world *w = run(s, NULL);
    const struct world_totals *t = world_totals(w);
    assert_int_equal(t->waits, 2);
    assert_int_equal(t->starts, 2); // b once a is gone; c never
    assert_int_equal(t->memory_violations, 0);
    assert_true(t->down_s > 7200 && t->down_s <= 7200 + 600);
    world_free(w);
    scenario_free(s);
}

static void a_host_fails(void **state)
{
    struct scenario *s =
        parse("duration: 2h\npolicy: none\nrestart: 100s\n"
              "hosts: [{name: h, count: 2}]\n"
              "vms: [{name: v, count: 3, noise: 0}]\n"
              "events: [{at: 1000s, for: 600s, fault: host-failure, target: h-0}]\n");
    struct world *w = run(s, NULL);
    const struct world_totals *t = world_totals(w);
    assert_int_equal(t->faults[FAULT_HOST_FAILURE], 1);
    assert_int_equal(t->starts, 6);
    assert_true(near(t->down_s, 300));
    world_free(w);
    scenario_free(s);
}

static void vms_and_storage_fail(void **state)
{
    struct scenario *s =
        parse("duration: 2h\npolicy: none\nstorage: [{name: nfs}]\nhosts: [{name: h}]\n"
              "vms: [{name: v, count: 2, storage: nfs, noise: 0, mean: 0.5}]\n"
              "events:\n  - {at: 600s, for: 300s, fault: vm-crash, target: v-0}\n"
              "  - {at: 1200s, for: 200s, fault: vm-hang, target: v-1}\n"
              "  - {at: 3000s, for: 100s, fault: storage-gone, target: nfs}\n"
              "  - {at: 3600s, for: 1000s, fault: storage-slow, target: nfs}\n"
              "  - {at: 5000s, for: 60s, fault: libvirt-gone, target: h-0}\n");
    struct world *w = run(s, NULL);
    const struct world_totals *t = world_totals(w);
    for (int i = FAULT_VM_CRASH; i < FAULT_MAX; i++)
        assert_int_equal(t->faults[i], i != FAULT_HOST_FAILURE && i != FAULT_MAINTENANCE);
    assert_true(near(t->down_s, 300 + 200 + 2 * 100));
    assert_true(near(t->wanted - t->given, 2 * 0.5 * 2600 * 1000 * 0.7));
    world_free(w);
    scenario_free(s);
}

static void maintenance_moves_everybody_away(void **state)
{
    struct scenario *s = parse("duration: 2h\nhosts: [{name: h, count: 3}]\n"
                               "vms: [{name: v, count: 4, noise: 0}]\n"
                               "events: [{at: 1h, for: 1h, fault: maintenance, target: h-0}]\n");
    struct world *w = run(s, "vherd");
    size_t n;
    const struct world_sample *sample = world_timeline(w, &n);
    assert_int_equal(n, 25);
    assert_int_equal(world_totals(w)->migrations, 4);
    assert_int_equal(sample[11].hosts, 1);
    assert_int_equal(sample[n - 2].hosts, 1);
    assert_true(world_totals(w)->pause_s > 0);
    world_free(w);
    scenario_free(s);
}

static void unknown_names(void **state)
{
    struct world *w = NULL;
    struct err err = {0};
    struct scenario *s = parse("hosts: [{name: h}]\n"
                               "events: [{at: 1h, fault: host-failure, target: h-1}]\n");
    assert_int_equal(world_new(s, NULL, &w, &err), -22);
    assert_int_equal(err.line, 2);
    assert_non_null(strstr(err.message, "h-1"));
    assert_int_equal(world_new(s, "fancy", &w, &err), -22);
    assert_null(w);
    scenario_free(s);
}

static const char churn[] =
    "duration: 1d\nstep: 300s\nstorage: [{name: nfs, mtbf: 4h, mttr: 5m, slow_mtbf: 3h}]\n"
    "hosts: [{name: h, count: 12, mtbf: 8h, mttr: 10m, libvirt_mtbf: 5h, overcommit: 1.3}]\n"
    "vms:\n  - {name: a, count: 60, storage: nfs, vcpus: 4, workload: bursty, crash_mtbf: 10h}\n"
    "  - {name: b, count: 100, vcpus: 2, workload: daily, every: 10m, lifetime: 5h}\n"
    "  - {name: c, count: 20, memory: 16G, workload: heavy, hang_mtbf: 5h, dirty_rate: 200M}\n";

static void same_seed_same_bytes(void **state)
{
    static const char *const policies[] = {"vherd", "lr-rs", "none"};
    for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
        struct scenario *s = parse(churn);
        struct world *a = run(s, policies[i]), *b = run(s, policies[i]);
        size_t n, m;
        const struct world_sample *x = world_timeline(a, &n), *y = world_timeline(b, &m);
        assert_int_equal(n, m);
        assert_memory_equal(x, y, n * sizeof(*x));
        assert_memory_equal(world_totals(a), world_totals(b), sizeof(struct world_totals));
        s->seed++;
        struct world *c = run(s, policies[i]);
        assert_memory_not_equal(world_totals(a), world_totals(c), sizeof(struct world_totals));
        world_free(a);
        world_free(b);
        world_free(c);
        scenario_free(s);
    }
}

// In steps or at once; and faults do not depend on the policy.
static void time_may_pass_in_pieces(void **state)
{
    struct scenario *s = parse(churn);
    struct world *whole = run(s, "vherd"), *other = run(s, "none"), *pieces = NULL;
    struct err err = {0};
    assert_int_equal(world_new(s, "vherd", &pieces, &err), 0);
    for (double t = 7; t < s->duration_s; t += 1234.5)
        assert_int_equal(world_run(pieces, t), 0);
    assert_int_equal(world_run(pieces, s->duration_s), 0);
    const struct world_totals *a = world_totals(whole), *b = world_totals(pieces);
    assert_int_equal(a->migrations, b->migrations);
    assert_true(near(a->energy_kwh, b->energy_kwh) && near(a->given, b->given));
    assert_true(a->migrations > 0);
    assert_int_equal(a->returns, 0);
    assert_int_equal(a->memory_violations, 0);
    for (int i = FAULT_HOST_FAILURE; i < FAULT_MAX; i++)
        assert_int_equal(a->faults[i], world_totals(other)->faults[i]);
    world_free(whole);
    world_free(pieces);
    world_free(other);
    scenario_free(s);
}

// One host, which the first VM fills; then come a long one, a small one of some importance, and a
// short one. The number of the one that is started next.
static uint32_t next_started(const char *queue)
{
    CLEANUP(freep)
    char *text = mem_printf("duration: 400d\nstep: 60s\npolicy: none\n%s\n"
                            "hosts: [{name: h, memory: 8G}]\nvms:\n"
                            "  - {name: first, memory: 8G, lifetime: 20h}\n"
                            "  - {name: long, memory: 8G, arrive: 5m, lifetime: 50h}\n"
                            "  - {name: high, memory: 7G, arrive: 15m, lifetime: 9h, priority: 5}\n"
                            "  - {name: short, memory: 8G, arrive: 16m, lifetime: 1h}\n",
                            queue);
    struct scenario *s = parse(text);
    struct world *w = NULL;
    struct err err = {0};
    uint32_t found = 0;
    assert_int_equal(world_new(s, NULL, &w, &err), 0);
    for (double t = 0; found == 0 && t < s->duration_s; t += s->step_s) {
        assert_int_equal(world_run(w, t), 0);
        for (uint32_t i = 1; i < w->guests; i++)
            if (w->guest[i].state == GUEST_RUNNING)
                found = i;
    }
    const struct world_totals *totals = world_totals(w);
    assert_int_equal(totals->waits, 3);
    assert_true(totals->wait_max_s == totals->wait_s && totals->wait_s > 0);
    world_free(w);
    scenario_free(s);
    return found;
}

static void who_waits_for_a_host(void **state)
{
    assert_int_equal(next_started(""), 1);
    assert_int_equal(next_started("queue: fcfs"), 1);
    assert_int_equal(next_started("queue: sjf"), 3);
    assert_int_equal(next_started("queue: priority"), 2);
    assert_int_equal(next_started("queue: ageing"), 2);
    // 5 minutes of waiting make up for a priority of 5: who came 10 minutes before is first.
    assert_int_equal(next_started("queue: ageing\nageing: 1m"), 1);
}

// Who is first holds back the small one, which would find room; under `any` it does not.
static void the_first_holds_back_others(void **state)
{
    static const struct {
        const char *queue;
        enum guest_state small;
    } cases[] = {{"", GUEST_RUNNING}, {"queue: fcfs", GUEST_WAITING}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(freep)
        char *whole = mem_printf("duration: 1h\nstep: 60s\npolicy: none\n%s\n"
                                 "hosts: [{name: h, memory: 8G}]\nvms:\n"
                                 "  - {name: first, memory: 6G}\n"
                                 "  - {name: large, memory: 8G, arrive: 5m}\n"
                                 "  - {name: small, memory: 1G, arrive: 10m}\n",
                                 cases[i].queue);
        struct scenario *s = parse(whole);
        struct world *w = run(s, NULL);
        assert_int_equal(w->guest[1].state, GUEST_WAITING);
        assert_int_equal(w->guest[2].state, cases[i].small);
        world_free(w);
        scenario_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_functions),
        cmocka_unit_test(copying_memory),
        cmocka_unit_test(steal_and_energy),
        cmocka_unit_test(memory_is_ballooned_then_swapped),
        cmocka_unit_test(what_does_not_fit_waits),
        cmocka_unit_test(a_host_fails),
        cmocka_unit_test(vms_and_storage_fail),
        cmocka_unit_test(maintenance_moves_everybody_away),
        cmocka_unit_test(unknown_names),
        cmocka_unit_test(same_seed_same_bytes),
        cmocka_unit_test(time_may_pass_in_pieces),
        cmocka_unit_test(who_waits_for_a_host),
        cmocka_unit_test(the_first_holds_back_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
