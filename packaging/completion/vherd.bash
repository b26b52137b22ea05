# bash completion for vherd, written by docgen out of the program's tables.
_vherd_words() {
    local word
    while IFS= read -r word; do
        [[ -n $word && $word == "$cur"* ]] &&
            COMPREPLY+=("$(printf %q "$word")")
    done <<<"$1"
}
_vherd_expression() {
    compopt -o nospace 2>/dev/null
    mapfile -t COMPREPLY < <(vherd query --complete "$cur" 2>/dev/null)
}
_vherd() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
    local commands=$'vm\nsnapshot\nconsole\ntask\nschedule\ntemplate\napply\ninventory\nlist\nshow\ntop\nhost\nstatus\nmetrics\nquery\nstats\nexport\nimport\nstore\nreplay\ndirty-rate\nplan\nuser\ntoken\naudit-log\nauto\nwhoami\nevents\nsilence\nack\nnotify\nalerts\nrules\nconfig\nsim\ndaemon\ncompletion\nversion\nhelp'
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then _vherd_words "$commands"; return; fi
    case ${COMP_WORDS[1]} in
    vm)
        case $prev in
        --match)  return ;;
        --label)  return ;;
        --select)  return ;;
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        case ${COMP_WORDS[2]} in
        create)
        case $prev in
        --name)  return ;;
        --vcpus)  return ;;
        --max-vcpus)  return ;;
        --memory)  return ;;
        --max-memory)  return ;;
        --plug-memory)  return ;;
        --disk)  return ;;
        --nic)  return ;;
        --kernel)  return ;;
        --initrd)  return ;;
        --cmdline)  return ;;
        --firmware) _vherd_words $'bios\nuefi'; return ;;
        --owner)  return ;;
        --label)  return ;;
        --numa)  return ;;
        --seed)  return ;;
        --seed-user)  return ;;
        --seed-package)  return ;;
        --seed-command)  return ;;
        --template)  return ;;
        --key)  return ;;
        --after)  return ;;
        --batch)  return ;;
        --parallel)  return ;;
        --max-failures)  return ;;
        esac
        [[ $cur == -* ]] && _vherd_words $'--name\n--vcpus\n--max-vcpus\n--memory\n--max-memory\n--plug-memory\n--disk\n--nic\n--kernel\n--initrd\n--cmdline\n--firmware\n--autostart\n--owner\n--label\n--numa\n--seed\n--seed-user\n--seed-package\n--seed-command\n--template\n--start\n--dry-run\n--key\n--after\n--batch\n--parallel\n--max-failures' ;;
        clone)
        case $prev in
        --name)  return ;;
        --key)  return ;;
        --after)  return ;;
        --batch)  return ;;
        --parallel)  return ;;
        --max-failures)  return ;;
        esac
        [[ $cur == -* ]] && _vherd_words $'--name\n--linked\n--start\n--dry-run\n--key\n--after\n--batch\n--parallel\n--max-failures' ;;
        start)
        case $prev in
        --key)  return ;;
        --after)  return ;;
        --batch)  return ;;
        --parallel)  return ;;
        --max-failures)  return ;;
        esac
        [[ $cur == -* ]] && _vherd_words $'--dry-run\n--key\n--after\n--batch\n--parallel\n--max-failures' ;;
        shutdown)
        case $prev in
        --timeout)  return ;;
        --fallback) _vherd_words $'fail\ndestroy'; return ;;
        --key)  return ;;
        --after)  return ;;
        --batch)  return ;;
        --parallel)  return ;;
        --max-failures)  return ;;
        esac
        [[ $cur == -* ]] && _vherd_words $'--timeout\n--fallback\n--dry-run\n--key\n--after\n--batch\n--parallel\n--max-failures' ;;
        reboot)
        case $prev in
        --key)  return ;;
        --after)  return ;;
        --batch)  return ;;
        --parallel)  return ;;
        --max-failures)  return ;;
        esac
        [[ $cur == -* ]] && _vherd_words $'--dry-run\n--key\n--after\n--batch\n--parallel\n--max-failures' ;;
        reset)
        case $prev in
        --key)  return ;;
        --after)  return ;;
        --batch)  return ;;
        --parallel)  return ;;
        --max-failures)  return ;;
        esac
        [[ $cur == -* ]] && _vherd_words $'--dry-run\n--key\n--after\n--batch\n--parallel\n--max-failures' ;;
        destroy)
        case $prev in
        --key)  return ;;
        --after)  return ;;
        --batch)  return ;;
        --parallel)  return ;;
        --max-failures)  return ;;
        esac
        [[ $cur == -* ]] && _vherd_words $'--dry-run\n--key\n--after\n--batch\n--parallel\n--max-failures' ;;
        pause)
        case $prev in
        --key)  return ;;
        --after)  return ;;
        --batch)  return ;;
        --parallel)  return ;;
        --max-failures)  return ;;
        esac
        [[ $cur == -* ]] && _vherd_words $'--dry-run\n--key\n--after\n--batch\n--parallel\n--max-failures' ;;
        resume)
        case $prev in
        --key)  return ;;
        --after)  return ;;
        --batch)  return ;;
        --parallel)  return ;;
        --max-failures)  return ;;
        esac
        [[ $cur == -* ]] && _vherd_words $'--dry-run\n--key\n--after\n--batch\n--parallel\n--max-failures' ;;
        save)
        case $prev in
        --key)  return ;;
        --after)  return ;;
        --batch)  return ;;
        --parallel)  return ;;
        --max-failures)  return ;;
        esac
        [[ $cur == -* ]] && _vherd_words $'--dry-run\n--key\n--after\n--batch\n--parallel\n--max-failures' ;;
        restore)
        case $prev in
        --key)  return ;;
        --after)  return ;;
        --batch)  return ;;
        --parallel)  return ;;
        --max-failures)  return ;;
        esac
        [[ $cur == -* ]] && _vherd_words $'--dry-run\n--key\n--after\n--batch\n--parallel\n--max-failures' ;;
        rename)
        case $prev in
        --name)  return ;;
        --key)  return ;;
        --after)  return ;;
        --batch)  return ;;
        --parallel)  return ;;
        --max-failures)  return ;;
        esac
        [[ $cur == -* ]] && _vherd_words $'--name\n--dry-run\n--key\n--after\n--batch\n--parallel\n--max-failures' ;;
        set)
        case $prev in
        --vcpus)  return ;;
        --max-vcpus)  return ;;
        --memory)  return ;;
        --max-memory)  return ;;
        --owner)  return ;;
        --label)  return ;;
        --key)  return ;;
        --after)  return ;;
        --batch)  return ;;
        --parallel)  return ;;
        --max-failures)  return ;;
        esac
        [[ $cur == -* ]] && _vherd_words $'--vcpus\n--max-vcpus\n--memory\n--max-memory\n--autostart\n--owner\n--label\n--dry-run\n--key\n--after\n--batch\n--parallel\n--max-failures' ;;
        delete)
        case $prev in
        --disks) _vherd_words $'keep\ndelete'; return ;;
        --snapshots) _vherd_words $'keep\ndelete'; return ;;
        --nvram) _vherd_words $'keep\ndelete'; return ;;
        --checkpoints) _vherd_words $'keep\ndelete'; return ;;
        --key)  return ;;
        --after)  return ;;
        --batch)  return ;;
        --parallel)  return ;;
        --max-failures)  return ;;
        esac
        [[ $cur == -* ]] && _vherd_words $'--disks\n--snapshots\n--nvram\n--checkpoints\n--dry-run\n--key\n--after\n--batch\n--parallel\n--max-failures' ;;
        set-vcpus)
        case $prev in
        --vcpus)  return ;;
        --scope) _vherd_words $'both\nlive\nconfig'; return ;;
        --key)  return ;;
        --after)  return ;;
        --batch)  return ;;
        --parallel)  return ;;
        --max-failures)  return ;;
        esac
        [[ $cur == -* ]] && _vherd_words $'--vcpus\n--scope\n--dry-run\n--key\n--after\n--batch\n--parallel\n--max-failures' ;;
        set-memory)
        case $prev in
        --memory)  return ;;
        --scope) _vherd_words $'both\nlive\nconfig'; return ;;
        --key)  return ;;
        --after)  return ;;
        --batch)  return ;;
        --parallel)  return ;;
        --max-failures)  return ;;
        esac
        [[ $cur == -* ]] && _vherd_words $'--memory\n--scope\n--dry-run\n--key\n--after\n--batch\n--parallel\n--max-failures' ;;
        plug-memory)
        case $prev in
        --size)  return ;;
        --key)  return ;;
        --after)  return ;;
        --batch)  return ;;
        --parallel)  return ;;
        --max-failures)  return ;;
        esac
        [[ $cur == -* ]] && _vherd_words $'--size\n--dry-run\n--key\n--after\n--batch\n--parallel\n--max-failures' ;;
        unplug-memory)
        case $prev in
        --size)  return ;;
        --key)  return ;;
        --after)  return ;;
        --batch)  return ;;
        --parallel)  return ;;
        --max-failures)  return ;;
        esac
        [[ $cur == -* ]] && _vherd_words $'--size\n--dry-run\n--key\n--after\n--batch\n--parallel\n--max-failures' ;;
        set-cpu)
        case $prev in
        --shares)  return ;;
        --quota)  return ;;
        --scope) _vherd_words $'both\nlive\nconfig'; return ;;
        --key)  return ;;
        --after)  return ;;
        --batch)  return ;;
        --parallel)  return ;;
        --max-failures)  return ;;
        esac
        [[ $cur == -* ]] && _vherd_words $'--shares\n--quota\n--scope\n--dry-run\n--key\n--after\n--batch\n--parallel\n--max-failures' ;;
        pin)
        case $prev in
        --vcpu)  return ;;
        --cpus)  return ;;
        --scope) _vherd_words $'both\nlive\nconfig'; return ;;
        --key)  return ;;
        --after)  return ;;
        --batch)  return ;;
        --parallel)  return ;;
        --max-failures)  return ;;
        esac
        [[ $cur == -* ]] && _vherd_words $'--vcpu\n--cpus\n--scope\n--dry-run\n--key\n--after\n--batch\n--parallel\n--max-failures' ;;
        set-numa)
        case $prev in
        --nodes)  return ;;
        --mode) _vherd_words $'strict\npreferred\ninterleave\nrestrictive'; return ;;
        --scope) _vherd_words $'both\nlive\nconfig'; return ;;
        --key)  return ;;
        --after)  return ;;
        --batch)  return ;;
        --parallel)  return ;;
        --max-failures)  return ;;
        esac
        [[ $cur == -* ]] && _vherd_words $'--nodes\n--mode\n--pin-vcpus\n--scope\n--dry-run\n--key\n--after\n--batch\n--parallel\n--max-failures' ;;
        attach-disk)
        case $prev in
        --pool)  return ;;
        --volume)  return ;;
        --size)  return ;;
        --image)  return ;;
        --format) _vherd_words $'qcow2\nraw'; return ;;
        --target)  return ;;
        --key)  return ;;
        --after)  return ;;
        --batch)  return ;;
        --parallel)  return ;;
        --max-failures)  return ;;
        esac
        [[ $cur == -* ]] && _vherd_words $'--pool\n--volume\n--size\n--image\n--format\n--target\n--read-only\n--dry-run\n--key\n--after\n--batch\n--parallel\n--max-failures' ;;
        detach-disk)
        case $prev in
        --target)  return ;;
        --volume-fate) _vherd_words $'keep\ndelete'; return ;;
        --key)  return ;;
        --after)  return ;;
        --batch)  return ;;
        --parallel)  return ;;
        --max-failures)  return ;;
        esac
        [[ $cur == -* ]] && _vherd_words $'--target\n--volume-fate\n--dry-run\n--key\n--after\n--batch\n--parallel\n--max-failures' ;;
        grow-disk)
        case $prev in
        --target)  return ;;
        --size)  return ;;
        --key)  return ;;
        --after)  return ;;
        --batch)  return ;;
        --parallel)  return ;;
        --max-failures)  return ;;
        esac
        [[ $cur == -* ]] && _vherd_words $'--target\n--size\n--dry-run\n--key\n--after\n--batch\n--parallel\n--max-failures' ;;
        limit-disk)
        case $prev in
        --target)  return ;;
        --read-bytes)  return ;;
        --write-bytes)  return ;;
        --read-iops)  return ;;
        --write-iops)  return ;;
        --scope) _vherd_words $'both\nlive\nconfig'; return ;;
        --key)  return ;;
        --after)  return ;;
        --batch)  return ;;
        --parallel)  return ;;
        --max-failures)  return ;;
        esac
        [[ $cur == -* ]] && _vherd_words $'--target\n--read-bytes\n--write-bytes\n--read-iops\n--write-iops\n--scope\n--dry-run\n--key\n--after\n--batch\n--parallel\n--max-failures' ;;
        attach-nic)
        case $prev in
        --network)  return ;;
        --bridge)  return ;;
        --mac)  return ;;
        --key)  return ;;
        --after)  return ;;
        --batch)  return ;;
        --parallel)  return ;;
        --max-failures)  return ;;
        esac
        [[ $cur == -* ]] && _vherd_words $'--network\n--bridge\n--mac\n--dry-run\n--key\n--after\n--batch\n--parallel\n--max-failures' ;;
        detach-nic)
        case $prev in
        --mac)  return ;;
        --key)  return ;;
        --after)  return ;;
        --batch)  return ;;
        --parallel)  return ;;
        --max-failures)  return ;;
        esac
        [[ $cur == -* ]] && _vherd_words $'--mac\n--dry-run\n--key\n--after\n--batch\n--parallel\n--max-failures' ;;
        limit-nic)
        case $prev in
        --mac)  return ;;
        --in)  return ;;
        --out)  return ;;
        --scope) _vherd_words $'both\nlive\nconfig'; return ;;
        --key)  return ;;
        --after)  return ;;
        --batch)  return ;;
        --parallel)  return ;;
        --max-failures)  return ;;
        esac
        [[ $cur == -* ]] && _vherd_words $'--mac\n--in\n--out\n--scope\n--dry-run\n--key\n--after\n--batch\n--parallel\n--max-failures' ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--wait\n--all\n--match\n--label\n--select\n--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        if ((COMP_CWORD == 2)); then _vherd_words $'create\nclone\nstart\nshutdown\nreboot\nreset\ndestroy\npause\nresume\nsave\nrestore\nrename\nset\ndelete\nset-vcpus\nset-memory\nplug-memory\nunplug-memory\nset-cpu\npin\nset-numa\nattach-disk\ndetach-disk\ngrow-disk\nlimit-disk\nattach-nic\ndetach-nic\nlimit-nic\ndefinition'
        else _vherd_words "$(vherd list --names 2>/dev/null)"; fi
        ;;
    snapshot)
        case $prev in
        --match)  return ;;
        --label)  return ;;
        --select)  return ;;
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        case ${COMP_WORDS[2]} in
        create)
        case $prev in
        --name)  return ;;
        --kind) _vherd_words $'internal\nexternal'; return ;;
        --key)  return ;;
        --after)  return ;;
        --batch)  return ;;
        --parallel)  return ;;
        --max-failures)  return ;;
        esac
        [[ $cur == -* ]] && _vherd_words $'--name\n--kind\n--memory\n--quiesce\n--dry-run\n--key\n--after\n--batch\n--parallel\n--max-failures' ;;
        revert)
        case $prev in
        --name)  return ;;
        --key)  return ;;
        --after)  return ;;
        --batch)  return ;;
        --parallel)  return ;;
        --max-failures)  return ;;
        esac
        [[ $cur == -* ]] && _vherd_words $'--name\n--start\n--dry-run\n--key\n--after\n--batch\n--parallel\n--max-failures' ;;
        delete)
        case $prev in
        --name)  return ;;
        --merge) _vherd_words $'commit\npull'; return ;;
        --key)  return ;;
        --after)  return ;;
        --batch)  return ;;
        --parallel)  return ;;
        --max-failures)  return ;;
        esac
        [[ $cur == -* ]] && _vherd_words $'--name\n--merge\n--dry-run\n--key\n--after\n--batch\n--parallel\n--max-failures' ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--wait\n--all\n--match\n--label\n--select\n--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        if ((COMP_CWORD == 2)); then _vherd_words $'list\ncreate\nrevert\ndelete'
        else _vherd_words "$(vherd list --names 2>/dev/null)"; fi
        ;;
    console)
        case $prev in
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--force\n--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        _vherd_words "$(vherd list --names 2>/dev/null)"
        ;;
    task)
        case $prev in
        --state)  return ;;
        --vm)  return ;;
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--state\n--vm\n--dry-run\n--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        if ((COMP_CWORD == 2)); then _vherd_words $'list\nshow\ncancel\nwait'
        else mapfile -t COMPREPLY < <(compgen -f -- "$cur"); fi
        ;;
    schedule)
        case $prev in
        --cron)  return ;;
        --deed)  return ;;
        --field)  return ;;
        --vm)  return ;;
        --match)  return ;;
        --label)  return ;;
        --missed) _vherd_words $'skip\nonce'; return ;;
        --parallel)  return ;;
        --max-failures)  return ;;
        --keep)  return ;;
        --keep-for)  return ;;
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--cron\n--deed\n--field\n--vm\n--match\n--label\n--all\n--missed\n--parallel\n--max-failures\n--keep\n--keep-for\n--dry-run\n--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        if ((COMP_CWORD == 2)); then _vherd_words $'list\nshow\nadd\ndelete\nrun\npause\nresume'
        else mapfile -t COMPREPLY < <(compgen -f -- "$cur"); fi
        ;;
    template)
        case $prev in
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        if ((COMP_CWORD == 2)); then _vherd_words $'list\nshow'
        else mapfile -t COMPREPLY < <(compgen -f -- "$cur"); fi
        ;;
    apply)
        case $prev in
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--diff\n--dry-run\n--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        if ((COMP_CWORD == 2)); then _vherd_words $''
        else mapfile -t COMPREPLY < <(compgen -f -- "$cur"); fi
        ;;
    inventory)
        case $prev in
        --host)  return ;;
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--list\n--host\n--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        :
        ;;
    list)
        case $prev in
        --state) _vherd_words $'running\nidle\npaused\nin shutdown\nshut off\ncrashed\npmsuspended'; return ;;
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--state\n--names\n--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        :
        ;;
    show)
        case $prev in
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        _vherd_words "$(vherd list --names 2>/dev/null)"
        ;;
    top)
        case $prev in
        --count)  return ;;
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--count\n--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        :
        ;;
    host)
        case $prev in
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        :
        ;;
    status)
        case $prev in
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--data\n--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        :
        ;;
    metrics)
        case $prev in
        --set) _vherd_words $'vherd\ntinkoff\ninovex'; return ;;
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--set\n--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        :
        ;;
    query)
        case $prev in
        --range)  return ;;
        --step)  return ;;
        --start)  return ;;
        --end)  return ;;
        --time)  return ;;
        --complete)  return ;;
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--range\n--step\n--start\n--end\n--time\n--plot\n--csv\n--complete\n--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        _vherd_expression
        ;;
    stats)
        case $prev in
        --range)  return ;;
        --end)  return ;;
        --metric)  return ;;
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--range\n--end\n--metric\n--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        _vherd_words "$(vherd list --names 2>/dev/null)"
        ;;
    export)
        case $prev in
        --match)  return ;;
        --start)  return ;;
        --end)  return ;;
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--match\n--start\n--end\n--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        ;;
    import)
        case $prev in
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--dry-run\n--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        ;;
    store)
        case $prev in
        --start)  return ;;
        --end)  return ;;
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--start\n--end\n--dry-run\n--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        if ((COMP_CWORD == 2)); then _vherd_words $'snapshot\ndelete'
        else mapfile -t COMPREPLY < <(compgen -f -- "$cur"); fi
        ;;
    replay)
        case $prev in
        --start)  return ;;
        --end)  return ;;
        --step)  return ;;
        --speed)  return ;;
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--start\n--end\n--step\n--speed\n--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        ;;
    dirty-rate)
        case $prev in
        --seconds)  return ;;
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--seconds\n--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        _vherd_words "$(vherd list --names 2>/dev/null)"
        ;;
    plan)
        case $prev in
        --name)  return ;;
        --score)  return ;;
        --candidates)  return ;;
        --moves)  return ;;
        --vcpus)  return ;;
        --memory)  return ;;
        --days)  return ;;
        --herd) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --history)  return ;;
        --only)  return ;;
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--name\n--score\n--candidates\n--moves\n--vcpus\n--memory\n--simulate\n--days\n--herd\n--history\n--yes\n--dry-run\n--only\n--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        if ((COMP_CWORD == 2)); then _vherd_words $'place\nbalance\nconsolidate\nevacuate\nrightsize\napply'
        else mapfile -t COMPREPLY < <(compgen -f -- "$cur"); fi
        ;;
    user)
        case $prev in
        --role) _vherd_words $'viewer\noperator\nadmin'; return ;;
        --scope)  return ;;
        --owner)  return ;;
        --disabled) _vherd_words $'yes\nno'; return ;;
        --password-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--role\n--scope\n--owner\n--disabled\n--password-file\n--dry-run\n--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        if ((COMP_CWORD == 2)); then _vherd_words $'list\nadd\nset\nremove\npassword'
        else mapfile -t COMPREPLY < <(compgen -f -- "$cur"); fi
        ;;
    token)
        case $prev in
        --user)  return ;;
        --role) _vherd_words $'viewer\noperator\nadmin'; return ;;
        --scope)  return ;;
        --expires)  return ;;
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--user\n--role\n--scope\n--expires\n--dry-run\n--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        if ((COMP_CWORD == 2)); then _vherd_words $'list\ncreate\nrevoke'
        else mapfile -t COMPREPLY < <(compgen -f -- "$cur"); fi
        ;;
    audit-log)
        case $prev in
        --principal)  return ;;
        --verb)  return ;;
        --object)  return ;;
        --result)  return ;;
        --text)  return ;;
        --since)  return ;;
        --until)  return ;;
        --after)  return ;;
        --limit)  return ;;
        --head)  return ;;
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--principal\n--verb\n--object\n--result\n--text\n--since\n--until\n--after\n--limit\n--verify\n--head\n--export\n--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        :
        ;;
    auto)
        case $prev in
        --reason)  return ;;
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--reason\n--dry-run\n--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        if ((COMP_CWORD == 2)); then _vherd_words $'show\nstop\nstart'
        else mapfile -t COMPREPLY < <(compgen -f -- "$cur"); fi
        ;;
    whoami)
        case $prev in
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        :
        ;;
    events)
        case $prev in
        --vm)  return ;;
        --kind)  return ;;
        --since)  return ;;
        --until)  return ;;
        --after)  return ;;
        --limit)  return ;;
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--vm\n--kind\n--since\n--until\n--after\n--limit\n--follow\n--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        :
        ;;
    silence)
        case $prev in
        --for)  return ;;
        --ends)  return ;;
        --starts)  return ;;
        --comment)  return ;;
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--for\n--ends\n--starts\n--comment\n--all\n--dry-run\n--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        if ((COMP_CWORD == 2)); then _vherd_words $'add\nlist\nexpire'
        else mapfile -t COMPREPLY < <(compgen -f -- "$cur"); fi
        ;;
    ack)
        case $prev in
        --comment)  return ;;
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--comment\n--dry-run\n--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        :
        ;;
    notify)
        case $prev in
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--dry-run\n--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        if ((COMP_CWORD == 2)); then _vherd_words $'status\ntest'
        else mapfile -t COMPREPLY < <(compgen -f -- "$cur"); fi
        ;;
    alerts)
        case $prev in
        --limit)  return ;;
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--limit\n--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        if ((COMP_CWORD == 2)); then _vherd_words $'firing\npending\nsilenced\nhistory'
        else mapfile -t COMPREPLY < <(compgen -f -- "$cur"); fi
        ;;
    rules)
        case $prev in
        --run)  return ;;
        --since)  return ;;
        --interval)  return ;;
        --data)  return ;;
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--strict\n--run\n--since\n--interval\n--data\n--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        if ((COMP_CWORD == 2)); then _vherd_words $'check\ntest\nbacktest'
        else mapfile -t COMPREPLY < <(compgen -f -- "$cur"); fi
        ;;
    config)
        case $prev in
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        if ((COMP_CWORD == 2)); then _vherd_words $'check\nshow'
        else mapfile -t COMPREPLY < <(compgen -f -- "$cur"); fi
        ;;
    sim)
        case $prev in
        --policy)  return ;;
        --compare)  return ;;
        --rules) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --sample)  return ;;
        --traces)  return ;;
        --mode) _vherd_words $'A\nB\nC'; return ;;
        --seed)  return ;;
        --trace) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --requests)  return ;;
        --rate)  return ;;
        --mean)  return ;;
        --service) _vherd_words $'exponential\ndeterministic\nhyperexponential\nerlang'; return ;;
        --priorities)  return ;;
        --hosts)  return ;;
        --vcpus)  return ;;
        --memory)  return ;;
        --ageing)  return ;;
        --slice)  return ;;
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--policy\n--compare\n--report\n--rules\n--sample\n--csv\n--traces\n--mode\n--seed\n--timing\n--trace\n--requests\n--rate\n--mean\n--service\n--priorities\n--hosts\n--vcpus\n--memory\n--ageing\n--slice\n--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        if ((COMP_CWORD == 2)); then _vherd_words $'run\ncloudsim\nqueue'
        else mapfile -t COMPREPLY < <(compgen -f -- "$cur"); fi
        ;;
    daemon)
        case $prev in
        --simulate) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--foreground\n--simulate\n--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        :
        ;;
    completion)
        case $prev in
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        if ((COMP_CWORD == 2)); then _vherd_words $'bash\nzsh\nfish'
        else mapfile -t COMPREPLY < <(compgen -f -- "$cur"); fi
        ;;
    version)
        case $prev in
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        :
        ;;
    help)
        case $prev in
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --server)  return ;;
        --token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pin)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--socket\n--url\n--server\n--token-file\n--ca-file\n--pin\n--config\n--json\n--color\n--help\n--version'; return; fi
        _vherd_words "$commands"
        ;;
    esac
}
complete -F _vherd vherd
