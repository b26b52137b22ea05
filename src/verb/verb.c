// SPDX-License-Identifier: GPL-3.0-or-later
// What can be asked of the daemon, one row each; no handlers here.
#include "verb/verb.h"

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

#define TIME_HELP "Unix seconds or RFC 3339; now if absent"
#define TIMEOUT_HELP "a duration; query.timeout at most"
#define LIMIT_HELP "at most so many entries; 0 = all"
#define LOOKBACK_HELP "a duration in place of query.lookback"

const struct verb verbs[VERB_MAX] = {
    [VERB_VM_LIST] =
        {
            .id = VERB_VM_LIST,
            .method = "GET",
            .path = "/vherd/v1/vms",
            .role = ROLE_VIEWER,
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
            .params = {{"data", VERB_TYPE_FLAG,
                        "also how complete and fresh the data of each VM are"}},
        },
    [VERB_METRICS] =
        {
            .id = VERB_METRICS,
            .method = "GET",
            .path = "/metrics",
            .role = ROLE_NONE,
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
            .command = "dirty-rate",
            .operand = "VM",
            .summary = "Measure how fast a VM dirties its memory",
            .details = "Has QEMU measure the rate at which the guest writes to memory pages, and "
                       "waits for the result: what a live migration has to keep up with.",
            .answers = "application/json",
            .params = {{"seconds", VERB_TYPE_INTEGER, "how long to measure, 1 to 60; 1 if absent"}},
        },
    [VERB_PLAN] =
        {
            .id = VERB_PLAN,
            .method = "GET",
            .path = "/vherd/v1/plan/{plan}",
            .role = ROLE_VIEWER,
            .command = "plan",
            .operand = "PLAN",
            .summary = "Plan where VMs should run, and how large they should be",
            .details = "`place`: where VMs that do not run, or one with --name, would go, and why "
                       "not elsewhere; with --vcpus and --memory, where a new one would. "
                       "`balance`, `consolidate`: moves that spread load, or free hosts. "
                       "`evacuate`: moves that empty the host of that name. `rightsize`: vCPUs, "
                       "memory, shares and quota out of what VMs have used. Each line has a "
                       "reason, what is gained, how long it takes and the risk. Nothing is done.",
            .answers = "application/json",
            .params = {{"name", VERB_TYPE_STRING, "the VM, or host, that the plan is about"},
                       {"score", VERB_TYPE_STRING,
                        "how place ranks hosts: best-fit, worst-fit, dot-product, …"},
                       {"candidates", VERB_TYPE_INTEGER, "hosts that place shows; 8 if absent"},
                       {"moves", VERB_TYPE_INTEGER, "at most so many moves"},
                       {"vcpus", VERB_TYPE_INTEGER, "vCPUs of a new VM to place"},
                       {"memory", VERB_TYPE_STRING, "memory of a new VM to place, such as 8G"},
                       {"simulate", VERB_TYPE_FLAG,
                        "replay recorded history with and without the plan: energy, time without "
                        "enough CPU or memory, moves, downtime; not of place"},
                       {"days", VERB_TYPE_INTEGER,
                        "so many days of history are replayed; 7 if absent"}},
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
    [VERB_WRITE] =
        {
            .id = VERB_WRITE,
            .method = "POST",
            .path = "/api/v1/write",
            .role = ROLE_NONE,
            .summary = "Take samples by Prometheus' remote write, 1.0 or 2.0",
            .details = "Off unless receive.enabled; needs the token of receive.token_file. 204 "
                       "where all was taken, 400 where some or all was refused for good; headers "
                       "tell how much was written.",
            .answers = "text/plain; charset=utf-8",
            .body_max = 32u << 20,
        },
    [VERB_PAGE] =
        {
            .id = VERB_PAGE,
            .method = "GET",
            .path = "/",
            .role = ROLE_VIEWER,
            .summary = "A plain page with the herd, for a browser",
            .details = "HTML without scripts.",
            .answers = "text/html; charset=utf-8",
        },
    [VERB_QUERY] =
        {
            .id = VERB_QUERY,
            .method = "GET",
            .path = "/api/v1/query",
            .role = ROLE_VIEWER,
            .summary = "Evaluate an expression at one time",
            .details =
                "As Prometheus' API: a vector, scalar, string or matrix, with warnings and infos.",
            .answers = "application/json",
            .form = true,
            .is_query = true,
            .params = {{"query", VERB_TYPE_STRING, "the expression, in PromQL"},
                       {"time", VERB_TYPE_STRING, TIME_HELP},
                       {"timeout", VERB_TYPE_STRING, TIMEOUT_HELP},
                       {"limit", VERB_TYPE_INTEGER, LIMIT_HELP},
                       {"lookback_delta", VERB_TYPE_STRING, LOOKBACK_HELP},
                       {"stats", VERB_TYPE_STRING, "taken, and ignored"}},
        },
    [VERB_QUERY_RANGE] =
        {
            .id = VERB_QUERY_RANGE,
            .method = "GET",
            .path = "/api/v1/query_range",
            .role = ROLE_VIEWER,
            .summary = "Evaluate an expression over a range of time",
            .details = "As Prometheus' API: a matrix of at most 11,000 points a series.",
            .answers = "application/json",
            .form = true,
            .is_query = true,
            .params = {{"query", VERB_TYPE_STRING, "the expression, in PromQL"},
                       {"start", VERB_TYPE_STRING, "the earliest time"},
                       {"end", VERB_TYPE_STRING, "the latest time"},
                       {"step", VERB_TYPE_STRING, "a duration (15s, 1m) or a number of seconds"},
                       {"timeout", VERB_TYPE_STRING, TIMEOUT_HELP},
                       {"limit", VERB_TYPE_INTEGER, LIMIT_HELP},
                       {"lookback_delta", VERB_TYPE_STRING, LOOKBACK_HELP},
                       {"stats", VERB_TYPE_STRING, "taken, and ignored"}},
        },
    [VERB_QUERY_EXEMPLARS] =
        {
            .id = VERB_QUERY_EXEMPLARS,
            .method = "GET",
            .path = "/api/v1/query_exemplars",
            .role = ROLE_VIEWER,
            .summary = "Answer that there are no exemplars",
            .details = "An empty list: vherd keeps none.",
            .answers = "application/json",
            .form = true,
            .params = {{"query", VERB_TYPE_STRING, "the expression, in PromQL"},
                       {"start", VERB_TYPE_STRING, "the earliest time"},
                       {"end", VERB_TYPE_STRING, "the latest time"}},
        },
    [VERB_FORMAT_QUERY] =
        {
            .id = VERB_FORMAT_QUERY,
            .method = "GET",
            .path = "/api/v1/format_query",
            .role = ROLE_VIEWER,
            .summary = "Lay an expression out over lines",
            .details = "The expression as Prometheus formats it.",
            .answers = "application/json",
            .form = true,
            .is_query = true,
            .params = {{"query", VERB_TYPE_STRING, "the expression, in PromQL"}},
        },
    [VERB_PARSE_QUERY] =
        {
            .id = VERB_PARSE_QUERY,
            .method = "GET",
            .path = "/api/v1/parse_query",
            .role = ROLE_VIEWER,
            .summary = "Show the syntax tree of an expression",
            .details = "The tree as JSON.",
            .answers = "application/json",
            .form = true,
            .is_query = true,
            .params = {{"query", VERB_TYPE_STRING, "the expression, in PromQL"}},
        },
    [VERB_SERIES] =
        {
            .id = VERB_SERIES,
            .method = "GET",
            .path = "/api/v1/series",
            .role = ROLE_VIEWER,
            .summary = "List series by their labels",
            .details = "Label sets of the series that any of the selectors matches.",
            .answers = "application/json",
            .form = true,
            .is_query = true,
            .params = {{"match[]", VERB_TYPE_STRING, "a selector; may be repeated"},
                       {"start", VERB_TYPE_STRING, "the earliest time"},
                       {"end", VERB_TYPE_STRING, "the latest time"},
                       {"limit", VERB_TYPE_INTEGER, LIMIT_HELP}},
        },
    [VERB_LABELS] =
        {
            .id = VERB_LABELS,
            .method = "GET",
            .path = "/api/v1/labels",
            .role = ROLE_VIEWER,
            .summary = "List names of labels",
            .details = "Names that series have, all or those that a selector matches.",
            .answers = "application/json",
            .form = true,
            .is_query = true,
            .params = {{"match[]", VERB_TYPE_STRING, "a selector; may be repeated"},
                       {"start", VERB_TYPE_STRING, "the earliest time"},
                       {"end", VERB_TYPE_STRING, "the latest time"},
                       {"limit", VERB_TYPE_INTEGER, LIMIT_HELP}},
        },
    [VERB_LABEL_VALUES] =
        {
            .id = VERB_LABEL_VALUES,
            .method = "GET",
            .path = "/api/v1/label/{name}/values",
            .role = ROLE_VIEWER,
            .summary = "List the values of one label",
            .details = "Values among all series or those that a selector matches. A name that is "
                       "no plain one is written U__ and escaped as Prometheus does.",
            .answers = "application/json",
            .is_query = true,
            .params = {{"match[]", VERB_TYPE_STRING, "a selector; may be repeated"},
                       {"start", VERB_TYPE_STRING, "the earliest time"},
                       {"end", VERB_TYPE_STRING, "the latest time"},
                       {"limit", VERB_TYPE_INTEGER, LIMIT_HELP}},
        },
    [VERB_METADATA] =
        {
            .id = VERB_METADATA,
            .method = "GET",
            .path = "/api/v1/metadata",
            .role = ROLE_VIEWER,
            .summary = "Tell type and help of metrics",
            .details = "What docs/metrics.md lists, as Prometheus' API has it.",
            .answers = "application/json",
            .params = {{"limit", VERB_TYPE_INTEGER, LIMIT_HELP},
                       {"limit_per_metric", VERB_TYPE_INTEGER, "taken; each metric has one entry"},
                       {"metric", VERB_TYPE_STRING, "only this one"}},
        },
    [VERB_TARGETS] =
        {
            .id = VERB_TARGETS,
            .method = "GET",
            .path = "/api/v1/targets",
            .role = ROLE_VIEWER,
            .summary = "List what is sampled",
            .details = "The host itself, as one target, with when it was last sampled.",
            .answers = "application/json",
            .params = {{"state", VERB_TYPE_STRING, "active, dropped or any"},
                       {"scrapePool", VERB_TYPE_STRING, "only this pool: vherd"}},
        },
    [VERB_STATUS_BUILDINFO] =
        {
            .id = VERB_STATUS_BUILDINFO,
            .method = "GET",
            .path = "/api/v1/status/buildinfo",
            .role = ROLE_VIEWER,
            .summary = "Tell the version",
            .details =
                "The version of the API that clients may count on, and of vherd as its revision.",
            .answers = "application/json",
        },
    [VERB_STATUS_RUNTIMEINFO] =
        {
            .id = VERB_STATUS_RUNTIMEINFO,
            .method = "GET",
            .path = "/api/v1/status/runtimeinfo",
            .role = ROLE_VIEWER,
            .summary = "Tell how the daemon runs",
            .details = "Start, time, series.",
            .answers = "application/json",
        },
    [VERB_STATUS_CONFIG] =
        {
            .id = VERB_STATUS_CONFIG,
            .method = "GET",
            .path = "/api/v1/status/config",
            .role = ROLE_OPERATOR,
            .summary = "Show the configuration in force",
            .details = "As YAML.",
            .answers = "application/json",
        },
    [VERB_STATUS_FLAGS] =
        {
            .id = VERB_STATUS_FLAGS,
            .method = "GET",
            .path = "/api/v1/status/flags",
            .role = ROLE_VIEWER,
            .summary = "Tell the limits of queries",
            .details = "Under the names of Prometheus' flags.",
            .answers = "application/json",
        },
    [VERB_STATUS_TSDB] =
        {
            .id = VERB_STATUS_TSDB,
            .method = "GET",
            .path = "/api/v1/status/tsdb",
            .role = ROLE_VIEWER,
            .summary = "Tell which metrics and labels have the most series",
            .details = "Of the last hour.",
            .answers = "application/json",
            .is_query = true,
            .params = {{"limit", VERB_TYPE_INTEGER, LIMIT_HELP}},
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
        if (strcmp(verbs[i].method, method) != 0 &&
            !(verbs[i].form && strcmp(method, "POST") == 0)) {
            *ret_allow = verbs[i].form ? "GET, POST" : verbs[i].method;
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
