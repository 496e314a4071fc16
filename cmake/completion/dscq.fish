# fish completion for dscq; the program itself knows what may come next
function __dscq_complete
    set -l words (commandline -opc) (commandline -ct)
    $words[1] __complete -- $words[2..-1] 2>/dev/null
end
complete -c dscq -a '(__dscq_complete)'
