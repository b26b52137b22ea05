// SPDX-License-Identifier: GPL-3.0-or-later
// NUMA nodes, huge pages and disks: what is listed by a scan and read one by one.
#include "host_devices.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/number.h"
#include "host_file.h"
#include "host_parse.h"

#define NODES_MAX 1024
#define DISKS_MAX 4096
#define SECTOR 512.0
#define KIB 1024.0

struct hugepage {
    char *dir; // below the root; owned
    char key[40], node[12], size_text[24];
    struct kept total, free, surplus;
};

struct node {
    char key[12];
    char *dir;
    struct kept meminfo, numastat;
};

struct disk {
    char *path; // below the root; owned
    char *name; // owned
    struct kept stat;
};

static void clear_nodes(struct devices *all)
{
    for (size_t i = 0; i < all->n_nodes; i++) {
        kept_close(&all->nodes[i].meminfo);
        kept_close(&all->nodes[i].numastat);
        free(all->nodes[i].dir);
    }
    for (size_t i = 0; i < all->n_hugepages; i++) {
        kept_close(&all->hugepages[i].total);
        kept_close(&all->hugepages[i].free);
        kept_close(&all->hugepages[i].surplus);
        free(all->hugepages[i].dir);
    }
    all->n_nodes = all->n_hugepages = 0;
}

static void clear_disks(struct devices *all)
{
    for (size_t i = 0; i < all->n_disks; i++) {
        kept_close(&all->disks[i].stat);
        free(all->disks[i].path);
        free(all->disks[i].name);
    }
    all->n_disks = 0;
}

// "node12" with prefix "node" gives 12; false for all other names.
static bool numbered(const char *name, const char *prefix, const char *suffix, uint64_t *ret)
{
    size_t n = strlen(prefix);
    const char *p = name + n;
    return strncmp(name, prefix, n) == 0 && *p >= '0' && *p <= '9' && number_scan_u64(&p, ret) &&
           strcmp(p, suffix) == 0;
}

static void scan_hugepages(struct devices *all, const char *dir_path, const char *node)
{
    DIR *dir = dir_list(all->root, dir_path);
    if (!dir)
        return;
    for (const struct dirent *e; (e = readdir(dir));) {
        uint64_t kib = 0, bytes = 0;
        if (!numbered(e->d_name, "hugepages-", "kB", &kib) ||
            __builtin_mul_overflow(kib, 1024u, &bytes) ||
            mem_grow_capped(&all->hugepages, &all->cap_hugepages, all->n_hugepages,
                            sizeof(*all->hugepages), NODES_MAX * 8) < 0)
            continue;
        struct hugepage *h = &all->hugepages[all->n_hugepages++];
        *h = (struct hugepage){.total = KEPT_INIT, .free = KEPT_INIT, .surplus = KEPT_INIT};
        h->dir = mem_printf("%s/%s", dir_path, e->d_name);
        snprintf(h->node, sizeof(h->node), "%s", node);
        snprintf(h->size_text, sizeof(h->size_text), "%llu", (unsigned long long)bytes);
        snprintf(h->key, sizeof(h->key), "%s:%s", h->node, h->size_text);
    }
    closedir(dir);
}

static void scan_nodes(struct devices *all)
{
    static const char path[] = "sys/devices/system/node";
    clear_nodes(all);
    DIR *dir = dir_list(all->root, path);
    if (!dir) { // a kernel without NUMA is one node
        scan_hugepages(all, "sys/kernel/mm/hugepages", "0");
        return;
    }
    for (const struct dirent *e; (e = readdir(dir));) {
        uint64_t id = 0;
        if (!numbered(e->d_name, "node", "", &id) || id >= NODES_MAX ||
            mem_grow_capped(&all->nodes, &all->cap_nodes, all->n_nodes, sizeof(*all->nodes),
                            NODES_MAX) < 0)
            continue;
        struct node *n = &all->nodes[all->n_nodes++];
        *n = (struct node){.meminfo = KEPT_INIT, .numastat = KEPT_INIT};
        snprintf(n->key, sizeof(n->key), "%u", (unsigned)id);
        n->dir = mem_printf("%s/%s", path, e->d_name);
        CLEANUP(freep) char *huge = mem_printf("%s/hugepages", n->dir);
        scan_hugepages(all, huge, n->key);
    }
    closedir(dir);
}

static void add_disk(struct devices *all, const char *name)
{
    struct disk *d = &all->disks[all->n_disks++];
    *d = (struct disk){.stat = KEPT_INIT};
    d->path = mem_printf("sys/block/%s", name);
    d->name = mem_strdup(name);
    for (char *mark = strchr(d->name, '!'); mark; mark = strchr(mark, '!'))
        *mark = '/'; // as the kernel writes "cciss/c0d0" where it must be a file name
}

// Below sys/block stand whole disks only. Those without a size (network block devices that are not
// connected, empty drives) have nothing to tell.
static void scan_disks(struct devices *all)
{
    static const char *const left_out[] = {"loop", "ram", "zram"};
    clear_disks(all);
    all->disks_error = 0;
    DIR *dir = dir_list(all->root, "sys/block");
    if (!dir) {
        all->disks_error = -errno;
        return;
    }
    for (struct dirent *e; (e = readdir(dir));) {
        bool wanted = e->d_name[0] != '.';
        for (size_t i = 0; i < ARRAY_LEN(left_out); i++)
            wanted = wanted && strncmp(e->d_name, left_out[i], strlen(left_out[i])) != 0;
        if (!wanted)
            continue;
        char path[300];
        struct kept size = KEPT_INIT;
        snprintf(path, sizeof(path), "%s/size", e->d_name);
        bool empty = kept_number(&size, dirfd(dir), path) == 0;
        kept_close(&size);
        if (!empty && mem_grow_capped(&all->disks, &all->cap_disks, all->n_disks,
                                      sizeof(*all->disks), DISKS_MAX) == 0)
            add_disk(all, e->d_name);
    }
    closedir(dir);
}

static double node_value(const char *text, size_t len, const char *key)
{
    // "Node 0 MemTotal:       4015912 kB"
    const char *p = memmem(text, len, key, strlen(key));
    uint64_t v = 0;
    if (!p)
        return NAN;
    p += strlen(key);
    return number_scan_u64(&p, &v) ? (double)v * KIB : NAN;
}

static void read_node(struct devices *all, struct node *n, char *buf, size_t size, double values[5])
{
    static const struct keyed keys[] = {{"numa_hit"}, {"numa_miss"}, {"numa_foreign"}};
    ssize_t len = kept_read_in(&n->meminfo, all->root, n->dir, "meminfo", buf, size);
    values[0] = node_value(buf, len < 0 ? 0 : (size_t)len, " MemTotal:");
    values[1] = node_value(buf, len < 0 ? 0 : (size_t)len, " MemFree:");
    len = kept_read_in(&n->numastat, all->root, n->dir, "numastat", buf, size);
    parse_keyed(buf, len < 0 ? 0 : (size_t)len, keys, ARRAY_LEN(keys), &values[2]);
}

static void sample_nodes(struct devices *all, char *buf, size_t size, struct batch *b)
{
    static const enum fact facts[] = {FACT_NUMA_MEM_TOTAL, FACT_NUMA_MEM_FREE, FACT_NUMA_HIT,
                                      FACT_NUMA_MISS, FACT_NUMA_FOREIGN};
    for (size_t i = 0; i < all->n_nodes; i++) {
        struct node *n = &all->nodes[i];
        double values[ARRAY_LEN(facts)];
        read_node(all, n, buf, size, values);
        uint32_t key = batch_key(b, n->key);
        for (size_t f = 0; f < ARRAY_LEN(facts); f++)
            batch_fact(b, key, facts[f], values[f]);
    }
}

static double number_in(struct kept *k, int root, const char *dir, const char *name)
{
    char text[64];
    const char *p = text;
    uint64_t v = 0;
    if (kept_read_in(k, root, dir, name, text, sizeof(text)) < 0 || !number_scan_u64(&p, &v))
        return NAN;
    return (double)v;
}

static void sample_hugepages(struct devices *all, struct batch *b)
{
    for (size_t i = 0; i < all->n_hugepages; i++) {
        struct hugepage *h = &all->hugepages[i];
        uint32_t key = batch_key(b, h->key);
        batch_attr(b, key, ATTR_HUGEPAGE_NODE, h->node);
        batch_attr(b, key, ATTR_HUGEPAGE_SIZE, h->size_text);
        batch_fact(b, key, FACT_HUGEPAGE_TOTAL,
                   number_in(&h->total, all->root, h->dir, "nr_hugepages"));
        batch_fact(b, key, FACT_HUGEPAGE_FREE,
                   number_in(&h->free, all->root, h->dir, "free_hugepages"));
        batch_fact(b, key, FACT_HUGEPAGE_SURPLUS,
                   number_in(&h->surplus, all->root, h->dir, "surplus_hugepages"));
    }
}

static void put_disk(struct batch *b, const char *name, const struct disk_stat *d)
{
    const double ms = (double)NS_PER_MS;
    uint32_t key = batch_key(b, name);
    batch_fact(b, key, FACT_HDISK_READS, (double)d->reads);
    batch_fact(b, key, FACT_HDISK_READ_BYTES, (double)d->read_sectors * SECTOR);
    batch_fact(b, key, FACT_HDISK_READ_TIME, (double)d->read_ms * ms);
    batch_fact(b, key, FACT_HDISK_WRITES, (double)d->writes);
    batch_fact(b, key, FACT_HDISK_WRITE_BYTES, (double)d->write_sectors * SECTOR);
    batch_fact(b, key, FACT_HDISK_WRITE_TIME, (double)d->write_ms * ms);
    batch_fact(b, key, FACT_HDISK_IN_FLIGHT, (double)d->in_flight);
    batch_fact(b, key, FACT_HDISK_IO_TIME, (double)d->io_ms * ms);
    batch_fact(b, key, FACT_HDISK_WEIGHTED_TIME, (double)d->weighted_ms * ms);
}

// A file for each disk: /proc/diskstats would list every partition and loop device besides.
static void sample_disks(struct devices *all, char *buf, size_t size, struct batch *b)
{
    int error = all->disks_error;
    for (size_t i = 0; i < all->n_disks; i++) {
        struct disk_stat d;
        ssize_t n =
            kept_read_in(&all->disks[i].stat, all->root, all->disks[i].path, "stat", buf, size);
        if (n >= 0 && parse_disk_stat(buf, (size_t)n, &d) == 0)
            put_disk(b, all->disks[i].name, &d);
        error = MIN_OF(error, n < 0 ? (int)n : 0);
    }
    if (error < 0)
        batch_unavailable(b, "disks", source_reason(error));
}

// In each sample, also between their turns.
static void sample_missing(const struct devices *all, struct batch *b)
{
    int numa = 0, hugepages = 0;
    for (size_t i = 0; i < all->n_nodes; i++)
        numa = MIN_OF(numa, MIN_OF(all->nodes[i].meminfo.error, all->nodes[i].numastat.error));
    for (size_t i = 0; i < all->n_hugepages; i++) {
        const struct hugepage *h = &all->hugepages[i];
        hugepages = MIN_OF(hugepages, MIN_OF(h->total.error, h->free.error));
        hugepages = MIN_OF(hugepages, h->surplus.error);
    }
    if (numa < 0)
        batch_unavailable(b, "numa", source_reason(numa));
    if (hugepages < 0)
        batch_unavailable(b, "hugepages", source_reason(hugepages));
}

void devices_init(struct devices *all, int root, int64_t detail_ns)
{
    *all = (struct devices){.root = root, .detail_ns = detail_ns, .hugepages_turn = {.now = 2}};
}

void devices_scan(struct devices *all)
{
    all->rescanned = true;
    scan_nodes(all);
    scan_disks(all);
}

void devices_sample(struct devices *all, int64_t mono_ns, char *buf, size_t size, struct batch *b)
{
    if (turns_next(&all->nodes_turn, mono_ns, all->detail_ns, all->rescanned))
        sample_nodes(all, buf, size, b);
    if (turns_next(&all->hugepages_turn, mono_ns, all->detail_ns, all->rescanned))
        sample_hugepages(all, b);
    all->rescanned = false;
    sample_disks(all, buf, size, b);
    sample_missing(all, b);
}

void devices_done(struct devices *all)
{
    clear_nodes(all);
    clear_disks(all);
    free(all->nodes);
    free(all->hugepages);
    free(all->disks);
    *all = (struct devices){0};
}
