# shellcheck shell=bash
# A node is a private libvirt host: namespaces kept by one holder process, folders of its own over
# libvirt's usual places, a subtree of each cgroup hierarchy, and a libvirtd. Sourced after lib.sh
# by the programs that make nodes. Every process inside a node sees the file /run/vherd-lab, which
# names the lab and the node; that is how the processes to end are found, whatever else was lost.

NODE_FOLDERS="/run /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /etc/libvirt"
# shellcheck disable=SC2034 # used by those that source this
NODE_SUBNET=10.84

lab_name_check() {
    [[ $LAB_ID =~ ^[A-Za-z0-9_-]{1,24}$ ]] || die "VHERD_LAB_ID: letters, digits, - and _ only, at most 24"
}

lab_run() { echo "/run/vherd-lab-$LAB_ID"; }
lab_images() { echo "$LAB_CACHE/images-$LAB_ID"; }
node_run() { echo "$(lab_run)/$1"; } # NODE

# One line for each mounted cgroup hierarchy: its mount options, mount point, and our own group.
cgroup_hierarchies() {
    local controllers path point
    while IFS=: read -r _ controllers path; do
        if [ -z "$controllers" ]; then
            point=$(awk '/ - cgroup2 / { print $5; exit }' /proc/self/mountinfo)
        else
            point=$(awk -v want="$controllers" '
                / - cgroup / {
                    n = split($NF, have, ",")
                    split(want, wanted, ",")
                    for (i = 1; i <= n; i++)
                        if (have[i] == wanted[1]) { print $5; exit }
                }' /proc/self/mountinfo)
        fi
        # In a pure version 2 tree a group with processes of its own cannot give controllers to
        # groups below it, so there the lab's group stands at the top.
        [ -n "$controllers" ] || [ "$point" != /sys/fs/cgroup ] || path=/
        [ -z "$point" ] || printf '%s %s %s\n' "${controllers:--}" "$point" "$path"
    done </proc/self/cgroup
}

# Makes NODE's group in every hierarchy and prints "OPTIONS POINT GROUP" for each.
node_make_cgroups() { # NODE
    local options point path group parent
    cgroup_hierarchies | while read -r options point path; do
        group=${path%/}/vherd-lab-$LAB_ID/$1
        mkdir -p "$point$group/system"
        parent=${point}${path%/}
        for part in "vherd-lab-$LAB_ID" "$1" system; do
            if [ "$options" = cpuset ]; then
                cat "$parent/cpuset.cpus" >"$parent/$part/cpuset.cpus"
                cat "$parent/cpuset.mems" >"$parent/$part/cpuset.mems"
            elif [ "$options" = - ] && [ "$part" != system ]; then
                tr ' ' '\n' <"$parent/cgroup.controllers" | while read -r controller; do
                    echo "+$controller" >"$parent/cgroup.subtree_control" 2>/dev/null || true
                done
            fi
            parent=$parent/$part
        done
        # libvirt makes this one at the first start; two first starts at once find it half made.
        if [ "$options" = cpuset ]; then
            mkdir -p "$point$group/machine"
            cat "$point$group/cpuset.cpus" >"$point$group/machine/cpuset.cpus"
            cat "$point$group/cpuset.mems" >"$point$group/machine/cpuset.mems"
        fi
        printf '%s %s %s\n' "$options" "$point" "$group"
    done
}

# Moves the calling shell into NODE's groups.
node_enter_cgroups() { # NODE [SUBGROUP]
    local point group
    while read -r _ point group; do
        echo "$BASHPID" >"$point$group${2:-}/cgroup.procs"
    done <"$(node_run "$1")/cgroups"
}

node_remove_cgroups() {
    local tries
    for tries in 1 2 3 4 5 6 7 8 9 10; do
        [ -n "$(lab_cgroups)" ] || return 0
        lab_cgroups | while read -r group; do
            find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
        done
        [ "$tries" = 1 ] || sleep 0.2
    done
    say "cgroups left: $(lab_cgroups | tr '\n' ' ')"
    return 1
}

lab_cgroups() { find /sys/fs/cgroup -maxdepth 8 -type d -name "vherd-lab-$LAB_ID" -prune 2>/dev/null; }

# The processes of this lab: those that see its mark.
lab_processes() {
    local pid mark state self
    self=$(readlink /proc/self/ns/mnt)
    for pid in /proc/[0-9]*; do
        [ "$(readlink "$pid/ns/mnt" 2>/dev/null)" != "$self" ] || continue
        mark=$(cat "$pid/root/run/vherd-lab" 2>/dev/null) || continue
        [ "${mark%% *}" = "$LAB_ID" ] || continue
        state=$(sed -n 's/^State:\t\(.\).*/\1/p' "$pid/status" 2>/dev/null) || continue
        [ "$state" = Z ] || echo "${pid#/proc/}"
    done
}

lab_kill_processes() {
    local pids starting
    for starting in "$(lab_run)"/*/holder.starting; do # killed before it had its mark
        [ ! -f "$starting" ] || ! grep -qz node-inside "/proc/$(cat "$starting")/cmdline" 2>/dev/null ||
            kill -KILL "$(cat "$starting")"
    done
    for _ in $(seq 50); do
        mapfile -t pids < <(lab_processes)
        [ ${#pids[@]} -gt 0 ] || return 0
        kill -KILL "${pids[@]}" 2>/dev/null || true
        sleep 0.1
    done
    say "processes left: ${pids[*]}"
    return 1
}

not_inside() {
    [ ! -e /run/vherd-lab ] || die "inside node $(cat /run/vherd-lab): leave it first"
}

# Removes everything of the lab, also what a killed run left behind.
lab_down() { # [BRIDGE]
    local status=0
    not_inside
    lab_kill_processes || status=1
    if [ -n "${1:-}" ] && [ -d "/sys/class/net/$1" ]; then
        ip link delete "$1" || status=1
    fi
    node_remove_cgroups || status=1
    rm -rf --one-file-system "$(lab_run)" "$(lab_images)"
    return $status
}

# Starts a lab: refuses when it stands already, removes the remains of a dead one.
lab_begin() { # [BRIDGE]
    local run maker
    not_inside
    lab_name_check
    run=$(lab_run)
    if [ -e "$run/up" ] && lab_alive; then
        die "lab $LAB_ID is already up (take it down first, or set VHERD_LAB_ID to another name)"
    fi
    if [ -s "$run/maker" ]; then
        maker=$(cat "$run/maker")
        [ "$(process_identity "${maker%% *}")" != "$maker" ] || die "lab $LAB_ID is being made by process ${maker%% *}"
    fi
    lab_down "${1:-}"
    mkdir -p "$run" "$(lab_images)"
    process_identity $$ >"$run/maker"
}

process_identity() { # PID: the process and its start time
    sed -n 's/^\([0-9]*\) (.*) \(.*\)$/\1 \2/p' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f1,21
}

# From here to lab_done, an error or a signal removes what was made.
lab_undo_on_failure() { # [BRIDGE]
    LAB_BRIDGE=${1:-}
    trap lab_undo EXIT
    trap 'exit 130' INT TERM HUP
}

lab_undo() {
    local status=$? jobs
    trap '' INT TERM HUP
    say "removing what was made"
    mapfile -t jobs < <(jobs -p)
    [ ${#jobs[@]} -eq 0 ] || kill "${jobs[@]}" 2>/dev/null || true
    lab_down "$LAB_BRIDGE" || status=1
    wait
    exit $status
}

lab_done() {
    touch "$(lab_run)/up"
    trap - EXIT INT TERM HUP
}

lab_alive() {
    local node
    for node in "$(lab_run)"/*/holder; do
        [ -f "$node" ] && process_is_holder "$(cat "$node")" || return 1
    done
}

process_is_holder() { # PID
    [ "$(cut -d' ' -f1 "/proc/$1/root/run/vherd-lab" 2>/dev/null)" = "$LAB_ID" ]
}

node_holder() { # NODE
    local pid file
    file=$(node_run "$1")/holder
    [ -f "$file" ] || die "no node $1 in lab $LAB_ID"
    pid=$(cat "$file")
    process_is_holder "$pid" || die "node $1 of lab $LAB_ID is dead: take the lab down"
    echo "$pid"
}

# Runs a command inside a node, in the caller's directory and in the node's cgroups.
node_exec() { # NODE COMMAND...
    local node=$1 pid
    shift
    pid=$(node_holder "$node")
    # shellcheck disable=SC2016 # expanded inside
    node_enter_cgroups "$node" /system &&
        exec nsenter --target "$pid" --mount --uts --net --cgroup -- \
            /bin/sh -c 'cd "$0" 2>/dev/null || cd /; exec "$@"' "$PWD" "$@"
}

# Starts the holder of a node; returns when the namespaces are set up.
node_start() { # NODE HOSTNAME NET(private|shared)
    local run net=()
    run=$(node_run "$1")
    mkdir -p "$run"
    for folder in $NODE_FOLDERS; do
        mkdir -p "$run/root$folder"
    done
    node_make_cgroups "$1" >"$run/cgroups"
    [ "$3" = shared ] || net=(--net)
    (
        node_enter_cgroups "$1"
        exec setsid unshare --mount --uts --cgroup "${net[@]}" --propagation private \
            "$LAB_DIR/node-inside" "$LAB_ID" "$1" "$2" "$3" "$LAB_CACHE" \
            </dev/null >"$run/holder.log" 2>&1
    ) &
    echo $! >"$run/holder.starting"
    disown
    for _ in $(seq 200); do
        if [ -f "$run/ready" ]; then
            mv "$run/holder.starting" "$run/holder"
            return 0
        fi
        kill -0 "$(cat "$run/holder.starting")" 2>/dev/null || break
        sleep 0.05
    done
    cat "$run/holder.log" >&2
    die "node $1 did not start"
}

# Writes the settings of the node's libvirtd and starts it, reachable over TCP when given an address.
node_start_libvirtd() { # NODE ADDRESS|none
    local etc uuid
    uuid=$(printf '%s' "$LAB_ID/$1" | sha256sum)
    uuid=${uuid:0:8}-${uuid:8:4}-4${uuid:13:3}-8${uuid:17:3}-${uuid:20:12}
    etc=$(node_run "$1")/root/etc/libvirt
    cat >"$etc/libvirtd.conf" <<END
host_uuid = "$uuid"
listen_tls = 0
listen_tcp = 1
listen_addr = "${2/#none/127.0.0.1}"
auth_tcp = "none"
unix_sock_dir = "/run/libvirt"
unix_sock_rw_perms = "0700"
unix_sock_ro_perms = "0777"
auth_unix_rw = "none"
auth_unix_ro = "none"
log_outputs = "2:file:/var/log/libvirt/libvirtd.log"
END
    cat >"$etc/qemu.conf" <<END
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
namespaces = []
stdio_handler = "file"
END
    local daemon=(libvirtd --daemon)
    [ "$2" = none ] || daemon+=(--listen)
    (node_exec "$1" "${daemon[@]}" >>"$(node_run "$1")/libvirtd.out" 2>&1) ||
        { cat "$(node_run "$1")/libvirtd.out" >&2; die "libvirtd of node $1 did not start"; }
    for _ in $(seq 200); do
        (node_exec "$1" virsh -q -c qemu:///system uri >>"$(node_run "$1")/libvirtd.out" 2>&1) && return 0
        sleep 0.1
    done
    tail -n 20 "$(node_run "$1")/root/var/log/libvirt/libvirtd.log" >&2 || true
    die "libvirtd of node $1 does not answer"
}
