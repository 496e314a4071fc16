# bash completion for dscq; the program itself knows what may come next
_dscq() {
    local words=("${COMP_WORDS[@]:1:COMP_CWORD}") candidates
    candidates=$("${COMP_WORDS[0]}" __complete -- "${words[@]}" 2>/dev/null)
    mapfile -t COMPREPLY < <(compgen -W "$candidates" -- "${COMP_WORDS[COMP_CWORD]}")
}
complete -o default -F _dscq dscq
