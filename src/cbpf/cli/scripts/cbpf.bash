# bash completion for cbpf

_cbpf() {
    local type value help word=${COMP_WORDS[COMP_CWORD]}
    COMPREPLY=()
    while IFS=$'\t' read -r type value help; do
        case $type in
            file)
                compopt -o default
                ;;
            plain)
                # The value replaces the text after an open quote, or else the whole word.
                [[ $word == [\'\"]* && ${word:1} != *"${word:0:1}"* ]] || printf -v value %q "$value"
                COMPREPLY+=("$value")
                ;;
        esac
    done < <(COMP_LINE=${COMP_LINE:0:COMP_POINT} _CBPF_COMPLETE=bash_complete "${1/#~\//$HOME/}" 2>/dev/null)
}

complete -o nosort -F _cbpf cbpf
