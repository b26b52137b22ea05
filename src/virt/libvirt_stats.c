// SPDX-License-Identifier: GPL-3.0-or-later
// Statistics of one domain: one bulk call with the groups that the kernel cannot give, then the
// job. The group of the disks takes libvirt three round trips to QEMU, that of the memory two.
// (virDomainBlockStatsFlags() takes two, but asks the daemon about its features before each call.)
// Tables say which field of libvirt is which fact; a fact that libvirt leaves out is set absent, so
// that no old value passes as new.
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "base/number.h"
#include "libvirt_priv.h"

#define DISKS_MAX 1024
#define KIB 1024.0
#define MS_TO_NS 1e6

struct field {
    const char *name;
    enum fact fact;
    double scale;
};

static const struct field state_fields[] = {
    {"state.state", FACT_VM_STATE, 1},
    {"state.reason", FACT_VM_REASON, 1},
};

static const struct field balloon_fields[] = {
    {"balloon.current", FACT_VM_BALLOON_CURRENT, KIB},
    {"balloon.maximum", FACT_VM_BALLOON_MAXIMUM, KIB},
    {"balloon.available", FACT_VM_GUEST_AVAILABLE, KIB},
    {"balloon.unused", FACT_VM_GUEST_UNUSED, KIB},
    {"balloon.usable", FACT_VM_GUEST_USABLE, KIB},
    {"balloon.disk_caches", FACT_VM_GUEST_DISK_CACHES, KIB},
    {"balloon.swap_in", FACT_VM_GUEST_SWAP_IN, KIB},
    {"balloon.swap_out", FACT_VM_GUEST_SWAP_OUT, KIB},
    {"balloon.major_fault", FACT_VM_GUEST_MAJOR_FAULTS, 1},
    {"balloon.minor_fault", FACT_VM_GUEST_MINOR_FAULTS, 1},
    {"balloon.hugetlb_pgalloc", FACT_VM_GUEST_HUGE_ALLOC, 1},
    {"balloon.hugetlb_pgfail", FACT_VM_GUEST_HUGE_FAIL, 1},
    {"balloon.rss", FACT_VM_BALLOON_RSS, KIB},
    {"balloon.last-update", FACT_VM_BALLOON_UPDATE, 1},
};

// Behind "block.N.".
static const struct field block_fields[] = {
    {"rd.bytes", FACT_DISK_READ_BYTES, 1}, {"rd.reqs", FACT_DISK_READS, 1},
    {"rd.times", FACT_DISK_READ_TIME, 1},  {"wr.bytes", FACT_DISK_WRITE_BYTES, 1},
    {"wr.reqs", FACT_DISK_WRITES, 1},      {"wr.times", FACT_DISK_WRITE_TIME, 1},
    {"fl.reqs", FACT_DISK_FLUSHES, 1},     {"fl.times", FACT_DISK_FLUSH_TIME, 1},
    {"capacity", FACT_DISK_CAPACITY, 1},   {"allocation", FACT_DISK_ALLOCATION, 1},
    {"physical", FACT_DISK_PHYSICAL, 1},   {"threshold", FACT_DISK_THRESHOLD, 1},
};

// virDomainJobInfo's members; kept apart from the type, which is always known.
static const struct {
    size_t offset;
    enum fact fact;
    double scale;
} job_fields[] = {
    {offsetof(virDomainJobInfo, timeElapsed), FACT_VM_JOB_ELAPSED, MS_TO_NS},
    {offsetof(virDomainJobInfo, timeRemaining), FACT_VM_JOB_REMAINING, MS_TO_NS},
    {offsetof(virDomainJobInfo, dataTotal), FACT_VM_JOB_DATA_TOTAL, 1},
    {offsetof(virDomainJobInfo, dataProcessed), FACT_VM_JOB_DATA_PROCESSED, 1},
    {offsetof(virDomainJobInfo, dataRemaining), FACT_VM_JOB_DATA_REMAINING, 1},
    {offsetof(virDomainJobInfo, memTotal), FACT_VM_JOB_MEM_TOTAL, 1},
    {offsetof(virDomainJobInfo, memProcessed), FACT_VM_JOB_MEM_PROCESSED, 1},
    {offsetof(virDomainJobInfo, memRemaining), FACT_VM_JOB_MEM_REMAINING, 1},
    {offsetof(virDomainJobInfo, fileTotal), FACT_VM_JOB_FILE_TOTAL, 1},
    {offsetof(virDomainJobInfo, fileProcessed), FACT_VM_JOB_FILE_PROCESSED, 1},
    {offsetof(virDomainJobInfo, fileRemaining), FACT_VM_JOB_FILE_REMAINING, 1},
};

double virt_param_number(const virTypedParameter *p)
{
    switch (p->type) {
    case VIR_TYPED_PARAM_INT:
        return p->value.i;
    case VIR_TYPED_PARAM_UINT:
        return p->value.ui;
    case VIR_TYPED_PARAM_LLONG:
        return (double)p->value.l;
    case VIR_TYPED_PARAM_ULLONG:
        return (double)p->value.ul;
    case VIR_TYPED_PARAM_DOUBLE:
        return p->value.d;
    case VIR_TYPED_PARAM_BOOLEAN:
        return p->value.b != 0;
    default:
        return NAN;
    }
}

static double number_field(const virDomainStatsRecord *record, const char *name)
{
    const virTypedParameter *p = virTypedParamsGet(record->params, record->nparams, name);
    return p ? virt_param_number(p) : NAN;
}

static void put_fields(const virDomainStatsRecord *record, const struct field *fields, size_t n,
                       struct batch *out)
{
    for (size_t i = 0; i < n; i++)
        batch_fact(out, 0, fields[i].fact, number_field(record, fields[i].name) * fields[i].scale);
}

static void put_state(const virDomainStatsRecord *record, struct batch *out)
{
    put_fields(record, state_fields, ARRAY_LEN(state_fields), out);
    double state = number_field(record, "state.state");
    double reason = number_field(record, "state.reason");
    if (isnan(state))
        return;
    batch_attr(out, 0, ATTR_VM_STATE, virt_state_name((int)state));
    batch_attr(out, 0, ATTR_VM_REASON,
               isnan(reason) ? NULL : virt_reason_name((int)state, (int)reason));
}

static void put_balloon(const virDomainStatsRecord *record, struct batch *out)
{
    put_fields(record, balloon_fields, ARRAY_LEN(balloon_fields), out);
    double current = number_field(record, "balloon.current") * KIB;
    double available = number_field(record, "balloon.available");
    double usable = number_field(record, "balloon.usable");
    if (!isnan(current))
        batch_fact(out, 0, FACT_VM_MEM_CURRENT, current);
    bool known = available > 0 && usable >= 0 && usable <= available;
    batch_fact(out, 0, FACT_VM_USED_PERCENT, known ? (available - usable) / available * 100 : NAN);
}

// Splits "block.N.FIELD"; NULL where it is not of that shape.
static const char *block_field(const char *name, uint64_t *ret_index)
{
    static const char prefix[] = "block.";
    if (strncmp(name, prefix, sizeof(prefix) - 1) != 0)
        return NULL;
    const char *p = name + sizeof(prefix) - 1;
    return number_scan_u64(&p, ret_index) && *p == '.' && *ret_index < DISKS_MAX ? p + 1 : NULL;
}

struct disk {
    uint32_t key; // 0 = libvirt gave it no name
    double values[ARRAY_LEN(block_fields)];
};

static void read_block_param(const virTypedParameter *p, struct disk *disks, size_t n,
                             struct batch *out)
{
    uint64_t at;
    const char *field = block_field(p->field, &at);
    if (!field || at >= n)
        return;
    if (p->type == VIR_TYPED_PARAM_STRING && strcmp(field, "name") == 0) {
        disks[at].key = batch_key(out, p->value.s);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(block_fields); i++) {
        if (strcmp(field, block_fields[i].name) == 0)
            disks[at].values[i] = virt_param_number(p) * block_fields[i].scale;
    }
}

// False where libvirt left out what only QEMU knows, of every disk.
static bool put_blocks(const virDomainStatsRecord *record, struct batch *out)
{
    double count = number_field(record, "block.count");
    size_t n = count > 0 ? (size_t)MIN_OF(count, DISKS_MAX) : 0;
    struct disk *disks CLEANUP(freep) = mem_zalloc((n + 1) * sizeof(*disks));
    for (size_t i = 0; i < n; i++) {
        for (size_t f = 0; f < ARRAY_LEN(block_fields); f++)
            disks[i].values[f] = NAN;
    }
    for (int i = 0; i < record->nparams; i++)
        read_block_param(&record->params[i], disks, n, out);
    bool is_told = n == 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t f = 0; f < ARRAY_LEN(block_fields) && disks[i].key; f++) {
            is_told |= !isnan(disks[i].values[f]);
            batch_fact(out, disks[i].key, block_fields[f].fact, disks[i].values[f]);
        }
    }
    return is_told;
}

static void put_perf(const virDomainStatsRecord *record, struct batch *out)
{
    static const char prefix[] = "perf.";
    for (int i = 0; i < record->nparams; i++) {
        const virTypedParameter *p = &record->params[i];
        if (strncmp(p->field, prefix, sizeof(prefix) - 1) != 0)
            continue;
        uint32_t key = batch_key(out, p->field + sizeof(prefix) - 1);
        batch_fact(out, key, FACT_PERF_COUNT, virt_param_number(p));
    }
}

// With NOWAIT libvirt leaves out what only QEMU knows when another call holds the domain.
// Resident memory comes with those fields and is never missing otherwise.
static bool monitor_skipped(const virDomainStatsRecord *record)
{
    return !isnan(number_field(record, "balloon.maximum")) &&
           isnan(number_field(record, "balloon.rss"));
}

static void put_job(virDomainPtr d, struct batch *out)
{
    virDomainJobInfo job;
    bool known = virDomainGetJobInfo(d, &job) == 0;
    // Without a job the figures of the last one, if any, mean nothing.
    bool active = known && job.type != VIR_DOMAIN_JOB_NONE;
    batch_fact(out, 0, FACT_VM_JOB_TYPE, known ? job.type : NAN);
    for (size_t i = 0; i < ARRAY_LEN(job_fields); i++) {
        unsigned long long v;
        memcpy(&v, (const char *)&job + job_fields[i].offset, sizeof(v));
        double value = active ? (double)v * job_fields[i].scale : known ? 0 : NAN;
        batch_fact(out, 0, job_fields[i].fact, value);
    }
}

static int fetch(struct use *use, const struct uuid *uuid, virDomainPtr d, unsigned groups,
                 virDomainStatsRecordPtr **ret_records, struct err *err)
{
    virDomainPtr list[] = {d, NULL};
    int n = virDomainListGetStats(list, groups, ret_records,
                                  VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE |
                                      VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);
    if (n < 0)
        return virt_libvirt_error(err, "reading a domain's statistics");
    if (n == 0) {
        virt_libvirt_forget(use, uuid);
        return err_set(err, ENOENT, "the domain does not run");
    }
    return 0;
}

static unsigned groups_of(unsigned parts)
{
    unsigned groups = VIR_DOMAIN_STATS_STATE | VIR_DOMAIN_STATS_PERF;
    if (parts & VIRT_PART_MEMORY)
        groups |= VIR_DOMAIN_STATS_BALLOON;
    if (parts & VIRT_PART_DISKS)
        groups |= VIR_DOMAIN_STATS_BLOCK;
    return groups;
}

static int put_record(const virDomainStatsRecord *record, unsigned parts, struct batch *out,
                      struct err *err)
{
    if (parts & VIRT_PART_MEMORY && monitor_skipped(record))
        return err_set(err, EBUSY, "another call holds the domain");
    put_state(record, out);
    if (parts & VIRT_PART_MEMORY)
        put_balloon(record, out);
    if (parts & VIRT_PART_DISKS && !put_blocks(record, out) && !(parts & VIRT_PART_MEMORY))
        return err_set(err, EBUSY, "another call holds the domain");
    put_perf(record, out);
    return 0;
}

int virt_libvirt_stats(struct virt *v, const struct uuid *uuid, unsigned parts, struct batch *out,
                       struct err *err)
{
    USE(use, v, err);
    virDomainPtr d CLEANUP(domain_freep) = virt_libvirt_domain(&use, uuid, err);
    if (!d)
        return err ? -err->code : -ENOENT;
    virDomainStatsRecordPtr *records CLEANUP(stats_freep) = NULL;
    int r = fetch(&use, uuid, d, groups_of(parts), &records, err);
    if (r == 0)
        r = put_record(records[0], parts, out, err);
    if (r == 0 && parts & VIRT_PART_JOB)
        put_job(d, out);
    return r;
}

#define NOT_ASKED INT_MIN

static struct virt_asked *asked_of(struct virt_asked *asked, size_t n, virDomainPtr d)
{
    struct uuid uuid;
    virDomainGetUUID(d, uuid.b);
    for (size_t i = 0; i < n; i++)
        if (asked[i].result == NOT_ASKED && memcmp(&asked[i].uuid, &uuid, sizeof(uuid)) == 0)
            return &asked[i];
    return NULL;
}

static void close_asked(struct use *use, struct virt_asked *asked, size_t n, int result,
                        const struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (asked[i].result != NOT_ASKED)
            continue;
        asked[i].result = result;
        asked[i].err = *err;
        if (result == -ENOENT)
            virt_libvirt_forget(use, &asked[i].uuid);
    }
}

// Those of them that want the same parts, in one call.
static void ask_alike(struct use *use, struct virt_asked *asked, size_t n, unsigned parts)
{
    CLEANUP(freep) virDomainPtr *list = mem_zalloc((n + 1) * sizeof(virDomainPtr));
    size_t listed = 0;
    for (size_t i = 0; i < n; i++) {
        if ((asked[i].parts & ~(unsigned)VIRT_PART_JOB) != parts)
            continue;
        virDomainPtr d = virt_libvirt_domain(use, &asked[i].uuid, &asked[i].err);
        asked[i].result = d ? NOT_ASKED : -asked[i].err.code;
        if (d)
            list[listed++] = d;
    }
    struct err err = {0};
    virDomainStatsRecordPtr *records CLEANUP(stats_freep) = NULL;
    int answered = listed == 0
                       ? 0
                       : virDomainListGetStats(list, groups_of(parts), &records,
                                               VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE |
                                                   VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);
    for (int i = 0; i < answered; i++) {
        struct virt_asked *a = asked_of(asked, n, records[i]->dom);
        if (a)
            a->result = put_record(records[i], parts, a->out, &a->err);
    }
    int result = answered < 0 ? virt_libvirt_error(&err, "reading domains' statistics")
                              : err_set(&err, ENOENT, "the domain does not run");
    close_asked(use, asked, n, result, &err);
    for (size_t i = 0; i < listed; i++)
        virDomainFree(list[i]);
}

void virt_libvirt_stats_many(struct virt *v, struct virt_asked *asked, size_t n)
{
    struct use use CLEANUP(virt_use_end);
    struct err err = {0};
    int r = virt_use_begin(&use, v, &err);
    for (size_t i = 0; i < n && r < 0; i++) {
        asked[i].result = r;
        asked[i].err = err;
    }
    if (r < 0)
        return;
    for (unsigned parts = 0; parts < VIRT_PART_JOB; parts++)
        ask_alike(&use, asked, n, parts);
    for (size_t i = 0; i < n; i++) {
        virDomainPtr d CLEANUP(domain_freep) = NULL;
        if (asked[i].result == 0 && asked[i].parts & VIRT_PART_JOB)
            d = virt_libvirt_domain(&use, &asked[i].uuid, NULL);
        if (d)
            put_job(d, asked[i].out);
    }
}

static void sleep_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

// 1: measured; 0: not yet.
static int dirty_rate_poll(struct use *use, const struct uuid *uuid, struct batch *out,
                           struct err *err)
{
    virDomainPtr d CLEANUP(domain_freep) = virt_libvirt_domain(use, uuid, err);
    if (!d)
        return err ? -err->code : -ENOENT;
    virDomainStatsRecordPtr *records CLEANUP(stats_freep) = NULL;
    int r = fetch(use, uuid, d, VIR_DOMAIN_STATS_DIRTYRATE, &records, err);
    if (r < 0)
        return r;
    double status = number_field(records[0], "dirtyrate.calc_status");
    double mib = number_field(records[0], "dirtyrate.megabytes_per_second");
    if (status != VIR_DOMAIN_DIRTYRATE_MEASURED || isnan(mib))
        return 0;
    batch_fact(out, 0, FACT_VM_DIRTY_RATE, mib * 1048576.0);
    return 1;
}

int virt_libvirt_dirty_rate(struct virt *v, const struct uuid *uuid, int seconds, struct batch *out,
                            struct err *err)
{
    enum { POLL_MS = 100, GRACE_MS = 5000 };
    USE(use, v, err);
    if (seconds < 1 || seconds > 60)
        return err_set(err, EINVAL, "seconds must be from 1 to 60");
    virDomainPtr d CLEANUP(domain_freep) = virt_libvirt_domain(&use, uuid, err);
    if (!d)
        return err ? -err->code : -ENOENT;
    if (virDomainStartDirtyRateCalc(d, seconds, 0) < 0)
        return virt_libvirt_error(err, "measuring the dirty page rate");
    sleep_ms(seconds * 1000L);
    for (int waited = 0; waited < GRACE_MS; waited += POLL_MS) {
        int r = dirty_rate_poll(&use, uuid, out, err);
        if (r != 0)
            return r < 0 ? r : 0;
        sleep_ms(POLL_MS);
    }
    return err_set(err, ETIMEDOUT, "the measurement of the dirty page rate does not end");
}
