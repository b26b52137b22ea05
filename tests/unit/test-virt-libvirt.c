// SPDX-License-Identifier: GPL-3.0-or-later
// The libvirt back end on libvirt's built-in test driver, which needs neither daemon nor guests.
#include <errno.h>
#include <libvirt/libvirt.h>
#include <math.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "libvirt_priv.h"
#include "virt/manage.h"
#include "virt/virt.h"

// Linked in place of libvirt's (tests/meson.build), which fails where a connection breaks between
// the look-up of a VM and the question whether it runs.
int __real_virDomainIsActive(virDomainPtr domain);
int __wrap_virDomainIsActive(virDomainPtr domain);

static bool libvirt_is_gone;

int __wrap_virDomainIsActive(virDomainPtr domain)
{
    return __real_virDomainIsActive(libvirt_is_gone ? NULL : domain);
}

// libvirt and GLib are not built for it.
const char *__tsan_default_options(void);

const char *__tsan_default_options(void)
{
    return "ignore_noninstrumented_modules=1";
}

static struct virt *open_uri(const char *uri, struct err *err)
{
    struct virt *v = NULL;
    struct virt_params params = {.uri = uri, .keepalive_s = 2, .clock = &clock_system};
    int r = virt_libvirt.open(&params, &v, err);
    assert_int_equal(r == 0, v != NULL);
    if (r < 0)
        assert_int_equal(r, -err->code);
    return v;
}

static struct virt *open_test(void)
{
    struct err err = {0};
    struct virt *v = open_uri("test:///default", &err);
    if (!v)
        fail_msg("%s", err.message);
    return v;
}

static struct virt_domain only_domain(struct virt *v)
{
    struct virt_domain *domains;
    size_t n;
    struct err err = {0};
    assert_int_equal(virt_libvirt.list(v, &domains, &n, &err), 0);
    assert_int_equal(n, 1);
    struct virt_domain d = domains[0];
    free(domains);
    return d;
}

static double fact(const struct batch *b, const char *key, enum fact wanted)
{
    double v = NAN;
    for (uint32_t i = 0; i < b->n_rows; i++) {
        if (b->rows[i].fact == (int)wanted && strcmp(b->text + b->rows[i].key, key) == 0)
            v = b->rows[i].value;
    }
    return v;
}

static void inventory(void **state)
{
    struct virt *v = open_test();
    struct virt_domain d = only_domain(v), same;
    struct err err = {0};
    assert_true(virt_libvirt.alive(v));
    assert_string_equal(d.name, "test");
    assert_int_equal(d.id, 1);
    assert_int_equal(d.state, VIR_DOMAIN_RUNNING);
    assert_true(d.persistent);
    assert_false(d.autostart);
    assert_int_equal(virt_libvirt.lookup(v, &d.uuid, &same, &err), 0);
    assert_string_equal(same.name, d.name);
    assert_int_equal(same.state, d.state);
    assert_true(same.persistent);
    virt_domain_done(&same);
    virt_domain_done(&d);
    virt_libvirt.close(v);
}

static void unknown_domains_are_not_there(void **state)
{
    static const struct uuid nobody = {{1, 2, 3}};
    struct virt *v = open_test();
    struct virt_domain d;
    char *xml;
    struct batch *b = batch_new();
    struct err err = {0};
    assert_int_equal(virt_libvirt.lookup(v, &nobody, &d, &err), -ENOENT);
    assert_int_equal(virt_libvirt.xml(v, &nobody, &xml, &err), -ENOENT);
    assert_int_equal(virt_libvirt.stats(v, &nobody, VIRT_PARTS_ALL, b, &err), -ENOENT);
    assert_int_equal(virt_libvirt.agent_ping(v, &nobody, 1, b, &err), -ENOENT);
    assert_int_equal(virt_libvirt.stats(v, &nobody, VIRT_PARTS_ALL, b, NULL), -ENOENT);
    assert_int_equal(b->n_rows, 0);
    batch_free(b);
    virt_libvirt.close(v);
}

static void its_xml_is_readable(void **state)
{
    struct virt *v = open_test();
    struct virt_domain d = only_domain(v);
    CLEANUP(freep) char *xml = NULL;
    struct err err = {0};
    struct batch *b = batch_new();
    assert_int_equal(virt_libvirt.xml(v, &d.uuid, &xml, &err), 0);
    assert_int_equal(virt_xml_read(xml, strlen(xml), b, &err), 0);
    assert_true(fact(b, "", FACT_VM_VCPUS) == 2);
    assert_true(fact(b, "", FACT_VM_MEM_CURRENT) == 2097152.0 * 1024);
    batch_free(b);
    virt_domain_done(&d);
    virt_libvirt.close(v);
}

static void pools_networks_versions(void **state)
{
    struct virt *v = open_test();
    char **names;
    size_t n;
    struct err err = {0};
    struct batch *b = batch_new();
    b->host = true;
    assert_int_equal(virt_libvirt.pools(v, &names, &n, &err), 0);
    assert_int_equal(n, 1);
    assert_string_equal(names[0], "default-pool");
    assert_int_equal(virt_libvirt.pool(v, names[0], b, &err), 0);
    assert_true(fact(b, "default-pool", FACT_POOL_STATE) == VIR_STORAGE_POOL_RUNNING);
    assert_true(fact(b, "default-pool", FACT_POOL_CAPACITY) > 0);
    assert_int_equal(virt_libvirt.pool(v, "no such pool", b, &err), -ENOENT);
    assert_int_equal(virt_libvirt.networks(v, b, &err), 0);
    assert_true(fact(b, "default", FACT_NETWORK_ACTIVE) == 1);
    batch_reset(b);
    assert_int_equal(virt_libvirt.versions(v, b, &err), 0);
    assert_int_equal(b->n_rows, 3);
    for (uint32_t i = 0; i < b->n_rows; i++)
        assert_non_null(strchr(b->text + b->rows[i].text, '.'));
    virt_names_free(names, n);
    batch_free(b);
    virt_libvirt.close(v);
}

struct heard {
    pthread_mutex_t lock;
    pthread_cond_t more;
    char log[500];
};

static void note(const struct virt_event *e, void *arg)
{
    struct heard *h = arg;
    pthread_mutex_lock(&h->lock);
    size_t at = strlen(h->log);
    snprintf(h->log + at, sizeof(h->log) - at, "%d:%s:%s/%s ", (int)e->type, e->name, e->event,
             e->detail ? e->detail : "");
    pthread_cond_signal(&h->more);
    pthread_mutex_unlock(&h->lock);
}

static void wait_for(struct heard *h, const char *text)
{
    pthread_mutex_lock(&h->lock);
    while (!strstr(h->log, text))
        pthread_cond_wait(&h->more, &h->lock);
    pthread_mutex_unlock(&h->lock);
}

static void events_have_libvirts_words(void **state)
{
    struct heard h = {.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER};
    struct virt *v = NULL;
    struct err err = {0};
    struct virt_params params = {
        .uri = "test:///default",
        .events = true,
        .listener = {.event = note, .arg = &h},
        .clock = &clock_system,
    };
    assert_int_equal(virt_libvirt.open(&params, &v, &err), 0);
    virConnectPtr conn = virConnectOpen("test:///default");
    virDomainPtr d =
        virDomainDefineXML(conn, "<domain type='test'><name>täst</name><memory>1024</memory>"
                                 "<os><type>hvm</type></os></domain>");
    assert_non_null(d);
    assert_int_equal(virDomainCreate(d), 0);
    assert_int_equal(virDomainSuspend(d), 0);
    assert_int_equal(virDomainResume(d), 0);
    assert_int_equal(virDomainDestroy(d), 0);
    assert_int_equal(virDomainUndefine(d), 0);
    virDomainFree(d);
    virConnectClose(conn);
    wait_for(&h, "undefined");
    assert_string_equal(h.log, "0:täst:defined/added 2:täst:started/booted "
                               "2:täst:suspended/paused 2:täst:resumed/unpaused "
                               "2:täst:stopped/destroyed 1:täst:undefined/removed ");
    virt_libvirt.close(v);
}

static void what_fails_to_open_says_why(void **state)
{
    struct err err = {0};
    assert_null(open_uri("qemu+nonsense:///", &err));
    assert_int_equal(err.code, EINVAL);
    assert_non_null(strstr(err.message, "connecting to qemu+nonsense:///: "));

    // Not there: whether that is "not installed" depends on this machine.
    assert_null(open_uri("qemu+unix:///system?socket=/nonexistent/socket", &err));
    bool installed =
        access("/usr/sbin/libvirtd", F_OK) == 0 || access("/usr/sbin/virtqemud", F_OK) == 0;
    assert_int_equal(err.code, installed ? ECONNREFUSED : ENOENT);
}

static void a_socket_without_a_daemon_is_refused(void **state)
{
    char dir[] = "/tmp/test-virt-XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", dir);
    CLEANUP(closep) int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    CLEANUP(freep) char *uri = mem_printf("qemu+unix:///system?socket=%s", address.sun_path);
    struct err err = {0};
    assert_null(open_uri(uri, &err));
    assert_int_equal(err.code, ECONNREFUSED);
    assert_non_null(strstr(err.message, "start the libvirt daemon"));
    unlink(address.sun_path);
    rmdir(dir);
}

struct caller {
    struct virt *v;
    struct uuid uuid;
    int failed;
};

static void *call_often(void *arg)
{
    struct caller *c = arg;
    for (int i = 0; i < 50; i++) {
        char *xml = NULL;
        struct err err = {0};
        c->failed += virt_libvirt.xml(c->v, &c->uuid, &xml, &err) < 0;
        free(xml);
    }
    return NULL;
}

static void calls_of_many_threads(void **state)
{
    enum { THREADS = 8 };
    struct virt *v = open_test();
    struct virt_domain d = only_domain(v);
    struct caller callers[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        callers[i] = (struct caller){v, d.uuid, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, &callers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(callers[i].failed, 0);
    }
    virt_domain_done(&d);
    virt_libvirt.close(v);
}

static void use_side_by_side(struct virt *v, size_t n)
{
    struct use uses[4];
    struct err err = {0};
    assert_true(n <= ARRAY_LEN(uses));
    for (size_t i = 0; i < n; i++)
        assert_int_equal(virt_use_begin(&uses[i], v, &err), 0);
    for (size_t i = 0; i < n; i++)
        virt_use_end(&uses[i]);
}

static void spare_channels_that_rested_are_closed(void **state)
{
    struct clock_fake fake;
    clock_fake_init(&fake, NS_PER_S, NS_PER_S);
    struct virt_params params = {.uri = "test:///default", .clock = &fake.clock};
    struct virt *v = NULL;
    struct err err = {0};
    assert_int_equal(virt_libvirt.open(&params, &v, &err), 0);
    use_side_by_side(v, 3);
    assert_int_equal(v->n_channels, 3);
    clock_fake_advance(&fake, 7 * NS_PER_S);
    use_side_by_side(v, 2);
    assert_int_equal(v->n_channels, 3);
    clock_fake_advance(&fake, 7 * NS_PER_S);
    use_side_by_side(v, 1);
    assert_int_equal(v->n_channels, 2); // the third rested for 14 s, the second for 7
    clock_fake_advance(&fake, 3600 * NS_PER_S);
    for (int i = 0; i < 3; i++)
        use_side_by_side(v, 1);
    assert_int_equal(v->n_channels, 1); // the main one, which carries events, stays
    use_side_by_side(v, 2);
    assert_int_equal(v->n_channels, 2);
    virt_libvirt.close(v);
}

struct holder {
    struct virt *v;
    sem_t holds;
};

static void *hold_for_a_moment(void *arg)
{
    struct holder *h = arg;
    struct err err = {0};
    struct use use;
    assert_int_equal(virt_use_begin(&use, h->v, &err), 0);
    sem_post(&h->holds);
    usleep(10000);
    virt_use_end(&use);
    return NULL;
}

// How many channels there are after two short calls at the same time.
static size_t channels_of_two_calls(void)
{
    struct holder h = {.v = open_test()};
    struct err err = {0};
    struct use use;
    pthread_t thread;
    sem_init(&h.holds, 0, 0);
    assert_int_equal(pthread_create(&thread, NULL, hold_for_a_moment, &h), 0);
    sem_wait(&h.holds);
    assert_int_equal(virt_use_begin(&use, h.v, &err), 0);
    size_t n = h.v->n_channels;
    virt_use_end(&use);
    pthread_join(thread, NULL);
    sem_destroy(&h.holds);
    virt_libvirt.close(h.v);
    return n;
}

// A machine that is busy may take longer over one of them than is waited; not over each.
static void a_short_call_is_waited_for(void **state)
{
    size_t n = 2;
    for (int i = 0; i < 20 && n != 1; i++)
        n = channels_of_two_calls();
    assert_int_equal(n, 1);
}

static void the_statistics_of_a_driver_without_them_fail(void **state)
{
    struct virt *v = open_test();
    struct virt_domain d = only_domain(v);
    struct batch *b = batch_new();
    struct err err = {0};
    int r = virt_libvirt.stats(v, &d.uuid, VIRT_PARTS_ALL, b, &err);
    if (r == 0)
        assert_true(fact(b, "", FACT_VM_STATE) == VIR_DOMAIN_RUNNING);
    else
        assert_int_equal(r, -EOPNOTSUPP);
    assert_int_equal(virt_libvirt.dirty_rate(v, &d.uuid, 0, b, &err), -EINVAL);
    assert_int_equal(virt_libvirt.dirty_rate(v, &d.uuid, 61, b, &err), -EINVAL);
    batch_free(b);
    virt_domain_done(&d);
    virt_libvirt.close(v);
}

// Taken for a VM that is off, a merge would be given up and its images deleted.
static void a_libvirt_that_went_away_is_no_news_of_the_vm(void **state)
{
    const struct virt_manage *ops = &virt_libvirt_manage;
    struct virt *v = open_test();
    struct virt_domain d = only_domain(v);
    struct virt_chain chain;
    struct virt_size size = {0};
    struct err err = {0};
    assert_int_equal(ops->size(v, &d.uuid, &size, &err), 0);
    int fd = -1;
    libvirt_is_gone = true;
    int r = ops->chain(v, &d.uuid, "vda", &chain, &err);
    assert_true(r < 0 && r != -ESRCH && r != -ENOENT);
    assert_non_null(strstr(err.message, "asking whether the VM runs"));
    r = ops->thaw(v, &d.uuid, &err);
    assert_true(r < 0 && r != -ESRCH && r != -ENOENT);
    assert_non_null(strstr(err.message, "asking whether the VM runs"));
    r = ops->size(v, &d.uuid, &size, &err);
    assert_true(r < 0 && r != -ESRCH && r != -ENOENT);
    r = ops->undefine(v, &d.uuid, 0, &err);
    assert_true(r < 0 && r != -EBUSY);
    assert_non_null(strstr(err.message, "asking whether the VM runs"));
    r = ops->console(v, &d.uuid, false, &fd, &err);
    assert_true(r < 0 && r != -ESRCH);
    assert_non_null(strstr(err.message, "asking whether the VM runs"));
    libvirt_is_gone = false;
    assert_int_equal(ops->undefine(v, &d.uuid, 0, &err), -EBUSY);
    virt_domain_done(&d);
    virt_libvirt.close(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inventory),
        cmocka_unit_test(unknown_domains_are_not_there),
        cmocka_unit_test(its_xml_is_readable),
        cmocka_unit_test(pools_networks_versions),
        cmocka_unit_test(events_have_libvirts_words),
        cmocka_unit_test(what_fails_to_open_says_why),
        cmocka_unit_test(a_socket_without_a_daemon_is_refused),
        cmocka_unit_test(calls_of_many_threads),
        cmocka_unit_test(spare_channels_that_rested_are_closed),
        cmocka_unit_test(a_short_call_is_waited_for),
        cmocka_unit_test(the_statistics_of_a_driver_without_them_fail),
        cmocka_unit_test(a_libvirt_that_went_away_is_no_news_of_the_vm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
