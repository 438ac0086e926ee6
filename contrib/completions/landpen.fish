# fish completion for landpen. Rulesets and gaps are asked of the program itself.

function __landpen_words
    landpen --help 2>/dev/null | string match -r "^$argv[1]: .*" | string replace "$argv[1]: " '' |
        string split ' '
end

set -g __landpen_takes -s -c --settings --ruleset --ro --rw --deny --file --report --control-fd --env --network \
    --allow-host --deny-host --project --backend --accept-gap

# The verb, where one stands first.
function __landpen_verb
    set -l words (commandline -opc)
    if set -q words[2]; and contains -- $words[2] run doctor explain policy trust
        echo $words[2]
    else
        echo run
    end
end

# Whether the cursor is at an option of one of these verbs, and not behind the command.
function __landpen_in
    contains -- (__landpen_verb) $argv; or return 1
    test (__landpen_verb) != run; or not __landpen_command_given
end

function __landpen_command_given
    set -l words (commandline -opc)
    set -e words[1]
    if set -q words[1]; and test $words[1] = run
        set -e words[1]
    end
    set -l skip 0
    for word in $words
        if test $skip = 1
            set skip 0
        else if test "$word" = --
            return 0
        else if contains -- $word $__landpen_takes
            set skip 1
        else if not string match -q -- '-*' $word
            return 0
        end
    end
    return 1
end

# What the command itself completes to.
function __landpen_rest
    set -l words (commandline -opc) (commandline -ct)
    set -e words[1]
    while set -q words[1]; and begin
            test $words[1] = run; or string match -q -- '-*' $words[1]
        end
        contains -- $words[1] $__landpen_takes; and set -e words[1]
        set -e words[1]
    end
    complete -C "$words"
end

set -l with_policy '__landpen_in run doctor explain policy'
complete -c landpen -n __fish_use_subcommand -a 'run doctor explain policy trust'
complete -c landpen -n '__landpen_in run doctor policy' -xa '(__fish_complete_command)'
complete -c landpen -n 'not __landpen_in run; and test (__landpen_verb) = run' -xa '(__landpen_rest)'
complete -c landpen -n $with_policy -s s -l settings -rF -d 'a settings file, in place of the rulesets'
complete -c landpen -n '__landpen_in run' -s c -x -d 'run a string with bash'
complete -c landpen -n '__landpen_in run' -l report -rF -d 'append each refusal to this file'
complete -c landpen -n '__landpen_in run' -l control-fd -x -d 'read other lists of hosts from this descriptor'
complete -c landpen -n $with_policy -l ruleset -xa '(__landpen_words rulesets)' -d 'apply this shipped ruleset'
complete -c landpen -n $with_policy -l ro -rF -d 'may be read and executed'
complete -c landpen -n $with_policy -l rw -rF -d 'may be written too'
complete -c landpen -n $with_policy -l deny -rF -d 'may not be read or written'
complete -c landpen -n $with_policy -l file -rF -d 'the only file that may be written'
complete -c landpen -n $with_policy -l env -xa '(set -nx)' -d 'pass, or set, a variable'
complete -c landpen -n $with_policy -l network -xa 'none names open' -d 'which network'
complete -c landpen -n $with_policy -l allow-host -xa '(__fish_print_hostnames)' -d 'may be connected to'
complete -c landpen -n $with_policy -l deny-host -xa '(__fish_print_hostnames)' -d 'may not be connected to'
complete -c landpen -n $with_policy -l project -xa '(__fish_complete_directories)' -d 'the project'
complete -c landpen -n $with_policy -l no-project-file -d 'do not read .landpen.json'
complete -c landpen -n $with_policy -l backend -xa 'auto landlock bwrap' -d 'what holds the pen'
complete -c landpen -n $with_policy -l accept-gap -xa 'all (__landpen_words gaps)' -d 'live with a promise that cannot be kept'
complete -c landpen -n '__landpen_in policy' -l plan -d 'the exact rules or mounts, and the gaps'
complete -c landpen -n '__landpen_in policy' -l abilities -rF -d 'plan for another machine'
complete -c landpen -n '__landpen_in explain' -l host -d 'the operands are hosts'
complete -c landpen -n '__landpen_in doctor' -l abilities -d 'what policy --abilities reads'
complete -c landpen -n '__landpen_in doctor' -l json -d 'for machines'
complete -c landpen -n '__landpen_in trust' -l remove -d 'forget that the file was trusted'
set -l every '__landpen_in run doctor explain policy trust'
complete -c landpen -n $every -s q -l quiet -d 'only errors'
complete -c landpen -n $every -s v -l verbose -d 'also what was skipped, and why'
complete -c landpen -n $every -s h -l help -d help
complete -c landpen -n '__landpen_in run' -s V -l version -d 'the version'
