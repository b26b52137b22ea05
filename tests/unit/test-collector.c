// SPDX-License-Identifier: GPL-3.0-or-later
// The whole collector on the in-memory hypervisor, under a clock of our own. Workers are real
// threads: settle() waits until they have nothing more to say.
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/mem.h"
#include "collect/collector.h"
#include "near.h"
#include "virt/manage.h"
#include "virt/memory.h"

struct stage {
    struct clock_fake clock;
    struct conf *conf;
    struct herd *herd;
    struct collector *collector;
    struct host *host;
    pthread_mutex_t lock;
    pthread_cond_t woken;
    unsigned wakes;
    unsigned asks;
    uint32_t last_ask;
    char last_verb[32];
};

static void on_wake(void *arg)
{
    struct stage *s = arg;
    pthread_mutex_lock(&s->lock);
    s->wakes++;
    pthread_cond_signal(&s->woken);
    pthread_mutex_unlock(&s->lock);
}

static int on_ask(uint32_t id, const char *verb, const char *json, void *arg)
{
    struct stage *s = arg;
    s->asks++;
    s->last_ask = id;
    snprintf(s->last_verb, sizeof(s->last_verb), "%s", verb);
    return 0;
}

// True where somebody woke us within the time.
static bool wait_for_wake(struct stage *s, int ms)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += (long)ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&s->lock);
    while (s->wakes == 0)
        if (pthread_cond_timedwait(&s->woken, &s->lock, &until) != 0)
            break;
    bool is_woken = s->wakes > 0;
    s->wakes = 0;
    pthread_mutex_unlock(&s->lock);
    return is_woken;
}

static void settle(struct stage *s)
{
    do
        collector_step(s->collector);
    while (wait_for_wake(s, 30));
}

// One second of life: a sample, and everything that follows from it.
static void second(struct stage *s)
{
    struct host_sink sink = collector_sink(s->collector);
    clock_fake_advance(&s->clock, NS_PER_S);
    host_memory.scan(s->host, &sink);
    host_memory.sample(s->host, s->clock.mono, &sink);
    settle(s);
}

static void seconds(struct stage *s, int n)
{
    while (n-- > 0)
        second(s);
}

static struct stage *stage_new(const char *uri)
{
    struct stage *s = mem_zalloc(sizeof(*s));
    clock_fake_init(&s->clock, 1000 * NS_PER_S, INT64_C(1700000000) * NS_PER_S);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->woken, NULL);
    memory_reset(&s->clock.clock);
    s->conf = conf_new();
    s->herd = herd_new();
    struct collector_params params = {
        .conf = s->conf,
        .uri = uri,
        .virt = &virt_memory,
        .host = &host_memory,
        .clock = &s->clock.clock,
        .herd = s->herd,
        .wake = on_wake,
        .ask = on_ask,
        .arg = s,
        .no_sampler = true,
    };
    struct err err;
    assert_int_equal(collector_new(&params, &s->collector, &err), 0);
    struct host_params host = {"/", &s->clock.clock, true};
    assert_int_equal(host_memory.open(&host, &s->host, &err), 0);
    settle(s);
    return s;
}

static void stage_free(struct stage *s)
{
    collector_free(s->collector);
    host_memory.close(s->host);
    herd_free(s->herd);
    conf_free(s->conf);
    memory_reset(&clock_system);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->woken);
    free(s);
}

static double fact(const struct stage *s, const struct object *o, enum fact f)
{
    return herd_fact(s->herd, o, f, s->clock.mono);
}

static void test_a_herd_is_seen_whole(void **state)
{
    struct stage *s = stage_new("memory:///?vms=3&vcpus=2&disks=1&nics=1");
    seconds(s, 3);
    assert_true(collector_libvirt(s->collector).up);
    assert_string_equal(collector_libvirt(s->collector).status, "connected");
    assert_int_equal(s->herd->n_vms, 3);
    assert_true(fact(s, s->herd->host, FACT_HOST_DOMAINS) == 3);
    for (size_t i = 0; i < 3; i++) {
        const struct object *vm = &s->herd->vms[i]->obj;
        assert_string_equal(object_attr(vm, ATTR_VM_STATE), "running");
        assert_true(fact(s, vm, FACT_VM_RSS) > 0);
        double use = fact(s, vm, FACT_VM_CPU_UTILISATION);
        assert_true(use >= 0 && use <= 1);
        assert_non_null(object_find(vm, KIND_VCPU, "1"));
        const struct object *disk = vm->children[KIND_DISK];
        assert_non_null(disk);
        assert_false(isnan(fact(s, disk, FACT_DISK_READ_BYTES)));
        const struct object *nic = vm->children[KIND_NIC];
        assert_non_null(nic);
        assert_false(isnan(fact(s, nic, FACT_NIC_RX_BYTES)));
    }
    // Taps belong to the VMs, not to the host.
    OBJECT_FOREACH_CHILD (nic, s->herd->host, KIND_HNIC)
        assert_null(strstr(object_attr(nic, ATTR_HNIC_NAME), "vnet"));
    stage_free(s);
}

static void test_new_vm_is_seen_without_a_listing(void **state)
{
    struct stage *s = stage_new("memory:///?vms=1");
    seconds(s, 2);
    struct uuid uuid;
    assert_int_equal(memory_define("späßig <script>\n\"'--option", &uuid), 0);
    settle(s);
    struct vm *vm = herd_vm(s->herd, &uuid);
    assert_non_null(vm);
    assert_string_equal(object_attr(&vm->obj, ATTR_VM_NAME), "späßig <script>\n\"'--option");
    assert_string_equal(object_attr(&vm->obj, ATTR_VM_STATE), "shut off");
    assert_int_equal(memory_start(&uuid), 0);
    second(s);
    assert_string_equal(object_attr(&vm->obj, ATTR_VM_STATE), "running");
    assert_true(fact(s, &vm->obj, FACT_VM_RSS) > 0);
    assert_false(isnan(fact(s, &vm->obj, FACT_VM_TIMED_OUT)));
    assert_int_equal(memory_stop(&uuid, 5, 1), 0);
    settle(s);
    assert_true(isnan(fact(s, &vm->obj, FACT_VM_TIMED_OUT)));
    second(s);
    assert_string_equal(object_attr(&vm->obj, ATTR_VM_STATE), "shut off");
    assert_true(isnan(fact(s, &vm->obj, FACT_VM_RSS)));
    assert_true(isnan(fact(s, &vm->obj, FACT_VM_CPU_RATIO)));
    assert_null(vm->obj.children[KIND_VCPU]);
    assert_int_equal(memory_undefine(&uuid), 0);
    seconds(s, 1);
    assert_null(herd_vm(s->herd, &uuid));
    stage_free(s);
}

static void test_rename_and_hot_plug(void **state)
{
    struct stage *s = stage_new("memory:///?vms=1&disks=1&nics=1");
    seconds(s, 2);
    struct vm *vm = s->herd->vms[0];
    assert_int_equal(memory_plug_disk(&vm->uuid, "vdx", true), 0);
    assert_int_equal(memory_plug_nic(&vm->uuid, "vnet777", true), 0);
    seconds(s, 2);
    assert_non_null(object_find(&vm->obj, KIND_DISK, "vdx"));
    const struct object *nic = object_find(&vm->obj, KIND_NIC, "vnet777");
    assert_non_null(nic);
    assert_false(isnan(fact(s, nic, FACT_NIC_TX_BYTES)));
    assert_int_equal(memory_plug_disk(&vm->uuid, "vdx", false), 0);
    assert_int_equal(memory_plug_nic(&vm->uuid, "vnet777", false), 0);
    seconds(s, 2);
    assert_null(object_find(&vm->obj, KIND_DISK, "vdx"));
    assert_null(object_find(&vm->obj, KIND_NIC, "vnet777"));
    struct uuid uuid = vm->uuid;
    memory_rename(&uuid, "other");
    seconds(s, 1);
    assert_string_equal(object_attr(&herd_vm(s->herd, &uuid)->obj, ATTR_VM_NAME), "other");
    stage_free(s);
}

static void emit_with_one_more(struct batch *b, void *arg)
{
    struct host_sink sink = collector_sink(arg);
    if (b->lane == LANE_KERNEL && b->pid)
        batch_fact(b, batch_key(b, "7"), FACT_VCPU_RUN, 1);
    sink.emit(b, sink.arg);
}

// libvirt sends no event for it.
static void test_a_plugged_vcpu(void **state)
{
    struct stage *s = stage_new("memory:///?vms=1&vcpus=2");
    seconds(s, 3);
    struct vm *vm = s->herd->vms[0];
    object_set_fact(&vm->obj, FACT_VM_VCPUS, 1, s->clock.mono); // as before
    seconds(s, 3);
    assert_true(fact(s, &vm->obj, FACT_VM_VCPUS) == 1);
    struct host_sink sink = collector_sink(s->collector);
    sink.emit = emit_with_one_more;
    sink.arg = s->collector;
    clock_fake_advance(&s->clock, NS_PER_S);
    host_memory.sample(s->host, s->clock.mono, &sink);
    settle(s);
    assert_true(fact(s, &vm->obj, FACT_VM_VCPUS) == 2);
    stage_free(s);
}

static void test_a_nic_without_counters(void **state)
{
    struct stage *s = stage_new("memory:///?vms=1&nics=1");
    seconds(s, 3);
    struct vm *vm = s->herd->vms[0];
    assert_null(object_find(&vm->obj, KIND_MISS, "nics"));
    // As one of type "user", which has no device on the host.
    struct object *nic = object_child(&vm->obj, KIND_NIC, "52:54:00:00:00:99");
    seconds(s, 1);
    const struct object *miss = object_find(&vm->obj, KIND_MISS, "nics");
    assert_non_null(miss);
    assert_string_equal(object_attr(miss, ATTR_MISS_REASON),
                        "the kernel shows no counters of a NIC's host device");
    object_remove(nic);
    seconds(s, 1);
    assert_null(object_find(&vm->obj, KIND_MISS, "nics"));
    stage_free(s);
}

static void test_stopped_process_is_flagged_and_not_called(void **state)
{
    struct stage *s = stage_new("memory:///?vms=6");
    seconds(s, 5);
    for (size_t i = 0; i < 3; i++)
        memory_fault(&s->herd->vms[i]->uuid, MEMORY_FAULT_STOPPED);
    seconds(s, 2);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(object_attr(&s->herd->vms[i]->obj, ATTR_VM_FLAG), "stopped");
        assert_true(fact(s, &s->herd->vms[i]->obj, FACT_VM_STALLED) == 1);
        assert_true(fact(s, &s->herd->vms[i]->obj, FACT_VM_TIMED_OUT) == 1);
    }
    seconds(s, 30);
    assert_int_equal(memory_stuck_calls(), 0);
    for (size_t i = 0; i < 6; i++) {
        const struct object *vm = &s->herd->vms[i]->obj;
        assert_false(isnan(fact(s, vm, FACT_VM_RSS)));
        if (i < 3) {
            assert_true(fact(s, vm, FACT_VM_LIBVIRT_AGE) > 25e9);
            assert_true(isnan(fact(s, vm, FACT_VM_READ_RATE)));
            assert_true(isnan(fact(s, vm, FACT_VM_GUEST_USABLE)));
            const struct object *miss = object_find(vm, KIND_MISS, "libvirt_statistics");
            assert_non_null(miss);
            assert_string_equal(object_attr(miss, ATTR_MISS_REASON), "its process is stopped");
        } else

            assert_true(fact(s, vm, FACT_VM_LIBVIRT_AGE) <= 12e9);
    }
    for (size_t i = 0; i < 3; i++)
        memory_fault(&s->herd->vms[i]->uuid, MEMORY_FAULT_NONE);
    seconds(s, 4);
    for (size_t i = 0; i < 3; i++) {
        assert_null(object_attr(&s->herd->vms[i]->obj, ATTR_VM_FLAG));
        assert_true(fact(s, &s->herd->vms[i]->obj, FACT_VM_LIBVIRT_AGE) <= 5e9);
        assert_null(object_find(&s->herd->vms[i]->obj, KIND_MISS, "libvirt_statistics"));
    }
    stage_free(s);
}

// As where /proc hides the processes of others.
static void test_a_process_out_of_sight_is_told(void **state)
{
    struct stage *s = stage_new("memory:///?vms=2");
    for (int i = 0; i < 25; i++) {
        clock_fake_advance(&s->clock, NS_PER_S);
        settle(s);
    }
    for (size_t i = 0; i < 2; i++)
        assert_non_null(object_find(&s->herd->vms[i]->obj, KIND_MISS, "process"));
    seconds(s, 12);
    for (size_t i = 0; i < 2; i++)
        assert_null(object_find(&s->herd->vms[i]->obj, KIND_MISS, "process"));
    stage_free(s);
}

// Processes that look well but whose calls hang: found out, quarantined, the others unharmed.
static void test_hung_monitors_do_not_hold_up_others(void **state)
{
    struct stage *s = stage_new("memory:///?vms=20");
    seconds(s, 12);
    for (size_t i = 0; i < 5; i++)
        memory_fault(&s->herd->vms[i]->uuid, MEMORY_FAULT_HUNG);
    seconds(s, 40);
    size_t flagged = 0;
    for (size_t i = 0; i < 20; i++) {
        const struct object *vm = &s->herd->vms[i]->obj;
        const char *flag = object_attr(vm, ATTR_VM_FLAG);
        flagged += flag != NULL;
        if (i >= 5) {
            assert_null(flag);
            assert_true(fact(s, vm, FACT_VM_LIBVIRT_AGE) <= 12e9);
        } else {
            assert_string_equal(flag, "quarantined");
        }
        assert_false(isnan(fact(s, vm, FACT_VM_RSS)));
    }
    assert_int_equal(flagged, 5);
    assert_in_range(memory_stuck_calls(), 5, 7); // each by itself, and what they shared with others
    for (size_t i = 0; i < 5; i++)
        memory_fault(&s->herd->vms[i]->uuid, MEMORY_FAULT_NONE);
    seconds(s, 10);
    for (size_t i = 0; i < 20; i++)
        assert_null(object_attr(&s->herd->vms[i]->obj, ATTR_VM_FLAG));
    stage_free(s);
}

// A second in pieces, since further calls start beside one that hangs only after a while.
static void second_in_pieces(struct stage *s)
{
    for (int i = 0; i < 4; i++) {
        clock_fake_advance(&s->clock, NS_PER_S / 5);
        settle(s);
    }
    struct host_sink sink = collector_sink(s->collector);
    clock_fake_advance(&s->clock, NS_PER_S / 5);
    host_memory.sample(s->host, s->clock.mono, &sink);
    settle(s);
}

// The same where VMs have long been asked together, five of them falling ill at once.
static void test_hung_monitors_in_shared_calls(void **state)
{
    struct stage *s = stage_new("memory:///?vms=20");
    seconds(s, 45);
    for (size_t i = 0; i < 20; i += 4)
        memory_fault(&s->herd->vms[i]->uuid, MEMORY_FAULT_HUNG);
    for (int t = 0; t < 20; t++) {
        second_in_pieces(s);
        for (size_t i = 0; i < 20; i++) {
            const struct object *vm = &s->herd->vms[i]->obj;
            // Due after ten seconds; then one for the shared call, three for the first that hang,
            // and a piece of a second for each beside them.
            assert_true(i % 4 == 0 || fact(s, vm, FACT_VM_LIBVIRT_AGE) <= 17e9);
            assert_true(i % 4 == 0 || !object_attr(vm, ATTR_VM_FLAG));
        }
    }
    for (size_t i = 0; i < 20; i += 4)
        assert_string_equal(object_attr(&s->herd->vms[i]->obj, ATTR_VM_FLAG), "quarantined");
    // Each by itself, and the shared calls that were given up.
    assert_in_range(memory_stuck_calls(), 5, 10);
    for (size_t i = 0; i < 20; i += 4)
        memory_fault(&s->herd->vms[i]->uuid, MEMORY_FAULT_NONE);
    seconds(s, 20);
    for (size_t i = 0; i < 20; i++) {
        assert_null(object_attr(&s->herd->vms[i]->obj, ATTR_VM_FLAG));
        assert_true(fact(s, &s->herd->vms[i]->obj, FACT_VM_LIBVIRT_AGE) <= 12e9);
    }
    stage_free(s);
}

// Of a guest that idles memory is read once a minute, of one that works at each round.
static void test_memory_of_idle_guests_is_read_seldom(void **state)
{
    struct stage *s = stage_new("memory:///?vms=20");
    seconds(s, 90);
    size_t often = 0, seldom = 0;
    for (size_t i = 0; i < 20; i++) {
        const struct object *vm = &s->herd->vms[i]->obj;
        assert_true(s->clock.mono - vm->updated_ns[LANE_LIBVIRT] <= 12 * NS_PER_S);
        assert_true(s->clock.mono - vm->updated_ns[LANE_MEMORY] <= 72 * NS_PER_S);
        assert_false(isnan(fact(s, vm, FACT_VM_GUEST_USABLE)));
        bool is_often = s->clock.mono - vm->updated_ns[LANE_MEMORY] <= 12 * NS_PER_S;
        often += is_often;
        seldom += !is_often;
    }
    assert_true(often > 0 && often + seldom == 20);
    stage_free(s);
}

// A few VMs that are asked by one call come to be asked everything by the same one, no more often.
static void test_whole_turns_are_taken_together(void **state)
{
    enum { VMS = 4, SETTLED_S = 240, WATCHED_S = 600 };
    struct stage *s = stage_new("memory:///?vms=4");
    int64_t last[VMS] = {0};
    int turns[VMS] = {0};
    seconds(s, SETTLED_S);
    for (int t = 0; t < WATCHED_S; t++) {
        second(s);
        for (size_t i = 0; i < VMS; i++) {
            const struct object *vm = &s->herd->vms[i]->obj;
            turns[i] += vm->updated_ns[LANE_JOB] != last[i];
            last[i] = vm->updated_ns[LANE_JOB];
            assert_true(s->clock.mono - last[i] <= 65 * NS_PER_S);
        }
    }
    size_t pairs = 0;
    for (size_t i = 0; i < VMS; i++) {
        assert_in_range(turns[i], WATCHED_S / 60, WATCHED_S / 60 + 1);
        for (size_t k = 0; k < i; k++) {
            const struct object *one = &s->herd->vms[i]->obj, *other = &s->herd->vms[k]->obj;
            if (one->updated_ns[LANE_LIBVIRT] / NS_PER_S !=
                other->updated_ns[LANE_LIBVIRT] / NS_PER_S)
                continue;
            pairs++;
            assert_int_equal(last[i] / NS_PER_S, last[k] / NS_PER_S);
        }
    }
    assert_true(pairs > 0);
    stage_free(s);
}

// How often details are read is settled at the start: a reload must not make them age otherwise.
static void test_details_age_as_they_are_read(void **state)
{
    struct stage *s = stage_new("memory:///?vms=1");
    int64_t age_ns = s->herd->max_age_ns[LANE_TURN];
    s->conf->kernel.detail_interval_ns = NS_PER_S;
    collector_reload(s->collector, s->conf);
    assert_int_equal(s->herd->max_age_ns[LANE_TURN], age_ns);
    stage_free(s);
}

static double disk_fact(const struct stage *s, const struct vm *vm, enum fact f)
{
    return fact(s, vm->obj.children[KIND_DISK], f);
}

// Of a VM whose process has moved nothing the disks are not asked for, and stay known.
static void test_disks_that_rest_are_read_seldom(void **state)
{
    struct stage *s = stage_new("memory:///?vms=4&disks=1");
    seconds(s, 90);
    const struct vm *vm = s->herd->vms[0], *other = s->herd->vms[1];
    uint64_t before = memory_disk_readings(&other->uuid);
    assert_int_equal(memory_disks_rest(&vm->uuid, true), 0);
    seconds(s, 40);
    uint64_t rested = memory_disk_readings(&vm->uuid);
    seconds(s, 120);
    assert_in_range(memory_disk_readings(&vm->uuid) - rested, 2, 3);
    assert_in_range(memory_disk_readings(&other->uuid) - before, 15, 18);
    assert_true(fact(s, &vm->obj, FACT_VM_LIBVIRT_AGE) <= 12e9);
    assert_false(isnan(disk_fact(s, vm, FACT_DISK_READ_BYTES)));
    assert_true(disk_fact(s, vm, FACT_DISK_WRITE_RATE) == 0);
    const struct object *lane = object_find(s->herd->host, KIND_LANE, "disks");
    assert_in_range((int)fact(s, lane, FACT_LANE_SPARED), 9, 16);
    // One that goes on shows it with the next call.
    assert_int_equal(memory_disks_rest(&vm->uuid, false), 0);
    seconds(s, 12);
    assert_true(disk_fact(s, vm, FACT_DISK_WRITE_RATE) > 0);
    stage_free(s);
}

// An event may have changed what no process shows; then everything is read.
static void test_disks_are_read_after_an_event(void **state)
{
    struct stage *s = stage_new("memory:///?vms=1&disks=1");
    struct vm *vm = s->herd->vms[0];
    assert_int_equal(memory_disks_rest(&vm->uuid, true), 0);
    seconds(s, 130);
    while (fact(s, &vm->obj, FACT_VM_LIBVIRT_AGE) > 1e9)
        second(s);
    uint64_t readings = memory_disk_readings(&vm->uuid);
    assert_int_equal(memory_plug_disk(&vm->uuid, "vdx", true), 0);
    seconds(s, 12);
    assert_true(memory_disk_readings(&vm->uuid) > readings);
    assert_false(isnan(fact(s, object_find(&vm->obj, KIND_DISK, "vdx"), FACT_DISK_READS)));
    stage_free(s);
}

static void test_disks_that_nothing_is_told_of_are_counted(void **state)
{
    struct stage *s = stage_new("memory:///?vms=2&disks=1");
    const struct object *vm = &s->herd->vms[0]->obj, *other = &s->herd->vms[1]->obj;
    const struct uuid uuid = s->herd->vms[0]->uuid;
    seconds(s, 30);
    assert_null(object_find(vm, KIND_MISS, "disks"));
    // A new one, whose figures have never been told.
    assert_int_equal(memory_disks_untold(&uuid, true), 0);
    assert_int_equal(memory_plug_disk(&uuid, "vdx", true), 0);
    seconds(s, 70);
    const struct object *miss = object_find(vm, KIND_MISS, "disks");
    assert_non_null(miss);
    assert_string_equal(object_attr(miss, ATTR_MISS_REASON), "libvirt tells no statistics of vdx");
    assert_null(object_find(other, KIND_MISS, "disks"));
    assert_int_equal(memory_disks_untold(&uuid, false), 0);
    seconds(s, 70);
    assert_null(object_find(vm, KIND_MISS, "disks"));
    stage_free(s);
}

// A second in which the host's pressure is read where `sum_ns` is not negative, and is absent else.
static void second_of_pressure(struct stage *s, double sum_ns)
{
    struct host_sink sink = collector_sink(s->collector);
    clock_fake_advance(&s->clock, NS_PER_S);
    struct batch *b = sink.batch(sink.arg);
    b->lane = LANE_HOST;
    b->host = true;
    b->mono_ns = s->clock.mono;
    batch_fact(b, 0, FACT_HOST_LOAD1, 1);
    batch_fact(b, 0, FACT_HOST_PSI_IO_SOME, sum_ns >= 0 ? sum_ns : NAN);
    sink.emit(b, sink.arg);
    settle(s);
}

// As libvirtd does where a pool's storage is gone: it answers for the other pools, the networks and
// the VMs.
static void test_a_pool_that_hangs(void **state)
{
    struct stage *s = stage_new("memory:///?vms=3");
    const struct object *host = s->herd->host;
    memory_spare_pool(false);
    seconds(s, 40);
    const struct object *spare = object_find(host, KIND_POOL, "spare");
    const struct object *other = object_find(host, KIND_POOL, "default");
    const struct object *network = object_find(host, KIND_NETWORK, "default");
    assert_true(fact(s, spare, FACT_POOL_TIMED_OUT) == 0);
    memory_spare_pool(true);
    seconds(s, 120);
    assert_int_equal(memory_stuck_calls(), 2); // about it, and about the list
    assert_true(fact(s, spare, FACT_POOL_TIMED_OUT) == 1);
    assert_true(isnan(fact(s, spare, FACT_POOL_CAPACITY)));
    assert_true(fact(s, other, FACT_POOL_TIMED_OUT) == 0);
    assert_false(isnan(fact(s, other, FACT_POOL_CAPACITY)));
    assert_true(fact(s, network, FACT_NETWORK_ACTIVE) == 1);
    const struct object *miss = object_find(host, KIND_HMISS, "storage_pools");
    assert_string_equal(object_attr(miss, ATTR_HMISS_REASON),
                        "libvirt does not answer for the storage pool spare");
    assert_null(object_find(host, KIND_HMISS, "networks"));
    for (size_t i = 0; i < 3; i++)
        assert_true(fact(s, &s->herd->vms[i]->obj, FACT_VM_LIBVIRT_AGE) <= 12e9);
    memory_spare_pool(false);
    seconds(s, 40);
    assert_true(fact(s, spare, FACT_POOL_TIMED_OUT) == 0);
    assert_false(isnan(fact(s, spare, FACT_POOL_CAPACITY)));
    assert_null(object_find(host, KIND_HMISS, "storage_pools"));
    stage_free(s);
}

// The pool is not known yet, so that no call is about it.
static void test_a_list_of_pools_that_hangs(void **state)
{
    struct stage *s = stage_new("memory:///?vms=1");
    const struct object *host = s->herd->host;
    memory_spare_pool(true);
    seconds(s, 60);
    assert_int_equal(memory_stuck_calls(), 1);
    const struct object *miss = object_find(host, KIND_HMISS, "storage_pools");
    assert_string_equal(object_attr(miss, ATTR_HMISS_REASON),
                        "libvirt does not list its storage pools");
    assert_false(isnan(fact(s, object_find(host, KIND_POOL, "default"), FACT_POOL_CAPACITY)));
    memory_spare_pool(false);
    seconds(s, 40);
    assert_null(object_find(host, KIND_HMISS, "storage_pools"));
    assert_false(isnan(fact(s, object_find(host, KIND_POOL, "spare"), FACT_POOL_CAPACITY)));
    stage_free(s);
}

static void test_pressure_of_each_second(void **state)
{
    struct stage *s = stage_new("memory:///?vms=1");
    const struct object *host = s->herd->host;
    second_of_pressure(s, 1e9);
    assert_true(isnan(fact(s, host, FACT_HOST_PSI_IO_RATIO)));
    second_of_pressure(s, 1.2e9);
    assert_near(fact(s, host, FACT_HOST_PSI_IO_RATIO), 0.2, 1e-9);
    assert_true(isnan(fact(s, host, FACT_HOST_PSI_CPU_RATIO)));
    second_of_pressure(s, 1.2e9);
    assert_true(fact(s, host, FACT_HOST_PSI_IO_RATIO) == 0);
    second_of_pressure(s, 1e9); // it fell: nothing is known
    assert_true(isnan(fact(s, host, FACT_HOST_PSI_IO_RATIO)));
    second_of_pressure(s, -1);
    second_of_pressure(s, 1.1e9); // nor is it after a second in which it could not be read
    assert_true(isnan(fact(s, host, FACT_HOST_PSI_IO_RATIO)));
    stage_free(s);
}

static void test_call_comes_back_at_the_end(void **state)
{
    struct stage *s = stage_new("memory:///?vms=3");
    assert_int_equal(memory_fault(&s->herd->vms[1]->uuid, MEMORY_FAULT_HUNG), 0);
    for (int i = 0; i < 20 && memory_stuck_calls() == 0; i++)
        second(s);
    assert_int_equal(memory_stuck_calls(), 1);
    // The answer lies in the inbox when the collector ends, and with it the last hold on the
    // connection.
    memory_fault(&s->herd->vms[1]->uuid, MEMORY_FAULT_NONE);
    assert_true(wait_for_wake(s, 5000));
    stage_free(s);
}

static void test_many_stopped_processes(void **state)
{
    struct stage *s = stage_new("memory:///?vms=200");
    seconds(s, 3);
    for (size_t i = 0; i < 150; i++)
        memory_fault(&s->herd->vms[i]->uuid, MEMORY_FAULT_STOPPED);
    seconds(s, 30);
    for (size_t i = 150; i < 200; i++)
        assert_true(fact(s, &s->herd->vms[i]->obj, FACT_VM_LIBVIRT_AGE) <= 12e9);
    assert_int_equal(memory_stuck_calls(), 0);
    stage_free(s);
}

static void test_libvirt_goes_and_comes_back(void **state)
{
    struct stage *s = stage_new("memory:///?vms=4");
    seconds(s, 3);
    memory_libvirt_down(ECONNREFUSED);
    seconds(s, 3);
    assert_string_equal(collector_libvirt(s->collector).status, "not running");
    assert_false(collector_libvirt(s->collector).up);
    assert_int_equal(s->herd->n_vms, 4);
    for (size_t i = 0; i < 4; i++) {
        const struct object *vm = &s->herd->vms[i]->obj;
        assert_false(isnan(fact(s, vm, FACT_VM_RSS)));
        assert_true(isnan(fact(s, vm, FACT_VM_STATE)));
        assert_null(object_attr(vm, ATTR_VM_FLAG));
    }
    memory_libvirt_up();
    seconds(s, 5);
    assert_true(collector_libvirt(s->collector).up);
    for (size_t i = 0; i < 4; i++) {
        assert_true(fact(s, &s->herd->vms[i]->obj, FACT_VM_STATE) == 1);
        assert_true(fact(s, &s->herd->vms[i]->obj, FACT_VM_LIBVIRT_AGE) <= 5e9);
    }
    stage_free(s);
}

static void test_status_words(void **state)
{
    static const struct {
        int error;
        const char *status;
    } cases[] = {{ENOENT, "not installed"},
                 {ECONNREFUSED, "not running"},
                 {EACCES, "permission denied"},
                 {EIO, "failed"}};
    struct stage *s = stage_new("memory:///?vms=1");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        memory_libvirt_down(cases[i].error);
        seconds(s, 6);
        assert_string_equal(collector_libvirt(s->collector).status, cases[i].status);
        assert_true(strlen(collector_libvirt(s->collector).message) > 0);
    }
    stage_free(s);
}

// VMs that vanish while libvirt is away are gone after the listing that follows.
static void test_what_happened_meanwhile(void **state)
{
    struct stage *s = stage_new("memory:///?vms=3");
    seconds(s, 2);
    struct uuid gone = s->herd->vms[1]->uuid, born;
    memory_libvirt_down(ECONNREFUSED);
    second(s);
    memory_stop(&gone, 5, 1);
    memory_undefine(&gone);
    memory_define("born", &born);
    memory_start(&born);
    memory_libvirt_up();
    seconds(s, 5);
    assert_null(herd_vm(s->herd, &gone));
    assert_non_null(herd_vm(s->herd, &born));
    assert_int_equal(s->herd->n_vms, 3);
    stage_free(s);
}

static void test_agent_answers_reach_the_vm(void **state)
{
    struct stage *s = stage_new("memory:///?vms=1");
    seconds(s, 3);
    const struct object *vm = &s->herd->vms[0]->obj;
    assert_true(s->asks > 0);
    assert_string_equal(s->last_verb, "agent_info");
    static const char first[] = "application/json\0{\"rows\":["
                                "{\"key\":\"/data\",\"fact\":\"FS_USED\",\"value\":5}]}";
    static const char info[] = "application/json\0{\"rows\":[{\"fact\":\"VM_USERS\",\"value\":2}]}";
    collector_answer(s->collector, s->last_ask, 200, first, sizeof(first) - 1);
    settle(s);
    assert_true(fact(s, object_find(vm, KIND_FS, "/data"), FACT_FS_USED) == 5);
    assert_string_equal(s->last_verb, "agent_ping");
    static const char late[] = "application/problem+json\0{}";
    collector_answer(s->collector, s->last_ask, 504, late, sizeof(late) - 1);
    assert_true(fact(s, vm, FACT_VM_AGENT_UP) == 0);
    assert_non_null(object_find(vm, KIND_MISS, "guest_agent"));
    // Minutes later all is asked for again: what the agent no longer names is unmounted.
    clock_fake_advance(&s->clock, 400 * NS_PER_S);
    seconds(s, 2);
    assert_string_equal(s->last_verb, "agent_info");
    collector_answer(s->collector, s->last_ask, 200, info, sizeof(info) - 1);
    assert_true(fact(s, vm, FACT_VM_USERS) == 2);
    assert_null(object_find(vm, KIND_FS, "/data"));
    collector_answer(s->collector, 4711, 200, info, sizeof(info) - 1); // nobody asked
    stage_free(s);
}

static void answer(struct stage *s, int status, const char *rows)
{
    CLEANUP(freep) char *text = mem_printf("application/json{\"rows\":[%s]}", rows);
    size_t type = strlen("application/json"), len = strlen(text);
    CLEANUP(freep) char *payload = mem_zalloc(len + 2); // a NUL behind the type
    memcpy(payload, text, type);
    memcpy(payload + type + 1, text + type, len - type);
    collector_answer(s->collector, s->last_ask, status, payload, len + 1);
    settle(s);
}

// What one question was not told is known until the same is asked again, and what no question is
// told any more is not shown as of now.
static void test_agent_that_tells_less(void **state)
{
    struct stage *s = stage_new("memory:///?vms=1");
    seconds(s, 3);
    const struct object *vm = &s->herd->vms[0]->obj;
    const struct uuid uuid = s->herd->vms[0]->uuid;
    answer(s, 200,
           "{\"fact\":\"VM_USERS\",\"value\":2},"
           "{\"key\":\"guest_filesystems\",\"fact\":\"MISS_ONE\",\"value\":1}");
    assert_string_equal(s->last_verb, "agent_ping");
    answer(s, 200,
           "{\"fact\":\"VM_AGENT_UP\",\"value\":1},"
           "{\"key\":\"guest_time\",\"fact\":\"MISS_ONE\",\"value\":1}");
    assert_non_null(object_find(vm, KIND_MISS, "guest_filesystems"));
    assert_non_null(object_find(vm, KIND_MISS, "guest_time"));
    assert_true(fact(s, vm, FACT_VM_USERS) == 2);
    assert_int_equal(collector_ask_vm(s->collector, &uuid, "dirty_rate", 1, NULL, NULL), 0);
    answer(s, 200, "{\"fact\":\"VM_DIRTY_RATE\",\"value\":77}");
    assert_non_null(object_find(vm, KIND_MISS, "guest_time"));
    // From now on it answers pings alone, with the time.
    for (int i = 0; i < 10; i++) {
        clock_fake_advance(&s->clock, 100 * NS_PER_S);
        seconds(s, 1);
        if (strcmp(s->last_verb, "agent_ping") == 0)
            answer(s, 200,
                   "{\"fact\":\"VM_AGENT_UP\",\"value\":1},"
                   "{\"fact\":\"VM_TIME_OFFSET\",\"value\":5}");
        else
            answer(s, 504, "");
    }
    assert_null(object_find(vm, KIND_MISS, "guest_time"));
    assert_true(isnan(fact(s, vm, FACT_VM_USERS)));
    assert_true(isnan(fact(s, vm, FACT_VM_DIRTY_RATE)));
    stage_free(s);
}

static void test_agent_that_leaves(void **state)
{
    struct stage *s = stage_new("memory:///?vms=1");
    seconds(s, 3);
    const struct object *vm = &s->herd->vms[0]->obj;
    const struct uuid uuid = s->herd->vms[0]->uuid;
    answer(s, 200, "{\"fact\":\"VM_USERS\",\"value\":2}");
    answer(s, 200,
           "{\"fact\":\"VM_AGENT_UP\",\"value\":1},"
           "{\"fact\":\"VM_TIME_OFFSET\",\"value\":5}");
    assert_true(fact(s, vm, FACT_VM_TIME_OFFSET) == 5);
    assert_int_equal(memory_channel(&uuid, false), 0);
    seconds(s, 1);
    assert_true(fact(s, vm, FACT_VM_AGENT_CONNECTED) == 0);
    assert_true(isnan(fact(s, vm, FACT_VM_AGENT_UP)));
    assert_true(isnan(fact(s, vm, FACT_VM_TIME_OFFSET)));
    assert_true(isnan(fact(s, vm, FACT_VM_USERS)));
    const struct object *miss = object_find(vm, KIND_MISS, "guest_agent");
    assert_non_null(miss);
    assert_string_equal(object_attr(miss, ATTR_MISS_REASON), "the agent is not connected");
    unsigned asks = s->asks;
    assert_int_equal(memory_channel(&uuid, true), 0);
    seconds(s, 1);
    assert_true(s->asks > asks); // all of it: another guest may have booted
    assert_string_equal(s->last_verb, "agent_info");
    answer(s, 200, "{\"fact\":\"VM_USERS\",\"value\":1}");
    assert_null(object_find(vm, KIND_MISS, "guest_agent"));
    stage_free(s);
}

// A thousand lives leave nothing behind; run under the address sanitizer.
static void test_a_thousand_lives(void **state)
{
    struct stage *s = stage_new("memory:///?vms=2");
    int cycles = getenv("VHERD_TEST_LONG") ? 1000 : 100;
    for (int i = 0; i < cycles; i++) {
        struct uuid uuid;
        CLEANUP(freep) char *name = mem_printf("life-%d", i);
        assert_int_equal(memory_define(name, &uuid), 0);
        assert_int_equal(memory_start(&uuid), 0);
        if (i % 10 == 0)
            second(s);
        else
            collector_step(s->collector);
        assert_int_equal(memory_stop(&uuid, 5, 2), 0);
        assert_int_equal(memory_undefine(&uuid), 0);
    }
    seconds(s, 2);
    assert_int_equal(s->herd->n_vms, 2);
    stage_free(s);
}

static void test_what_is_stored_is_followed(void **state)
{
    struct stage *s = stage_new("memory:///?vms=2&vcpus=4&disks=1");
    seconds(s, 2);
    struct vm *vm = s->herd->vms[0];
    assert_true(fact(s, &vm->obj, FACT_VM_SNAPSHOTS) == 0);
    assert_true(isnan(fact(s, &vm->obj, FACT_VM_SNAPSHOT_OLDEST)));
    assert_true(fact(s, &vm->obj, FACT_VM_CONFIG_DIFFERS) == 0);
    assert_true(fact(s, vm->obj.children[KIND_DISK], FACT_DISK_CHAIN_DEPTH) == 0);
    struct virt *admin = NULL;
    const struct virt_params params = {"memory:///", .read_write = true};
    const struct virt_snapshot_spec spec = {.name = "before", .kind = VIRT_SNAPSHOT_INTERNAL};
    struct err err;
    assert_int_equal(virt_memory.open(&params, &admin, &err), 0);
    assert_int_equal(virt_memory_manage.create_snapshot(admin, &vm->uuid, &spec, &err), 0);
    double made = (double)(clock_real_ns(&s->clock.clock) / NS_PER_S);
    // No event tells of it: the next listing does, each minute.
    for (int i = 0; i < 62 && fact(s, &vm->obj, FACT_VM_SNAPSHOTS) == 0; i++)
        second(s);
    assert_true(fact(s, &vm->obj, FACT_VM_SNAPSHOTS) == 1);
    assert_true(fact(s, &vm->obj, FACT_VM_SNAPSHOT_OLDEST) == made);
    assert_true(fact(s, &vm->obj, FACT_VM_SNAPSHOT_NEWEST) == made);
    // A second is no news to a listing: they are counted after five minutes at the latest.
    const struct virt_snapshot_spec second_spec = {.name = "after", .kind = VIRT_SNAPSHOT_INTERNAL};
    assert_int_equal(virt_memory_manage.create_snapshot(admin, &vm->uuid, &second_spec, &err), 0);
    for (int i = 0; i < 361 && fact(s, &vm->obj, FACT_VM_SNAPSHOTS) == 1; i++)
        second(s);
    assert_true(fact(s, &vm->obj, FACT_VM_SNAPSHOTS) == 2);
    assert_true(fact(s, &vm->obj, FACT_VM_SNAPSHOT_OLDEST) == made);
    assert_true(fact(s, &vm->obj, FACT_VM_SNAPSHOT_NEWEST) > made);
    // Other vCPUs than stored; the next event has it looked at.
    assert_int_equal(virt_memory_manage.set_vcpus(admin, &vm->uuid, 2, VIRT_LIVE, false, &err), 0);
    assert_int_equal(memory_plug_nic(&vm->uuid, "vnet77", true), 0);
    settle(s);
    assert_true(fact(s, &vm->obj, FACT_VM_CONFIG_DIFFERS) == 1);
    assert_string_equal(object_attr(&vm->obj, ATTR_VM_DIFFERENCES), "vCPUs");
    assert_true(fact(s, &s->herd->vms[1]->obj, FACT_VM_CONFIG_DIFFERS) == 0);
    // What is off has nothing to differ from; its snapshots stay.
    assert_int_equal(memory_stop(&vm->uuid, 5, 1), 0);
    settle(s);
    assert_true(isnan(fact(s, &vm->obj, FACT_VM_CONFIG_DIFFERS)));
    assert_null(object_attr(&vm->obj, ATTR_VM_DIFFERENCES));
    assert_true(fact(s, &vm->obj, FACT_VM_SNAPSHOTS) == 2);
    virt_memory.close(admin);
    stage_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_herd_is_seen_whole),
        cmocka_unit_test(test_new_vm_is_seen_without_a_listing),
        cmocka_unit_test(test_rename_and_hot_plug),
        cmocka_unit_test(test_a_plugged_vcpu),
        cmocka_unit_test(test_a_nic_without_counters),
        cmocka_unit_test(test_stopped_process_is_flagged_and_not_called),
        cmocka_unit_test(test_a_process_out_of_sight_is_told),
        cmocka_unit_test(test_hung_monitors_do_not_hold_up_others),
        cmocka_unit_test(test_hung_monitors_in_shared_calls),
        cmocka_unit_test(test_memory_of_idle_guests_is_read_seldom),
        cmocka_unit_test(test_whole_turns_are_taken_together),
        cmocka_unit_test(test_details_age_as_they_are_read),
        cmocka_unit_test(test_disks_that_rest_are_read_seldom),
        cmocka_unit_test(test_disks_are_read_after_an_event),
        cmocka_unit_test(test_disks_that_nothing_is_told_of_are_counted),
        cmocka_unit_test(test_a_pool_that_hangs),
        cmocka_unit_test(test_a_list_of_pools_that_hangs),
        cmocka_unit_test(test_pressure_of_each_second),
        cmocka_unit_test(test_call_comes_back_at_the_end),
        cmocka_unit_test(test_many_stopped_processes),
        cmocka_unit_test(test_libvirt_goes_and_comes_back),
        cmocka_unit_test(test_status_words),
        cmocka_unit_test(test_what_happened_meanwhile),
        cmocka_unit_test(test_agent_answers_reach_the_vm),
        cmocka_unit_test(test_agent_that_tells_less),
        cmocka_unit_test(test_agent_that_leaves),
        cmocka_unit_test(test_a_thousand_lives),
        cmocka_unit_test(test_what_is_stored_is_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
