# bash completion for vherd, written by docgen out of the program's tables.
_vherd_words() {
    local word
    while IFS= read -r word; do
        [[ -n $word && $word == "$cur"* ]] &&
            COMPREPLY+=("$(printf %q "$word")")
    done <<<"$1"
}
_vherd() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
    local commands=$'list\nshow\ntop\nhost\nstatus\nmetrics\ndirty-rate\nplan\nconfig\ndaemon\ncompletion\nversion\nhelp'
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
        if [[ $cur == -* ]]; then _vherd_words $'--socket\n--url\n--config\n--json\n--color\n--help'; return; fi
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
        --herd) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--name\n--score\n--candidates\n--moves\n--vcpus\n--memory\n--herd\n--socket\n--url\n--config\n--json\n--color\n--help'; return; fi
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
    daemon)
        case $prev in
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --url)  return ;;
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --color) _vherd_words $'auto\nalways\nnever'; return ;;
        esac
        if [[ $cur == -* ]]; then _vherd_words $'--foreground\n--socket\n--url\n--config\n--json\n--color\n--help'; return; fi
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
