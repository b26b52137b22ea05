// SPDX-License-Identifier: GPL-3.0-or-later
// KVM's statistics of each vCPU. QEMU 8.1 and later keep a descriptor open for each
// (KVM_GET_STATS_FD); pidfd_getfd() brings a duplicate over once, and a pread() of it costs a
// microsecond and disturbs nobody. Asking KVM itself from outside is refused, so that older QEMUs
// leave debugfs, one file a number.
//
// KVM numbers vCPUs by APIC id, QEMU's threads by index. Both ascend over the same vCPUs, so that
// they are paired by rank, and not at all where their counts differ.
#include "host_slow.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/number.h"
#include "host_file.h"

#define VCPUS_MAX 8192
#define STAT_NAME_MAX 256
#define SEARCHES_MAX 3

int parse_kvm_layout(const void *data, size_t len, struct kvm_layout *ret, size_t *ret_need)
{
    struct kvm_stats_header h;
    struct kvm_layout layout = {.begin = UINT64_MAX};
    if (len < sizeof(h)) {
        *ret_need = sizeof(h);
        return -EAGAIN;
    }
    memcpy(&h, data, sizeof(h));
    if (h.name_size == 0 || h.name_size > STAT_NAME_MAX || h.num_desc > KVM_LAYOUT_MAX / 16)
        return -EINVAL;
    size_t step = sizeof(struct kvm_stats_desc) + h.name_size;
    size_t end = (size_t)h.desc_offset + step * h.num_desc;
    if (end > KVM_LAYOUT_MAX)
        return -EINVAL;
    if (end > len) {
        *ret_need = end;
        return -EAGAIN;
    }
    for (uint32_t i = 0; i < h.num_desc; i++) {
        const char *at = (const char *)data + h.desc_offset + step * i;
        const char *name = at + sizeof(struct kvm_stats_desc);
        struct kvm_stats_desc d;
        memcpy(&d, at, sizeof(d));
        if (!memchr(name, '\0', h.name_size) || d.size == 0)
            continue;
        uint64_t offset = (uint64_t)h.data_offset + d.offset;
        for (int k = 0; k < KVM_STATS; k++)
            if (strcmp(name, kvm_stat_name((enum kvm_stat)k)) == 0) {
                layout.offset[k] = offset;
                layout.begin = MIN_OF(layout.begin, offset);
                layout.end = MAX_OF(layout.end, offset + sizeof(uint64_t));
            }
    }
    if (layout.end == 0 || layout.end - layout.begin > KVM_LAYOUT_MAX)
        return -EINVAL;
    *ret = layout;
    return 0;
}

void kvm_close(struct slow *s)
{
    for (size_t i = 0; i < s->n_kvm; i++)
        closep(&s->kvm[i].fd);
    free(s->kvm);
    s->kvm = NULL;
    s->n_kvm = s->cap_kvm = 0;
}

static int read_layout(int fd, struct kvm_layout *ret)
{
    size_t need = 8192;
    for (int round = 0; round < 3; round++) {
        CLEANUP(freep) char *data = mem_zalloc(need);
        ssize_t n = pread(fd, data, need, 0);
        if (n < 0)
            return -errno;
        int r = parse_kvm_layout(data, (size_t)n, ret, &need);
        if (r != -EAGAIN)
            return r;
    }
    return -EINVAL;
}

static void take_over(struct slow *s, int pidfd, int their_fd, int32_t id)
{
    struct kvm_descriptor d = {.id = id, .fd = pidfd < 0 ? -1 : pidfd_getfd(pidfd, their_fd, 0)};
    int r = d.fd < 0 ? -errno : read_layout(d.fd, &d.layout);
    if (r == 0)
        r = mem_grow_capped(&s->kvm, &s->cap_kvm, s->n_kvm, sizeof(*s->kvm), VCPUS_MAX);
    if (r < 0) {
        closep(&d.fd);
        s->fd_error = s->fd_error ? s->fd_error : r;
        return;
    }
    s->kvm[s->n_kvm++] = d;
}

static int by_id(const void *a, const void *b)
{
    const struct kvm_descriptor *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

// "anon_inode:kvm-vcpu-stats:3"
static bool is_vcpu_stats(const char *link, int32_t *ret_id)
{
    static const char prefix[] = "anon_inode:kvm-vcpu-stats:";
    const char *p = link + sizeof(prefix) - 1;
    uint64_t id = 0;
    if (strncmp(link, prefix, sizeof(prefix) - 1) != 0 || !number_scan_u64(&p, &id) || *p ||
        id > INT32_MAX)
        return false;
    *ret_id = (int32_t)id;
    return true;
}

static void search_descriptors(struct slow *s)
{
    s->is_kvm = false;
    s->fd_error = 0;
    CLEANUP(closep) int pidfd = s->real ? pidfd_open(s->pid, 0) : -1;
    DIR *dir = dir_list(s->dir, "fd");
    if (!dir) {
        s->fd_error = -errno;
        return;
    }
    for (const struct dirent *e; (e = readdir(dir));) {
        char link[64];
        uint64_t number = 0;
        int32_t id = 0;
        if (number_parse_u64(e->d_name, &number) < 0 || number > INT32_MAX)
            continue;
        ssize_t n = readlinkat(dirfd(dir), e->d_name, link, sizeof(link) - 1);
        if (n < 0) {
            s->fd_error = s->fd_error ? s->fd_error : -errno;
            continue;
        }
        link[n] = '\0';
        s->is_kvm = s->is_kvm || strcmp(link, "anon_inode:kvm-vm") == 0;
        if (is_vcpu_stats(link, &id))
            take_over(s, pidfd, (int)number, id);
    }
    closedir(dir);
    if (s->n_kvm > 1)
        qsort(s->kvm, s->n_kvm, sizeof(*s->kvm), by_id);
}

static bool set_count(struct slow *s, size_t n)
{
    while (s->cap_stats < n)
        if (mem_grow_capped(&s->stats, &s->cap_stats, s->cap_stats, sizeof(*s->stats), VCPUS_MAX) <
            0)
            return false;
    s->n_stats = n;
    return true;
}

static int read_descriptor(const struct kvm_descriptor *d, double ret[KVM_STATS])
{
    size_t len = (size_t)(d->layout.end - d->layout.begin);
    CLEANUP(freep) char *data = mem_zalloc(len);
    ssize_t n = pread(d->fd, data, len, (off_t)d->layout.begin);
    if (n < 0)
        return -errno;
    for (int k = 0; k < KVM_STATS; k++) {
        uint64_t v = 0, at = d->layout.offset[k] - d->layout.begin;
        bool told = d->layout.offset[k] && at + sizeof(v) <= (uint64_t)n;
        if (told)
            memcpy(&v, data + at, sizeof(v));
        ret[k] = told ? (double)v : NAN;
    }
    return 0;
}

static int read_descriptors(struct slow *s)
{
    if (s->n_kvm != s->n_vcpus || !set_count(s, s->n_kvm))
        return -EINVAL;
    for (size_t i = 0; i < s->n_kvm; i++) {
        int r = read_descriptor(&s->kvm[i], s->stats[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

// The directory of the process's VM in debugfs: "PID-FD". Returns it opened, or -errno.
static int open_debugfs(const struct slow *s)
{
    char prefix[16];
    int n = snprintf(prefix, sizeof(prefix), "%d-", s->pid);
    DIR *dir = dir_list(s->root, "sys/kernel/debug/kvm");
    int vm = dir ? -ESRCH : -errno;
    if (!dir)
        return vm;
    for (const struct dirent *e; vm == -ESRCH && (e = readdir(dir));)
        if (strncmp(e->d_name, prefix, (size_t)n) == 0)
            vm = dir_open(dirfd(dir), e->d_name);
    closedir(dir);
    return vm;
}

static int number_order(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static int list_debugfs_vcpus(int vm, int32_t **ret_ids, size_t *ret_n)
{
    CLEANUP(freep) int32_t *ids = NULL;
    size_t n = 0, cap = 0;
    DIR *dir = dir_list(vm, ".");
    if (!dir)
        return -errno;
    int r = 0;
    for (const struct dirent *e; r == 0 && (e = readdir(dir));) {
        int32_t id = 0;
        if (parse_thread_cgroup(e->d_name, &id) == THREAD_VCPU &&
            (r = mem_grow_capped(&ids, &cap, n, sizeof(*ids), VCPUS_MAX)) == 0)
            ids[n++] = id;
    }
    closedir(dir);
    if (r < 0)
        return r;
    if (n > 1)
        qsort(ids, n, sizeof(*ids), number_order);
    *ret_ids = TAKE_PTR(ids);
    *ret_n = n;
    return 0;
}

static int read_debugfs(struct slow *s)
{
    CLEANUP(closep) int vm = open_debugfs(s);
    CLEANUP(freep) int32_t *ids = NULL;
    size_t n = 0;
    int r = vm < 0 ? vm : list_debugfs_vcpus(vm, &ids, &n);
    if (r < 0)
        return r;
    if (n == 0 || n != s->n_vcpus || !set_count(s, n))
        return -EINVAL;
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < KVM_STATS; k++) {
            char path[64];
            struct kept file = KEPT_INIT;
            snprintf(path, sizeof(path), "vcpu%d/%s", ids[i], kvm_stat_name((enum kvm_stat)k));
            s->stats[i][k] = kept_number(&file, vm, path);
            kept_close(&file);
        }
    return 0;
}

static void say_why(struct slow *s, int debugfs_error)
{
    const char *first = "QEMU keeps no statistics descriptors (older than 8.1)";
    if (s->fd_error == -EACCES || s->fd_error == -EPERM)
        first = "permission denied for the process's descriptors";
    else if (s->fd_error < 0)
        first = "the process's descriptors cannot be read";
    else if (!s->is_kvm) {
        snprintf(s->kvm_reason, sizeof(s->kvm_reason), "the guest does not run under KVM");
        return;
    }
    const char *second = "not readable";
    if (debugfs_error == -ENOENT)
        second = "not mounted, or without KVM";
    else if (debugfs_error == -EACCES || debugfs_error == -EPERM)
        second = "permission denied";
    else if (debugfs_error == -ESRCH)
        second = "nothing about this VM";
    snprintf(s->kvm_reason, sizeof(s->kvm_reason), "%s; debugfs: %s", first, second);
}

// A QEMU that has none now will have none later, once it is up; a vCPU that is plugged brings one.
// Under KVM the machine's own descriptor is there before the first vCPU's thread is.
static bool worth_searching(struct slow *s)
{
    bool is_emulated = s->searches > 0 && !s->is_kvm && s->fd_error == 0 && s->searched_vcpus > 0;
    if (is_emulated)
        return false;
    if (s->searched_vcpus != s->n_vcpus)
        s->searches = 0;
    s->searched_vcpus = s->n_vcpus;
    return s->searches < SEARCHES_MAX;
}

void kvm_read(struct slow *s)
{
    s->kvm_reason[0] = '\0';
    s->n_stats = 0;
    if (s->n_kvm > 0 && read_descriptors(s) == 0)
        return;
    kvm_close(s); // vCPUs came or went
    if (worth_searching(s)) {
        s->searches++;
        search_descriptors(s);
        if (s->n_kvm > 0 && read_descriptors(s) == 0) {
            s->searches = 0;
            return;
        }
        kvm_close(s);
    }
    int r = s->is_kvm || s->fd_error < 0 ? read_debugfs(s) : -ENOENT;
    if (r < 0) {
        s->n_stats = 0;
        say_why(s, r);
    }
}
