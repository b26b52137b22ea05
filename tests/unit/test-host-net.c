// SPDX-License-Identifier: GPL-3.0-or-later
// Interfaces of the real kernel, in a network namespace of the test's own.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <math.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "host_net.h"

#define FULL_AFTER 2 // packets that nobody takes

struct tap {
    int tap, socket;
    struct host_net *net;
    struct batch *batch;
};

// A tap that nobody reads: what is sent through it is dropped once its queue is full.
static int setup(void **state)
{
    static struct tap t;
    struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    if (unshare(CLONE_NEWNET) < 0)
        return -1;
    t.tap = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    t.socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "tap0");
    if (t.tap < 0 || t.socket < 0 || ioctl(t.tap, TUNSETIFF, &ifr) < 0)
        return -1;
    ifr.ifr_qlen = FULL_AFTER;
    if (ioctl(t.socket, SIOCSIFTXQLEN, &ifr) < 0)
        return -1;
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000001)};
    memcpy(&ifr.ifr_addr, &own, sizeof(own));
    if (ioctl(t.socket, SIOCSIFADDR, &ifr) < 0)
        return -1;
    ifr.ifr_flags = IFF_UP | IFF_RUNNING;
    if (ioctl(t.socket, SIOCSIFFLAGS, &ifr) < 0)
        return -1;
    t.net = host_net_new(-1, true, 5 * NS_PER_S);
    t.batch = batch_new();
    t.batch->mono_ns = 100 * NS_PER_S;
    *state = &t;
    return 0;
}

static int teardown(void **state)
{
    struct tap *t = *state;
    host_net_free(t->net);
    batch_free(t->batch);
    close(t->tap);
    close(t->socket);
    return 0;
}

static void send_packets(struct tap *t, int n)
{
    int on = 1;
    struct sockaddr_in all = {
        .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(0x0affffff)};
    assert_int_equal(setsockopt(t->socket, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)), 0);
    for (int i = 0; i < n; i++)
        sendto(t->socket, "x", 1, 0, (const struct sockaddr *)&all, sizeof(all));
}

// A second later: the value of the tap's fact, NaN where this sample has none.
static double sampled(struct tap *t, enum fact fact)
{
    int64_t now = t->batch->mono_ns + NS_PER_S;
    batch_reset(t->batch);
    t->batch->mono_ns = now;
    host_net_sample(t->net, t->batch);
    for (uint32_t i = 0; i < t->batch->n_rows; i++) {
        const struct batch_row *row = &t->batch->rows[i];
        if (row->fact == (int)fact && strcmp(t->batch->text + row->key, "tap0") == 0)
            return row->value;
    }
    return NAN;
}

static void test_drops_are_told_in_the_sample_that_sees_them(void **state)
{
    struct tap *t = *state;
    double before = sampled(t, FACT_HNIC_TX_DROPS);
    assert_false(isnan(before));
    int told = 0;
    for (int i = 0; i < 10; i++)
        told += !isnan(sampled(t, FACT_HNIC_TX_DROPS));
    assert_in_range(told, 1, 3); // at its turns, as nothing moves
    for (int i = 0; i < 10; i++) {
        send_packets(t, 2 * FULL_AFTER);
        double drops = sampled(t, FACT_HNIC_TX_DROPS);
        assert_true(drops > before);
        before = drops;
    }
}

static void test_bytes_are_told_in_each_sample(void **state)
{
    struct tap *t = *state;
    for (int i = 0; i < 10; i++)
        assert_false(isnan(sampled(t, FACT_HNIC_TX_BYTES)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drops_are_told_in_the_sample_that_sees_them),
        cmocka_unit_test(test_bytes_are_told_in_each_sample),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
