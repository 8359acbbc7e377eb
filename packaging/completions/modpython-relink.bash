# bash completion for modpython-relink. The options are those that --help names, of the subcommand that is there.
_modpython_relink() {
    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command='' word words
    case $before in
    -o | --output | --library | --runpath)
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    esac
    words=$("${COMP_WORDS[0]}" --help 2>/dev/null | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p')
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case $'\n'$words$'\n' in *$'\n'$word$'\n'*) command=$word ;; esac
    done
    case $current in
    -*)
        words=$("${COMP_WORDS[0]}" ${command:+"$command"} --help 2>/dev/null | grep -oE '^ +(-[a-zA-Z], )?--[a-z-]+' | grep -oE -- '--[a-z-]+')
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
        ;;
    *)
        [ -z "$command" ] || words=
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current"; compgen -f -- "$current")
        ;;
    esac
}
complete -o filenames -F _modpython_relink modpython-relink
