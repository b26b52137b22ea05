# shellcheck shell=bash
# Guests on a node: their files, definition, serial line. Sourced after node.sh.

node_virsh() { # NODE ARGUMENTS...
    local node=$1
    shift
    # Without a terminal of its own, since virsh would ask a polkit agent there.
    (node_exec "$node" setsid --wait virsh -q -c qemu:///system "$@")
}

# The name of a guest's files: its own name when that is plain, otherwise a digest of it.
guest_slug() { # NAME
    if [[ $1 =~ ^[A-Za-z0-9][A-Za-z0-9._-]{0,47}$ ]]; then
        printf '%s' "$1"
    else
        printf 'x%s' "$(printf '%s' "$1" | sha256sum | cut -c1-16)"
    fi
}

guest_log() { echo "$(node_run "$1")/root/var/log/libvirt/guests/$(guest_slug "$2").log"; } # NODE NAME

# A number that no other guest of the node has.
node_next_number() { # NODE
    local run
    run=$(node_run "$1")
    (
        flock 9
        echo $(($(cat "$run/numbers" 2>/dev/null || echo 1) + 1)) | tee "$run/numbers"
    ) 9>"$run/numbers.lock"
}

# Direct I/O where the image folder's file system has it.
images_cache_mode() {
    local file mode=none
    file=$(lab_images)/direct-$$
    dd if=/dev/zero of="$file" bs=4096 count=1 oflag=direct status=none 2>/dev/null || mode=writeback
    rm -f "$file"
    echo $mode
}

guest_options() {
    cat <<END
options of a guest:
  --vcpus N  --mem MIB (at least 96)  --nics N  --disks N  --disk MIB  --disk-format qcow2|raw
  --mode BEHAVIOUR,...        see lab/README.md
  --agent yes|no  --watchdog yes|no  --watchdog-action reset|poweroff|pause|inject-nmi|none
  --on-crash preserve|destroy|restart  --cpu-cap PERCENT of one CPU (default 100, 0: none)
  --iothreads N  --iotune total_bytes_sec=N,...  --nova-metadata
  --paused  --define-only  --transient  --wait
END
}

# Defines and starts a guest. The node's file "network" holds its bridge, the number that its guests'
# addresses carry, and their gateway.
guest_make() { # NODE NAME [OPTIONS]
    local node=$1 name=$2 slug run number address gateway bridge network accelerator
    local disks=1 disk_mib=64 format=qcow2 start=start flags=() wait=no pass=()
    shift 2
    [ -n "$name" ] || die "a guest needs a name"
    while [ $# -gt 0 ]; do
        case $1 in
        --paused) flags+=(--paused) ;;
        --define-only) start=no ;;
        --transient) start=create ;;
        --wait) wait=yes ;;
        --nova-metadata) pass+=("$1") ;;
        --disk) disk_mib=$2 && shift ;;
        --disks) disks=$2 && pass+=("$1=$2") && shift ;;
        --disk-format) format=$2 && pass+=("$1=$2") && shift ;;
        --vcpus | --mem | --nics | --mode | --agent | --watchdog | --watchdog-action | --on-crash | \
            --cpu-cap | --iothreads | --iotune | --disk-cache)
            [ $# -ge 2 ] || die "$1 needs a value"
            pass+=("$1=$2") && shift
            ;;
        *) die "unknown option of a guest: $1" ;;
        esac
        shift
    done
    run=$(node_run "$node")
    slug=$(guest_slug "$name")
    read -r bridge network gateway <"$run/network"
    accelerator=$(cat "$(lab_run)/accelerator")
    number=$(node_next_number "$node")
    address=$NODE_SUBNET.$((network * 16 + number / 250)).$((number % 250 + 1))/16
    mkdir -p "$run/guests"
    rm -f "$(guest_log "$node" "$name")"
    for ((i = 0; i < disks; i++)); do
        qemu-img create -q -f "$format" "$(lab_images)/$slug-$i.$format" "${disk_mib}M"
    done
    printf '%s' "$name" >"$run/guests/$slug"
    python3 "$LAB_DIR/domain.py" --name="$name" --slug="$slug" --seed="$LAB_ID/$node/$name" \
        --domain-type="$([ "$accelerator" = kvm ] && echo kvm || echo qemu)" \
        --disk-cache="$(cat "$(lab_run)/disk-cache")" \
        --bridge="$bridge" --address="$address" --gateway="$gateway" "${pass[@]}" >"$run/guests/$slug.xml"
    if ! guest_start "$node" "$name" "$run/guests/$slug.xml" $start "${flags[@]}"; then
        guest_remove "$node" "$name"
        die "guest not made: $name"
    fi
    [ $wait = no ] || guest_wait "$node" "$name"
}

# The lab's folder has the same path inside and outside.
guest_start() { # NODE NAME FILE start|create|no [FLAGS]
    case $4 in
    create) node_virsh "$1" create "$3" "${@:5}" >/dev/null ;;
    no) node_virsh "$1" define "$3" >/dev/null ;;
    start)
        node_virsh "$1" define "$3" >/dev/null &&
            node_virsh "$1" start --domain "$2" "${@:5}" >/dev/null
        ;;
    esac
}

# An emulated guest now and then does not get through the start of its kernel (one CPU waits with
# interrupts off, the other serves nothing but its timer). One that says nothing begins again.
guest_wait() { # NODE NAME [SECONDS]
    local log end silent=${LAB_SILENT_S:-100} again
    log=$(guest_log "$1" "$2")
    end=$((SECONDS + ${3:-300}))
    again=$((SECONDS + silent))
    while [ $SECONDS -lt $end ]; do
        ! grep -qsa '^VHERD-READY' "$log" || return 0
        if [ $SECONDS -ge $again ] && [ ! -s "$log" ]; then
            echo "host: guest $2 of node $1 has said nothing for $silent s: reset" >&2
            node_virsh "$1" reset --domain "$2" >/dev/null 2>&1 || true
            again=$((SECONDS + silent))
        fi
        sleep 0.1
    done
    die "guest $2 of node $1 is not ready after ${3:-300} s (see $log)"
}

# Makes COUNT guests vm01.., a few at a time, and waits until all are ready.
guest_make_many() { # NODE COUNT [OPTIONS]
    local node=$1 count=$2 failed=0 running=0 prefix=vm
    shift 2
    if [ "${1:-}" = --prefix ]; then
        prefix=$2
        shift 2
    fi
    for ((n = 1; n <= count; n++)); do
        if [ $running -ge 3 ]; then
            wait -n || failed=1
            running=$((running - 1))
        fi
        guest_make "$node" "$(printf '%s%02d' "$prefix" "$n")" "$@" --wait &
        running=$((running + 1))
    done
    for ((; running > 0; running--)); do
        wait -n || failed=1
    done
    [ $failed -eq 0 ] || die "not every guest of node $node became ready"
}

# Sends one line to the guest's serial line and prints the answer up to the end mark.
guest_serial() { # NODE NAME WORDS
    local tty
    tty=$(node_virsh "$1" ttyconsole --domain "$2")
    (node_exec "$1" python3 "$LAB_DIR/serial.py" "$tty" "$(guest_log "$1" "$2")" "$3")
}

# Ends a guest and removes its definition, disks and log.
guest_remove() { # NODE NAME
    local slug run
    run=$(node_run "$1")
    slug=$(guest_slug "$2")
    node_virsh "$1" destroy --domain "$2" >/dev/null 2>&1 || true
    node_virsh "$1" undefine --domain "$2" --managed-save --snapshots-metadata >/dev/null 2>&1 || true
    ! node_virsh "$1" domid --domain "$2" >/dev/null 2>&1 || die "guest $2 of node $1 stays"
    rm -f "$run/guests/$slug" "$run/guests/$slug.xml" "$(guest_log "$1" "$2")" "$(lab_images)/$slug"-[0-9]*.*
}
