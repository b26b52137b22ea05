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
    local commands=$'list\nshow\ntop\nhost\nstatus\nmetrics\nquery\nstats\ndirty-rate\nplan\nconfig\nsim\ndaemon\ncompletion\nversion\nhelp'
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then _vherd_words "$commands"; return; fi
    case ${COMP_WORDS[1]} in
    list)
        case $prev in
        --state) _vherd_words $'running\nidle\npaused\nin shutdown\nshut off\ncrashed\npmsuspended'; return ;;
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--state\n--names\n--socket\n--url\n--config\n--json\n--color\n--help'; return; fi
        :
        ;;
    show)
        case $prev in
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--socket\n--url\n--config\n--json\n--color\n--help'; return; fi
        _vherd_words "$(vherd list --names 2>/dev/null)"
        ;;
    top)
        case $prev in
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--socket\n--url\n--config\n--json\n--color\n--help'; return; fi
        :
        ;;
    host)
        case $prev in
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--socket\n--url\n--config\n--json\n--color\n--help'; return; fi
        :
        ;;
    status)
        case $prev in
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--data\n--socket\n--url\n--config\n--json\n--color\n--help'; return; fi
        :
        ;;
    metrics)
        case $prev in
        --set) _vherd_words $'vherd\ntinkoff\ninovex'; return ;;
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--set\n--socket\n--url\n--config\n--json\n--color\n--help'; return; fi
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
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--range\n--step\n--start\n--end\n--time\n--plot\n--csv\n--complete\n--socket\n--url\n--config\n--json\n--color\n--help'; return; fi
        _vherd_expression
        ;;
    stats)
        case $prev in
        --range)  return ;;
        --end)  return ;;
        --metric)  return ;;
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--range\n--end\n--metric\n--socket\n--url\n--config\n--json\n--color\n--help'; return; fi
        _vherd_words "$(vherd list --names 2>/dev/null)"
        ;;
    dirty-rate)
        case $prev in
        --seconds)  return ;;
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--seconds\n--socket\n--url\n--config\n--json\n--color\n--help'; return; fi
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
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--name\n--score\n--candidates\n--moves\n--vcpus\n--memory\n--simulate\n--days\n--herd\n--history\n--socket\n--url\n--config\n--json\n--color\n--help'; return; fi
        if ((COMP_CWORD == 2)); then _vherd_words $'place\nbalance\nconsolidate\nevacuate\nrightsize'
        else mapfile -t COMPREPLY < <(compgen -f -- "$cur"); fi
        ;;
    config)
        case $prev in
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--socket\n--url\n--config\n--json\n--color\n--help'; return; fi
        if ((COMP_CWORD == 2)); then _vherd_words $'check\nshow'
        else mapfile -t COMPREPLY < <(compgen -f -- "$cur"); fi
        ;;
    sim)
        case $prev in
        --policy)  return ;;
        --compare)  return ;;
        --traces)  return ;;
        --mode) _vherd_words $'A\nB\nC'; return ;;
        --seed)  return ;;
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--policy\n--compare\n--report\n--csv\n--traces\n--mode\n--seed\n--timing\n--socket\n--url\n--config\n--json\n--color\n--help'; return; fi
        if ((COMP_CWORD == 2)); then _vherd_words $'run\ncloudsim'
        else mapfile -t COMPREPLY < <(compgen -f -- "$cur"); fi
        ;;
    daemon)
        case $prev in
        --simulate) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--foreground\n--simulate\n--socket\n--url\n--config\n--json\n--color\n--help'; return; fi
        :
        ;;
    completion)
        case $prev in
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--socket\n--url\n--config\n--json\n--color\n--help'; return; fi
        if ((COMP_CWORD == 2)); then _vherd_words $'bash\nzsh\nfish'
        else mapfile -t COMPREPLY < <(compgen -f -- "$cur"); fi
        ;;
    version)
        case $prev in
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--socket\n--url\n--config\n--json\n--color\n--help'; return; fi
        :
        ;;
    help)
        case $prev in
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--socket\n--url\n--config\n--json\n--color\n--help'; return; fi
        _vherd_words "$commands"
        ;;
    esac
}
complete -F _vherd vherd
