// SPDX-License-Identifier: GPL-3.0-or-later
// Can disks have done something: what a process moved in, an answer out.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "collect/still.h"

#define S NS_PER_S

// A process that has done so much before we look.
static const struct host_io start = {.read_chars = 1230356,
                                     .read_calls = 56119,
                                     .write_chars = 4068410,
                                     .write_calls = 204519,
                                     .read_bytes = 16975872,
                                     .write_bytes = 2452992};

static struct host_io plus(struct host_io io, struct host_io more)
{
    return (struct host_io){io.read_chars + more.read_chars,   io.read_calls + more.read_calls,
                            io.write_chars + more.write_chars, io.write_calls + more.write_calls,
                            io.read_bytes + more.read_bytes,   io.write_bytes + more.write_bytes};
}

// Events only, as many calls of each kind.
static struct host_io events(uint64_t n)
{
    return (struct host_io){
        .read_chars = 8 * n, .read_calls = n, .write_chars = 8 * n, .write_calls = n};
}

// Two readings ten seconds apart with 100 events between them; the last is at 20 s.
static struct still settled(struct host_io *ret_io)
{
    struct still s = {0};
    *ret_io = plus(start, events(100));
    still_step(&s, &start, 10 * S);
    still_step(&s, ret_io, 20 * S);
    return s;
}

static void rests_once_two_readings_had_nothing_between_them(void **state)
{
    struct still s = {0};
    struct host_io io = start;
    assert_false(still_rests(&s, &io, 10 * S));
    still_step(&s, &io, 10 * S);
    assert_false(still_rests(&s, &io, 20 * S));
    io = plus(io, events(100));
    assert_false(still_rests(&s, &io, 20 * S));
    still_step(&s, &io, 20 * S);
    for (int at = 30; at < 80; at += 10) {
        io = plus(io, events(100));
        assert_true(still_rests(&s, &io, at * S));
    }
}

static void what_was_moved_is_asked_for(void **state)
{
    static const struct {
        const char *what;
        struct host_io more;
        bool rests;
    } cases[] = {
        {"nothing", {0}, true},
        {"events", {.read_chars = 800, .read_calls = 100}, true},
        {"a smallest read, from the page cache", {.read_chars = 512, .read_calls = 1}, false},
        {"a smallest write", {.write_chars = 512, .write_calls = 1}, false},
        {"the same among events", {.read_chars = 8 * 99 + 512, .read_calls = 100}, false},
        {"a page written past the cache",
         {.write_chars = 4096, .write_calls = 1, .write_bytes = 4096},
         false},
        {"read by a call that is not counted", {.read_bytes = 4096}, false},
        {"written by one", {.write_bytes = 4096}, false},
        {"a signal", {.read_chars = 128, .read_calls = 2}, true},
        {"a few characters typed", {.write_chars = 5, .write_calls = 5}, true},
        {"a broadcast from a tap", {.read_chars = 150, .read_calls = 1}, true},
        {"packets from a tap", {.read_chars = 4 * 110, .read_calls = 4}, false},
        {"packets to a tap", {.write_chars = 4 * 110, .write_calls = 4}, false},
        {"a request among empty reads", {.read_chars = 512, .read_calls = 12}, false},
        {"more empty reads than could hide one", {.read_calls = 50}, false},
        {"a surge of calls: zeroes, discards", {.read_chars = 24000, .read_calls = 3000}, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct host_io io;
        const struct still s = settled(&io);
        io = plus(io, cases[i].more);
        if (still_rests(&s, &io, 30 * S) != cases[i].rests)
            fail_msg("%s: rests = %d", cases[i].what, !cases[i].rests);
    }
}

// Small things add up: they are compared with the last reading of the disks, not with the last
// look.
static void small_things_add_up(void **state)
{
    struct host_io io;
    const struct still s = settled(&io);
    const struct host_io little = {.write_chars = 208, .write_calls = 1};
    io = plus(io, little);
    assert_true(still_rests(&s, &io, 30 * S));
    io = plus(io, little);
    assert_false(still_rests(&s, &io, 40 * S));
}

static void activity_costs_one_more_reading(void **state)
{
    struct host_io io;
    struct still s = settled(&io);
    io = plus(io, (struct host_io){.write_chars = 4096, .write_calls = 1, .write_bytes = 4096});
    assert_false(still_rests(&s, &io, 30 * S));
    still_step(&s, &io, 30 * S);
    // It may have been counted only after this reading.
    assert_false(still_rests(&s, &io, 40 * S));
    still_step(&s, &io, 40 * S);
    assert_true(still_rests(&s, &io, 50 * S));
}

// A guest that has become busier calls more often: read once, then that is usual.
static void more_calls_become_usual(void **state)
{
    struct host_io io;
    struct still s = settled(&io);
    io = plus(io, events(3000));
    assert_false(still_rests(&s, &io, 30 * S));
    still_step(&s, &io, 30 * S);
    io = plus(io, events(3000));
    assert_true(still_rests(&s, &io, 40 * S));
}

static void what_is_not_known_speaks_against_it(void **state)
{
    struct host_io io;
    struct still s = settled(&io);
    still_step(&s, NULL, 30 * S);
    assert_false(still_rests(&s, &io, 40 * S));
    still_step(&s, &io, 40 * S);
    assert_false(still_rests(&s, &io, 50 * S));
    still_step(&s, &io, 50 * S);
    assert_true(still_rests(&s, &io, 60 * S));
    // Another process by now, or a clock that stands.
    assert_false(still_rests(&s, &(struct host_io){0}, 60 * S));
    assert_false(still_rests(&s, &io, 50 * S));
}

static void only_some_disks_are_seen(void **state)
{
    static const struct {
        const char *type, *device, *io, *backing;
        double threshold;
        bool is_seen;
    } cases[] = {
        {"file", "disk", NULL, NULL, 0, true},
        {"file", "disk", "threads", NULL, NAN, true},
        {"file", "cdrom", NULL, NULL, NAN, true},
        {"block", "disk", NULL, NULL, 0, true},
        {"block", "disk", "native", NULL, 0, true},
        {"file", "disk", "native", NULL, 0, false},
        {"file", "disk", "io_uring", NULL, 0, false},
        {"block", "disk", "io_uring", NULL, 0, false},
        {"block", "disk", "something", NULL, 0, false},
        {"block", "lun", NULL, NULL, 0, false},
        // QEMU's own clients of the network, other processes, devices that QEMU drives itself,
        // a folder shown as a file system; what a pool holds.
        {"network", "disk", NULL, NULL, 0, false},
        {"vhostuser", "disk", NULL, NULL, 0, false},
        {"vhostvdpa", "disk", NULL, NULL, 0, false},
        {"nvme", "disk", NULL, NULL, 0, false},
        {"dir", "disk", NULL, NULL, 0, false},
        {"volume", "disk", NULL, NULL, 0, false},
        {"files", "disk", NULL, NULL, 0, false},
        {NULL, "disk", NULL, NULL, 0, false},
        {"file", "disk", NULL, NULL, 4096, false},
        // What is not in the file on top is read from below it.
        {"file", "disk", NULL, "file", 0, true},
        {"file", "disk", "threads", "file,block", 0, true},
        {"file", "disk", NULL, "network", 0, false},
        {"file", "disk", NULL, "file,network", 0, false},
        {"block", "disk", NULL, "block,network", 0, false},
        {"file", "disk", NULL, "nvme", 0, false},
        {"file", "disk", NULL, "file,other", 0, false},
        {"block", "disk", "native", "block", 0, true},
        {"block", "disk", "native", "file,block", 0, false},
        {"network", "disk", NULL, "file", 0, false},
    };
    struct herd *h = herd_new();
    struct vm *vm = herd_vm_add(h, &(struct uuid){{1}});
    struct object *disk = object_child(&vm->obj, KIND_DISK, "vda");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        object_set_attr(disk, ATTR_DISK_TYPE, cases[i].type);
        object_set_attr(disk, ATTR_DISK_DEVICE, cases[i].device);
        object_set_attr(disk, ATTR_DISK_IO, cases[i].io);
        object_set_attr(disk, ATTR_DISK_BACKING, cases[i].backing);
        object_set_fact(disk, FACT_DISK_THRESHOLD, cases[i].threshold, S);
        if (still_sees(disk) != cases[i].is_seen)
            fail_msg("case %zu: is seen = %d", i, !cases[i].is_seen);
    }
    herd_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rests_once_two_readings_had_nothing_between_them),
        cmocka_unit_test(what_was_moved_is_asked_for),
        cmocka_unit_test(small_things_add_up),
        cmocka_unit_test(activity_costs_one_more_reading),
        cmocka_unit_test(more_calls_become_usual),
        cmocka_unit_test(what_is_not_known_speaks_against_it),
        cmocka_unit_test(only_some_disks_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
