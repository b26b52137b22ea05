// SPDX-License-Identifier: GPL-3.0-or-later
// Deeds on the in-memory hypervisor: what they do, what they refuse, and what is left when they
// break off at each of their notes.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "manage/run.h"
#include "virt/memory.h"

struct fixture {
    struct virt *virt;
    const struct virt_manage *manage;
    json_t *notes;
    int notes_left; // the one after these fails, as if vherd ended there; -1 = none does
    bool interrupted;
    struct clock_fake clock;
    json_t *result; // of the last one
    int process;    // of any VM that libvirt calls off; 0 = none
    int looks_left; // then libvirt has it again, where that is above 0
    int ended;      // processes
};

static int on_process(void *arg, const struct uuid *uuid, bool end)
{
    struct fixture *f = arg;
    if (f->looks_left > 0 && --f->looks_left == 0)
        assert_int_equal(memory_start(uuid), 0);
    int process = f->process;
    if (end && process > 0) {
        f->process = 0;
        f->ended++;
    }
    return process;
}

static int on_note(void *arg, const json_t *note)
{
    struct fixture *f = arg;
    if (f->notes_left == 0)
        return -EIO;
    f->notes_left -= f->notes_left > 0;
    json_array_append(f->notes, (json_t *)note);
    return 0;
}

static void on_progress(void *arg, double ratio, const char *phrase) {}

static bool never(void *arg)
{
    return false;
}

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(sizeof(*f));
    struct err err = {0};
    clock_fake_init(&f->clock, NS_PER_S, 1000 * NS_PER_S);
    memory_reset(&f->clock.clock);
    const struct virt_params params = {
        .uri = "memory:///", .read_write = true, .clock = &f->clock.clock};
    assert_int_equal(virt_memory.open(&params, &f->virt, &err), 0);
    f->notes = json_array();
    f->notes_left = -1;
    f->manage = &virt_memory_manage;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    json_decref(f->notes);
    json_decref(f->result);
    virt_memory.close(f->virt);
    memory_reset(NULL);
    free(f);
    return 0;
}

static bool find(struct fixture *f, const char *name, struct virt_domain *ret)
{
    struct virt_domain *all = NULL;
    size_t n = 0;
    bool found = false;
    assert_int_equal(virt_memory.list(f->virt, &all, &n, NULL), 0);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(all[i].name, name) != 0)
            continue;
        *ret = all[i];
        ret->name = NULL;
        found = true;
    }
    virt_domains_free(all, n);
    return found;
}

static bool volume_is_there(struct fixture *f, const char *name)
{
    struct virt_volume_info info = {0};
    int r = virt_memory_manage.volume(f->virt, "default", name, &info, NULL);
    virt_volume_info_done(&info);
    return r == 0;
}

enum how { CHECK, DO, MEND };

static int perform(struct fixture *f, enum how how, enum deed_id id, const char *vm,
                   const char *body, char *now, struct err *err)
{
    json_t *fields = json_loads(body, 0, NULL);
    struct virt_domain d = {0};
    find(f, vm, &d);
    assert_int_equal(deed_check(&deeds[id], fields, err), 0);
    struct manage_run r = {.ops = &virt_memory,
                           .manage = f->manage,
                           .virt = f->virt,
                           .deed = &deeds[id],
                           .uuid = d.uuid,
                           .vm = vm,
                           .principal = "user:alice",
                           .body = fields,
                           .patience_ms = 500,
                           .steps = json_array(),
                           .result = json_object(),
                           .interrupted = f->interrupted,
                           .note = on_note,
                           .progress = on_progress,
                           .cancelled = never,
                           .process = on_process,
                           .arg = f};
    int w = how == CHECK ? manage_check(&r, err)
            : how == DO  ? manage_do(&r, err)
                         : manage_mend(&r, f->notes, now, 512, err);
    if (how == CHECK && w == 0)
        assert_true(json_array_size(r.steps) > 0);
    json_decref(r.steps);
    json_decref(f->result);
    f->result = r.result;
    json_decref(fields);
    return w;
}

static void well(struct fixture *f, enum deed_id id, const char *vm, const char *body)
{
    struct err err = {0};
    json_array_clear(f->notes);
    if (perform(f, CHECK, id, vm, body, NULL, &err) < 0 ||
        perform(f, DO, id, vm, body, NULL, &err) < 0)
        fail_msg("%s: %s", deeds[id].name, err.message);
}

static void refused(struct fixture *f, enum deed_id id, const char *vm, const char *body, int code,
                    const char *says)
{
    struct err err = {0};
    uint64_t before = memory_changes();
    assert_int_equal(perform(f, CHECK, id, vm, body, NULL, &err), -code);
    if (!strstr(err.message, says))
        fail_msg("%s: \"%s\"", deeds[id].name, err.message);
    assert_int_equal(memory_changes(), before);
}

#define WEB                                                                                        \
    "{\"name\":\"web\",\"memory\":\"64M\",\"disks\":[{\"pool\":\"default\",\"size\":\"1G\"},"      \
    "{\"pool\":\"default\",\"size\":\"2G\"}],\"labels\":{\"role\":\"web\"}}"

static void test_life(void **state)
{
    struct fixture *f = *state;
    struct virt_domain d = {0};
    well(f, DEED_CREATE, "web", WEB);
    assert_true(find(f, "web", &d));
    assert_int_equal(d.id, -1);
    assert_true(volume_is_there(f, "web-vda.qcow2") && volume_is_there(f, "web-vdb.qcow2"));
    struct virt_spec spec = {0};
    assert_int_equal(virt_memory_manage.spec(f->virt, &d.uuid, &spec, NULL), 0);
    assert_string_equal(spec.owner, "user:alice");
    assert_string_equal(spec.labels[0].value, "web");
    virt_spec_done(&spec);
    refused(f, DEED_CREATE, "web", WEB, EEXIST, "exists");
    refused(f, DEED_CREATE, "thief",
            "{\"name\":\"thief\",\"memory\":\"64M\",\"disks\":[{\"pool\":\"default\","
            "\"volume\":\"web-vda.qcow2\"}]}",
            ESRCH, "a disk of web");
    refused(f, DEED_SHUTDOWN, "web", "{}", ESRCH, "not running");
    well(f, DEED_START, "web", "{}");
    refused(f, DEED_START, "web", "{}", ESRCH, "running already");
    refused(f, DEED_RESUME, "web", "{}", ESRCH, "not paused");
    refused(f, DEED_DELETE, "web", "{\"disks\":\"delete\"}", ESRCH, "it must be off");
    refused(f, DEED_RENAME, "web", "{\"name\":\"www\"}", ESRCH, "it must be off");
    well(f, DEED_PAUSE, "web", "{}");
    well(f, DEED_RESUME, "web", "{}");
    refused(f, DEED_SET_VCPUS, "web", "{\"vcpus\":2}", EINVAL, "1 vCPU at most");
    refused(f, DEED_RESTORE, "web", "{}", ESRCH, "running already");
    well(f, DEED_SAVE, "web", "{}");
    well(f, DEED_RESTORE, "web", "{}");
    well(f, DEED_SHUTDOWN, "web", "{}");
    refused(f, DEED_RESTORE, "web", "{}", ESRCH, "no memory");
    well(f, DEED_SET, "web", "{\"vcpus\":3,\"memory\":\"128M\",\"owner\":\"bob\"}");
    well(f, DEED_RENAME, "web", "{\"name\":\"www\"}");
    well(f, DEED_GROW_DISK, "www", "{\"target\":\"vda\",\"size\":\"3G\"}");
    well(f, DEED_ATTACH_DISK, "www", "{\"pool\":\"default\",\"size\":\"1G\"}");
    assert_true(volume_is_there(f, "www-vdc.qcow2"));
    well(f, DEED_DETACH_DISK, "www", "{\"target\":\"vdc\",\"volume_fate\":\"delete\"}");
    assert_false(volume_is_there(f, "www-vdc.qcow2"));
    refused(f, DEED_DETACH_DISK, "www", "{\"target\":\"vdc\"}", ENOENT, "no disk vdc");
    well(f, DEED_DELETE, "www", "{\"disks\":\"delete\"}");
    assert_false(find(f, "www", &d));
    assert_false(volume_is_there(f, "web-vda.qcow2") || volume_is_there(f, "web-vdb.qcow2"));
}

// What libvirt 9.0 does with their variables was seen on a real one.
static void test_uefi_keeps_its_name(void **state)
{
    struct fixture *f = *state;
    struct virt_domain d;
    well(f, DEED_CREATE, "u", "{\"name\":\"u\",\"memory\":\"64M\",\"firmware\":\"uefi\"}");
    refused(f, DEED_RENAME, "u", "{\"name\":\"w\"}", EINVAL, "UEFI variables");
    assert_true(find(f, "u", &d));
    well(f, DEED_DELETE, "u", "{\"disks\":\"keep\",\"nvram\":\"delete\"}");
    assert_false(find(f, "u", &d));
}

static void test_deaf_guest(void **state)
{
    struct fixture *f = *state;
    struct virt_domain d = {0};
    struct err err = {0};
    well(f, DEED_CREATE, "web", WEB);
    well(f, DEED_START, "web", "{}");
    find(f, "web", &d);
    memory_deaf(&d.uuid, true);
    assert_int_equal(perform(f, DO, DEED_SHUTDOWN, "web", "{\"timeout\":1}", NULL, &err),
                     -ETIMEDOUT);
    find(f, "web", &d);
    assert_true(d.id >= 0);
    well(f, DEED_SHUTDOWN, "web", "{\"timeout\":1,\"fallback\":\"destroy\"}");
    find(f, "web", &d);
    assert_int_equal(d.id, -1);
}

// However many notes could be written, what is left is all or nothing.
static void break_off(struct fixture *f, enum deed_id id, const char *vm, const char *body,
                      const char *made, const char *volume)
{
    for (int notes = 0; notes < 4; notes++) {
        struct virt_domain d = {0};
        struct err err = {0};
        char now[512] = "";
        json_array_clear(f->notes);
        f->notes_left = notes;
        int r = perform(f, DO, id, vm, body, NULL, &err);
        f->notes_left = -1;
        int done = perform(f, MEND, id, vm, body, now, &err);
        assert_int_equal(done, r == 0);
        // Mending may itself have broken off: again, with the same outcome.
        assert_int_equal(perform(f, MEND, id, vm, body, now, &err), done);
        assert_int_equal(find(f, made, &d), done);
        assert_int_equal(volume_is_there(f, volume), done);
        if (done)
            return;
        assert_string_not_equal(now, "");
    }
    fail_msg("%s never succeeded", deeds[id].name);
}

static void test_dimms(void **state)
{
    struct fixture *f = *state;
    struct virt_domain d = {0};
    struct err err = {0};
    well(f, DEED_CREATE, "plain", "{\"name\":\"plain\",\"memory\":\"64M\"}");
    refused(f, DEED_PLUG_MEMORY, "plain", "{\"size\":\"128M\"}", EINVAL, "without room");
    well(f, DEED_CREATE, "web", "{\"name\":\"web\",\"memory\":\"64M\",\"plug_memory\":\"384M\"}");
    well(f, DEED_START, "web", "{}");
    refused(f, DEED_PLUG_MEMORY, "web", "{\"size\":\"129M\"}", EINVAL, "whole 128 MiB");
    refused(f, DEED_PLUG_MEMORY, "web", "{\"size\":\"512M\"}", EINVAL, "at most");
    refused(f, DEED_UNPLUG_MEMORY, "web", "{\"size\":\"128M\"}", ENOENT, "no DIMM");
    well(f, DEED_PLUG_MEMORY, "web", "{\"size\":\"256M\"}");
    assert_int_equal(json_integer_value(json_object_get(f->result, "in_effect")), 256 << 20);
    assert_int_equal(json_integer_value(json_object_get(f->result, "guest")), (64 + 256) << 20);
    refused(f, DEED_PLUG_MEMORY, "web", "{\"size\":\"256M\"}", EINVAL, "and has 268435456");
    well(f, DEED_UNPLUG_MEMORY, "web", "{\"size\":\"256M\"}");
    assert_int_equal(json_integer_value(json_object_get(f->result, "in_effect")), 0);
    // A guest that does not follow is told of.
    find(f, "web", &d);
    memory_deaf(&d.uuid, true);
    assert_int_equal(perform(f, DO, DEED_PLUG_MEMORY, "web", "{\"size\":\"128M\"}", NULL, &err),
                     -ETIMEDOUT);
    assert_non_null(strstr(err.message, "the guest does not use it"));
    assert_int_equal(json_integer_value(json_object_get(f->result, "in_effect")), 128 << 20);
    assert_int_equal(perform(f, DO, DEED_UNPLUG_MEMORY, "web", "{\"size\":\"128M\"}", NULL, &err),
                     -ETIMEDOUT);
}

static void test_broken_create_leaves_nothing(void **state)
{
    break_off(*state, DEED_CREATE, "web", WEB, "web", "web-vda.qcow2");
}

static void test_broken_clone_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    well(f, DEED_CREATE, "web", WEB);
    break_off(f, DEED_CLONE, "web", "{\"name\":\"copy\"}", "copy", "copy-vda.qcow2");
    assert_true(volume_is_there(f, "web-vda.qcow2"));
}

static void test_full_pool(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct virt_domain d = {0};
    char now[512] = "";
    memory_pool_limit(INT64_C(2) << 30);
    assert_int_equal(perform(f, DO, DEED_CREATE, "web", WEB, NULL, &err), -ENOSPC);
    assert_int_equal(perform(f, MEND, DEED_CREATE, "web", WEB, now, &err), 0);
    assert_false(volume_is_there(f, "web-vda.qcow2"));
    assert_false(find(f, "web", &d));
}

static void test_foreign_volume_is_never_taken_away(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    char now[512] = "";
    const struct virt_volume_spec theirs = {
        .pool = "default", .volume = "web-vdb.qcow2", .format = "raw", .capacity_bytes = 4096};
    assert_int_equal(virt_memory_manage.create_volume(f->virt, &theirs, &err), 0);
    assert_int_equal(perform(f, DO, DEED_CREATE, "web", WEB, NULL, &err), -EEXIST);
    assert_int_equal(perform(f, MEND, DEED_CREATE, "web", WEB, now, &err), 0);
    assert_true(volume_is_there(f, "web-vdb.qcow2"));
    assert_false(volume_is_there(f, "web-vda.qcow2"));
}

static void test_broken_delete_goes_on(void **state)
{
    struct fixture *f = *state;
    struct virt_domain d = {0};
    struct err err = {0};
    char now[512] = "";
    const char *body = "{\"disks\":\"delete\"}";
    well(f, DEED_CREATE, "web", WEB);
    find(f, "web", &d);
    // Before its notes are whole the VM stays.
    json_array_clear(f->notes);
    f->notes_left = 1;
    assert_int_equal(perform(f, DO, DEED_DELETE, "web", body, NULL, &err), -EIO);
    assert_int_equal(perform(f, MEND, DEED_DELETE, "web", body, now, &err), 0);
    assert_true(find(f, "web", &d) && volume_is_there(f, "web-vda.qcow2"));
    // Once the definition is gone the volumes go too.
    json_array_clear(f->notes);
    f->notes_left = -1;
    for (const char *t = "ab"; *t; t++) {
        CLEANUP(freep) char *name = mem_printf("web-vd%c.qcow2", *t);
        json_array_append_new(f->notes, json_pack("{s:s, s:s, s:s}", "make", "volume", "pool",
                                                  "default", "volume", name));
    }
    assert_int_equal(virt_memory_manage.undefine(f->virt, &d.uuid, 0, &err), 0);
    assert_int_equal(perform(f, MEND, DEED_DELETE, "web", body, now, &err), 1);
    assert_false(volume_is_there(f, "web-vda.qcow2") || volume_is_there(f, "web-vdb.qcow2"));
}

static void test_linked_base_is_guarded(void **state)
{
    struct fixture *f = *state;
    well(f, DEED_CREATE, "base",
         "{\"name\":\"base\",\"memory\":\"64M\",\"disks\":[{\"pool\":"
         "\"default\",\"size\":\"1G\"}]}");
    well(f, DEED_CLONE, "base", "{\"name\":\"leaf\",\"linked\":true}");
    refused(f, DEED_START, "base", "{}", ESRCH, "base of the linked clone leaf");
    well(f, DEED_START, "leaf", "{}");
    well(f, DEED_DESTROY, "leaf", "{}");
    well(f, DEED_DELETE, "base", "{\"disks\":\"delete\"}");
    assert_true(volume_is_there(f, "base-vda.qcow2"));
}

static json_int_t told(const struct fixture *f, const char *name)
{
    return json_integer_value(json_object_get(f->result, name));
}

// Asked, and in effect: what the guest did is said, and that it is not what was asked.
static void test_guest_that_does_not_follow(void **state)
{
    struct fixture *f = *state;
    struct virt_domain d = {0};
    struct err err = {0};
    well(f, DEED_CREATE, "web",
         "{\"name\":\"web\",\"memory\":\"64M\",\"max_memory\":\"128M\",\"vcpus\":4}");
    well(f, DEED_START, "web", "{}");
    well(f, DEED_SET_MEMORY, "web", "{\"memory\":\"96M\"}");
    assert_int_equal(told(f, "asked"), 96 << 20);
    assert_int_equal(told(f, "in_effect"), 96 << 20);
    find(f, "web", &d);
    memory_deaf(&d.uuid, true);
    assert_int_equal(perform(f, DO, DEED_SET_MEMORY, "web", "{\"memory\":\"32M\"}", NULL, &err),
                     -ETIMEDOUT);
    assert_non_null(strstr(err.message, "has not followed"));
    assert_int_equal(told(f, "asked"), 32 << 20);
    assert_int_equal(told(f, "in_effect"), 96 << 20);
    assert_int_equal(perform(f, DO, DEED_SET_VCPUS, "web", "{\"vcpus\":2}", NULL, &err),
                     -ETIMEDOUT);
    assert_non_null(strstr(err.message, "has not let the others go"));
    assert_int_equal(told(f, "asked"), 2);
    assert_int_equal(told(f, "in_effect"), 4);
    memory_deaf(&d.uuid, false);
    well(f, DEED_SET_VCPUS, "web", "{\"vcpus\":2}");
    assert_int_equal(told(f, "in_effect"), 2);
}

#define SEEDED                                                                                     \
    "{\"name\":\"web\",\"memory\":\"64M\",\"vcpus\":4,\"disks\":[{\"pool\":\"default\",\"size\":"  \
    "\"1G\"}],"                                                                                    \
    "\"seed\":{\"pool\":\"default\"},\"seed_users\":[{\"name\":\"ann\"}],"                         \
    "\"numa\":{\"nodes\":\"0-1\",\"mode\":\"strict\",\"pin_vcpus\":true}}"

static void test_seed_goes_with_the_vm(void **state)
{
    struct fixture *f = *state;
    struct virt_domain d = {0};
    struct virt_spec spec = {0};
    refused(f, DEED_CREATE, "web",
            "{\"name\":\"web\",\"memory\":\"64M\",\"seed_commands\":[\"true\"]}", EINVAL,
            "needs seed");
    refused(f, DEED_CREATE, "web",
            "{\"name\":\"web\",\"memory\":\"64M\",\"seed\":{\"pool\":\"nowhere\"}}", ENOENT,
            "pool");
    well(f, DEED_CREATE, "web", SEEDED);
    assert_true(find(f, "web", &d));
    assert_int_equal(virt_memory_manage.spec(f->virt, &d.uuid, &spec, NULL), 0);
    assert_int_equal(spec.n_disks, 2);
    assert_string_equal(spec.disks[1].target, "vdb");
    assert_true(spec.disks[1].read_only);
    CLEANUP(freep) char *seed = mem_strdup(spec.disks[1].source.volume);
    virt_spec_done(&spec);
    assert_true(volume_is_there(f, seed));
    well(f, DEED_RENAME, "web", "{\"name\":\"www\"}");
    // A clone goes on with its origin's seed, which therefore outlives the origin.
    well(f, DEED_CLONE, "www", "{\"name\":\"copy\"}");
    well(f, DEED_DELETE, "www", "{\"disks\":\"delete\"}");
    assert_true(volume_is_there(f, seed));
    well(f, DEED_DELETE, "copy", "{\"disks\":\"delete\"}");
    assert_false(volume_is_there(f, seed));
}

static void test_broken_create_with_a_seed_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    char now[512] = "";
    for (int notes = 0; notes < 3; notes++) {
        json_array_clear(f->notes);
        f->notes_left = notes;
        assert_int_equal(perform(f, DO, DEED_CREATE, "web", SEEDED, NULL, &err), -EIO);
        size_t volumes = json_array_size(f->notes);
        assert_int_equal(perform(f, MEND, DEED_CREATE, "web", SEEDED, now, &err), 0);
        for (size_t i = 0; i < volumes; i++)
            assert_false(volume_is_there(
                f, json_string_value(json_object_get(json_array_get(f->notes, i), "volume"))));
    }
}

static void test_numa(void **state)
{
    struct fixture *f = *state;
    struct virt_domain d = {0};
    struct virt_spec spec = {0};
    refused(f, DEED_CREATE, "web",
            "{\"name\":\"web\",\"memory\":\"64M\",\"numa\":{\"nodes\":\"2\"}}", EINVAL,
            "no NUMA node 2");
    well(f, DEED_CREATE, "web", SEEDED);
    find(f, "web", &d);
    assert_int_equal(virt_memory_manage.spec(f->virt, &d.uuid, &spec, NULL), 0);
    assert_string_equal(spec.numa.nodes, "0-1");
    assert_int_equal(spec.n_pins, 4);
    assert_string_equal(spec.pins[1].cpus, "0-3");
    assert_string_equal(spec.pins[2].cpus, "4-7");
    virt_spec_done(&spec);
    refused(f, DEED_SET_NUMA, "web", "{\"nodes\":\"0-\"}", EINVAL, "no list of NUMA nodes");
    refused(f, DEED_SET_NUMA, "web", "{\"nodes\":\"0\",\"scope\":\"live\"}", ESRCH, "not running");
    well(f, DEED_START, "web", "{}");
    well(f, DEED_SET_NUMA, "web", "{\"nodes\":\"1\",\"pin_vcpus\":true}");
    assert_int_equal(virt_memory_manage.spec(f->virt, &d.uuid, &spec, NULL), 0);
    assert_string_equal(spec.numa.nodes, "1");
    assert_int_equal(spec.n_pins, 4);
    assert_string_equal(spec.pins[0].cpus, "4-7");
    virt_spec_done(&spec);
    struct err err = {0};
    assert_int_equal(perform(f, DO, DEED_SET_NUMA, "web",
                             "{\"nodes\":\"1\",\"mode\":\"interleave\"}", NULL, &err),
                     -ESRCH);
    assert_non_null(strstr(err.message, "strict only"));
}

static void test_snapshots(void **state)
{
    struct fixture *f = *state;
    struct virt_domain d = {0};
    well(f, DEED_CREATE, "web", WEB);
    find(f, "web", &d);
    well(f, DEED_SNAPSHOT_CREATE, "web", "{\"name\":\"a\"}");
    refused(f, DEED_SNAPSHOT_CREATE, "web", "{\"name\":\"a\"}", EEXIST, "already");
    refused(f, DEED_SNAPSHOT_CREATE, "web", "{\"name\":\"x\",\"kind\":\"external\"}", ESRCH,
            "internal snapshots");
    refused(f, DEED_SNAPSHOT_CREATE, "web", "{\"name\":\"x\",\"quiesce\":true}", EINVAL,
            "quiesced");
    refused(f, DEED_DELETE, "web", "{\"disks\":\"delete\"}", ESRCH, "1 snapshots");
    memory_checkpoints(&d.uuid, 2);
    refused(f, DEED_SNAPSHOT_REVERT, "web", "{\"name\":\"a\"}", ESRCH, "2 checkpoints");
    memory_checkpoints(&d.uuid, 0);
    well(f, DEED_SNAPSHOT_REVERT, "web", "{\"name\":\"a\"}");
    refused(f, DEED_SNAPSHOT_REVERT, "web", "{\"name\":\"b\"}", ENOENT, "no snapshot");
    well(f, DEED_SNAPSHOT_DELETE, "web", "{\"name\":\"a\"}");
    refused(f, DEED_SNAPSHOT_CREATE, "web", "{\"name\":\"x\",\"memory\":true}", EINVAL,
            "external snapshots");
    refused(f, DEED_SNAPSHOT_CREATE, "web",
            "{\"name\":\"x\",\"kind\":\"external\",\"memory\":true}", ESRCH, "is off");
}

/* External snapshots. */

static size_t count_volumes(struct fixture *f)
{
    static const char *const names[] = {
        "web-vda.qcow2",   "web-vdb.qcow2",   "web-vda.a.qcow2",       "web-vdb.a.qcow2",
        "web-vda.b.qcow2", "web-vdb.b.qcow2", "web-vda.after-a.qcow2", "web-vdb.after-a.qcow2",
        "web.a.memory",    "web.b.memory"};
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        n += volume_is_there(f, names[i]);
    return n;
}

static void writes_to(struct fixture *f, const char *volume)
{
    struct virt_domain d = {0};
    struct virt_spec spec CLEANUP(virt_spec_done) = {0};
    assert_true(find(f, "web", &d));
    assert_int_equal(virt_memory_manage.spec(f->virt, &d.uuid, &spec, NULL), 0);
    assert_string_equal(spec.disks[0].source.volume, volume);
}

static bool has_snapshot(struct fixture *f, const char *name)
{
    struct virt_domain d = {0};
    struct virt_snapshot *all = NULL;
    size_t n = 0;
    bool has = false;
    find(f, "web", &d);
    assert_int_equal(virt_memory_manage.snapshots(f->virt, &d.uuid, &all, &n, NULL), 0);
    for (size_t i = 0; i < n; i++)
        has = has || strcmp(all[i].name, name) == 0;
    virt_snapshots_free(all, n);
    return has;
}

#define EXTERNAL(name) "{\"name\":\"" name "\",\"kind\":\"external\"}"
#define FULL(name) "{\"name\":\"" name "\",\"kind\":\"external\",\"memory\":true}"

static void test_external_snapshots(void **state)
{
    struct fixture *f = *state;
    struct virt_domain d = {0};
    well(f, DEED_CREATE, "web", WEB);
    find(f, "web", &d);
    well(f, DEED_START, "web", "{}");
    well(f, DEED_SNAPSHOT_CREATE, "web", FULL("a"));
    writes_to(f, "web-vda.a.qcow2");
    well(f, DEED_SNAPSHOT_CREATE, "web", EXTERNAL("b"));
    writes_to(f, "web-vda.b.qcow2");
    assert_int_equal(count_volumes(f), 7);
    refused(f, DEED_SNAPSHOT_DELETE, "web", "{\"name\":\"a\",\"merge\":\"pull\"}", ESRCH,
            "pulls only into");
    memory_checkpoints(&d.uuid, 1);
    refused(f, DEED_SNAPSHOT_REVERT, "web", "{\"name\":\"a\"}", ESRCH, "1 checkpoints");
    memory_checkpoints(&d.uuid, 0);
    well(f, DEED_SNAPSHOT_REVERT, "web", "{\"name\":\"a\"}");
    writes_to(f, "web-vda.after-a.qcow2");
    find(f, "web", &d);
    assert_true(d.id >= 0);
    assert_false(volume_is_there(f, "web-vda.b.qcow2"));
    refused(f, DEED_SNAPSHOT_DELETE, "web", "{\"name\":\"a\"}", ESRCH, "stands on it as well");
    // A branch that the VM has left needs no merge.
    well(f, DEED_SNAPSHOT_DELETE, "web", "{\"name\":\"b\"}");
    assert_false(volume_is_there(f, "web-vda.a.qcow2"));
    well(f, DEED_SNAPSHOT_DELETE, "web", "{\"name\":\"a\",\"merge\":\"pull\"}");
    writes_to(f, "web-vda.after-a.qcow2");
    assert_int_equal(count_volumes(f), 2);
    // Of a VM that is off.
    well(f, DEED_DESTROY, "web", "{}");
    well(f, DEED_SNAPSHOT_CREATE, "web", EXTERNAL("a"));
    well(f, DEED_SNAPSHOT_CREATE, "web", EXTERNAL("b"));
    well(f, DEED_SNAPSHOT_DELETE, "web", "{\"name\":\"a\"}");
    well(f, DEED_SNAPSHOT_DELETE, "web", "{\"name\":\"b\",\"merge\":\"commit\"}");
    find(f, "web", &d);
    assert_int_equal(d.id, -1);
    assert_int_equal(count_volumes(f), 2);
    well(f, DEED_SNAPSHOT_CREATE, "web", EXTERNAL("a"));
    well(f, DEED_DELETE, "web", "{\"disks\":\"delete\",\"snapshots\":\"delete\"}");
    assert_int_equal(count_volumes(f), 0);
}

static void test_quiesce_needs_an_agent(void **state)
{
    struct fixture *f = *state;
    struct virt_domain d = {0};
    const char *body = "{\"name\":\"a\",\"kind\":\"external\",\"quiesce\":true}";
    well(f, DEED_CREATE, "web", WEB);
    refused(f, DEED_SNAPSHOT_CREATE, "web", body, EINVAL, "quiesced");
    well(f, DEED_START, "web", "{}");
    find(f, "web", &d);
    memory_deaf(&d.uuid, true);
    refused(f, DEED_SNAPSHOT_CREATE, "web", body, ENOTCONN, "nothing was frozen");
    memory_deaf(&d.uuid, false);
    well(f, DEED_SNAPSHOT_CREATE, "web", body);
}

// A deed that breaks off after so many notes, and is mended twice: what it is then; 1 = done.
static int broken(struct fixture *f, enum deed_id id, const char *body, int notes, bool interrupted)
{
    struct err err = {0};
    char now[512] = "";
    json_array_clear(f->notes);
    f->notes_left = notes;
    int r = perform(f, DO, id, "web", body, NULL, &err);
    f->notes_left = -1;
    f->interrupted = interrupted;
    int done = perform(f, MEND, id, "web", body, now, &err);
    if (done == 0)
        assert_string_not_equal(now, "");
    if (id != DEED_SNAPSHOT_DELETE)
        assert_int_equal(perform(f, MEND, id, "web", body, now, &err), done);
    f->interrupted = false;
    return r == 0 ? 2 : done;
}

static void test_broken_snapshots(void **state)
{
    struct fixture *f = *state;
    well(f, DEED_CREATE, "web", WEB);
    well(f, DEED_START, "web", "{}");
    static const char *const bodies[] = {EXTERNAL("a"), FULL("a")};
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        int done = 0;
        for (int notes = 0; done == 0 && notes < 9; notes++) {
            done = broken(f, DEED_SNAPSHOT_CREATE, bodies[i], notes, notes % 2);
            assert_int_equal(has_snapshot(f, "a"), done > 0);
            assert_int_equal(count_volumes(f), done ? 4 + i : 2);
        }
        assert_int_equal(done, 2);
        done = 0;
        for (int notes = 0; done == 0 && notes < 9; notes++) {
            done = broken(f, DEED_SNAPSHOT_DELETE, "{\"name\":\"a\"}", notes, notes % 2);
            assert_int_equal(has_snapshot(f, "a"), done == 0);
            writes_to(f, done ? "web-vda.qcow2" : "web-vda.a.qcow2");
        }
        assert_int_equal(count_volumes(f), 2);
    }
}

// A deletion that broke off may have left a job on the disk, which another would take for its own.
static void test_one_merge_after_the_other(void **state)
{
    struct fixture *f = *state;
    struct virt_domain d = {0};
    struct err err = {0};
    well(f, DEED_CREATE, "web", WEB);
    well(f, DEED_START, "web", "{}");
    well(f, DEED_SNAPSHOT_CREATE, "web", EXTERNAL("a"));
    well(f, DEED_SNAPSHOT_CREATE, "web", EXTERNAL("b"));
    f->notes_left = 4; // it ends before QEMU goes over
    assert_int_equal(perform(f, DO, DEED_SNAPSHOT_DELETE, "web", "{\"name\":\"b\"}", NULL, &err),
                     -EIO);
    f->notes_left = -1;
    refused(f, DEED_SNAPSHOT_DELETE, "web", "{\"name\":\"a\"}", ESRCH, "deleting \"b\" broke off");
    well(f, DEED_SNAPSHOT_DELETE, "web", "{\"name\":\"b\"}");
    writes_to(f, "web-vda.a.qcow2");
    well(f, DEED_SNAPSHOT_DELETE, "web", "{\"name\":\"a\"}");
    writes_to(f, "web-vda.qcow2");
    assert_int_equal(count_volumes(f), 2);
    find(f, "web", &d);
    assert_string_equal(virt_state_name(d.state), "running");
}

// A guest that was held while it went over goes on.
static void test_a_guest_held_by_a_merge_goes_on(void **state)
{
    enum { RUNNING = 1, PAUSED = 3, PAUSED_BY_USER = 1 };
    struct fixture *f = *state;
    struct virt_domain d = {0};
    struct err err = {0};
    char now[512];
    well(f, DEED_CREATE, "web", WEB);
    well(f, DEED_START, "web", "{}");
    well(f, DEED_SNAPSHOT_CREATE, "web", EXTERNAL("a"));
    json_array_clear(f->notes);
    well(f, DEED_SNAPSHOT_DELETE, "web", "{\"name\":\"a\"}");
    find(f, "web", &d);
    assert_int_equal(d.state, RUNNING);
    assert_int_equal(memory_stop(&d.uuid, PAUSED, PAUSED_BY_USER), 0);
    f->interrupted = true;
    assert_int_equal(perform(f, MEND, DEED_SNAPSHOT_DELETE, "web", "{\"name\":\"a\"}", now, &err),
                     1);
    f->interrupted = false;
    find(f, "web", &d);
    assert_int_equal(d.state, RUNNING);
}

/* vherd as it ends in the middle of going over: nothing comes back, and nothing else is done. */

static int end_before_going_over(struct virt *v, const struct uuid *uuid, const char *target,
                                 bool pivot, struct err *err)
{
    return pivot ? err_set(err, EIO, "ended") : 0;
}

static int end_after_going_over(struct virt *v, const struct uuid *uuid, const char *target,
                                bool pivot, struct err *err)
{
    assert_int_equal(virt_memory_manage.merge_end(v, uuid, target, pivot, err), 0);
    return err_set(err, EIO, "ended");
}

static int only_pause(struct virt *v, const struct uuid *uuid, enum virt_power power,
                      struct err *err)
{
    return power == VIRT_POWER_PAUSE ? virt_memory_manage.power(v, uuid, power, err)
                                     : err_set(err, EIO, "ended");
}

static void test_a_guest_whose_merge_nobody_ended_goes_on(void **state)
{
    enum { RUNNING = 1, PAUSED = 3 };
    static int (*const ends[])(struct virt *, const struct uuid *, const char *, bool,
                               struct err *) = {end_before_going_over, end_after_going_over};
    struct fixture *f = *state;
    const char *body = "{\"name\":\"a\"}";
    well(f, DEED_CREATE, "web", WEB);
    well(f, DEED_START, "web", "{}");
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        struct virt_domain d = {0};
        struct err err = {0};
        char now[512];
        well(f, DEED_SNAPSHOT_CREATE, "web", EXTERNAL("a"));
        json_array_clear(f->notes);
        struct virt_manage ending = virt_memory_manage;
        ending.merge_end = ends[i];
        ending.power = only_pause;
        f->manage = &ending;
        assert_int_equal(perform(f, DO, DEED_SNAPSHOT_DELETE, "web", body, NULL, &err), -EIO);
        find(f, "web", &d);
        assert_int_equal(d.state, PAUSED);
        f->manage = &virt_memory_manage;
        f->interrupted = true;
        assert_int_equal(perform(f, MEND, DEED_SNAPSHOT_DELETE, "web", body, now, &err), 1);
        f->interrupted = false;
        find(f, "web", &d);
        assert_int_equal(d.state, RUNNING);
        assert_non_null(json_object_get(f->result, "resumed"));
        assert_false(has_snapshot(f, "a"));
        writes_to(f, "web-vda.qcow2");
        assert_int_equal(count_volumes(f), 2);
    }
}

// libvirt, killed in the middle, left the VM paused or ended it: it goes on, but not where somebody
// has paused or ended it.
static void test_a_held_vm_goes_on(void **state)
{
    // libvirt's
    enum { RUNNING = 1, PAUSED = 3, OFF = 5 };
    enum { PAUSED_BY_USER = 1, PAUSED_FOR_SNAPSHOT = 9, OFF_DESTROYED = 2, OFF_DAEMON = 8 };
    static const struct {
        int state, reason, then;
    } cases[] = {{PAUSED, PAUSED_FOR_SNAPSHOT, RUNNING},
                 {PAUSED, 0, RUNNING},
                 {PAUSED, PAUSED_BY_USER, PAUSED},
                 {OFF, OFF_DAEMON, RUNNING},
                 {OFF, OFF_DESTROYED, OFF}};
    struct fixture *f = *state;
    struct virt_domain d = {0};
    char now[512];
    struct err err = {0};
    const char *body = "{\"name\":\"a\"}";
    static const enum deed_id ids[] = {DEED_SNAPSHOT_CREATE, DEED_SNAPSHOT_DELETE};
    well(f, DEED_CREATE, "web", WEB);
    for (size_t i = 0; i < ARRAY_LEN(cases) * ARRAY_LEN(ids); i++) {
        enum deed_id id = ids[i % ARRAY_LEN(ids)];
        size_t k = i / ARRAY_LEN(ids);
        find(f, "web", &d);
        if (d.state == PAUSED)
            well(f, DEED_RESUME, "web", "{}");
        else if (d.state == OFF)
            well(f, DEED_START, "web", "{}");
        well(f, DEED_SNAPSHOT_CREATE, "web", body);
        if (id == DEED_SNAPSHOT_DELETE)
            well(f, id, "web", body);
        assert_int_equal(memory_stop(&d.uuid, cases[k].state, cases[k].reason), 0);
        f->interrupted = true;
        assert_int_equal(perform(f, MEND, id, "web", body, now, &err), 1);
        f->interrupted = false;
        find(f, "web", &d);
        assert_int_equal(d.state, cases[k].then);
        assert_int_equal(json_object_get(f->result, "restarted") != NULL,
                         cases[k].state == OFF && cases[k].then == RUNNING);
        assert_int_equal(json_object_get(f->result, "resumed") != NULL,
                         cases[k].state == PAUSED && cases[k].then == RUNNING);
        if (id == DEED_SNAPSHOT_CREATE)
            well(f, DEED_SNAPSHOT_DELETE, "web", body);
    }
    // One that was paused when it began stays paused.
    well(f, DEED_START, "web", "{}");
    well(f, DEED_PAUSE, "web", "{}");
    well(f, DEED_SNAPSHOT_CREATE, "web", body);
    assert_int_equal(memory_stop(&d.uuid, PAUSED, PAUSED_FOR_SNAPSHOT), 0);
    assert_int_equal(perform(f, MEND, DEED_SNAPSHOT_CREATE, "web", body, now, &err), 1);
    find(f, "web", &d);
    assert_int_equal(d.state, PAUSED);
}

// libvirt, killed in the middle, came back without the VM, whose process runs on.
static void test_a_lost_process(void **state)
{
    enum { RUNNING = 1, OFF = 5, OFF_UNKNOWN = 0 };
    struct fixture *f = *state;
    struct virt_domain d = {0};
    struct err err = {0};
    char now[512];
    const char *body = "{\"name\":\"a\"}";
    well(f, DEED_CREATE, "web", WEB);
    find(f, "web", &d);
    // Somebody else's is told of, and stays.
    static const enum deed_id ids[] = {DEED_START, DEED_DELETE};
    f->process = 4711;
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        refused(f, ids[i], "web", i == 0 ? "{}" : "{\"disks\":\"delete\"}", EBUSY,
                "process 4711 still runs");
    assert_int_equal(f->ended, 0);
    // One that libvirt finds again is none.
    f->looks_left = 3;
    refused(f, DEED_START, "web", "{}", ESRCH, "running already");
    assert_int_equal(f->ended, 0);
    // The deed's own is ended, and the VM runs again.
    f->process = 0;
    well(f, DEED_SNAPSHOT_CREATE, "web", body);
    assert_int_equal(memory_stop(&d.uuid, OFF, OFF_UNKNOWN), 0);
    f->process = 4712;
    f->interrupted = true;
    assert_int_equal(perform(f, MEND, DEED_SNAPSHOT_CREATE, "web", body, now, &err), 1);
    assert_int_equal(f->ended, 1);
    assert_int_equal(json_integer_value(json_object_get(f->result, "ended_process")), 4712);
    find(f, "web", &d);
    assert_int_equal(d.state, RUNNING);
    // A deed that has nothing to do with its running leaves the process alone, and says so.
    assert_int_equal(memory_stop(&d.uuid, OFF, OFF_UNKNOWN), 0);
    f->process = 4713;
    assert_int_equal(
        perform(f, MEND, DEED_ATTACH_NIC, "web", "{\"network\":\"default\"}", now, &err), 0);
    assert_non_null(strstr(now, "its process 4713 still runs"));
    assert_int_equal(f->ended, 1);
    // A start that broke off before its note has nothing of its own.
    json_array_clear(f->notes);
    assert_int_equal(perform(f, MEND, DEED_START, "web", "{}", now, &err), 0);
    assert_int_equal(f->ended, 1);
    json_array_append_new(f->notes, json_pack("{s:s}", "make", "start"));
    assert_int_equal(perform(f, MEND, DEED_START, "web", "{}", now, &err), 0);
    assert_int_equal(f->ended, 2);
    assert_non_null(strstr(now, "shut off"));
    f->interrupted = false;
}

static void test_broken_ways_back(void **state)
{
    struct fixture *f = *state;
    struct virt_domain d = {0};
    int done = 0;
    well(f, DEED_CREATE, "web", WEB);
    well(f, DEED_START, "web", "{}");
    well(f, DEED_SNAPSHOT_CREATE, "web", FULL("a"));
    find(f, "web", &d);
    // Memory that cannot be read leads back, too.
    memory_spoil(&d.uuid, true);
    assert_int_equal(broken(f, DEED_SNAPSHOT_REVERT, "{\"name\":\"a\"}", -1, false), 0);
    memory_spoil(&d.uuid, false);
    for (int notes = 0; done == 0 && notes < 9; notes++) {
        writes_to(f, "web-vda.a.qcow2");
        find(f, "web", &d);
        assert_true(d.id >= 0);
        assert_int_equal(count_volumes(f), 5);
        done = broken(f, DEED_SNAPSHOT_REVERT, "{\"name\":\"a\"}", notes, notes % 2);
    }
    assert_int_equal(done, 2);
    writes_to(f, "web-vda.after-a.qcow2");
    assert_int_equal(count_volumes(f), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_life, setup, teardown),
        cmocka_unit_test_setup_teardown(test_uefi_keeps_its_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deaf_guest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dimms, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken_create_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken_clone_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_pool, setup, teardown),
        cmocka_unit_test_setup_teardown(test_foreign_volume_is_never_taken_away, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken_delete_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(test_linked_base_is_guarded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_guest_that_does_not_follow, setup, teardown),
        cmocka_unit_test_setup_teardown(test_seed_goes_with_the_vm, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken_create_with_a_seed_leaves_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_numa, setup, teardown),
        cmocka_unit_test_setup_teardown(test_snapshots, setup, teardown),
        cmocka_unit_test_setup_teardown(test_external_snapshots, setup, teardown),
        cmocka_unit_test_setup_teardown(test_quiesce_needs_an_agent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken_snapshots, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_merge_after_the_other, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_guest_held_by_a_merge_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_guest_whose_merge_nobody_ended_goes_on, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_held_vm_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_lost_process, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken_ways_back, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
