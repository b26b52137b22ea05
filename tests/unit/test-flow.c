// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fs.h"
#include "base/mem.h"
#include "flow.h"
#include "model/labels.h"

// A store and a log of numbers, and what was sent to the peer.
struct fake {
    size_t appended, committed, families;
    int commit_result;
    uint64_t log; // samples 0 … log - 1
    struct samples_position done;
    enum ipc_type type;
    uint32_t id;
    struct buf sent;
    size_t n_sent;
    bool any_name; // not "far" only
};

static int append(void *arg, const struct label *label, size_t n, int64_t t_ms, double v)
{
    ((struct fake *)arg)->appended++;
    return v < 0 ? -ERANGE : 0;
}

static void take_family(void *arg, const struct expo_family *family)
{
    ((struct fake *)arg)->families++;
}

static int commit(void *arg)
{
    struct fake *f = arg;
    f->committed++;
    return f->commit_result;
}

static int read_log(void *arg, const char *name, const struct samples_position *from, size_t max,
                    struct samples_writer *out, struct samples_batch *ret)
{
    struct fake *f = arg;
    static const struct label label[] = {{"__name__", "a"}};
    uint64_t at = from->b;
    for (; at < f->log && at - from->b < max; at++)
        samples_put(out, label, 1, (int64_t)at, (double)at);
    ret->next = (struct samples_position){1, at};
    ret->more = at < f->log;
    return 0;
}

static void done(void *arg, const char *name, const struct samples_position *place)
{
    if (!((struct fake *)arg)->any_name)
        assert_string_equal(name, "far");
    ((struct fake *)arg)->done = *place;
}

static const struct flow_sink sink = {append, take_family, commit};
static const struct flow_source source = {.read = read_log, .done = done};

static void sent(void *peer, enum ipc_type type, uint32_t id, int status, const void *a,
                 size_t a_len, const void *b, size_t b_len)
{
    struct fake *f = peer;
    f->type = type;
    f->id = id;
    f->n_sent++;
    buf_reset(&f->sent);
    buf_put(&f->sent, a, a_len);
    buf_put(&f->sent, b, b_len);
}

static struct flow *make(struct fake *f, const char *directory)
{
    if (f->sent.limit == 0)
        buf_init(&f->sent, 1 << 20);
    struct flow_params p = {
        .sink = &sink, .source = &source, .arg = f, .directory = directory, .send = sent};
    return flow_new(&p);
}

static int give(struct flow *flow, struct fake *f, enum ipc_type type, uint32_t id,
                const struct buf *payload)
{
    struct ipc_frame frame = {
        .id = id, .type = (uint16_t)type, .payload = payload->data, .len = payload->len};
    return flow_frame(flow, f, &frame);
}

static void put_frame(struct buf *out, const double *v, size_t n)
{
    static const struct label label[] = {{"__name__", "a"}};
    struct samples_writer *w = samples_writer_new(65536);
    size_t len = 0;
    for (size_t i = 0; i < n; i++)
        samples_put(w, label, 1, (int64_t)i, v[i]);
    samples_put_family(w, &(struct expo_family){"a", EXPO_GAUGE, "", ""});
    const char *frame = samples_finish(w, &len);
    buf_put(out, frame, len);
    samples_writer_free(w);
}

static void test_samples_in(void **state)
{
    struct fake f = {0};
    struct flow *flow = make(&f, NULL);
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 65536);
    put_frame(&b, (const double[]){1, -1, 2}, 3);
    assert_int_equal(give(flow, &f, IPC_SAMPLES, 0, &b), 1);
    assert_int_equal(f.n_sent, 0); // nobody asked
    assert_true(f.appended == 3 && f.committed == 1 && f.families == 1);
    assert_int_equal(give(flow, &f, IPC_SAMPLES, 7, &b), 1);
    struct samples_written w;
    assert_true(f.type == IPC_WRITTEN && f.id == 7);
    assert_int_equal(samples_written_decode(f.sent.data, f.sent.len, &w), 0);
    assert_true(w.samples == 2 && w.rejected == 1);
    assert_string_equal(w.reason, strerror(ERANGE));
    f.commit_result = -ENOSPC;
    assert_int_equal(give(flow, &f, IPC_SAMPLES, 8, &b), 1);
    assert_int_equal(samples_written_decode(f.sent.data, f.sent.len, &w), 0);
    assert_true(w.samples == 0 && w.rejected == 3);
    b.len--;
    assert_int_equal(give(flow, &f, IPC_SAMPLES, 9, &b), -EPROTO);
    flow_free(flow);
    buf_done(&f.sent);
}

static void ask(struct flow *flow, struct fake *f, bool from_start, uint64_t from, uint32_t max,
                struct samples_batch *ret)
{
    struct samples_ask a = {.from_start = from_start, .from = {1, from}, .max_samples = max};
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 1024);
    memcpy(a.name, "far", 4);
    samples_ask_encode(&a, &b);
    assert_int_equal(give(flow, f, IPC_NEXT, 3, &b), 1);
    const char *frame;
    size_t len;
    assert_true(f->type == IPC_BATCH && f->id == 3);
    assert_int_equal(samples_batch_decode(f->sent.data, f->sent.len, ret, &frame, &len), 0);
    static const struct samples_events nothing = {0};
    assert_int_equal(samples_read(frame, len, &nothing, NULL), 0);
}

static void tell_done(struct flow *flow, struct fake *f, uint64_t place)
{
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 1024);
    samples_position_put(&b, &(struct samples_position){1, place});
    buf_puts(&b, "far");
    assert_int_equal(give(flow, f, IPC_DONE, 3, &b), 1);
    assert_int_equal(f->done.b, place);
}

static void test_position_survives(void **state)
{
    char directory[] = "/tmp/vherd-flow-XXXXXX";
    assert_non_null(mkdtemp(directory));
    struct fake f = {.log = 100};
    struct flow *flow = make(&f, directory);
    struct samples_batch batch;
    struct samples_position at;
    assert_false(flow_position(flow, "far", &at));
    ask(flow, &f, true, 77, 30, &batch); // the place it names does not count yet
    assert_true(batch.next.b == 30 && batch.more);
    tell_done(flow, &f, 30);
    ask(flow, &f, false, 30, 1000, &batch);
    assert_true(batch.next.b == 100 && !batch.more);
    assert_int_equal(flow_save(flow, NULL), 0);
    flow_free(flow);
    flow = make(&f, directory);
    assert_true(flow_position(flow, "far", &at));
    assert_true(at.a == 1 && at.b == 30);
    ask(flow, &f, true, 0, 10, &batch);
    assert_int_equal(batch.next.b, 40);
    flow_free(flow);
    buf_done(&f.sent);
    CLEANUP(freep) char *path = mem_printf("%s/remote-write", directory);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(directory), 0);
}

// What is acknowledged while a worker writes is written the next time, as is what could not be.
static void test_taken_while_it_is_written(void **state)
{
    char directory[] = "/tmp/vherd-flow-XXXXXX";
    assert_non_null(mkdtemp(directory));
    struct fake f = {.log = 100};
    struct flow *flow = make(&f, directory);
    struct buf first, second;
    assert_false(flow_take(flow, &first));
    tell_done(flow, &f, 10);
    assert_true(flow_take(flow, &first));
    assert_false(flow_take(flow, &second));
    tell_done(flow, &f, 20);
    assert_string_equal(first.data, "1 10 far\n");
    assert_int_equal(flow_write("/nonexistent/directory", &first, NULL), -ENOENT);
    flow_untake(flow);
    buf_done(&first);
    assert_true(flow_take(flow, &second));
    assert_string_equal(second.data, "1 20 far\n");
    assert_int_equal(flow_write(directory, &second, NULL), 0);
    assert_false(flow_take(flow, &first));
    buf_done(&second);
    flow_free(flow);
    flow = make(&f, directory);
    struct samples_position at;
    assert_true(flow_position(flow, "far", &at) && at.b == 20);
    flow_free(flow);
    buf_done(&f.sent);
    CLEANUP(freep) char *path = mem_printf("%s/remote-write", directory);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(directory), 0);
}

static void test_damaged_file_costs_its_line(void **state)
{
    char directory[] = "/tmp/vherd-flow-XXXXXX";
    assert_non_null(mkdtemp(directory));
    CLEANUP(freep) char *path = mem_printf("%s/remote-write", directory);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    static const char text[] = "garbage\n5 6 far\n7 x y\n8 9 with blanks in it";
    assert_int_equal(fs_write_all(fd, text, strlen(text)), 0);
    close(fd);
    struct fake f = {0};
    struct flow *flow = make(&f, directory);
    struct samples_position at;
    assert_true(flow_position(flow, "far", &at) && at.a == 5 && at.b == 6);
    assert_true(flow_position(flow, "with blanks in it", &at) && at.b == 9);
    assert_false(flow_position(flow, "y", &at));
    flow_free(flow);
    buf_done(&f.sent);
    unlink(path);
    rmdir(directory);
}

static void ask_as(struct flow *flow, struct fake *f, const char *name)
{
    CLEANUP(buf_done) struct buf b;
    struct samples_ask a = {.from_start = true, .max_samples = 10};
    snprintf(a.name, sizeof(a.name), "%s", name);
    buf_init(&b, 1024);
    samples_ask_encode(&a, &b);
    assert_int_equal(give(flow, f, IPC_NEXT, 0, &b), 1);
}

// Of more remotes than there is room for, those that still come keep their places.
static void test_forgotten_remotes_make_room(void **state)
{
    char directory[] = "/tmp/vherd-flow-XXXXXX";
    assert_non_null(mkdtemp(directory));
    char path[64];
    snprintf(path, sizeof(path), "%s/remote-write", directory);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    for (int i = 0; i < 63; i++)
        dprintf(fd, "1 %d old%d\n", i + 1, i);
    close(fd);
    struct fake f = {0};
    struct flow *flow = make(&f, directory);
    struct samples_position at;
    ask_as(flow, &f, "old0");
    tell_done(flow, &f, 7); // "far", the 64th
    ask_as(flow, &f, "old1");
    for (int i = 0; i < 61; i++) {
        char name[32];
        snprintf(name, sizeof(name), "new%d", i);
        struct buf b;
        buf_init(&b, 256);
        samples_position_put(&b, &(struct samples_position){2, (uint64_t)i});
        buf_puts(&b, name);
        f.any_name = true;
        assert_int_equal(give(flow, &f, IPC_DONE, 0, &b), 1);
        buf_done(&b);
    }
    assert_true(flow_position(flow, "far", &at) && flow_position(flow, "old0", &at) &&
                flow_position(flow, "old1", &at) && flow_position(flow, "new60", &at));
    assert_false(flow_position(flow, "old2", &at));
    flow_free(flow);
    buf_done(&f.sent);
    unlink(path);
    rmdir(directory);
}

static void test_unwritable_directory_is_told(void **state)
{
    struct fake f = {0};
    struct flow *flow = make(&f, "/nonexistent/directory");
    struct err err = {0};
    tell_done(flow, &f, 1);
    assert_int_equal(flow_save(flow, &err), -ENOENT);
    assert_non_null(strstr(err.message, "/nonexistent/directory/remote-write"));
    flow_free(flow);
    buf_done(&f.sent);
}

static void test_malformed_and_foreign(void **state)
{
    struct fake f = {0};
    struct flow *flow = make(&f, NULL);
    struct buf empty = {.data = (char *)"", .len = 0};
    assert_int_equal(give(flow, &f, IPC_NEXT, 0, &empty), -EPROTO);
    assert_int_equal(give(flow, &f, IPC_DONE, 0, &empty), -EPROTO);
    assert_int_equal(give(flow, &f, IPC_REQUEST, 0, &empty), 0);
    assert_int_equal(give(flow, &f, IPC_REPORT, 0, &empty), 0);
    flow_free(flow);
    buf_done(&f.sent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples_in),
        cmocka_unit_test(test_position_survives),
        cmocka_unit_test(test_taken_while_it_is_written),
        cmocka_unit_test(test_damaged_file_costs_its_line),
        cmocka_unit_test(test_forgotten_remotes_make_room),
        cmocka_unit_test(test_unwritable_directory_is_told),
        cmocka_unit_test(test_malformed_and_foreign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
