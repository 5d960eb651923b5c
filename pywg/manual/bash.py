"""The completion script of bash.

In: the manual. Out: the script. It splits the line itself, for bash splits words at colons and equals signs
and endpoints and keys have these. Rule kept: what a program prints is compared and never expanded (`compgen
-W` would run an interface called ``$(command)``).
"""

from collections.abc import Iterable, Sequence
from typing import Final

from pywg.manual.model import Argument, Fills
from pywg.manual.page import commands
from pywg.manual.shell import HEADER, HELP, Script, first_options, names, options_of, valued, valued_options

_FILLED: Final = {
    Fills.INTERFACE: "_pywg_offer $(pywg show interfaces 2>/dev/null)",
    Fills.CONFIGURATION: "_pywg_offer_configurations",
    Fills.FILE: "_pywg_offer_files",
    Fills.PEER: '_pywg_offer $(pywg show "$interface" peers 2>/dev/null)',
    Fills.COMMAND: f"_pywg_offer {' '.join(commands())}",
}

_SCRIPT: Final = Script(r"""# Completion of pywg(8) for bash 4.4 or newer.
# @@header

# Offers those of the words given that go on from what is typed.
_pywg_offer() {
    local word
    for word; do
        [[ $word == "$current"* && $word != *[!A-Za-z0-9_=+./-]* ]] && COMPREPLY+=("$word")
    done
}

# Takes options of compgen.
_pywg_offer_files() {
    local path
    compopt -o filenames 2>/dev/null
    while IFS= read -r path; do COMPREPLY+=("$path"); done < <(compgen "$@" -f -- "$current")
}

_pywg_offer_configurations() {
    local path
    for path in /etc/wireguard/*.conf; do
        path=${path##*/}
        [[ $path == '*.conf' ]] || _pywg_offer "${path%.conf}"
    done
    _pywg_offer_files -X '!*.conf'
    while IFS= read -r path; do COMPREPLY+=("$path"); done < <(compgen -d -- "$current")
}

# Offers what can follow `set INTERFACE` and the words given.
_pywg_offer_settings() {
    local word awaited='' given=' ' possible='@@settings'
    for word; do
        if [[ $awaited ]]; then
            awaited=''
            continue
        fi
        if [[ $word == peer ]]; then
            given=' ' possible='@@peer_settings peer'
        else
            given+="$word "
        fi
        case $word in
            @@valued_settings) awaited=$word ;;
        esac
    done
    case $awaited in
        '')
            for word in $possible; do
                [[ $given == *" $word "* ]] || _pywg_offer "$word"
            done
            ;;
@@setting_values
    esac
}

_pywg() {
    local line=${COMP_LINE:0:COMP_POINT} words=() current='' place=0 first=0 interface='' i
    COMPREPLY=()
    # A backslash keeps a blank in its word.
    read -a words <<<"$line"
    if [[ $line != *[[:space:]] ]]; then
        current=${words[-1]}
        unset 'words[-1]'
    fi
    if ((${#words[@]} < 2)); then
        case $current in
            -*) _pywg_offer @@first_options ;;
            *) _pywg_offer @@commands ;;
        esac
        return
    fi
    for ((i = 2; i < ${#words[@]}; i++)); do
        case ${words[i]} in
            @@valued_options) ((i++)) ;;
            -*) ;;
            *) ((place++)) || first=$i ;;
        esac
    done
    interface=${words[first]}
    case ${words[1]}:${words[-1]}:$current in
@@options
        *)
            case ${words[1]}:$place in
@@arguments
            esac
            ;;
    esac
    # bash replaces only what follows the last colon or equals sign.
    local kept=${current%"${current##*[=:]}"}
    [[ $kept ]] && COMPREPLY=("${COMPREPLY[@]#"$kept"}")
}

complete -F _pywg pywg
""")


def script() -> str:
    """All of it."""
    changes = commands()["set"]
    every_setting = (*changes.settings, *changes.peer_settings)
    values = [(option.names, _offers(option.value)) for option in every_setting if option.value]
    return _SCRIPT.substitute(
        header=HEADER,
        settings=" ".join(names(changes.settings)),
        peer_settings=" ".join(names(changes.peer_settings)),
        valued_settings=" | ".join(valued(every_setting)),
        setting_values=_branches(values, 8),
        first_options=" ".join(names(first_options())),
        commands=" ".join(commands()),
        valued_options=" | ".join(valued_options()),
        options=_branches(_options(), 8),
        arguments=_branches(_arguments(), 16),
    )


def _options() -> Iterable[tuple[Sequence[str], str]]:
    """Patterns of COMMAND:THE WORD BEFORE:WHAT IS TYPED, and what is offered there."""
    for word, command in commands().items():
        for option in command.options:
            if option.value:
                yield [f"{word}:{name}:*" for name in option.names], _offers(option.value)
        if command.options:
            yield [f"{word}:*:-*"], f"_pywg_offer {' '.join(names(options_of(command)))}"
    yield ["*:*:-*"], f"_pywg_offer {' '.join(HELP.names)}"


def _arguments() -> Iterable[tuple[Sequence[str], str]]:
    """Patterns of COMMAND:PLACE, and what is offered there."""
    for word, command in commands().items():
        for place, argument in enumerate(command.arguments):
            yield [f"{word}:{'*' if argument.repeats else place}"], _offers(argument)
        if command.settings:
            yield [f"{word}:*"], '_pywg_offer_settings "${words[@]:first + 1}"'


def _offers(argument: Argument) -> str:
    """Commands that offer what may stand there."""
    fixed = ["_pywg_offer " + " ".join(word.text for word in argument.words)] if argument.words else []
    filled = [_FILLED[fills] for fills in argument.fills]
    return "; ".join((*fixed, *filled)) or ":"


def _branches(cases: Iterable[tuple[Sequence[str], str]], indent: int) -> str:
    """Of a `case`; patterns with the same answer stand together, in the place of the first."""
    patterns: dict[str, list[str]] = {}
    for its, answer in cases:
        patterns.setdefault(answer, []).extend(its)
    return "\n".join(f"{' ' * indent}{' | '.join(its)}) {answer} ;;" for answer, its in patterns.items())
