// SPDX-License-Identifier: GPL-3.0-or-later
// Every key of the configuration, one row each. Reader, checks, encoder, docs/configuration.md and
// vherd.yaml(5) know keys from here only.
#include "keys.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/number.h"

#define MS NS_PER_MS
#define S NS_PER_S
#define M (60 * NS_PER_S)
#define H (3600 * NS_PER_S)
#define DAY (24 * H)
#define TIB (INT64_C(1) << 40)

static const char *const log_levels[] = {"error", "warning", "info", "debug", NULL};
static const char *const socket_roles[] = {"none", "viewer", "operator", "admin", NULL};
static const char *const loopback_roles[] = {"none", "viewer", NULL};
static const char *const auto_modes[] = {"off", "dry-run", "on", NULL}; // enum conf_auto
static const char *const openness[] = {"none", "loopback", "all", NULL};
static const char *const metric_sets[] = {"vherd", "tinkoff", "inovex", NULL};

static const char *check_uri(const char *text)
{
    const char *end = text;
    while (isalnum((unsigned char)*end) || (*end && strchr("+.-", *end)))
        end++;
    bool ok = !*text || (isalpha((unsigned char)*text) && end[0] == ':' && end[1]);
    return ok ? NULL : "a libvirt URI such as qemu:///system, or \"\"";
}

static const char *check_absolute(const char *text)
{
    return *text == '/' ? NULL : "a path that begins with /";
}

static const char *check_path(const char *text)
{
    return !*text || *text == '/' ? NULL : "a path that begins with /, or \"\"";
}

static const char *check_socket(const char *text)
{
    if (*text && *text != '/')
        return "a path that begins with /, or \"\"";
    return strlen(text) < sizeof(((struct sockaddr_un *)NULL)->sun_path)
               ? NULL
               : "a path of at most 107 bytes: Unix sockets take no more";
}

static const char *check_account(const char *text)
{
    size_t n = strlen(text);
    bool ok = n == 0 || isalpha((unsigned char)*text) || *text == '_';
    for (size_t i = 0; i < n; i++)
        ok = ok && (isalnum((unsigned char)text[i]) || strchr("_.-", text[i]) ||
                    (text[i] == '$' && i > 0 && i + 1 == n));
    return ok && n <= 32 ? NULL : "a name of at most 32 letters, digits, '_', '.' and '-', or \"\"";
}

static bool is_port(const char *text)
{
    uint64_t port = 0;
    return number_parse_u64(text, &port) == 0 && port >= 1 && port <= 65535;
}

static const char *check_address(const char *text)
{
    static const char allowed[] = "numeric addresses with a port: 127.0.0.1:9177, 0.0.0.0:9177, "
                                  "\"[::1]:9177\"";
    unsigned char address[sizeof(struct in6_addr)];
    bool v6 = *text == '[';
    const char *end = v6 ? strchr(text, ']') : strchr(text, ':');
    const char *colon = v6 && end ? end + 1 : end;
    if (!colon || *colon != ':' || !is_port(colon + 1))
        return allowed;
    CLEANUP(freep) char *host = mem_strndup(text + v6, (size_t)(end - text) - v6);
    return inet_pton(v6 ? AF_INET6 : AF_INET, host, address) == 1 ? NULL : allowed;
}

static const char *check_host_name(const char *text)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-");
    return n > 0 && n <= 253 && text[n] == '\0' && isalnum((unsigned char)*text)
               ? NULL
               : "a host name of at most 253 letters, digits, '.' and '-'";
}

// What the terms mean is known further up; here they must look like some.
static const char *check_scope(const char *text)
{
    bool ok = *text && strlen(text) <= 1000;
    for (const char *p = text; ok && *p; p++)
        ok = (unsigned char)*p >= ' ';
    ok = ok && (strcmp(text, "all") == 0 || strchr(text, ':'));
    return ok ? NULL : "all, or terms such as name:web-*, label:env=test, owner:alice with commas";
}

static const char *check_origin(const char *text)
{
    static const char allowed[] = "an origin such as https://grafana.example:3000, or \"*\"";
    const char *mark = strstr(text, "://");
    if (strcmp(text, "*") == 0)
        return NULL;
    bool ok = mark && mark > text && mark[3] && strlen(text) <= 300;
    for (const char *p = text; ok && *p; p++)
        ok = isalnum((unsigned char)*p) || strchr("-.:[]+", *p) || p == mark + 1 || p == mark + 2;
    return ok ? NULL : allowed;
}

const struct conf_section conf_sections[] = {
    {"libvirt", "How libvirt is asked. Whatever happens there, the kernel's data go on each "
                "second."},
    {"kernel", "What is read from the kernel, without libvirt and without QEMU."},
    {"agent", "What the guest agent is asked, where its channel is connected."},
    {"metrics", "What `/metrics` exposes."},
    {"store", "The time-series store: what the lanes saw, kept on disk."},
    {"web", "Where and to whom the daemon answers."},
    {"act", "What the process that may change VMs keeps."},
    {"query", "What one query of the API may take."},
    {"plan", "What plans may assume of this host."},
    {"log", "What is written to standard error."},
    {"global", "What holds for everything that leaves this machine."},
    {"textfile", "Files with metrics that other programs leave in a directory."},
    {"rules", "Recording and alerting rules, in Prometheus' files."},
    {"events", "The log of what happened to VMs, to the connection to libvirt, to alerts."},
    {"notify", "Who is told of alerts. See also docs/notifications.md."},
    {"receive", "Samples that others send by Prometheus' remote write, to POST /api/v1/write."},
};
const size_t conf_sections_count = ARRAY_LEN(conf_sections);

#define AT(member) offsetof(struct conf, member)

const struct conf_key conf_keys[] = {
    {"libvirt", "uri", CONF_TEXT, AT(libvirt.uri), "", .check = check_uri, .restart = true,
     .help = "Connection to libvirt. Empty: qemu:///system as root, else qemu:///session."},
    {"libvirt", "interval", CONF_DURATION, AT(libvirt.interval_ns), "10s", 1 * S, 1 * H,
     .help = "How often each VM's statistics are read through libvirt; VMs take turns within it."},
    {"libvirt", "deadline", CONF_DURATION, AT(libvirt.deadline_ns), "3s", 100 * MS, 60 * S,
     .help = "After this long a call is written off and its VM put into quarantine. Shorter than "
             "libvirt.interval."},
    {"libvirt", "max_in_flight", CONF_INTEGER, AT(libvirt.max_in_flight), "3", 1, 8,
     .help = "Calls under way at the same time."},
    {"libvirt", "max_written_off", CONF_INTEGER, AT(libvirt.max_written_off), "8", 1, 16,
     .help = "Calls past their deadline that have not come back before no further VM is asked; "
             "each holds one of libvirtd's own workers (20 by default)."},
    {"libvirt", "quarantine_min", CONF_DURATION, AT(libvirt.quarantine_min_ns), "5s", 1 * S, 1 * H,
     .help = "First quarantine of a VM that did not answer; it doubles with each further failure."},
    {"libvirt", "quarantine_max", CONF_DURATION, AT(libvirt.quarantine_max_ns), "5m", 1 * S, 24 * H,
     .help = "Longest quarantine. At least libvirt.quarantine_min."},
    {"libvirt", "reconnect_max", CONF_DURATION, AT(libvirt.reconnect_max_ns), "4s", 100 * MS, 5 * M,
     .help = "Longest pause between two attempts to connect."},
    {"libvirt", "slow_interval", CONF_DURATION, AT(libvirt.slow_interval_ns), "60s", 1 * S, 1 * H,
     .help = "How often each VM is asked whether it has a job, and a guest that idles for its "
             "memory; an event of the VM brings it forward."},
    {"libvirt", "pool_interval", CONF_DURATION, AT(libvirt.pool_interval_ns), "30s", 1 * S, 1 * H,
     .help = "How often storage pools and networks are read; pools are never refreshed."},

    {"kernel", "root", CONF_TEXT, AT(kernel.root), "/", .check = check_absolute, .restart = true,
     .help = "Directory that holds proc and sys: / or a recorded tree."},
    {"kernel", "interval", CONF_DURATION, AT(kernel.interval_ns), "1s", 100 * MS, 60 * S,
     .help = "How often VMs and the host are sampled."},
    {"kernel", "detail_interval", CONF_DURATION, AT(kernel.detail_interval_ns), "5s", 1 * S, 60 * S,
     .restart = true,
     .help = "How often last CPUs, context switches, threads other than vCPUs', cgroups, KSM and "
             "NUMA nodes are read, of a guest at rest half as often; with 1s all of them each "
             "second, for some two thirds more CPU."},
    {"kernel", "scan_interval", CONF_DURATION, AT(kernel.scan_interval_ns), "10s", 1 * S, 1 * H,
     .help = "How often hypervisor processes are looked for where no event of libvirt told of "
             "them."},
    {"kernel", "slow_interval", CONF_DURATION, AT(kernel.slow_interval_ns), "60s", 1 * S, 1 * H,
     .help = "How often the costly sources are read: PSS, swap, KVM statistics."},

    {"agent", "enabled", CONF_BOOL, AT(agent.enabled), "true",
     .help = "Whether guest agents are asked at all."},
    {"agent", "interval", CONF_DURATION, AT(agent.interval_ns), "2m", 1 * S, 1 * H,
     .help = "How often each agent is asked for an answer and the guest's clock."},
    {"agent", "info_interval", CONF_DURATION, AT(agent.info_interval_ns), "5m", 1 * S, 24 * H,
     .help = "How often each agent is asked for file systems, users and the operating system."},
    {"agent", "deadline", CONF_DURATION, AT(agent.deadline_ns), "5s", 1 * S, 60 * S,
     .help = "After this long an agent counts as not answering. Shorter than agent.interval."},

    {"metrics", "sets", CONF_LIST, AT(metrics.sets), "vherd tinkoff inovex", .choices = metric_sets,
     .help = "Sets of names: vherd's own, and those of the two libvirt exporters that dashboards "
             "rely on. A scrape may choose others with ?set=."},
    {"metrics", "misnamed", CONF_BOOL, AT(metrics.misnamed), "false",
     .help = "Also expose the exporters' names that break Prometheus' naming rules."},

    {"store", "enabled", CONF_BOOL, AT(store.enabled), "true", .restart = true,
     .help = "Whether samples are kept on disk at all."},
    {"store", "path", CONF_TEXT, AT(store.path), "", .check = check_path, .restart = true,
     .help = "Directory of the store. Empty: /var/lib/vherd/data as root, else vherd/data in the "
             "user's state directory."},
    {"store", "job", CONF_TEXT, AT(store.job), "vherd", .restart = true,
     .help = "Label `job` of the series of this host; empty: none."},
    {"store", "instance", CONF_TEXT, AT(store.instance), "", .restart = true,
     .help = "Label `instance` of the series of this host. Empty: the host's name."},
    {"store", "flush", CONF_DURATION, AT(store.flush_ns), "1s", 100 * MS, 60 * S, .restart = true,
     .help = "Pause between two writes to the log: what a kill of vherd can cost at most."},
    {"store", "fsync", CONF_DURATION, AT(store.fsync_ns), "5s", 0, 10 * M, .restart = true,
     .help = "Pause between two fsyncs of the log: what a power cut can cost at most, with "
             "store.flush added. 0s: after each write."},
    {"store", "keep", CONF_DURATION, AT(store.keep_ns), "30d", 0, 36500 * DAY, .restart = true,
     .help = "How long samples are kept; 0s: for ever."},
    {"store", "keep_minute", CONF_DURATION, AT(store.keep_minute_ns), "180d", 0, 36500 * DAY,
     .restart = true, .help = "How long roll-ups of a minute are kept; 0s: for ever."},
    {"store", "keep_hour", CONF_DURATION, AT(store.keep_hour_ns), "1095d", 0, 36500 * DAY,
     .restart = true, .help = "How long roll-ups of an hour are kept; 0s: for ever."},
    {"store", "keep_size", CONF_SIZE, AT(store.keep_size), "0", 0, 1024 * TIB, .restart = true,
     .help = "Disk that samples may take before the oldest go; 0: no limit."},
    {"store", "keep_minute_size", CONF_SIZE, AT(store.keep_minute_size), "0", 0, 1024 * TIB,
     .restart = true, .help = "The same for roll-ups of a minute."},
    {"store", "keep_hour_size", CONF_SIZE, AT(store.keep_hour_size), "0", 0, 1024 * TIB,
     .restart = true, .help = "The same for roll-ups of an hour."},
    {"store", "log_size", CONF_SIZE, AT(store.log_size), "1G", 16 << 20, 1024 * TIB,
     .restart = true,
     .help = "Log that is kept for those who follow it, such as remote write, while they are "
             "behind."},

    {"web", "listen", CONF_LIST, AT(web.listen), "127.0.0.1:9177", .check = check_address,
     .help = "Addresses for HTTP; [] = none. Who is not on loopback shows a token, which others on "
             "the way can read: web.tls_listen is for that."},
    {"web", "hosts", CONF_LIST, AT(web.hosts), "", .check = check_host_name,
     .help = "Further names by which callers reach this machine, such as an alias that Prometheus "
             "uses. Requests that name another host are refused."},
    {"web", "socket", CONF_TEXT, AT(web.socket), "", .check = check_socket,
     .help = "Unix socket for the commands. Empty: /run/vherd/vherd.sock as root, else "
             "vherd/vherd.sock in the user's runtime directory."},
    {"web", "socket_group", CONF_TEXT, AT(web.socket_group), "", .check = check_account,
     .help =
         "Group that may use the socket, with the role web.socket_role. Empty: its owner only."},
    {"web", "socket_role", CONF_CHOICE, AT(web.socket_role), "viewer", .choices = socket_roles,
     .help = "Role, over all VMs, of the members of web.socket_group. The user that runs vherd and "
             "root are admin."},
    {"web", "loopback_role", CONF_CHOICE, AT(web.loopback_role), "viewer",
     .choices = loopback_roles,
     .help = "Role of those who come from this machine over TCP and show no token. Set it to none "
             "where users of this machine must not see each other's VMs."},
    {"web", "metrics", CONF_CHOICE, AT(web.metrics), "loopback", .choices = openness,
     .help = "From where /metrics is read without a token: all, loopback, none."},
    {"web", "tls_listen", CONF_LIST, AT(web.tls_listen), "", .check = check_address,
     .help = "Addresses for HTTPS."},
    {"web", "tls_certificate", CONF_TEXT, AT(web.tls_certificate), "", .check = check_path,
     .help = "Certificate for HTTPS, and those that sign it, in PEM. Empty: vherd makes one that "
             "signs itself, kept beside act.state."},
    {"web", "tls_key", CONF_TEXT, AT(web.tls_key), "", .check = check_path,
     .help = "Private key of web.tls_certificate in PEM."},
    {"web", "user", CONF_TEXT, AT(web.user), "", .check = check_account,
     .help = "User that the process facing the network becomes when vherd was started as root. "
             "Empty: vherd where it exists, else nobody."},
    {"web", "max_connections", CONF_INTEGER, AT(web.max_connections), "256", 8, 10000,
     .help = "HTTP connections at the same time."},
    {"web", "rate_limit", CONF_INTEGER, AT(web.rate_limit), "100", 0, 1000000,
     .help = "Requests a second, on average, that one address of another machine may make; 0: no "
             "limit."},
    {"web", "origins", CONF_LIST, AT(web.origins), "", .check = check_origin,
     .help = "Origins (https://grafana.example) whose pages may read answers in a browser; \"*\" "
             "= all. None by default."},
    {"web", "sandbox", CONF_BOOL, AT(web.sandbox), "true",
     .help = "false takes the system call filter away, for debuggers."},

    {"act", "state", CONF_TEXT, AT(act.state), "", .check = check_path, .restart = true,
     .help = "Directory of the database with accounts, tasks and the audit log; nobody else can "
             "read it. Empty: /var/lib/vherd/act as root, else vherd/act in the user's state "
             "directory."},
    {"act", "parallel", CONF_INTEGER, AT(act.parallel), "4", 1, 32,
     .help = "Tasks that change VMs at the same time."},
    {"act", "templates", CONF_TEXT, AT(act.templates), "", .check = check_path, .restart = true,
     .help = "Folder with templates of VMs, NAME.yaml each. Empty: /etc/vherd/templates as root, "
             "else vherd/templates in the user's configuration directory. One that is made while "
             "vherd runs is seen after a restart."},
    {"query", "timeout", CONF_DURATION, AT(query.timeout_ns), "30s", 100 * MS, 1 * H,
     .help = "After this long a query is ended; a request may ask for less. Waiting for others "
             "counts."},
    {"query", "concurrency", CONF_INTEGER, AT(query.concurrency), "2", 1, 64, .restart = true,
     .help = "Queries that are evaluated at the same time; others wait."},
    {"query", "queue", CONF_INTEGER, AT(query.queue), "256", 1, 10000,
     .help = "Queries that may wait or be on their way to a client; more are refused."},
    {"query", "max_samples", CONF_INTEGER, AT(query.max_samples), "50000000", 1000,
     INT64_C(10000000000), .help = "Samples that one query may hold at the same time."},
    {"query", "max_series", CONF_INTEGER, AT(query.max_series), "100000", 1, INT64_C(100000000),
     .help = "Series that one selector of a query may match."},
    {"query", "max_memory_mib", CONF_INTEGER, AT(query.max_memory_mib), "256", 1, 1 << 20,
     .help = "Memory in MiB that one query with its result may take."},
    {"query", "lookback", CONF_DURATION, AT(query.lookback_ns), "5m", 1 * S, 24 * H,
     .help = "How old the last sample of a series may be to count as its value now, where a "
             "request names nothing else."},
    {"plan", "cpu_overcommit", CONF_INTEGER, AT(plan.cpu_overcommit), "4", 1, 64,
     .help = "vCPUs that plans may put on each CPU of the host."},
    {"plan", "memory_reserve", CONF_INTEGER, AT(plan.memory_reserve), "5", 0, 90,
     .help = "Per cent of the host's memory that plans leave to the host itself."},
    {"plan", "auto", CONF_CHOICE, AT(plan.mode), "off", .choices = auto_modes,
     .help = "on: what rightsize advises for the memory of running VMs is done without being "
             "asked, by balloon; dry-run: it is only written to the log. `vherd auto stop` "
             "stops it at once, and `vherd auto` shows it."},
    {"plan", "auto_every", CONF_DURATION, AT(plan.every_ns), "1h", 10 * S, 30 * 24 * H,
     .help = "Pause between two automatic plans."},
    {"plan", "auto_per_hour", CONF_INTEGER, AT(plan.per_hour), "4", 1, 1000,
     .help = "Deeds that may be done without being asked within any hour; more are refused."},
    {"plan", "auto_scope", CONF_TEXT, AT(plan.scope), "all", .check = check_scope,
     .help = "VMs that may be changed without being asked: all, or terms as accounts have them, "
             "such as label:env=test,name:web-* (docs/access.md)."},

    {"log", "level", CONF_CHOICE, AT(log.level), "info", .choices = log_levels,
     .help = "The least important messages that are written."},

    {"global", "external_labels", CONF_PAIRS, AT(global.external_labels), .check = conf_check_label,
     .help = "Labels that remote write adds to series which do not have them."},

    {"textfile", "directories", CONF_LIST, AT(textfile.directories), "", .check = check_absolute,
     .help =
         "Directories whose *.prom files are read, as node_exporter's textfile collector does."},
    {"textfile", "interval", CONF_DURATION, AT(textfile.interval_ns), "15s", 100 * MS, 1 * H,
     .help = "How often they are read."},

    {"rules", "pack", CONF_BOOL, AT(rules.pack), "true",
     .help =
         "Whether the rules that come with vherd (share/vherd/rules) are used, besides those of "
         "rules.files."},
    {"rules", "disable", CONF_LIST, AT(rules.disable), "",
     .help = "Names of rules that are left out, as [VmSnapshotOld, HostNicDrops]."},
    {"rules", "files", CONF_LIST, AT(rules.files), "", .check = check_absolute,
     .help = "Rule files, as patterns: /etc/vherd/rules/*.yaml. Read again when vherd is reloaded; "
             "with a mistake in any of them those that were in force stay so."},
    {"rules", "evaluation_interval", CONF_DURATION, AT(rules.interval_ns), "15s", 1 * S, 24 * H,
     .help = "How often groups that name no interval are evaluated."},
    {"rules", "query_offset", CONF_DURATION, AT(rules.query_offset_ns), "0s", 0, 24 * H,
     .help = "How far in the past groups that name no query_offset are evaluated."},
    {"rules", "resend_delay", CONF_DURATION, AT(rules.resend_delay_ns), "1m", 1 * S, 24 * H,
     .help =
         "After this long an alert that still fires, or ended less than 15 minutes ago, is sent "
         "again to an Alertmanager."},
    {"rules", "hold_gaps", CONF_BOOL, AT(rules.hold_gaps), "true",
     .help = "While the data behind an alert are missing, for less than its `for`, it neither "
             "resolves nor begins anew. false does as Prometheus."},
    {"rules", "external_url", CONF_TEXT, AT(rules.external_url), "",
     .help = "Address under which people reach this daemon, for links in alerts."},

    {"events", "keep", CONF_DURATION, AT(events.keep_ns), "90d", 0, 36500 * DAY,
     .help = "How long events are kept; 0s: for ever."},
    {"events", "keep_size", CONF_SIZE, AT(events.keep_size), "64M", 0, 1024 * TIB,
     .help = "Bytes of events before the oldest go; 0: no limit."},

    {"notify", "receivers", CONF_OBJECTS, AT(notify.receivers), .object = &conf_receiver_object,
     .help = "Who may be told."},
    {"notify", "route", CONF_OBJECT, AT(notify.route), .object = &conf_route_object,
     .help = "Which receiver an alert goes to."},
    {"notify", "inhibit", CONF_OBJECTS, AT(notify.inhibit), .object = &conf_inhibit_object,
     .help = "Alerts that make others superfluous."},
    {"notify", "default_inhibit", CONF_BOOL, AT(notify.default_inhibit), "true",
     .help = "Whether those that belong to vherd's own rules hold too: LibvirtUnreachable and "
             "HostUnreachable make what depends on them superfluous, and an alert of a VM that is "
             "critical makes its others so."},
    {"notify", "quiet_hours", CONF_OBJECTS, AT(notify.quiet_hours), .object = &conf_quiet_object,
     .help = "Hours in which routes wait."},
    {"notify", "keep_trying", CONF_DURATION, AT(notify.keep_trying_ns), "24h", 1 * M, 8760 * H,
     .help = "How long a message is tried again before it is given up."},
    {"notify", "max_backoff", CONF_DURATION, AT(notify.max_backoff_ns), "5m", 1 * S, 24 * H,
     .help = "Longest pause between two attempts; the first is 1s, each further one is twice as "
             "long."},
    {"notify", "external_url", CONF_TEXT, AT(notify.external_url), "",
     .help = "Where this vherd is reached from outside, for links in messages."},

    {"receive", "enabled", CONF_BOOL, AT(receive.enabled), "false",
     .help = "Whether samples are taken from others. Needs receive.token_file."},
    {"receive", "token_file", CONF_TEXT, AT(receive.token_file), "", .check = conf_check_file,
     .help = "File with the token that senders must give as \"Authorization: Bearer TOKEN\"; at "
             "least 16 characters."},
    {"receive", "max_body", CONF_SIZE, AT(receive.max_body_bytes), "4M", 4096, 32 << 20,
     .help = "Largest request, before it is unpacked."},
};
_Static_assert(ARRAY_LEN(conf_keys) <= CONF_KEYS_MAX, "the reader has no room for more");
const size_t conf_keys_count = ARRAY_LEN(conf_keys);
