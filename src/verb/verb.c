// SPDX-License-Identifier: GPL-3.0-or-later
// What can be asked of the daemon, one row each; no handlers here.
#include "verb/verb.h"

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

#define DRY_HELP "say what would be done, and do nothing (also in the address)"
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
            .reach = VERB_REACH_LIST,
            .command = "list",
            .summary = "List the VMs of this host with their current load",
            .details = "Brief fields of all VMs, sorted by name (vm2 before vm10), and how libvirt "
                       "is doing. A field "
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
            .params = {{"data", VERB_TYPE_FLAG,
                        "also how complete and fresh the data of each VM are"}},
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
                       "reason, what is gained, how long it takes and the risk. With --simulate, "
                       "recorded history is replayed with and without the plan: energy, time "
                       "without enough CPU or memory, moves, downtime. Nothing is done.",
            .answers = "application/json",
            .params = {{"name", VERB_TYPE_STRING, "the VM, or host, that the plan is about"},
                       {"score", VERB_TYPE_STRING,
                        "how place ranks hosts: best-fit, worst-fit, dot-product, …"},
                       {"candidates", VERB_TYPE_INTEGER, "hosts that place shows; 8 if absent"},
                       {"moves", VERB_TYPE_INTEGER, "at most so many moves"},
                       {"vcpus", VERB_TYPE_INTEGER, "vCPUs of a new VM to place"},
                       {"memory", VERB_TYPE_STRING, "memory of a new VM to place, such as 8G"},
                       {"simulate", VERB_TYPE_FLAG, "try it on recorded history; not of place"},
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
            .reach = VERB_REACH_SELF,
            .place = VERB_AT_WEB,
            .summary = "Take samples by Prometheus' remote write, 1.0 or 2.0",
            .details = "Off unless receive.enabled; needs the token of receive.token_file. 204 "
                       "where all was taken, 400 where some or all was refused for good; headers "
                       "tell how much was written.",
            .answers = "text/plain; charset=utf-8",
            .body_max = 32u << 20,
        },
    [VERB_EXPORT] =
        {
            .id = VERB_EXPORT,
            .method = "GET",
            .path = "/vherd/v1/export",
            .role = ROLE_VIEWER,
            .reach = VERB_REACH_LIST,
            .summary = "Give stored samples as OpenMetrics text with timestamps",
            .details =
                "Series by series, in families whose type is that of docs/metrics.md, else "
                "unknown. The end of a series is a sample with the value NaN, of counters too. "
                "What is kept as roll-ups only is left out.",
            .answers = "application/openmetrics-text; version=1.0.0; charset=utf-8",
            .is_query = true,
            .params = {{"match[]", VERB_TYPE_STRING, "a selector; may be repeated; all if absent"},
                       {"start", VERB_TYPE_STRING, "the earliest time"},
                       {"end", VERB_TYPE_STRING, "the latest time"}},
        },
    [VERB_IMPORT] =
        {
            .id = VERB_IMPORT,
            .method = "POST",
            .path = "/vherd/v1/import",
            .role = ROLE_ADMIN,
            .place = VERB_AT_WEB,
            .summary = "Take samples as OpenMetrics text with timestamps",
            .details =
                "Samples may be of any age, also of series that are sampled now; cheapest in "
                "order of time. A NaN is taken for the end of its series, as export writes "
                "it. Says how many samples were taken and refused: `late`, older than the "
                "longest of store.keep, store.keep_minute and store.keep_hour, or more than "
                "10 minutes ahead of the clock; `duplicate`, of a time that is there already "
                "or in a roll-up whose samples are gone. Remote write does not send them on.",
            .answers = "application/json",
            .body_max = 32u << 20,
        },
    [VERB_SNAPSHOT] =
        {
            .id = VERB_SNAPSHOT,
            .method = "POST",
            .path = "/vherd/v1/store/snapshot",
            .role = ROLE_ADMIN,
            .summary = "Copy the store as it is now into a directory of its own",
            .details = "Below `snapshots` in the store's directory; files are linked where they "
                       "can be. Tells the path. Another daemon can open it as its store, and "
                       "`vherd replay` reads it.",
            .answers = "application/json",
            .is_query = true,
            .params = {{"name", VERB_TYPE_STRING,
                        "the directory's name: letters, digits, . _ -; the time if absent"}},
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
    [VERB_LOGIN] =
        {
            .id = VERB_LOGIN,
            .method = "POST",
            .path = "/vherd/v1/login",
            .role = ROLE_NONE,
            .reach = VERB_REACH_SELF,
            .place = VERB_AT_WEB,
            .summary = "Open a session with a name and a password",
            .details = "For browsers: the answer sets the cookie of the session (HttpOnly, "
                       "SameSite=Strict, Secure over HTTPS) and holds `csrf`, which every request "
                       "of the session that is not GET or HEAD must send as X-CSRF-Token. A "
                       "session ends after 12 hours, or 30 minutes without use.",
            .answers = "application/json",
            .takes_json = true,
            .params = {{"user", VERB_TYPE_STRING, "name of the account"},
                       {"password", VERB_TYPE_STRING, "its password"}},
        },
    [VERB_LOGOUT] =
        {
            .id = VERB_LOGOUT,
            .method = "POST",
            .path = "/vherd/v1/logout",
            .role = ROLE_NONE,
            .reach = VERB_REACH_SELF,
            .place = VERB_AT_WEB,
            .summary = "End the session",
            .details = "Ends the session of the cookie that comes along.",
            .answers = "application/json",
        },
    [VERB_WHOAMI] =
        {
            .id = VERB_WHOAMI,
            .method = "GET",
            .path = "/vherd/v1/whoami",
            .role = ROLE_VIEWER,
            .reach = VERB_REACH_SELF,
            .command = "whoami",
            .summary = "Say as whom the daemon sees the asker",
            .details = "Principal, role and scope of the token, session or connection.",
            .answers = "application/json",
        },
    [VERB_USER_LIST] =
        {
            .id = VERB_USER_LIST,
            .method = "GET",
            .path = "/vherd/v1/users",
            .role = ROLE_ADMIN,
            .place = VERB_AT_ACT,
            .command = "user list",
            .summary = "List the accounts",
            .details = "Name, role, scope, owner name, and whether an account is disabled or has a "
                       "password.",
            .answers = "application/json",
        },
    [VERB_USER_ADD] =
        {
            .id = VERB_USER_ADD,
            .method = "POST",
            .path = "/vherd/v1/users",
            .role = ROLE_ADMIN,
            .place = VERB_AT_ACT,
            .command = "user add",
            .operand = "NAME",
            .summary = "Add an account",
            .details = "Without a scope an account sees no VM; without a password it cannot log "
                       "in, but have tokens.",
            .answers = "application/json",
            .takes_json = true,
            .params = {{"name", VERB_TYPE_STRING, "name: letters, digits, '_', '.', '-', '@'"},
                       {"role", VERB_TYPE_STRING, "viewer (the default), operator or admin"},
                       {"scope", VERB_TYPE_STRING,
                        "which VMs: all, or terms such as name:web-*, label:env=test, owner:alice "
                        "with commas between"},
                       {"owner", VERB_TYPE_STRING,
                        "name that VMs of theirs carry; else the "
                        "account's"},
                       {"password", VERB_TYPE_STRING, "password, of at least 8 bytes"},
                       {"dry_run", VERB_TYPE_FLAG, DRY_HELP}},
        },
    [VERB_USER_SET] =
        {
            .id = VERB_USER_SET,
            .method = "POST",
            .path = "/vherd/v1/users/{user}",
            .role = ROLE_ADMIN,
            .place = VERB_AT_ACT,
            .command = "user set",
            .operand = "NAME",
            .summary = "Change an account",
            .details = "What is not named stays as it is. Disabling an account ends its sessions "
                       "and suspends its tokens.",
            .answers = "application/json",
            .takes_json = true,
            .params = {{"role", VERB_TYPE_STRING, "viewer, operator or admin"},
                       {"scope", VERB_TYPE_STRING, "which VMs, as for `user add`"},
                       {"owner", VERB_TYPE_STRING, "name that VMs of theirs carry"},
                       {"disabled", VERB_TYPE_STRING, "yes or no"},
                       {"dry_run", VERB_TYPE_FLAG, DRY_HELP}},
        },
    [VERB_USER_REMOVE] =
        {
            .id = VERB_USER_REMOVE,
            .method = "DELETE",
            .path = "/vherd/v1/users/{user}",
            .role = ROLE_ADMIN,
            .place = VERB_AT_ACT,
            .command = "user remove",
            .operand = "NAME",
            .summary = "Remove an account, its tokens and sessions",
            .details = "VMs that carry its owner name stay.",
            .answers = "application/json",
            .params = {{"dry_run", VERB_TYPE_FLAG, DRY_HELP}},
        },
    [VERB_USER_PASSWORD] =
        {
            .id = VERB_USER_PASSWORD,
            .method = "POST",
            .path = "/vherd/v1/users/{user}/password",
            .role = ROLE_VIEWER,
            .reach = VERB_REACH_SELF,
            .place = VERB_AT_ACT,
            .command = "user password",
            .operand = "NAME",
            .summary = "Give an account a password",
            .details = "An admin may set anybody's; others, in a session, their own, and must send "
                       "the present one as `old`. Ends the account's sessions.",
            .answers = "application/json",
            .takes_json = true,
            .params = {{"password", VERB_TYPE_STRING, "the new password, of at least 8 bytes"},
                       {"old", VERB_TYPE_STRING, "the present one"},
                       {"dry_run", VERB_TYPE_FLAG, DRY_HELP}},
        },
    [VERB_TOKEN_LIST] =
        {
            .id = VERB_TOKEN_LIST,
            .method = "GET",
            .path = "/vherd/v1/tokens",
            .role = ROLE_VIEWER,
            .reach = VERB_REACH_SELF,
            .place = VERB_AT_ACT,
            .command = "token list",
            .summary = "List tokens: an admin all, others their own",
            .details = "Never the secret: account, name, role, scope, when it was made, expires, "
                       "was last used.",
            .answers = "application/json",
        },
    [VERB_TOKEN_CREATE] =
        {
            .id = VERB_TOKEN_CREATE,
            .method = "POST",
            .path = "/vherd/v1/tokens",
            .role = ROLE_VIEWER,
            .reach = VERB_REACH_SELF,
            .place = VERB_AT_ACT,
            .command = "token create",
            .operand = "NAME",
            .summary = "Make a token; it is shown once",
            .details = "An admin may make one for any account, others, in a session, for their "
                       "own. Its role is at most the account's, and a VM must lie in the scope of "
                       "both.",
            .answers = "application/json",
            .takes_json = true,
            .params = {{"name", VERB_TYPE_STRING, "name of the token"},
                       {"user", VERB_TYPE_STRING,
                        "account that it belongs to; the asker's own if "
                        "absent"},
                       {"role", VERB_TYPE_STRING, "viewer (the default), operator or admin"},
                       {"scope", VERB_TYPE_STRING, "which of the account's VMs; all if absent"},
                       {"expires", VERB_TYPE_STRING, "a duration (90d), or never; 90d if absent"},
                       {"dry_run", VERB_TYPE_FLAG, DRY_HELP}},
        },
    [VERB_TOKEN_REVOKE] =
        {
            .id = VERB_TOKEN_REVOKE,
            .method = "DELETE",
            .path = "/vherd/v1/tokens/{token}",
            .role = ROLE_VIEWER,
            .reach = VERB_REACH_SELF,
            .place = VERB_AT_ACT,
            .command = "token revoke",
            .operand = "TOKEN",
            .summary = "End a token",
            .details = "By its id or as ACCOUNT:NAME. Requests under way are still "
                       "answered.",
            .answers = "application/json",
            .params = {{"dry_run", VERB_TYPE_FLAG, DRY_HELP}},
        },
    [VERB_AUDIT_LIST] =
        {
            .id = VERB_AUDIT_LIST,
            .method = "GET",
            .path = "/vherd/v1/audit",
            .role = ROLE_ADMIN,
            .place = VERB_AT_ACT,
            .command = "audit-log",
            .summary = "Search the audit log",
            .details = "Who asked for what from where, and what came of it: one record before each "
                       "deed and one after it, one for each login, refusal and change of accounts "
                       "and tokens. The newest 100 unless `limit` says more; `after` gives those "
                       "behind a record, oldest first.",
            .answers = "application/json",
            .params = {{"principal", VERB_TYPE_STRING, "who: user:alice, unix:0, …"},
                       {"verb", VERB_TYPE_STRING, "what: login, user add, …"},
                       {"object", VERB_TYPE_STRING, "to what"},
                       {"result", VERB_TYPE_STRING, "done, refused, failed, cancelled, unknown"},
                       {"text", VERB_TYPE_STRING, "anything in it"},
                       {"since", VERB_TYPE_STRING, "Unix time, or a duration back from now (2h)"},
                       {"until", VERB_TYPE_STRING, "the same"},
                       {"after", VERB_TYPE_INTEGER, "records behind this one, oldest first"},
                       {"limit", VERB_TYPE_INTEGER, "how many, at most 10000"}},
        },
    [VERB_AUDIT_VERIFY] =
        {
            .id = VERB_AUDIT_VERIFY,
            .method = "GET",
            .path = "/vherd/v1/audit/verify",
            .role = ROLE_ADMIN,
            .place = VERB_AT_ACT,
            .summary = "Check the chain of the audit log",
            .details = "Computes all hashes again. `head` holds number and hash of the last "
                       "record: kept on another machine and given as `head`, it shows that "
                       "nothing before it was changed or cut off since.",
            .answers = "application/json",
            .params = {{"head", VERB_TYPE_STRING, "SEQ:HASH as an earlier check gave it"}},
        },
    [VERB_AUTO_SHOW] =
        {
            .id = VERB_AUTO_SHOW,
            .method = "GET",
            .path = "/vherd/v1/auto",
            .role = ROLE_VIEWER,
            .place = VERB_AT_ACT,
            .command = "auto",
            .summary = "Show or stop what is done without being asked",
            .details = "Mode (plan.auto), the stop switch with who turned it and why, and how many "
                       "deeds were done within the hour of those allowed. `stop` turns the switch "
                       "at once and for good, restarts included, and cancels what has not begun; "
                       "`start` turns it back. Both are written to the audit log.",
            .answers = "application/json",
        },
    [VERB_AUTO_STOP] =
        {
            .id = VERB_AUTO_STOP,
            .method = "POST",
            .path = "/vherd/v1/auto/stop",
            .role = ROLE_OPERATOR,
            .place = VERB_AT_ACT,
            .summary = "Stop what is done without being asked",
            .details = "Until it is started again. What has begun is brought to its end; "
                       "what waits is cancelled.",
            .answers = "application/json",
            .takes_json = true,
            .params = {{"reason", VERB_TYPE_STRING, "why, for those who find it stopped"}},
        },
    [VERB_AUTO_START] =
        {
            .id = VERB_AUTO_START,
            .method = "POST",
            .path = "/vherd/v1/auto/start",
            .role = ROLE_ADMIN,
            .place = VERB_AT_ACT,
            .summary = "Let things be done without being asked again",
            .details = "Ends what stop began. Whether anything is done is the configuration's "
                       "plan.auto.",
            .answers = "application/json",
            .takes_json = true,
            .params = {{"reason", VERB_TYPE_STRING, "why"}},
        },
    [VERB_TASK_LIST] =
        {
            .id = VERB_TASK_LIST,
            .method = "GET",
            .path = "/vherd/v1/tasks",
            .role = ROLE_VIEWER,
            .reach = VERB_REACH_LIST,
            .place = VERB_AT_ACT,
            .summary = "List tasks, newest first",
            .details = "At most 1000, those that are over too; 90 days are kept. Who does not have "
                       "all VMs in their scope sees the tasks that they asked for.",
            .answers = "application/json",
            .params = {{"vm", VERB_TYPE_STRING, "only of the VM that had this name"},
                       {"state", VERB_TYPE_STRING, "queued, running, done, failed or cancelled"},
                       {"batch", VERB_TYPE_STRING, "only of this batch"},
                       {"before", VERB_TYPE_INTEGER, "only those with a lower number"}},
        },
    [VERB_TASK_SHOW] =
        {
            .id = VERB_TASK_SHOW,
            .method = "GET",
            .path = "/vherd/v1/tasks/{task}",
            .role = ROLE_VIEWER,
            .reach = VERB_REACH_SELF,
            .place = VERB_AT_ACT,
            .summary = "Show one task",
            .details = "With what was asked for, its result, and of one that failed why and what "
                       "is true now.",
            .answers = "application/json",
        },
    [VERB_TASK_CANCEL] =
        {
            .id = VERB_TASK_CANCEL,
            .method = "POST",
            .path = "/vherd/v1/tasks/{task}/cancel",
            .role = ROLE_OPERATOR,
            .reach = VERB_REACH_SELF,
            .place = VERB_AT_ACT,
            .summary = "Cancel a task",
            .details = "One that waits is over at once. One that runs ends at its next step, and "
                       "what it had made is taken away; some cannot be ended.",
            .answers = "application/json",
            .takes_json = true,
        },
    [VERB_VM_DEFINITION] =
        {
            .id = VERB_VM_DEFINITION,
            .method = "GET",
            .path = "/vherd/v1/vms/{vm}/definition",
            .role = ROLE_VIEWER,
            .reach = VERB_REACH_VM,
            .place = VERB_AT_ACT,
            .summary = "Show how a VM is defined for its next start",
            .details = "In the words in which it can be created.",
            .answers = "application/json",
        },
    [VERB_SNAPSHOT_LIST] =
        {
            .id = VERB_SNAPSHOT_LIST,
            .method = "GET",
            .path = "/vherd/v1/vms/{vm}/snapshots",
            .role = ROLE_VIEWER,
            .reach = VERB_REACH_VM,
            .place = VERB_AT_ACT,
            .summary = "List a VM's snapshots as a tree",
            .details = "Parents before children, each with its depth and age.",
            .answers = "application/json",
        },
    [VERB_TEMPLATE_LIST] =
        {
            .id = VERB_TEMPLATE_LIST,
            .method = "GET",
            .path = "/vherd/v1/templates",
            .role = ROLE_ADMIN,
            .place = VERB_AT_ACT,
            .command = "template list",
            .summary = "List the templates that VMs can be made from",
            .details = "Files in the folder act.templates; one that cannot be read says why.",
            .answers = "application/json",
        },
    [VERB_TEMPLATE_SHOW] =
        {
            .id = VERB_TEMPLATE_SHOW,
            .method = "GET",
            .path = "/vherd/v1/templates/{template}",
            .role = ROLE_ADMIN,
            .place = VERB_AT_ACT,
            .command = "template show",
            .summary = "Show one template",
            .details = "Its fields are those of vm.create, without the name.",
            .answers = "application/json",
        },
    [VERB_VM_SELECT] =
        {
            .id = VERB_VM_SELECT,
            .method = "GET",
            .path = "/vherd/v1/select",
            .role = ROLE_VIEWER,
            .reach = VERB_REACH_LIST,
            .place = VERB_AT_ACT,
            .summary = "Name the VMs that a selection means",
            .details = "Out of libvirt's definitions as they are now: those with one of the names "
                       "or patterns (all where there are none) that carry every label.",
            .answers = "application/json",
            .params = {{"vms", VERB_TYPE_STRING, "a name; may be repeated"},
                       {"match", VERB_TYPE_STRING, "a pattern of names; may be repeated"},
                       {"label", VERB_TYPE_STRING, "NAME=PATTERN or NAME; may be repeated"},
                       {"all", VERB_TYPE_FLAG, "every VM"}},
        },
    [VERB_SCHEDULE_LIST] =
        {
            .id = VERB_SCHEDULE_LIST,
            .method = "GET",
            .path = "/vherd/v1/schedules",
            .role = ROLE_VIEWER,
            .reach = VERB_REACH_SELF,
            .place = VERB_AT_ACT,
            .command = "schedule list",
            .summary = "List schedules",
            .details = "An admin over all VMs sees all, others their own: what is done when to "
                       "which VMs, when next, and what came of the last time.",
            .answers = "application/json",
        },
    [VERB_SCHEDULE_ADD] =
        {
            .id = VERB_SCHEDULE_ADD,
            .method = "POST",
            .path = "/vherd/v1/schedules",
            .role = ROLE_OPERATOR,
            .reach = VERB_REACH_SELF,
            .place = VERB_AT_ACT,
            .command = "schedule add",
            .summary = "Have a deed done again and again",
            .details = "At each time that fits `cron`, in the time zone of the daemon, VMs are "
                       "selected anew and each gets a task, with the rights that its owner has "
                       "then. %Y %m %d %H %M %S in the field `name` become the time. A time that "
                       "passed while vherd or libvirt was away is skipped, or made up for once.",
            .answers = "application/json",
            .takes_json = true,
            .nested = true,
            .params = {{"name", VERB_TYPE_STRING, "its name"},
                       {"cron", VERB_TYPE_STRING, "minute hour day month weekday, or @daily …"},
                       {"deed", VERB_TYPE_STRING, "such as snapshot.create"},
                       {"fields", VERB_TYPE_STRING, "an object: the deed's own fields"},
                       {"select", VERB_TYPE_STRING,
                        "an object: vms, match, label (lists of texts), all (true)"},
                       {"parallel", VERB_TYPE_INTEGER, "so many VMs at once; 4 if absent"},
                       {"max_failures", VERB_TYPE_INTEGER,
                        "after more the rest is cancelled; 0 if absent"},
                       {"missed", VERB_TYPE_STRING, "skip (the default) or once"},
                       {"dry_run", VERB_TYPE_FLAG, DRY_HELP}},
        },
    [VERB_SCHEDULE_REMOVE] =
        {
            .id = VERB_SCHEDULE_REMOVE,
            .method = "DELETE",
            .path = "/vherd/v1/schedules/{schedule}",
            .role = ROLE_OPERATOR,
            .reach = VERB_REACH_SELF,
            .place = VERB_AT_ACT,
            .command = "schedule delete",
            .summary = "Remove a schedule",
            .details = "Tasks that it has asked for go on.",
            .answers = "application/json",
            .params = {{"dry_run", VERB_TYPE_FLAG, DRY_HELP}},
        },
    [VERB_SCHEDULE_RUN] =
        {
            .id = VERB_SCHEDULE_RUN,
            .method = "POST",
            .path = "/vherd/v1/schedules/{schedule}/run",
            .role = ROLE_OPERATOR,
            .reach = VERB_REACH_SELF,
            .place = VERB_AT_ACT,
            .command = "schedule run",
            .summary = "Run a schedule now",
            .details = "Its times stay as they are. Answers the name of the batch.",
            .answers = "application/json",
            .takes_json = true,
            .params = {{"dry_run", VERB_TYPE_FLAG, DRY_HELP}},
        },
    [VERB_SCHEDULE_PAUSE] =
        {
            .id = VERB_SCHEDULE_PAUSE,
            .method = "POST",
            .path = "/vherd/v1/schedules/{schedule}/pause",
            .role = ROLE_OPERATOR,
            .reach = VERB_REACH_SELF,
            .place = VERB_AT_ACT,
            .command = "schedule pause",
            .summary = "Pause a schedule",
            .details = "Times that pass meanwhile are not missed.",
            .answers = "application/json",
            .takes_json = true,
            .params = {{"dry_run", VERB_TYPE_FLAG, DRY_HELP}},
        },
    [VERB_SCHEDULE_RESUME] =
        {
            .id = VERB_SCHEDULE_RESUME,
            .method = "POST",
            .path = "/vherd/v1/schedules/{schedule}/resume",
            .role = ROLE_OPERATOR,
            .reach = VERB_REACH_SELF,
            .place = VERB_AT_ACT,
            .command = "schedule resume",
            .summary = "Let a paused schedule go on",
            .details = "",
            .answers = "application/json",
            .takes_json = true,
            .params = {{"dry_run", VERB_TYPE_FLAG, DRY_HELP}},
        },
    [VERB_CONSOLE_OPEN] =
        {
            .id = VERB_CONSOLE_OPEN,
            .method = "POST",
            .path = "/vherd/v1/vms/{vm}/console",
            .role = ROLE_OPERATOR,
            .reach = VERB_REACH_VM,
            .place = VERB_AT_ACT,
            .summary = "Attach to the serial line of a VM",
            .details =
                "Answers `console`, the name of the attachment, which is the asker's alone. One is "
                "attached at a time. The audit log has a record of its beginning and of its end.",
            .answers = "application/json",
            .takes_json = true,
            .params = {{"force", VERB_TYPE_FLAG, "in the address: put off who is attached"}},
        },
    [VERB_CONSOLE_READ] =
        {
            .id = VERB_CONSOLE_READ,
            .method = "GET",
            .path = "/vherd/v1/consoles/{console}",
            .role = ROLE_OPERATOR,
            .reach = VERB_REACH_SELF,
            .place = VERB_AT_ACT,
            .summary = "Take what the guest has said",
            .details = "`output` is base64. Waits up to ten seconds for something; `open` is false "
                       "where the line has ended, and `message` then says why. Who asks for "
                       "nothing for 40 s is detached.",
            .answers = "application/json",
        },
    [VERB_CONSOLE_WRITE] =
        {
            .id = VERB_CONSOLE_WRITE,
            .method = "POST",
            .path = "/vherd/v1/consoles/{console}",
            .role = ROLE_OPERATOR,
            .reach = VERB_REACH_SELF,
            .place = VERB_AT_ACT,
            .summary = "Type into a serial line",
            .details = "",
            .answers = "application/json",
            .takes_json = true,
            .params = {{"input", VERB_TYPE_STRING, "bytes as base64, at most 3072"}},
        },
    [VERB_CONSOLE_CLOSE] =
        {
            .id = VERB_CONSOLE_CLOSE,
            .method = "DELETE",
            .path = "/vherd/v1/consoles/{console}",
            .role = ROLE_OPERATOR,
            .reach = VERB_REACH_SELF,
            .place = VERB_AT_ACT,
            .summary = "Detach from a serial line",
            .details = "",
            .answers = "application/json",
        },
    [VERB_OPENAPI] =
        {
            .id = VERB_OPENAPI,
            .method = "GET",
            .path = "/vherd/v1/openapi.json",
            .role = ROLE_VIEWER,
            .reach = VERB_REACH_SELF,
            .summary = "The OpenAPI document of all this",
            .details = "OpenAPI 3.1, out of the tables that the requests are checked by.",
            .answers = "application/json",
        },
    [VERB_QUERY] =
        {
            .id = VERB_QUERY,
            .method = "GET",
            .path = "/api/v1/query",
            .role = ROLE_VIEWER,
            .reach = VERB_REACH_LIST,
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
            .reach = VERB_REACH_LIST,
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
            .reach = VERB_REACH_SELF,
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
            .reach = VERB_REACH_SELF,
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
            .reach = VERB_REACH_SELF,
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
            .reach = VERB_REACH_LIST,
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
            .reach = VERB_REACH_LIST,
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
            .reach = VERB_REACH_LIST,
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
            .reach = VERB_REACH_SELF,
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
            .reach = VERB_REACH_SELF,
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
