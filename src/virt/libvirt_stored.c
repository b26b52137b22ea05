// SPDX-License-Identifier: GPL-3.0-or-later
// What libvirt keeps of a domain: snapshots, and its definition in force and of the next start.
// Works on a read-only connection.
#include <errno.h>
#include <math.h>
#include <string.h>

#include "libvirt_priv.h"
#include "virt/manage.h"
#include "virt/stored.h"

// With more, their times are not read.
#define SNAPSHOTS_READ_MAX 4096

static void list_free(virDomainSnapshotPtr *list, int n)
{
    for (int i = 0; i < n; i++)
        virDomainSnapshotFree(list[i]);
    free(list);
}

// When a snapshot was made, Unix time; NaN where it is gone meanwhile or does not say.
static double time_of(virDomainSnapshotPtr snapshot)
{
    CLEANUP(freep) char *xml = virDomainSnapshotGetXMLDesc(snapshot, 0);
    struct virt_snapshot read = {0};
    if (xml)
        (void)virt_snapshot_read(xml, strlen(xml), &read, NULL);
    double time = read.created_s > 0 ? (double)read.created_s : NAN;
    virt_snapshot_done(&read);
    return time;
}

static int read_snapshots(virDomainPtr d, struct batch *out, struct err *err)
{
    virDomainSnapshotPtr *list = NULL;
    int n = virDomainListAllSnapshots(d, &list, 0);
    if (n < 0)
        return virt_libvirt_error(err, "listing a domain's snapshots");
    double oldest = NAN, newest = NAN;
    for (int i = 0; i < n && n <= SNAPSHOTS_READ_MAX; i++) {
        double time = time_of(list[i]);
        oldest = fmin(oldest, time); // of a number and NaN, the number
        newest = fmax(newest, time);
    }
    list_free(list, n);
    batch_fact(out, 0, FACT_VM_SNAPSHOTS, n);
    batch_fact(out, 0, FACT_VM_SNAPSHOT_OLDEST, oldest);
    batch_fact(out, 0, FACT_VM_SNAPSHOT_NEWEST, newest);
    return 0;
}

// Most VMs have none, and each call costs.
static void put_no_snapshots(struct batch *out)
{
    batch_fact(out, 0, FACT_VM_SNAPSHOTS, 0);
    batch_fact(out, 0, FACT_VM_SNAPSHOT_OLDEST, NAN);
    batch_fact(out, 0, FACT_VM_SNAPSHOT_NEWEST, NAN);
}

static int read_definitions(virDomainPtr d, bool persistent, struct batch *out, struct err *err)
{
    CLEANUP(freep) char *now = virDomainGetXMLDesc(d, 0);
    if (!now)
        return virt_libvirt_error(err, "reading a domain's XML");
    if (!persistent || !virt_stored_is_running(now))
        return virt_stored_read(now, NULL, out, err);
    CLEANUP(freep) char *stored = virDomainGetXMLDesc(d, VIR_DOMAIN_XML_INACTIVE);
    if (!stored)
        return virt_libvirt_error(err, "reading a domain's stored XML");
    return virt_stored_read(now, stored, out, err);
}

int virt_libvirt_stored(struct virt *v, const struct uuid *uuid, int known, bool persistent,
                        struct batch *out, struct err *err)
{
    USE(use, v, err);
    virDomainPtr d CLEANUP(domain_freep) = virt_libvirt_domain(&use, uuid, err);
    if (!d)
        return err ? -err->code : -ENOENT;
    int n = virDomainSnapshotNum(d, 0), r = 0;
    if (n < 0)
        return virt_libvirt_error(err, "counting a domain's snapshots");
    if (n == known) {
        batch_fact(out, 0, FACT_VM_SNAPSHOTS, n);
        return 0;
    }
    if (n == 0)
        put_no_snapshots(out);
    else
        r = read_snapshots(d, out, err);
    return r < 0 ? r : read_definitions(d, persistent, out, err);
}
