# bash completion for landpen. Rulesets and gaps are asked of the program itself.

# The words behind "NAME:" in the help.
_landpen_words()
{
	"${COMP_WORDS[0]}" --help 2>/dev/null | sed -n "s/^$1: //p"
}

# _landpen_options VERB
_landpen_options()
{
	local policy='-s --settings --ruleset --ro --rw --deny --file --env --network --allow-host
		--deny-host --project
		--no-project-file --backend --accept-gap'
	local every='-q --quiet -v --verbose -h --help'
	case $1 in
	run) echo "$policy -c --report --control-fd $every -V --version" ;;
	explain) echo "$policy --host $every" ;;
	policy) echo "$policy --plan --abilities $every" ;;
	doctor) echo "$policy --abilities --json $every" ;;
	trust) echo "--remove $every" ;;
	esac
}

# Sets REST, the index of the first operand, or nothing where that is still to come.
_landpen_find_operand()
{
	local word index=$1
	REST=
	while [ "$index" -lt "$COMP_CWORD" ]; do
		word=${COMP_WORDS[index]}
		case $word in
		--) REST=$((index + 1)); return ;;
		-s | -c | --settings | --ruleset | --ro | --rw | --deny | --file | --report | --control-fd | --env | --network | \
			--allow-host | --deny-host | --project | --backend | --accept-gap) index=$((index + 1)) ;;
		--abilities) [ "$2" = doctor ] || index=$((index + 1)) ;;
		-*) ;;
		=) index=$((index + 1)) ;; # of --option=value
		*) REST=$index; return ;;
		esac
		index=$((index + 1))
	done
}

_landpen_reply()
{
	mapfile -t COMPREPLY < <(compgen "${@:2}" -- "$1")
}

_landpen()
{
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} verb=run
	local first=1 REST
	COMPREPLY=()
	case ${COMP_WORDS[1]} in
	run | doctor | explain | policy | trust)
		if [ "$COMP_CWORD" -gt 1 ]; then
			verb=${COMP_WORDS[1]} first=2
		fi
		;;
	esac
	_landpen_find_operand $first $verb
	if [ -n "$REST" ] && [ "$verb" = run ]; then
		if [ "$COMP_CWORD" -eq "$REST" ]; then
			_landpen_reply "$current" -c
		elif declare -F _command_offset >/dev/null; then
			_command_offset "$REST"
		else
			compopt -o default
		fi
		return
	fi
	if [ "$current" = = ]; then
		current=
	elif [ "$previous" = = ]; then
		previous=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	case $previous in
	-s | --settings | --ro | --rw | --deny | --file | --report) _landpen_reply "$current" -f; return ;;
	--abilities) [ "$verb" = doctor ] || { _landpen_reply "$current" -f; return; } ;;
	--project) _landpen_reply "$current" -d; return ;;
	--network) _landpen_reply "$current" -W 'none names open'; return ;;
	--backend) _landpen_reply "$current" -W 'auto landlock bwrap'; return ;;
	--ruleset) _landpen_reply "$current" -W "$(_landpen_words rulesets)"; return ;;
	--accept-gap) _landpen_reply "$current" -W "all $(_landpen_words gaps)"; return ;;
	--env) _landpen_reply "$current" -v; return ;;
	--allow-host | --deny-host) _landpen_reply "$current" -A hostname; return ;;
	-c) return ;;
	esac
	case $current in
	-*) _landpen_reply "$current" -W "$(_landpen_options $verb)" ;;
	*)
		case $verb in
		run) _landpen_reply "$current" -c ;;
		policy) _landpen_reply "$current" -c ;;
		explain | trust) _landpen_reply "$current" -f ;;
		esac
		if [ "$COMP_CWORD" -eq 1 ]; then
			mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(
				compgen -W 'run doctor explain policy trust' -- "$current")
		fi
		;;
	esac
}

complete -o filenames -F _landpen landpen
