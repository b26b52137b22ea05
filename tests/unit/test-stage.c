// SPDX-License-Identifier: GPL-3.0-or-later
// A simulated herd through the tables through which a real one is seen, on a clock that is told.
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "sim/stage.h"

static const char scenario[] =
    "duration: 1d\nstep: 60s\npolicy: none\nhosts: [{name: h, count: 2, cores: 4, mips: 1000}]\n"
    "vms:\n  - {name: a, count: 2, vcpus: 2, mips: 1000, mean: 0.5, noise: 0}\n"
    "  - {name: b, arrive: 10m, lifetime: 1s, noise: 0}\n"
    "events:\n  - {at: 5m, for: 2m, fault: vm-crash, target: a-0}\n";

struct heard {
    char events[2000];
    unsigned lost;
};

static void hear(const struct virt_event *event, void *arg)
{
    struct heard *h = arg;
    size_t n = strlen(h->events);
    snprintf(h->events + n, sizeof(h->events) - n, "%s %s; ", event->name, event->event);
}

static void lose(const char *reason, void *arg)
{
    ((struct heard *)arg)->lost++;
}

struct seen {
    struct batch *batch[16];
    size_t n;
};

static struct batch *empty(void *arg)
{
    return batch_new();
}

static void keep(struct batch *b, void *arg)
{
    struct seen *s = arg;
    assert_true(s->n < ARRAY_LEN(s->batch));
    s->batch[s->n++] = b;
}

static void forget(struct seen *s)
{
    for (size_t i = 0; i < s->n; i++)
        batch_free(s->batch[i]);
    s->n = 0;
}

static double fact_of(const struct batch *b, enum fact fact)
{
    for (size_t i = 0; i < b->n_rows; i++)
        if (b->rows[i].fact == (int)fact && b->rows[i].key == 0)
            return b->rows[i].value;
    return NAN;
}

struct show {
    char path[40];
    char *uri;
    struct clock_fake clock;
    struct heard heard;
    struct virt *virt;
    struct host *host;
    struct seen seen;
    struct host_sink sink;
};

static void show_init(struct show *s, const char *text, const char *query)
{
    struct err err = {0};
    memset(s, 0, sizeof(*s));
    snprintf(s->path, sizeof(s->path), "/tmp/vherd-stage-XXXXXX");
    int fd = mkstemp(s->path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    s->uri = mem_printf("simulate:%s%s", s->path, query);
    clock_fake_init(&s->clock, 5 * NS_PER_S, 1700000000 * NS_PER_S);
    if (stage_open(s->uri, &s->clock.clock, &err) < 0)
        fail_msg("%s", err.message);
    struct virt_params params = {.uri = s->uri,
                                 .events = true,
                                 .listener = {hear, lose, &s->heard},
                                 .clock = &s->clock.clock};
    assert_int_equal(virt_simulated.open(&params, &s->virt, &err), 0);
    struct host_params host = {.root = "/", .clock = &s->clock.clock};
    assert_int_equal(host_simulated.open(&host, &s->host, &err), 0);
    s->sink = (struct host_sink){empty, keep, &s->seen};
}

static void show_done(struct show *s)
{
    forget(&s->seen);
    stage_close();
    assert_int_equal(s->heard.lost, 1);
    assert_false(virt_simulated.alive(s->virt));
    virt_simulated.close(s->virt);
    host_simulated.close(s->host);
    unlink(s->path);
    free(s->uri);
}

static void sample(struct show *s)
{
    forget(&s->seen);
    host_simulated.scan(s->host, &s->sink);
    host_simulated.sample(s->host, clock_mono_ns(&s->clock.clock), &s->sink);
}

static void vms_are_listed_and_read(void **state)
{
    struct show s;
    struct virt_domain *list;
    size_t n;
    struct err err = {0};
    show_init(&s, scenario, "");
    assert_int_equal(virt_simulated.list(s.virt, &list, &n, &err), 0);
    assert_int_equal(n, 2);
    assert_string_equal(list[1].name, "a-1");
    assert_int_equal(list[1].state, 1);
    char *xml = NULL;
    struct batch *b = batch_new();
    assert_int_equal(virt_simulated.xml(s.virt, &list[1].uuid, &xml, &err), 0);
    assert_non_null(strstr(xml, "<title>on h-0</title>"));
    assert_int_equal(virt_xml_read(xml, strlen(xml), b, &err), 0);
    batch_reset(b);
    assert_int_equal(virt_simulated.stats(s.virt, &list[1].uuid, VIRT_PARTS_ALL, b, &err), 0);
    assert_true(fact_of(b, FACT_VM_MEM_CURRENT) == 2147483648.0);
    assert_true(fact_of(b, FACT_VM_JOB_TYPE) == 0);
    assert_int_equal(virt_simulated.dirty_rate(s.virt, &list[1].uuid, 1, b, &err), -EACCES);
    struct uuid other = list[1].uuid;
    other.b[0]++;
    assert_int_equal(virt_simulated.stats(s.virt, &other, VIRT_PARTS_ALL, b, &err), -ENOENT);
    assert_int_equal(host_simulated.process_state(&list[0].uuid), 'S');
    assert_int_equal(host_simulated.process_state(&other), 0);
    batch_free(b);
    free(xml);
    virt_domains_free(list, n);
    show_done(&s);
}

static void cpu_time_runs_with_the_clock(void **state)
{
    struct show s;
    show_init(&s, scenario, "");
    sample(&s);
    assert_int_equal(s.seen.n, 3); // two VMs and the host
    assert_true(fact_of(s.seen.batch[0], FACT_VM_CPU) == 0);
    assert_true(s.seen.batch[2]->host);
    assert_true(fact_of(s.seen.batch[2], FACT_HOST_CPUS) == 8);
    clock_fake_advance(&s.clock, 10 * NS_PER_S);
    sample(&s);
    // 2 vCPUs at 0.5 for 10 s, and nobody waits: 2 of 4 cores are wanted.
    assert_true(fact_of(s.seen.batch[0], FACT_VM_CPU) == 10e9);
    assert_true(fact_of(s.seen.batch[0], FACT_VM_VCPU_WAIT) == 0);
    show_done(&s);
}

static void crash_arrival_and_departure_are_told(void **state)
{
    struct show s;
    show_init(&s, scenario, "");
    sample(&s);
    clock_fake_advance(&s.clock, 301 * NS_PER_S);
    sample(&s);
    assert_string_equal(s.heard.events, "a-0 crashed; ");
    assert_int_equal(s.seen.batch[0]->pid, 0); // the process is gone
    assert_int_equal(s.seen.n, 3);
    clock_fake_advance(&s.clock, 121 * NS_PER_S);
    sample(&s);
    assert_string_equal(s.heard.events, "a-0 crashed; a-0 started; ");
    assert_true(s.seen.batch[0]->pid > 0);
    assert_true(fact_of(s.seen.batch[0], FACT_VM_CPU) == 0); // counts anew
    for (int i = 0; i < 400; i++) {
        clock_fake_advance(&s.clock, NS_PER_S);
        sample(&s);
    }
    assert_non_null(strstr(s.heard.events, "b-0 defined; b-0 started; "));
    assert_non_null(strstr(s.heard.events, "b-0 undefined; "));
    show_done(&s);
}

static void migrations_change_the_title(void **state)
{
    static const char moving[] =
        "step: 60s\nhosts: [{name: h, count: 3}]\nvms: [{name: v, count: 2, noise: 0}]\n"
        "events: [{at: 10m, for: 1d, fault: maintenance, target: h-0}]\n";
    struct show s;
    struct virt_domain *list;
    size_t n;
    struct err err = {0};
    show_init(&s, moving, "?speed=60");
    for (int i = 0; i < 13; i++) {
        clock_fake_advance(&s.clock, NS_PER_S);
        sample(&s);
    }
    assert_non_null(strstr(s.heard.events, "v-0 migrated; "));
    assert_int_equal(virt_simulated.list(s.virt, &list, &n, &err), 0);
    char *xml = NULL;
    assert_int_equal(virt_simulated.xml(s.virt, &list[0].uuid, &xml, &err), 0);
    assert_null(strstr(xml, "on h-0"));
    free(xml);
    virt_domains_free(list, n);
    show_done(&s);
}

static void what_cannot_be_shown(void **state)
{
    struct err err = {0};
    assert_true(stage_is_uri("simulate:/x"));
    assert_false(stage_is_uri("memory:///"));
    assert_int_equal(stage_open("simulate:/nonexistent", &clock_system, &err), -ENOENT);
    assert_int_equal(stage_open("simulate:/x?speed=0", &clock_system, &err), -EINVAL);
    assert_int_equal(stage_open("simulate:/x?spede=1", &clock_system, &err), -EINVAL);
    struct virt *v = NULL;
    struct virt_params params = {.uri = "simulate:/x", .clock = &clock_system};
    assert_int_equal(virt_simulated.open(&params, &v, &err), -ENOENT);
    assert_null(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vms_are_listed_and_read),
        cmocka_unit_test(cpu_time_runs_with_the_clock),
        cmocka_unit_test(crash_arrival_and_departure_are_told),
        cmocka_unit_test(migrations_change_the_title),
        cmocka_unit_test(what_cannot_be_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
