// SPDX-License-Identifier: GPL-3.0-or-later
// What can be asked of the daemon, one row each; no handlers here.
#include "verb/verb.h"

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

const struct verb verbs[VERB_MAX] = {
    [VERB_VM_LIST] =
        {
            .id = VERB_VM_LIST,
            .method = "GET",
            .path = "/vherd/v1/vms",
            .role = ROLE_VIEWER,
            .reach = VERB_REACH_LIST,
            .command = "list",
            .summary = "List the VMs of this host with their current load",
            .details = "Brief fields of all VMs, sorted by name, and how libvirt is doing. A field "
                       "that could not be read, or is too old to count as fresh, is left out.",
            .answers = "application/json",
        },
    [VERB_VM_SHOW] =
        {
            .id = VERB_VM_SHOW,
            .method = "GET",
            .path = "/vherd/v1/vms/{vm}",
            .role = ROLE_VIEWER,
            .reach = VERB_REACH_VM,
            .command = "show",
            .operand = "VM",
            .summary = "Show everything known about one VM",
            .details = "All fields of the VM whose name or UUID is given, with its vCPUs, disks, "
                       "NICs, file systems, perf events, events, what could not be read and why, "
                       "and five minutes of history.",
            .answers = "application/json",
        },
    [VERB_HOST] =
        {
            .id = VERB_HOST,
            .method = "GET",
            .path = "/vherd/v1/host",
            .role = ROLE_VIEWER,
            .command = "host",
            .summary = "Show the host: CPUs, memory, disks, NICs, pools, networks",
            .details = "All fields of the host, with its CPUs, NUMA nodes, huge pages, disks, "
                       "NICs, storage pools, networks, and vherd's own processes and lanes.",
            .answers = "application/json",
        },
    [VERB_STATUS] =
        {
            .id = VERB_STATUS,
            .method = "GET",
            .path = "/vherd/v1/status",
            .role = ROLE_VIEWER,
            .command = "status",
            .summary = "Say how the daemon and its connection to libvirt are doing",
            .details = "Version, the state of the connection to libvirt, samples taken and "
                       "missed, the lanes of collection, VMs that a fault keeps from being read, "
                       "vherd's processes with what confines them, and what could not be read.",
            .answers = "application/json",
        },
    [VERB_METRICS] =
        {
            .id = VERB_METRICS,
            .method = "GET",
            .path = "/metrics",
            .role = ROLE_NONE,
            .reach = VERB_REACH_LIST,
            .command = "metrics",
            .summary = "Print all metrics as Prometheus scrapes them",
            .details = "The Prometheus text exposition, version 0.0.4, of all fresh values in the "
                       "selected metric sets.",
            .answers = "text/plain; version=0.0.4; charset=utf-8",
            .params = {{"set", VERB_TYPE_STRING,
                        "only this set: vherd, tinkoff, inovex; may be repeated"}},
        },
    [VERB_VM_DIRTY_RATE] =
        {
            .id = VERB_VM_DIRTY_RATE,
            .method = "GET",
            .path = "/vherd/v1/vms/{vm}/dirty-rate",
            .role = ROLE_OPERATOR,
            .reach = VERB_REACH_VM,
            .command = "dirty-rate",
            .operand = "VM",
            .summary = "Measure how fast a VM dirties its memory",
            .details = "Has QEMU measure the rate at which the guest writes to memory pages, and "
                       "waits for the result: what a live migration has to keep up with.",
            .answers = "application/json",
            .params = {{"seconds", VERB_TYPE_INTEGER, "how long to measure, 1 to 60; 1 if absent"}},
        },
    [VERB_HEALTHY] =
        {
            .id = VERB_HEALTHY,
            .method = "GET",
            .path = "/-/healthy",
            .role = ROLE_NONE,
            .summary = "Tell that the daemon answers",
            .details = "200 and a line of text.",
            .answers = "text/plain; charset=utf-8",
        },
    [VERB_READY] =
        {
            .id = VERB_READY,
            .method = "GET",
            .path = "/-/ready",
            .role = ROLE_NONE,
            .summary = "Tell whether the daemon has data",
            .details = "200 and a line of text; 503 until the first sample and the first attempt "
                       "to reach libvirt.",
            .answers = "text/plain; charset=utf-8",
        },
    [VERB_PAGE] =
        {
            .id = VERB_PAGE,
            .method = "GET",
            .path = "/",
            .role = ROLE_VIEWER,
            .reach = VERB_REACH_LIST,
            .summary = "A plain page with the herd, for a browser",
            .details = "HTML without scripts.",
            .answers = "text/html; charset=utf-8",
        },
};

// Does `path` follow `pattern`, whose one {…} stands for bytes other than '/'?
static bool path_matches(const char *pattern, const char *path, char **ret_object)
{
    const char *open = strchr(pattern, '{');
    if (!open) {
        *ret_object = NULL;
        return strcmp(pattern, path) == 0;
    }
    size_t before = (size_t)(open - pattern);
    const char *after = strchr(open, '}') + 1;
    if (strncmp(pattern, path, before) != 0)
        return false;
    const char *object = path + before;
    size_t len = strcspn(object, "/");
    if (len == 0 || strcmp(object + len, after) != 0)
        return false;
    *ret_object = mem_strndup(object, len);
    return true;
}

enum verb_id verb_match(const char *method, const char *path, char **ret_object,
                        const char **ret_allow)
{
    *ret_object = NULL;
    *ret_allow = NULL;
    // HEAD is GET whose body the server keeps to itself.
    if (strcmp(method, "HEAD") == 0)
        method = "GET";
    for (int i = 0; i < VERB_MAX; i++) {
        CLEANUP(freep) char *object = NULL;
        if (!path_matches(verbs[i].path, path, &object))
            continue;
        if (strcmp(verbs[i].method, method) != 0) {
            *ret_allow = verbs[i].method;
            continue;
        }
        *ret_allow = NULL;
        *ret_object = TAKE_PTR(object);
        return (enum verb_id)i;
    }
    return VERB_INVALID;
}

const struct verb *verb_by_command(const char *command)
{
    for (int i = 0; i < VERB_MAX; i++)
        if (verbs[i].command && strcmp(verbs[i].command, command) == 0)
            return &verbs[i];
    return NULL;
}
