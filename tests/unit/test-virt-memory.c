// SPDX-License-Identifier: GPL-3.0-or-later
// Tests of the in-memory hypervisor through both of its faces, under a fake clock.
#include <errno.h>
#include <libvirt/libvirt.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "virt/host.h"
#include "virt/memory.h"
#include "virt/virt.h"

struct fixture {
    struct clock_fake clock;
    struct virt *v;
    char log[1000]; // events as they came
    int lost;
};

static void note_event(const struct virt_event *e, void *arg)
{
    struct fixture *f = arg;
    size_t at = strlen(f->log);
    snprintf(f->log + at, sizeof(f->log) - at, "%s:%s/%s%s%s ", e->name, e->event,
             e->detail ? e->detail : "", e->device ? "@" : "", e->device ? e->device : "");
}

static void note_lost(const char *reason, void *arg)
{
    ((struct fixture *)arg)->lost++;
}

static struct virt_params params_of(struct fixture *f, const char *uri)
{
    return (struct virt_params){
        .uri = uri,
        .events = true,
        .read_write = true,
        .listener = {note_event, note_lost, f},
        .clock = &f->clock.clock,
    };
}

static struct virt *open_ok(struct fixture *f, const char *uri)
{
    struct virt_params params = params_of(f, uri);
    struct err err;
    assert_int_equal(virt_memory.open(&params, &f->v, &err), 0);
    return f->v;
}

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(sizeof(*f));
    clock_fake_init(&f->clock, 1000 * NS_PER_S, 1700000000 * NS_PER_S);
    memory_reset(&f->clock.clock);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    virt_memory.close(f->v);
    memory_reset(NULL);
    free(f);
    return 0;
}

static double fact(const struct batch *b, const char *key, enum fact wanted)
{
    for (uint32_t i = 0; i < b->n_rows; i++) {
        if (b->rows[i].fact == (int)wanted && strcmp(b->text + b->rows[i].key, key) == 0)
            return b->rows[i].value;
    }
    return NAN;
}

static double stat_of(struct fixture *f, const struct uuid *uuid, const char *key, enum fact wanted)
{
    struct batch *b = batch_new();
    struct err err;
    assert_int_equal(virt_memory.stats(f->v, uuid, VIRT_PARTS_ALL, b, &err), 0);
    double v = fact(b, key, wanted);
    batch_free(b);
    return v;
}

static struct uuid first_uuid(struct fixture *f)
{
    struct virt_domain *domains;
    size_t n;
    struct err err;
    assert_int_equal(virt_memory.list(f->v, &domains, &n, &err), 0);
    assert_true(n > 0);
    struct uuid uuid = domains[0].uuid;
    virt_domains_free(domains, n);
    return uuid;
}

static void uri_chooses_the_back_end(void **state)
{
    assert_ptr_equal(virt_ops_for_uri("memory:///?vms=3"), &virt_memory);
    assert_ptr_equal(virt_ops_for_uri("qemu:///system"), &virt_libvirt);
    assert_ptr_equal(virt_ops_for_uri("mem"), &virt_libvirt);
}

static void the_uri_makes_running_vms_once(void **state)
{
    struct fixture *f = *state;
    struct virt_domain *domains;
    size_t n;
    struct err err;
    virt_memory.close(open_ok(f, "memory:///?vms=3&vcpus=4"));
    open_ok(f, "memory:///?vms=3&vcpus=4");
    assert_int_equal(virt_memory.list(f->v, &domains, &n, &err), 0);
    assert_int_equal(n, 3);
    assert_string_equal(domains[2].name, "vm3");
    assert_int_equal(domains[2].state, VIR_DOMAIN_RUNNING);
    assert_int_equal(domains[2].id, 3);
    assert_true(domains[2].persistent);
    virt_domains_free(domains, n);
}

static void wrong_uris_are_refused(void **state)
{
    static const char *const wrong[] = {
        "memory:///?vms=x",  "memory:///?vms=-1", "memory:///?vms=100001", "memory:///?vms=1x",
        "memory:///?cpus=1", "memory:///?vms=1&", "memory:///?vcpus=65",
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct virt_params params = params_of(f, wrong[i]);
        struct virt *v = NULL;
        struct err err = {0};
        assert_int_equal(virt_memory.open(&params, &v, &err), -EINVAL);
        assert_null(v);
    }
}

static void life_and_events(void **state)
{
    struct fixture *f = *state;
    struct uuid uuid;
    struct virt_domain d;
    struct err err;
    open_ok(f, "memory:///");
    assert_int_equal(memory_define("a", &uuid), 0);
    assert_int_equal(memory_define("a", &uuid), -EEXIST);
    assert_int_equal(memory_start(&uuid), 0);
    assert_int_equal(memory_start(&uuid), -EALREADY);
    assert_int_equal(memory_plug_disk(&uuid, "vdb", true), 0);
    assert_int_equal(memory_plug_nic(&uuid, "vnet7", true), 0);
    assert_int_equal(memory_plug_nic(&uuid, "vnet8", false), -ENOENT);
    assert_int_equal(memory_rename(&uuid, "b"), 0);
    assert_int_equal(memory_stop(&uuid, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_IOERROR), 0);
    assert_int_equal(memory_start(&uuid), 0);
    assert_int_equal(memory_stop(&uuid, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_CRASHED), 0);
    assert_int_equal(virt_memory.lookup(f->v, &uuid, &d, &err), 0);
    assert_string_equal(d.name, "b");
    assert_int_equal(d.id, -1);
    assert_int_equal(d.reason, VIR_DOMAIN_SHUTOFF_CRASHED);
    virt_domain_done(&d);
    assert_int_equal(memory_undefine(&uuid), 0);
    assert_int_equal(virt_memory.lookup(f->v, &uuid, &d, &err), -ENOENT);
    assert_string_equal(f->log, "a:defined/added a:started/booted a:device_added/@vdb "
                                "a:device_added/@vnet7 b:defined/renamed b:suspended/I/O error "
                                "b:resumed/unpaused b:stopped/crashed b:undefined/removed ");
}

static void a_transient_vm_goes_when_it_stops(void **state)
{
    struct fixture *f = *state;
    struct uuid uuid;
    struct virt_domain d;
    struct err err;
    open_ok(f, "memory:///");
    memory_define("t", &uuid);
    memory_start(&uuid);
    assert_int_equal(memory_undefine(&uuid), 0);
    assert_int_equal(virt_memory.lookup(f->v, &uuid, &d, &err), 0);
    assert_false(d.persistent);
    virt_domain_done(&d);
    memory_stop(&uuid, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_DESTROYED);
    assert_int_equal(virt_memory.lookup(f->v, &uuid, &d, &err), -ENOENT);
}

static void counters_grow_with_the_clock(void **state)
{
    struct fixture *f = *state;
    open_ok(f, "memory:///?vms=1");
    struct uuid uuid = first_uuid(f);
    assert_true(stat_of(f, &uuid, "vda", FACT_DISK_READ_BYTES) == 0);
    clock_fake_advance(&f->clock, 10 * NS_PER_S);
    double ten = stat_of(f, &uuid, "vda", FACT_DISK_READ_BYTES);
    assert_true(ten > 0);
    assert_true(stat_of(f, &uuid, "vda", FACT_DISK_READ_BYTES) == ten);
    clock_fake_advance(&f->clock, 10 * NS_PER_S);
    assert_true(stat_of(f, &uuid, "vda", FACT_DISK_READ_BYTES) == 2 * ten);
    memory_stop(&uuid, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER);
    clock_fake_advance(&f->clock, 10 * NS_PER_S);
    assert_true(stat_of(f, &uuid, "vda", FACT_DISK_READ_BYTES) == 2 * ten);
}

static void xml_tells_the_devices(void **state)
{
    struct fixture *f = *state;
    open_ok(f, "memory:///");
    struct uuid uuid;
    struct err err;
    char *xml CLEANUP(freep) = NULL;
    memory_define("<a & \"b\"\n'>", &uuid);
    memory_start(&uuid);
    memory_plug_disk(&uuid, "vdb", true);
    assert_int_equal(virt_memory.xml(f->v, &uuid, &xml, &err), 0);
    struct batch *b = batch_new();
    assert_int_equal(virt_xml_read(xml, strlen(xml), b, &err), 0);
    assert_true(fact(b, "", FACT_VM_VCPUS) == 2);
    assert_true(fact(b, "vdb", FACT_DISK_LIMIT_TOTAL_BYTES) == 0);
    assert_true(fact(b, "", FACT_VM_AGENT_CONNECTED) == 1);
    batch_free(b);
}

struct call {
    struct fixture *f;
    struct uuid uuid;
    int result;
};

static void *call_stats(void *arg)
{
    struct call *c = arg;
    struct batch *b = batch_new();
    struct err err;
    c->result = virt_memory.stats(c->f->v, &c->uuid, VIRT_PARTS_ALL, b, &err);
    batch_free(b);
    return NULL;
}

static pthread_t start_stuck(struct call *c)
{
    pthread_t thread;
    c->result = 1;
    assert_int_equal(pthread_create(&thread, NULL, call_stats, c), 0);
    while (memory_stuck_calls() == 0)
        usleep(1000);
    return thread;
}

static void a_sick_vm_holds_its_callers(void **state)
{
    static const enum memory_fault faults[] = {MEMORY_FAULT_STOPPED, MEMORY_FAULT_BLOCKED,
                                               MEMORY_FAULT_HUNG};
    static const char letters[] = "TDS";
    struct fixture *f = *state;
    open_ok(f, "memory:///?vms=2");
    struct call c = {f, first_uuid(f), 1};
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        assert_int_equal(memory_fault(&c.uuid, faults[i]), 0);
        assert_int_equal(host_memory_process_state(&c.uuid), letters[i]);
        pthread_t thread = start_stuck(&c);
        assert_int_equal(c.result, 1);
        memory_fault(&c.uuid, MEMORY_FAULT_NONE);
        pthread_join(thread, NULL);
        assert_int_equal(c.result, 0);
        assert_int_equal(memory_stuck_calls(), 0);
    }
    memory_fault(&c.uuid, MEMORY_FAULT_ERROR);
    call_stats(&c);
    assert_int_equal(c.result, -EIO);
}

static void stop_reset_and_loss_free_stuck_calls(void **state)
{
    struct fixture *f = *state;
    open_ok(f, "memory:///?vms=2");
    struct call c = {f, first_uuid(f), 1};
    memory_fault(&c.uuid, MEMORY_FAULT_HUNG);
    pthread_t thread = start_stuck(&c);
    memory_stop(&c.uuid, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_DESTROYED);
    pthread_join(thread, NULL);
    assert_int_equal(c.result, -ENOENT);

    memory_start(&c.uuid);
    memory_fault(&c.uuid, MEMORY_FAULT_HUNG);
    thread = start_stuck(&c);
    memory_libvirt_down(ECONNREFUSED);
    pthread_join(thread, NULL);
    assert_int_equal(c.result, -ENOTCONN);
    memory_libvirt_up();
    virt_memory.close(f->v);

    open_ok(f, "memory:///");
    thread = start_stuck(&c);
    memory_reset(&f->clock.clock);
    pthread_join(thread, NULL);
    assert_int_equal(c.result, -ENOTCONN);
}

static void closing_waits_for_no_stuck_call(void **state)
{
    struct fixture *f = *state;
    open_ok(f, "memory:///?vms=1");
    struct call c = {f, first_uuid(f), 1};
    memory_fault(&c.uuid, MEMORY_FAULT_HUNG);
    pthread_t thread = start_stuck(&c);
    virt_memory.close(f->v);
    f->v = NULL;
    assert_int_equal(memory_stuck_calls(), 1);
    memory_fault(&c.uuid, MEMORY_FAULT_NONE);
    pthread_join(thread, NULL);
    assert_int_equal(c.result, 0);
}

static void libvirt_goes_and_comes(void **state)
{
    struct fixture *f = *state;
    struct virt_params params = params_of(f, "memory:///?vms=1");
    struct virt *second = NULL;
    struct virt_domain *domains;
    size_t n;
    struct err err = {0};
    open_ok(f, "memory:///?vms=1");
    memory_libvirt_down(EACCES);
    assert_int_equal(f->lost, 1);
    assert_false(virt_memory.alive(f->v));
    assert_int_equal(virt_memory.list(f->v, &domains, &n, &err), -ENOTCONN);
    assert_int_equal(virt_memory.open(&params, &second, &err), -EACCES);
    memory_libvirt_up();
    assert_int_equal(virt_memory.open(&params, &second, &err), 0);
    assert_true(virt_memory.alive(second));
    virt_memory.close(second);
    assert_int_equal(f->lost, 1);
}

static void the_agent_needs_read_write(void **state)
{
    struct fixture *f = *state;
    struct batch *b = batch_new();
    struct err err;
    open_ok(f, "memory:///?vms=1");
    struct uuid uuid = first_uuid(f);
    assert_int_equal(virt_memory.agent_ping(f->v, &uuid, 1, b, &err), 0);
    assert_int_equal(virt_memory.agent_info(f->v, &uuid, 1, b, &err), 0);
    assert_int_equal(virt_memory.dirty_rate(f->v, &uuid, 1, b, &err), 0);
    assert_int_equal(virt_memory.dirty_rate(f->v, &uuid, 61, b, &err), -EINVAL);
    assert_true(fact(b, "", FACT_VM_AGENT_UP) == 1);
    assert_true(fact(b, "/", FACT_FS_USED) > 0);
    assert_true(fact(b, "", FACT_VM_DIRTY_RATE) > 0);

    struct virt_params params = params_of(f, "memory:///");
    struct virt *reader;
    params.read_write = false;
    assert_int_equal(virt_memory.open(&params, &reader, &err), 0);
    assert_int_equal(virt_memory.agent_ping(reader, &uuid, 1, b, &err), -EACCES);
    virt_memory.close(reader);
    batch_free(b);
}

static void pools_and_networks(void **state)
{
    struct fixture *f = *state;
    struct err err;
    char **names;
    size_t n;
    struct batch *b = batch_new();
    open_ok(f, "memory:///?vms=1");
    assert_int_equal(virt_memory.pools(f->v, &names, &n, &err), 0);
    assert_int_equal(n, 1);
    assert_int_equal(virt_memory.pool(f->v, names[0], b, &err), 0);
    assert_true(fact(b, names[0], FACT_POOL_CAPACITY) ==
                fact(b, names[0], FACT_POOL_ALLOCATION) + fact(b, names[0], FACT_POOL_AVAILABLE));
    assert_int_equal(virt_memory.pool(f->v, "other", b, &err), -ENOENT);
    assert_int_equal(virt_memory.networks(f->v, b, &err), 0);
    assert_true(fact(b, "default", FACT_NETWORK_ACTIVE) == 1);
    virt_names_free(names, n);
    batch_free(b);
}

/* The kernel's side. */

struct seen {
    struct batch *batch; // lent to the host
    int processes, gone, hosts, named;
    double run, tap_sent;
    char letter;
};

static struct batch *lend(void *arg)
{
    struct seen *s = arg;
    batch_reset(s->batch);
    return s->batch;
}

static void see(struct batch *b, void *arg)
{
    struct seen *s = arg;
    if (b->host) {
        s->hosts++;
        s->tap_sent = fact(b, "vnet0", FACT_HNIC_TX_BYTES);
        assert_true(fact(b, "3", FACT_CPU_IDLE) >= 0);
        return;
    }
    s->processes += b->pid > 0;
    s->gone += b->pid == 0;
    s->run = fact(b, "1", FACT_VCPU_RUN);
    for (uint32_t i = 0; i < b->n_rows; i++) {
        s->named += b->rows[i].attr == ATTR_VM_NAME;
        if (b->rows[i].attr == ATTR_VM_PROCESS_STATE)
            s->letter = b->text[b->rows[i].text];
    }
}

static void processes_come_and_go(void **state)
{
    struct fixture *f = *state;
    open_ok(f, "memory:///?vms=1");
    struct uuid uuid = first_uuid(f);
    struct seen s = {.batch = batch_new()};
    struct host_sink sink = {lend, see, &s};
    struct host_params params = {.root = "/", .clock = &f->clock.clock};
    struct host *h;
    struct err err;
    assert_int_equal(host_memory.open(&params, &h, &err), 0);
    host_memory.scan(h, &sink);
    host_memory.sample(h, f->clock.mono, &sink);
    assert_int_equal(s.processes, 1);
    assert_int_equal(s.hosts, 1);
    assert_int_equal(s.named, 1);
    assert_true(s.run == 0);

    clock_fake_advance(&f->clock, NS_PER_S);
    host_memory.sample(h, f->clock.mono, &sink);
    double one = s.run;
    assert_true(one > 0 && one <= 1e9);
    assert_true(s.tap_sent > 0);
    assert_int_equal(s.named, 1);
    assert_int_equal(s.letter, 'S');

    memory_fault(&uuid, MEMORY_FAULT_BLOCKED);
    clock_fake_advance(&f->clock, NS_PER_S);
    host_memory.sample(h, f->clock.mono, &sink);
    assert_true(s.run == one);
    assert_int_equal(s.letter, 'D');
    assert_int_equal(host_memory.slow(h, f->clock.mono, &sink), 0);

    assert_int_equal(s.gone, 0);
    memory_stop(&uuid, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_DESTROYED);
    assert_int_equal(host_memory_process_state(&uuid), 0);
    host_memory.scan(h, &sink);
    host_memory.sample(h, f->clock.mono, &sink);
    host_memory.scan(h, &sink);
    assert_int_equal(s.gone, 1);
    host_memory.close(h);
    batch_free(s.batch);
}

static void slow_gives_each_its_turn(void **state)
{
    struct fixture *f = *state;
    open_ok(f, "memory:///?vms=3");
    struct seen s = {.batch = batch_new()};
    struct host_sink sink = {lend, see, &s};
    struct host_params params = {.root = "/", .clock = &f->clock.clock};
    struct host *h;
    struct err err;
    assert_int_equal(host_memory.open(&params, &h, &err), 0);
    assert_int_equal(host_memory.slow(h, f->clock.mono, &sink), 0);
    host_memory.scan(h, &sink);
    assert_int_equal(host_memory.slow(h, f->clock.mono, &sink), 2);
    assert_int_equal(host_memory.slow(h, f->clock.mono, &sink), 1);
    assert_int_equal(host_memory.slow(h, f->clock.mono, &sink), 0);
    assert_int_equal(s.processes, 3);
    assert_int_equal(host_memory.slow(h, f->clock.mono, &sink), 2);
    host_memory.close(h);
    batch_free(s.batch);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(uri_chooses_the_back_end),
        T(the_uri_makes_running_vms_once),
        T(wrong_uris_are_refused),
        T(life_and_events),
        T(a_transient_vm_goes_when_it_stops),
        T(counters_grow_with_the_clock),
        T(xml_tells_the_devices),
        T(a_sick_vm_holds_its_callers),
        T(stop_reset_and_loss_free_stuck_calls),
        T(closing_waits_for_no_stuck_call),
        T(libvirt_goes_and_comes),
        T(the_agent_needs_read_write),
        T(pools_and_networks),
        T(processes_come_and_go),
        T(slow_gives_each_its_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
