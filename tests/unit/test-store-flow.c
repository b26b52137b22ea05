// SPDX-License-Identifier: GPL-3.0-or-later
// What comes from the network into a real store.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store_flow.h"
#include "tsdb-dir.h"

// One receiver's client with a wrong clock must not decide what time it is here.
static void test_samples_of_the_future(void **state)
{
    struct tsdb_options o;
    struct tsdb *db = NULL;
    struct tsdb_status status;
    const struct label label[] = {{"__name__", "up"}, {"job", "x"}};
    const int64_t hour_ms = 3600000, now_ms = clock_real_ns(&clock_system) / NS_PER_MS;
    tsdb_options_init(&o);
    assert_int_equal(tsdb_open(*state, &o, &db, NULL), 0);
    struct store_flow *f = store_flow_new(db);
    assert_int_equal(store_flow_sink.append(f, label, 2, now_ms - hour_ms, 1), 0);
    assert_int_equal(store_flow_sink.append(f, label, 2, now_ms + hour_ms, 1), -ERANGE);
    assert_int_equal(store_flow_sink.append(f, label, 2, INT64_MAX, 1), -ERANGE);
    assert_int_equal(store_flow_sink.append(f, label, 2, now_ms + 60000, 1), 0);
    tsdb_status(db, &status);
    assert_int_equal(status.newest_ms, now_ms + 60000);
    store_flow_free(f);
    tsdb_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TSDB_TEST(test_samples_of_the_future)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
