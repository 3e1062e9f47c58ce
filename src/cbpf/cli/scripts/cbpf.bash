# bash completion for cbpf

_cbpf() {
    local type value help
    COMPREPLY=()
    while IFS=$'\t' read -r type value help; do
        case $type in
            file)
                compopt -o default
                ;;
            plain)
                [[ ${COMP_WORDS[COMP_CWORD]} == [\'\"]* ]] || printf -v value %q "$value"
                COMPREPLY+=("$value")
                ;;
        esac
    done < <(COMP_LINE=${COMP_LINE:0:COMP_POINT} _CBPF_COMPLETE=bash_complete "${1/#~\//$HOME/}" 2>/dev/null)
}

complete -o nosort -F _cbpf cbpf
