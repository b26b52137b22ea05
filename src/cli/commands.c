// SPDX-License-Identifier: GPL-3.0-or-later
// The table of commands.
#include <string.h>

#include "base/mem.h"
#include "command.h"

static const char *const colors[] = {"auto", "always", "never", NULL};
static const char *const alerts_words[] = {"firing", "pending", "silenced", "history", NULL};
static const char *const rules_words[] = {"check", "test", "backtest", NULL};
static const char *const config_words[] = {"check", "show", NULL};
static const char *const sim_words[] = {"run", "cloudsim", "queue", NULL};
static const char *const sim_services[] = {"exponential", "deterministic", "hyperexponential",
                                           "erlang", NULL};
static const char *const sim_modes[] = {"A", "B", "C", NULL};
static const char *const plans[] = {"place",     "balance", "consolidate", "evacuate",
                                    "rightsize", "apply",   NULL};
static const char *const auto_words[] = {"show", "stop", "start", NULL};
static const char *const user_words[] = {"list", "add", "set", "remove", "password", NULL};
static const char *const token_words[] = {"list", "create", "revoke", NULL};
static const char *const yes_no[] = {"yes", "no", NULL};
static const char *const roles[] = {"viewer", "operator", "admin", NULL};
static const char *const silence_words[] = {"add", "list", "expire", NULL};
static const char *const notify_words[] = {"status", "test", NULL};
static const char *const store_words[] = {"snapshot", "delete", NULL};
static const char *const shells[] = {"bash", "zsh", "fish", NULL};
static const char *const states[] = {"running",  "idle",    "paused",      "in shutdown",
                                     "shut off", "crashed", "pmsuspended", NULL};
static const char *const metric_sets[] = {"vherd", "tinkoff", "inovex", NULL};

const struct option_desc global_options[] = {
    {"socket", "PATH", "ask the daemon that listens on this Unix socket", NULL, false},
    {"url", "URL", "ask the daemon at this address (http://127.0.0.1:9177)", NULL, false},
    {"server", "URL", "the same: https://host:9178", NULL, false},
    {"token-file", "FILE", "show the token in this file ($VHERD_TOKEN)", NULL, false},
    {"ca-file", "FILE", "trust those in this PEM file to sign", NULL, false},
    {"pin", "HASH", "trust this public key: sha256//… (in vherd's log)", NULL, false},
    {"config", "FILE", "read this configuration instead of the default one", NULL, false},
    {"json", NULL, "print JSON as the daemon answers it", NULL, false},
    {"color", "WHEN", "auto, always or never", colors, false},
    {"help", NULL, "show help", NULL, false},
    {"version", NULL, "print the version", NULL, false},
    {NULL},
};

static const char *const no_words[] = {NULL};
static const char *const vm_words[] = {
    "create",     "clone",      "start",      "shutdown",    "reboot",      "reset",
    "destroy",    "pause",      "resume",     "save",        "restore",     "rename",
    "set",        "delete",     "set-vcpus",  "set-memory",  "plug-memory", "unplug-memory",
    "set-cpu",    "pin",        "set-numa",   "attach-disk", "detach-disk", "grow-disk",
    "limit-disk", "attach-nic", "detach-nic", "limit-nic",   "definition",  NULL};
static const char *const snapshot_words[] = {"list", "create", "revert", "delete", NULL};
static const char *const template_words[] = {"list", "show", NULL};
static const char *const schedule_words[] = {"list", "show",  "add",    "delete",
                                             "run",  "pause", "resume", NULL};
static const char *const missed_words[] = {"skip", "once", NULL};
static const char *const task_words[] = {"list", "show", "cancel", "wait", NULL};

#define MANY_OPTIONS                                                                               \
    {"wait", NULL, "wait until it is done, and say what came of it", NULL, false},                 \
        {"all", NULL, "every VM", NULL, false},                                                    \
        {"match", "PATTERN", "every VM whose name fits (* and ? as in a shell)", NULL, false},     \
        {"label", "K=PATTERN", "every VM that carries this label; all of several", NULL, true},    \
    {                                                                                              \
        "select", "K=PATTERN", "the same, also where --label gives labels", NULL, true             \
    }

const struct command commands[] = {
    {
        .name = "vm",
        .operand = "DEED [VM…]",
        .kind = OPERAND_WORD,
        .least = 1,
        .most = OPERANDS_MAX,
        .words = vm_words,
        .summary = "Manage VMs: create, start, shut down, resize, delete",
        .details = "Each deed becomes a task. `vherd vm DEED --help` shows its options; "
                   "--dry-run says what would be done. Several VMs take turns: --parallel at "
                   "once, and no more after --max-failures failures.",
        .options = {MANY_OPTIONS},
        .run = cmd_deed,
        .group = "vm",
    },
    {
        .name = "snapshot",
        .operand = "DEED VM…",
        .kind = OPERAND_WORD,
        .least = 1,
        .most = OPERANDS_MAX,
        .words = snapshot_words,
        .summary = "Take, list, go back to and delete snapshots",
        .details = "The deeds are list, create, revert and delete; `vherd snapshot DEED --help` "
                   "shows the options of each.",
        .options = {MANY_OPTIONS},
        .run = cmd_deed,
        .group = "snapshot",
    },
    {
        .name = "console",
        .operand = "VM",
        .kind = OPERAND_VM,
        .least = 1,
        .most = 1,
        .summary = "Attach the terminal to a guest's serial line",
        .details = "What is typed goes to the guest until Ctrl-], which detaches. One is attached "
                   "at a time; --force puts them off. Input that does not come from a terminal is "
                   "sent, and what the guest says within a second after its end is printed.",
        .options = {{"force", NULL, "put off who is attached", NULL, false}},
        .run = cmd_console,
    },
    {
        .name = "task",
        .operand = "list|show|cancel|wait [TASK…]",
        .kind = OPERAND_WORD,
        .least = 1,
        .most = OPERANDS_MAX,
        .words = task_words,
        .summary = "List, show, cancel and wait for tasks",
        .details = "What was asked of VMs, how far it is, and what became of it.",
        .options = {{"state", "STATE", "list: queued, running, done, failed or cancelled", NULL,
                     false},
                    {"vm", "VM", "list: only tasks of this VM", NULL, false},
                    {"dry-run", NULL, "cancel: say what would be done, and do nothing", NULL,
                     false}},
        .run = cmd_task,
    },
    {
        .name = "schedule",
        .operand = "list|show|add|delete|run|pause|resume [NAME]",
        .kind = OPERAND_WORD,
        .least = 1,
        .most = 2,
        .words = schedule_words,
        .summary = "Have deeds done again and again",
        .details =
            "`vherd schedule add nightly --cron '0 3 * * *' --deed snapshot.create --field "
            "name=nightly-%Y%m%d --keep 7 --label backup=yes`: at each of these times, in the "
            "daemon's time zone, VMs are selected anew and each gets a task, with the "
            "rights that whoever added it has then. What was missed while vherd or libvirt "
            "was away is skipped, or with --missed once made up for.",
        .options = {{"cron", "TEXT", "minute hour day month weekday, or @hourly, @daily, …"},
                    {"deed", "DEED", "what is done, such as snapshot.create or vm.shutdown"},
                    {"field", "K=V", "a field of the deed", NULL, true},
                    {"vm", "VM", "this VM", NULL, true},
                    {"match", "PATTERN", "VMs whose names fit", NULL, true},
                    {"label", "K=PATTERN", "only VMs that carry this label", NULL, true},
                    {"all", NULL, "every VM", NULL, false},
                    {"missed", "WHAT", "skip or once", missed_words, false},
                    {"parallel", "N", "so many VMs at once; 4 if absent"},
                    {"max-failures", "N", "after more failures the rest is cancelled; 0"},
                    {"keep", "N", "snapshots of each VM that stay; 0: all"},
                    {"keep-for", "TIME", "how long its snapshots stay, such as 30d"},
                    {"dry-run", NULL, "say what would be done, and do nothing"}},
        .run = cmd_schedule,
    },
    {
        .name = "template",
        .operand = "list|show [NAME]",
        .kind = OPERAND_WORD,
        .least = 1,
        .most = 2,
        .words = template_words,
        .summary = "List and show templates of VMs",
        .details = "A template is a file NAME.yaml in the folder act.templates: fields of `vherd "
                   "vm create` without the name, and `summary`. `vherd vm create --template NAME` "
                   "takes from it what is not given.",
        .run = cmd_template,
    },
    {
        .name = "apply",
        .operand = "FILE",
        .kind = OPERAND_WORD,
        .least = 1,
        .most = 1,
        .words = no_words,
        .summary = "Bring VMs into the state that a file describes",
        .details = "A YAML file with a list `vms`: each with the fields of `vherd vm create` and "
                   "`state` (running, off or absent). What is as wanted already is left alone: "
                   "a second run asks for nothing. Only fields that the file names are compared; "
                   "disks are added, never removed.",
        .options = {{"diff", NULL, "show what differs, and do nothing", NULL, false},
                    {"dry-run", NULL, "the same", NULL, false}},
        .run = cmd_apply,
    },
    {
        .name = "inventory",
        .summary = "Print the VMs as an Ansible dynamic inventory",
        .details = "A script that runs `vherd inventory \"$@\"` serves as inventory: VMs "
                   "are grouped by state, what is known of each stands in its variables.",
        .options = {{"list", NULL, "all VMs", NULL, false},
                    {"host", "VM", "the variables of one", NULL, false}},
        .run = cmd_inventory,
    },
    {
        .name = "list",
        .options = {{"state", "STATE", "only VMs in this state (running, \"shut off\", …)", states,
                     false},
                    {"names", NULL, "names only, one a line", NULL, false}},
        .run = cmd_list,
    },
    {.name = "show", .kind = OPERAND_VM, .least = 1, .most = 1, .run = cmd_show},
    {
        .name = "top",
        .summary = "Watch the VMs live in the terminal",
        .details = "A table of all VMs that is renewed each second: sort, filter, look into one "
                   "VM. Press ? in it for its keys. With --json, no terminal is needed: a line "
                   "each second, `vms` as of `vherd list` and `host` as of `vherd host`.",
        .options = {{"count", "N", "with --json: so many lines, then end", NULL, false}},
        .run = cmd_top,
    },
    {.name = "host", .run = cmd_host},
    {.name = "status", .run = cmd_status},
    {.name = "metrics", .run = cmd_metrics},
    {
        .name = "query",
        .operand = "[EXPR]",
        .kind = OPERAND_EXPR,
        .most = 1,
        .summary = "Ask for stored samples with PromQL",
        .details = "Evaluates the expression now, at --time, or over a range that --range or "
                   "--start begins, and prints a table: of a range, the least, mean, greatest and "
                   "last value of each series. Without an expression, on a terminal, it asks for "
                   "one after the other; Tab completes, .help tells more.",
        .options = {{"range", "DURATION", "over this long, up to now or --end (1h, 90m)"},
                    {"step", "DURATION", "distance between two points (15s)"},
                    {"start", "TIME",
                     "beginning of the range (Unix seconds, RFC 3339, 18:30, -1h)"},
                    {"end", "TIME", "its end; now if absent"},
                    {"time", "TIME", "evaluate at this time"},
                    {"plot", NULL, "draw curves; of the last hour if no range is named"},
                    {"csv", NULL, "one line a sample"},
                    {"complete", "TEXT", "print what TEXT may become, for shells"}},
        .run = cmd_query,
    },
    {
        .name = "stats",
        .operand = "[VM]",
        .kind = OPERAND_VM,
        .most = 1,
        .summary = "Sum up what a VM, or the host, used over a time",
        .details = "One table: mean, least, greatest, sum, percentiles of CPU, memory, disk and "
                   "network, or of the metrics named; how much of a limit that is; the trend; and "
                   "when, should it go on in a straight line, the limit is reached. Without a VM: "
                   "of the host.",
        .options = {{"range", "DURATION", "over this long; 1h if absent"},
                    {"end", "TIME", "up to this time; now if absent"},
                    {"metric", "NAME", "this metric (a counter's rate); may be repeated", NULL,
                     true}},
        .run = cmd_stats,
    },
    {
        .name = "export",
        .operand = "[FILE]",
        .kind = OPERAND_FILE,
        .most = 1,
        .summary = "Write stored samples as OpenMetrics text",
        .details = "To the file, or to standard output: every sample with its timestamp, series "
                   "by series. The end of a series is written as a sample with the value NaN. "
                   "What is kept as roll-ups only is left out.",
        .options = {{"match", "SELECTOR", "series that this selector matches; may be repeated",
                     NULL, true},
                    {"start", "TIME", "from this time on (Unix seconds, RFC 3339, 18:30, -1h)"},
                    {"end", "TIME", "up to this time"}},
        .run = cmd_export,
    },
    {
        .name = "import",
        .operand = "FILE...",
        .kind = OPERAND_FILE,
        .least = 1,
        .most = OPERANDS_MAX,
        .summary = "Put samples from OpenMetrics text into the store",
        .details = "Reads files of OpenMetrics text with timestamps (`-`: standard input), also "
                   "compressed with zstd, and sends their samples to the daemon in order of time. "
                   "They may be of any age within what is kept, also of series that are sampled "
                   "now. Refused and counted is what is older, ahead of the clock, or of a time "
                   "that its series has a sample of already. A NaN is taken for the end of its "
                   "series. A dry run counts twice what stands twice in the files. Needs the Unix "
                   "socket.",
        .options = {{"dry-run", NULL, "say how many would be taken, and take none"}},
        .run = cmd_import,
    },
    {
        .name = "store",
        .operand = "snapshot [NAME] | delete SELECTOR",
        .kind = OPERAND_WORD,
        .least = 1,
        .most = 2,
        .words = store_words,
        .summary = "Copy the store while it is in use, or delete samples in it",
        .details = "`snapshot` writes a copy of all samples below `snapshots` in the store's "
                   "directory and prints its path. `delete` takes the samples and roll-ups of the "
                   "series that a selector matches out of it, all of them or those between two "
                   "times; there is no way back. Needs the Unix socket.",
        .options = {{"start", "TIME", "delete: from this time on"},
                    {"end", "TIME", "delete: up to this time"},
                    {"dry-run", NULL, "delete: say of how many series, and delete nothing"}},
        .run = cmd_store,
    },
    {
        .name = "replay",
        .operand = "FILE|DIR",
        .kind = OPERAND_FILE,
        .least = 1,
        .most = 1,
        .summary = "Show recorded history as if it were live",
        .details = "What `vherd list` would have shown, step by step, out of a store's directory "
                   "that no daemon has open, a snapshot of `vherd store snapshot`, or a file of "
                   "`vherd export` or `./bench record`. Rates are over a step. Does not need the "
                   "daemon.",
        .options = {{"start", "TIME", "from this time on"},
                    {"end", "TIME", "up to this time"},
                    {"step", "DURATION", "distance between two tables; 10s if absent"},
                    {"speed", "N", "so many times as fast as it was; without pauses if absent"}},
        .run = cmd_replay,
    },
    {.name = "dirty-rate", .kind = OPERAND_VM, .least = 1, .most = 1, .run = cmd_dirty_rate},
    {
        .name = "plan",
        .operand = "[apply] place|balance|consolidate|evacuate|rightsize [NAME]",
        .kind = OPERAND_WORD,
        .least = 1,
        .most = 3,
        .words = plans,
        .options = {{"herd", "FILE", "plan for the herd in this file, without the daemon", NULL,
                     false},
                    {"history", "DIR", "the store or snapshot to simulate with, of --herd"},
                    {"yes", NULL, "apply: do it; without this it is only said", NULL, false},
                    {"dry-run", NULL, "apply: only say what would be done, as without --yes", NULL,
                     false},
                    {"only", "LIST", "apply: of memory,vcpus,shares,quota,start; default: no quota",
                     NULL, false}},
        .run = cmd_plan,
    },
    {
        .name = "user",
        .operand = "list|add|set|remove|password [NAME]",
        .kind = OPERAND_WORD,
        .least = 1,
        .most = 2,
        .words = user_words,
        .summary = "List and change accounts",
        .details =
            "An account has a role (viewer, operator, admin) over the VMs in its scope: all, "
            "or terms such as name:web-*, label:env=test, owner:alice with commas between. "
            "A new one sees no VM unless --scope says so. `password` asks for it, or reads "
            "the first line of --password-file (- is standard input).",
        .options = {{"role", "ROLE", "viewer, operator or admin", roles, false},
                    {"scope", "SCOPE", "which VMs", NULL, false},
                    {"owner", "NAME", "name that VMs of theirs carry", NULL, false},
                    {"disabled", "YES|NO", "yes: end its sessions, suspend its tokens", yes_no,
                     false},
                    {"password-file", "FILE", "read the password from this file", NULL, false},
                    {"dry-run", NULL, "say what would be done, and do nothing", NULL, false}},
        .run = cmd_user,
    },
    {
        .name = "token",
        .operand = "list|create|revoke [TOKEN]",
        .kind = OPERAND_WORD,
        .least = 1,
        .most = 2,
        .words = token_words,
        .summary = "List, make and end tokens",
        .details = "A token lets a program in over TCP. `create` prints it, once; its role is at "
                   "most the account's, and a VM must lie in the scope of both. `revoke` takes its "
                   "id or ACCOUNT:NAME.",
        .options = {{"user", "ACCOUNT", "account that it belongs to", NULL, false},
                    {"role", "ROLE", "viewer (the default), operator or admin", roles, false},
                    {"scope", "SCOPE", "which of the account's VMs; all if absent", NULL, false},
                    {"expires", "TIME", "a duration such as 90d (the default), or never", NULL,
                     false},
                    {"dry-run", NULL, "say what would be done, and do nothing", NULL, false}},
        .run = cmd_token,
    },
    {
        .name = "audit-log",
        .options = {{"verify", NULL, "check that nothing was changed", NULL, false},
                    {"head", "SEQ:HASH",
                     "with --verify: a head written down elsewhere must be in it", NULL, false},
                    {"export", NULL, "print all records, one JSON object a line, oldest first",
                     NULL, false}},
        .run = cmd_audit_log,
    },
    {
        .name = "auto",
        .operand = "[show|stop|start]",
        .kind = OPERAND_WORD,
        .least = 0,
        .most = 1,
        .words = auto_words,
        .options = {{"reason", "TEXT", "stop, start: why, for those who find it so", NULL, false},
                    {"dry-run", NULL, "say what would be done, and do nothing", NULL, false}},
        .run = cmd_auto,
    },
    {.name = "whoami", .run = cmd_whoami},
    {.name = "events", .run = cmd_events},
    {
        .name = "silence",
        .operand = "add|list|expire [MATCHER…|ID]",
        .kind = OPERAND_WORD,
        .least = 1,
        .most = 64,
        .words = silence_words,
        .summary = "Keep alerts from being told for a while",
        .details = "`add` takes matchers as Alertmanager writes them (alertname=VmCrashed, "
                   "'domain=~\"db-.*\"'), all of which must hold, and --for or --ends. What still "
                   "fires when a silence ends is told then. `expire` ends one now.",
        .options = {{"for", "DURATION", "how long: 2h", NULL, false},
                    {"ends", "TIME", "until when", NULL, false},
                    {"starts", "TIME", "from when on; now if absent", NULL, false},
                    {"comment", "TEXT", "why", NULL, false},
                    {"all", NULL, "list those that ended, too", NULL, false},
                    {"dry-run", NULL, "say what would be done, and do nothing", NULL, false}},
        .run = cmd_silence,
    },
    {
        .name = "ack",
        .operand = "ALERT|MATCHER…",
        .least = 1,
        .most = 64,
        .summary = "Take care of alerts that fire",
        .details = "They are not told again while they fire; their end is told. An alert is named "
                   "by its fingerprint, or by matchers.",
        .options = {{"comment", "TEXT", "a sentence for others", NULL, false},
                    {"dry-run", NULL, "say what would be done, and do nothing", NULL, false}},
        .run = cmd_ack,
    },
    {
        .name = "notify",
        .operand = "status|test [RECEIVER]",
        .kind = OPERAND_WORD,
        .least = 1,
        .most = 2,
        .words = notify_words,
        .summary = "Show receivers and their queues; send a test message",
        .details = "`test` sends a message that says nothing is wrong, the way all messages go; "
                   "`vherd events --kind notify` tells how it fared.",
        .options = {{"dry-run", NULL, "say what would be done, and do nothing", NULL, false}},
        .run = cmd_notify,
    },
    {
        .name = "alerts",
        .operand = "[firing|pending|silenced|history]",
        .kind = OPERAND_WORD,
        .most = 1,
        .words = alerts_words,
        .summary = "List alerts pending or firing, or how alerts changed",
        .details = "`silenced` lists those that fire and that nobody is told of, and why: a "
                   "silence, another alert that inhibits them, or somebody who acknowledged "
                   "them. `history` lists changes of state, the latest last.",
        .options = {{"limit", "N", "history: at most so many; 100", NULL, false}},
        .run = cmd_alerts,
    },
    {
        .name = "rules",
        .operand = "check|test|backtest FILE…",
        .kind = OPERAND_WORD,
        .least = 2,
        .most = OPERANDS_MAX,
        .words = rules_words,
        .summary = "Check rule files, run their tests, try them on history",
        .details =
            "`check` reads rule files as the daemon does and tells every mistake with its "
            "place, metrics of vherd that do not exist, and what the rules cost. `test` runs "
            "promtool's unit tests. `backtest` tells how often each alert of "
            "the files would have fired over the history in a store, for how long, and of "
            "which VMs. A store that a daemon is using is not to be opened: take a snapshot.",
        .options = {{"strict", NULL, "check: fail on what is only likely wrong", NULL, false},
                    {"run", "REGEX", "test: only groups of that name", NULL, false},
                    {"since", "DURATION", "backtest: how far back; 30d", NULL, false},
                    {"interval", "DURATION", "backtest: of groups that name none", NULL, false},
                    {"data", "DIR", "backtest: a store, or a snapshot of one", NULL, false}},
        .run = cmd_rules,
    },
    {
        .name = "config",
        .operand = "check|show [FILE]",
        .kind = OPERAND_WORD,
        .least = 1,
        .most = 2,
        .words = config_words,
        .summary = "Check a configuration file, or show what is in force",
        .details = "`check` reads the file and tells of its first error with line and column. "
                   "`show` prints every key with the value in force. Neither needs the daemon.",
        .run = cmd_config,
    },
    {
        .name = "sim",
        .operand = "run|cloudsim|queue [SCENARIO]",
        .kind = OPERAND_WORD,
        .least = 1,
        .most = 2,
        .words = sim_words,
        .summary = "Simulate a data centre",
        .details =
            "`run` lets the data centre of a scenario file go through its time and prints a "
            "timeline and a summary, and with --rules which alerts would have fired when. "
            "`cloudsim` carries out CloudSim's PlanetLab experiment "
            "on a folder of trace files. `queue` puts requests for VMs, of a trace or generated, "
            "through queue disciplines (fcfs, sjf, priority, ageing, round-robin, backfill; "
            "--policy picks some, with commas between) and prints waiting, response, "
            "slowdown, utilisation and fairness beside what queueing theory expects. None "
            "needs the daemon.",
        .options =
            {{"policy", "NAME", "moves VMs: vherd, balance, none, lr-mmt, wake-thr-rs-0.7, …", NULL,
              false},
             {"compare", "NAME", "run: print this policy beside others; may be repeated", NULL,
              true},
             {"report", NULL, "run: print every step of the timeline", NULL, false},
             {"rules", "FILE", "run: rule files; what they would have told", NULL, true},
             {"sample", "DURATION", "run: distance of samples for --rules; 15s if absent", NULL,
              false},
             {"csv", NULL, "print CSV", NULL, false},
             {"traces", "DIR", "cloudsim: folder of traces, one VM each", NULL, false},
             {"mode", "MODE", "cloudsim: A as CloudSim, B VMs survive idling, C memory too",
              sim_modes, false},
             {"seed", "N", "cloudsim, queue: what chance comes from; 1 if absent", NULL, false},
             {"timing", NULL, "cloudsim: print CPU times too", NULL, false},
             {"trace", "FILE", "queue: requests in a CSV file (docs/simulation.md)", NULL, false},
             {"requests", "N", "queue: so many generated ones; 100000 if absent", NULL, false},
             {"rate", "N", "queue: so many arrive in an hour; 12 if absent", NULL, false},
             {"mean", "DURATION", "queue: how long one runs; 4h if absent", NULL, false},
             {"service", "NAME", "queue: how these times are distributed", sim_services, false},
             {"priorities", "N", "queue: each has one of so many; 3 if absent", NULL, false},
             {"hosts", "N", "queue: so many equal hosts; 1 if absent", NULL, false},
             {"vcpus", "N", "queue: of each host; 64 if absent", NULL, false},
             {"memory", "SIZE", "queue: of each host; 256G if absent", NULL, false},
             {"ageing", "DURATION", "queue: waiting that adds 1 to a priority; 10m if absent", NULL,
              false},
             {"slice", "DURATION", "queue: of round-robin; 1h if absent", NULL, false}},
        .run = cmd_sim,
    },
    {
        .name = "daemon",
        .summary = "Run the daemon in the foreground",
        .details = "Starts vherd's processes and stays until it gets SIGTERM or SIGINT; SIGHUP "
                   "makes it read its configuration again.",
        .options = {{"foreground", NULL, "stay in the foreground, as always", NULL, false},
                    {"simulate", "FILE", "watch this scenario's data centre, not libvirt", NULL,
                     false}},
        .run = cmd_daemon,
    },
    {
        .name = "completion",
        .operand = "bash|zsh|fish",
        .kind = OPERAND_WORD,
        .least = 1,
        .most = 1,
        .words = shells,
        .summary = "Print the completion script of a shell",
        .details = "For bash: `source <(vherd completion bash)`.",
        .run = cmd_completion,
    },
    {
        .name = "version",
        .summary = "Print the version",
        .run = cmd_version,
    },
    {
        .name = "help",
        .operand = "[COMMAND]",
        .kind = OPERAND_COMMAND,
        .most = 1,
        .summary = "Show help, of one command or of all",
        .run = cmd_help,
    },
};
const size_t commands_count = ARRAY_LEN(commands);

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < commands_count; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

const char *command_summary(const struct command *c)
{
    return c->summary ? c->summary : verb_by_command(c->name)->summary;
}

const char *command_details(const struct command *c)
{
    const struct verb *verb = verb_by_command(c->name);
    return c->details ? c->details : verb ? verb->details : "";
}

const char *command_operand(const struct command *c)
{
    const struct verb *verb = verb_by_command(c->name);
    return c->operand ? c->operand : verb ? verb->operand : NULL;
}

bool command_option(const struct command *c, size_t i, struct option_desc *ret)
{
    static const char *const arguments[] = {
        [VERB_TYPE_STRING] = "NAME", [VERB_TYPE_INTEGER] = "N", [VERB_TYPE_FLAG] = NULL};
    const struct verb *verb = verb_by_command(c->name);
    size_t n = 0;
    while (verb && verb->params[n].name)
        n++;
    if (i < n) {
        const struct verb_param *p = &verb->params[i];
        bool is_set = strcmp(p->name, "set") == 0;
        *ret = (struct option_desc){p->name, arguments[p->type], p->help,
                                    is_set ? metric_sets : NULL, is_set};
        return true;
    }
    if (i - n > COMMAND_OPTIONS_MAX || !c->options[i - n].name)
        return false;
    *ret = c->options[i - n];
    return true;
}
