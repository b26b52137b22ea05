// SPDX-License-Identifier: GPL-3.0-or-later
// Readers on threads of their own while the owner appends and the store writes and compacts: each
// answer is a whole beginning of the series. For the thread sanitizer.
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "store.h"
#include "tsdb-dir.h"
#include "tsdb/tail.h"

#define T0 INT64_C(1700000000000)
#define SERIES 20
#define BATCHES 9000
#define READERS 2
#define PIPE_BYTES 60000 // a full one holds 64 KiB

struct shared {
    struct tsdb *db;
    atomic_int appended;
    atomic_bool is_over;
    atomic_int wrong, reads;
};

static int check_set(struct query_set *set, int at_least)
{
    int wrong = set->n != SERIES;
    for (size_t i = 0; i < set->n; i++) {
        const struct query_run *run = NULL;
        size_t n = 0;
        int64_t next = 0;
        if (set->ops->read(set, i, T0, INT64_MAX, &run, &n, NULL) < 0)
            return 1;
        for (size_t k = 0; k < n; k++)
            for (size_t j = 0; j < run[k].n; j++, next++)
                wrong += run[k].t_ms[j] != T0 + next * 1000 || run[k].v[j] != (double)next;
        wrong += next < at_least;
    }
    return wrong;
}

static void *reader(void *arg)
{
    struct shared *s = arg;
    struct query_source *source = tsdb_source(s->db);
    struct query_matcher m = {QUERY_EQUAL, "__name__", "x", NULL};
    struct query_hints hints = {T0, INT64_MAX, 0, 0};
    while (!atomic_load(&s->is_over)) {
        int before = atomic_load(&s->appended);
        struct query_set *set = NULL;
        if (source->ops->select(source, &m, 1, &hints, 0, &set, NULL) < 0) {
            atomic_fetch_add(&s->wrong, 1);
            continue;
        }
        if (before > 0)
            atomic_fetch_add(&s->wrong, check_set(set, before));
        source->ops->free_set(set);
        struct tsdb_status status;
        tsdb_status(s->db, &status);
        atomic_fetch_add(&s->reads, 1);
    }
    return NULL;
}

static void *follower(void *arg)
{
    struct shared *s = arg;
    struct tsdb_tail *tail = NULL;
    struct tsdb_tail_batch batch;
    size_t n = 0;
    if (tsdb_tail_open(s->db, "test", &(struct tsdb_tail_position){0}, &tail, NULL) < 0)
        return NULL;
    while (n < (size_t)SERIES * BATCHES) {
        int r = tsdb_tail_next(tail, 10000, &batch, NULL);
        if (r == 1) {
            n += batch.n;
            tsdb_tail_done(tail, &batch.next);
        } else if (r == 0 && !atomic_load(&s->is_over)) {
            usleep(1000);
        } else {
            break;
        }
    }
    if (n != (size_t)SERIES * BATCHES)
        atomic_fetch_add(&s->wrong, 1);
    tsdb_tail_close(tail);
    return NULL;
}

static void append_all(struct shared *s)
{
    const struct tsdb_kind_of kind = {TSDB_DOUBLE, 0, false, 0};
    uint32_t ref[SERIES];
    union tsdb_value v[SERIES];
    for (int i = 0; i < SERIES; i++) {
        char number[16];
        snprintf(number, sizeof(number), "%d", i);
        struct label label[] = {{"__name__", "x"}, {"i", number}};
        assert_int_equal(tsdb_series(s->db, label, 2, &kind, &ref[i], NULL), 0);
    }
    for (int i = 0; i < BATCHES; i++) {
        for (int k = 0; k < SERIES; k++)
            v[k].f64 = i;
        assert_int_equal(tsdb_append(s->db, T0 + i * 1000, ref, v, SERIES, NULL), 0);
        atomic_store(&s->appended, i + 1);
        if (i % 20 == 0)
            usleep(2000);
    }
}

static void test_readers_and_owner(void **state)
{
    struct tsdb_options o;
    struct shared s = {0};
    pthread_t thread[READERS], tail;
    tsdb_options_init(&o);
    o.flush_ms = 3;
    o.fsync_ms = 1000;
    o.head_ms = 100;
    assert_int_equal(tsdb_open(*state, &o, &s.db, NULL), 0);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, reader, &s), 0);
    assert_int_equal(pthread_create(&tail, NULL, follower, &s), 0);
    append_all(&s);
    assert_int_equal(tsdb_settle(s.db, NULL), 0);
    pthread_join(tail, NULL);
    atomic_store(&s.is_over, true);
    for (int i = 0; i < READERS; i++)
        pthread_join(thread[i], NULL);
    struct tsdb_status status;
    tsdb_status(s.db, &status);
    assert_int_equal(atomic_load(&s.wrong), 0);
    assert_true(atomic_load(&s.reads) > READERS);
    assert_true(status.blocks[1] > 0); // a window was closed and rolled up meanwhile
    tsdb_close(s.db);
}

static void *register_one(void *arg)
{
    const struct tsdb_kind_of kind = {TSDB_DOUBLE, 0, false, 0};
    struct label label[] = {{"__name__", "new"}};
    uint32_t ref;
    return tsdb_series(arg, label, 1, &kind, &ref, NULL) == 0 ? NULL : arg;
}

// While the owner waits for a reader to end, no other reader begins: queries one after the other
// would keep it waiting for ever.
static void test_owner_goes_before_new_readers(void **state)
{
    struct tsdb_options o;
    struct tsdb *db = NULL;
    pthread_t owner;
    void *failed = NULL;
    tsdb_options_init(&o);
    assert_int_equal(tsdb_open(*state, &o, &db, NULL), 0);
    assert_int_equal(pthread_rwlock_rdlock(&db->head.index), 0);
    assert_int_equal(pthread_create(&owner, NULL, register_one, db), 0);
    int r = 0;
    for (int i = 0; i < 5000 && r == 0; i++) {
        usleep(1000);
        r = pthread_rwlock_tryrdlock(&db->head.index);
        if (r == 0)
            pthread_rwlock_unlock(&db->head.index);
    }
    pthread_rwlock_unlock(&db->head.index);
    pthread_join(owner, &failed);
    assert_null(failed);
    assert_int_equal(r, EBUSY);
    tsdb_close(db);
}

static void append_noise(struct tsdb *db, const uint32_t *ref, int first, int n)
{
    union tsdb_value v[SERIES];
    for (int i = first; i < first + n; i++) {
        for (int k = 0; k < SERIES; k++)
            v[k].f64 = sin(i * SERIES + k);
        assert_int_equal(tsdb_append(db, T0 + i * 1000, ref, v, SERIES, NULL), 0);
    }
}

static size_t count_all(struct tsdb *db)
{
    struct query_source *source = tsdb_source(db);
    struct query_matcher m = {QUERY_EQUAL, "__name__", "x", NULL};
    struct query_hints hints = {T0, INT64_MAX, 0, 0};
    struct query_set *set = NULL;
    size_t all = 0;
    assert_int_equal(source->ops->select(source, &m, 1, &hints, 0, &set, NULL), 0);
    for (size_t i = 0; i < set->n; i++) {
        const struct query_run *run = NULL;
        size_t n = 0;
        assert_int_equal(set->ops->read(set, i, T0, INT64_MAX, &run, &n, NULL), 0);
        for (size_t k = 0; k < n; k++)
            all += run[k].n;
    }
    source->ops->free_set(set);
    return all;
}

static void *settle(void *arg)
{
    (void)tsdb_settle(arg, NULL);
    return NULL;
}

// The block of the first window is a pipe that nobody reads: who writes it is stuck.
static int open_pipe(const char *directory)
{
    CLEANUP(freep)
    char *path = mem_printf("%s/blocks/0s-1699999200-1700006400-00000001.blk.tmp", directory);
    assert_int_equal(mkfifo(path, 0600), 0);
    int fd = open(path, O_RDONLY | O_NONBLOCK);
    assert_true(fd >= 0);
    return fd;
}

static void wait_until_full(int fd)
{
    int waiting = 0;
    for (int i = 0; i < 30000 && waiting < PIPE_BYTES; i++) {
        usleep(1000);
        assert_int_equal(ioctl(fd, FIONREAD, &waiting), 0);
    }
    assert_true(waiting >= PIPE_BYTES);
}

// Samples are taken, answered and logged while the block thread waits for its disk.
static void test_a_stuck_block_holds_up_no_sample(void **state)
{
    const struct tsdb_kind_of kind = {TSDB_DOUBLE, 0, false, 0};
    struct tsdb_options o;
    struct tsdb *db = NULL;
    struct tsdb_status status = {.log_unwritten_bytes = 1};
    uint32_t ref[SERIES];
    pthread_t thread;
    char bytes[4096];
    tsdb_options_init(&o);
    o.flush_ms = 5;
    assert_int_equal(tsdb_open(*state, &o, &db, NULL), 0);
    for (int i = 0; i < SERIES; i++) {
        CLEANUP(freep) char *number = mem_printf("%d", i);
        struct label label[] = {{"__name__", "x"}, {"i", number}};
        assert_int_equal(tsdb_series(db, label, 2, &kind, &ref[i], NULL), 0);
    }
    append_noise(db, ref, 0, 2000);
    int fd = open_pipe(*state);
    assert_int_equal(pthread_create(&thread, NULL, settle, db), 0);
    wait_until_full(fd);
    append_noise(db, ref, 2000, 2000);
    assert_int_equal(count_all(db), 4000 * SERIES);
    for (int i = 0; i < 30000 && status.log_unwritten_bytes > 0; i++) {
        usleep(1000);
        tsdb_status(db, &status);
    }
    assert_int_equal(status.log_unwritten_bytes, 0);
    assert_int_equal(status.blocks[0], 0);
    while (pthread_tryjoin_np(thread, NULL) == EBUSY)
        if (read(fd, bytes, sizeof(bytes)) <= 0)
            usleep(1000);
    close(fd);
    assert_int_equal(tsdb_settle(db, NULL), 0); // a pipe cannot be synced, and made way
    assert_int_equal(count_all(db), 4000 * SERIES);
    tsdb_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TSDB_TEST(test_readers_and_owner),
                                       TSDB_TEST(test_owner_goes_before_new_readers),
                                       TSDB_TEST(test_a_stuck_block_holds_up_no_sample)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
