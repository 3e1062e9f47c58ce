# fish completion for cbpf

# Store the completions of the command line in __cbpf_items. Both entries below use them.
function __cbpf_complete
    set -l line (commandline -cp | string collect)
    if not set -q __cbpf_line; or test "$line" != "$__cbpf_line"
        set -g __cbpf_line $line
        set -g __cbpf_items (COMP_LINE=$line _CBPF_COMPLETE=fish_complete cbpf 2>/dev/null)
    end
end

function __cbpf_words
    __cbpf_complete
    set -l option (commandline -ct | string match -r '^--[^=]*=')
    string replace -f -r -- '^plain\t' "$option" $__cbpf_items
end

function __cbpf_is_file
    __cbpf_complete
    string match -q 'file*' -- $__cbpf_items
end

complete -c cbpf -f -a '(__cbpf_words)'
complete -c cbpf -n __cbpf_is_file -F
