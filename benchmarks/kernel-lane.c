// SPDX-License-Identifier: GPL-3.0-or-later
// What the kernel lane costs: `kernel-lane [SAMPLES [INTERVAL_MS]]` samples the hypervisor
// processes of this machine and prints CPU time for each VM and sample, all sources included.
// INTERVAL_MS apart (default 1000), since caches are warm only in a tight loop.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/number.h"
#include "virt/host.h"

struct counts {
    struct batch *spare;
    uint64_t vms, rows, vcpus;
    double run_ns;
};

static struct batch *take_batch(void *arg)
{
    struct counts *c = arg;
    batch_reset(c->spare);
    return c->spare;
}

static void count_batch(struct batch *b, void *arg)
{
    struct counts *c = arg;
    if (b->host || b->pid == 0)
        return;
    c->vms++;
    c->rows += b->n_rows;
    for (uint32_t i = 0; i < b->n_rows; i++)
        if (b->rows[i].fact == FACT_VCPU_RUN) {
            c->vcpus++;
            c->run_ns += b->rows[i].value;
        }
}

static double cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void wait_ms(int64_t ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * NS_PER_MS};
    nanosleep(&t, NULL);
}

int main(int argc, char **argv)
{
    int64_t samples = 10, interval_ms = 1000;
    if ((argc > 1 && number_parse_i64(argv[1], &samples) < 0) ||
        (argc > 2 && number_parse_i64(argv[2], &interval_ms) < 0)) {
        fprintf(stderr, "usage: kernel-lane [SAMPLES [INTERVAL_MS]]\n");
        return 2;
    }
    struct counts c = {.spare = batch_new()};
    struct host_sink sink = {take_batch, count_batch, &c};
    struct host_params params = {.root = "/", .clock = &clock_system, .own_mount_namespace = true};
    struct host *h = NULL;
    struct err err;
    if (host_kernel.open(&params, &h, &err) < 0) {
        fprintf(stderr, "kernel-lane: %s\n", err.message);
        return 1;
    }
    double t = cpu_us();
    host_kernel.scan(h, &sink);
    double first_scan = cpu_us() - t;
    host_kernel.sample(h, clock_mono_ns(&clock_system), &sink);
    c = (struct counts){.spare = c.spare};
    double sample_us = 0, scan_us = 0, worst = 0, best = INFINITY;
    for (int64_t i = 0; i < samples; i++) {
        wait_ms(interval_ms);
        t = cpu_us();
        host_kernel.sample(h, clock_mono_ns(&clock_system), &sink);
        double took = cpu_us() - t;
        sample_us += took;
        worst = fmax(worst, took);
        best = fmin(best, took);
        if (i % 10 == 9) {
            t = cpu_us();
            host_kernel.scan(h, &sink);
            scan_us += cpu_us() - t;
        }
    }
    double vms = (double)c.vms;
    printf("vms                 %8.1f\n", vms / (double)samples);
    printf("vcpus               %8.1f\n", (double)c.vcpus / (double)samples);
    printf("facts per vm        %8.1f\n", vms > 0 ? (double)c.rows / vms : 0);
    printf("first scan          %8.1f us\n", first_scan);
    printf("rescan              %8.1f us\n",
           samples >= 10 ? scan_us / (double)(samples / 10) : NAN);
    printf("sample              %8.1f us  (%.1f to %.1f)\n", sample_us / (double)samples, best,
           worst);
    if (vms > 0) {
        printf("sample per vm       %8.2f us\n", sample_us / vms);
        printf("with scan, per vm   %8.2f us\n", (sample_us + scan_us) / vms);
    }
    host_kernel.close(h);
    batch_free(c.spare);
    return 0;
}
