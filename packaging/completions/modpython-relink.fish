# fish completion for modpython-relink. The options are those that --help names, of the subcommand that is there.
function __modpython_relink_commands
    modpython-relink --help 2>/dev/null | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p'
end
function __modpython_relink_options
    set -l found
    for word in (commandline -opc)[2..-1]
        if contains -- $word (__modpython_relink_commands)
            set found $word
        end
    end
    modpython-relink $found --help 2>/dev/null | grep -oE '^ +(-[a-zA-Z], )?--[a-z-]+' | grep -oE -- '--[a-z-]+'
end
complete -c modpython-relink -n 'string match -q -- "-*" (commandline -ct)' -f -a '(__modpython_relink_options)'
complete -c modpython-relink -n '__fish_is_first_arg' -a '(__modpython_relink_commands)'
