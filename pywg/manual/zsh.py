"""The completion function of zsh.

In: the manual. Out: the function, for a file of $fpath or for `source`.
"""

import re
from collections.abc import Iterable
from typing import Final

from pywg.manual.model import Argument, Command, Fills, Option, Word
from pywg.manual.page import commands
from pywg.manual.shell import HEADER, Script, brief, first_options, options_of, valued

_FILLED: Final = {
    Fills.INTERFACE: "_pywg_interfaces",
    Fills.CONFIGURATION: "_pywg_configurations",
    Fills.FILE: "_files",
    Fills.PEER: "_pywg_peers",
    Fills.COMMAND: "_pywg_commands",
}

_SCRIPT: Final = Script(r"""#compdef pywg
# Completion of pywg(8) for zsh 5 or newer.
# @@header

_pywg_offer() {
    local expl
    _wanted $1 expl $1 compadd -- ${@:2}
}

_pywg_interfaces() {
    _pywg_offer interface ${(s: :)"$(pywg show interfaces 2>/dev/null)"}
}

_pywg_peers() {
    _pywg_offer peer ${(f)"$(pywg show $interface peers 2>/dev/null)"}
}

_pywg_configurations() {
    local offered=1
    _pywg_offer configuration /etc/wireguard/*.conf(N:t:r) && offered=0
    _files -g '*.conf' && offered=0
    return offered
}

_pywg_commands() {
    local -a described=(
@@commands
    )
    _describe -t commands command described
}

# What can follow `set INTERFACE` and the words before this one.
_pywg_settings() {
    local word awaited
    local -a described
    local -A given
    local -a settings=(
@@settings
    )
    local -a peer_settings=(
@@peer_settings
    )
    described=($settings)
    for word in ${words[1,CURRENT-1]}; do
        if [[ -n $awaited ]]; then
            awaited=
            continue
        fi
        if [[ $word == peer ]]; then
            given=()
            described=($peer_settings ${(M)settings:#peer:*})
        else
            given[$word]=1
        fi
        case $word in
            (@@valued_settings) awaited=$word ;;
        esac
    done
    case $awaited in
        ('')
            for word in ${(k)given}; do described=(${described:#$word:*}); done
            _describe -t settings setting described
            ;;
@@setting_values
    esac
}

@@composite
_pywg() {
    local curcontext=$curcontext interface=$words[3]
    if (( CURRENT == 2 )); then
        _arguments @@first_options ':command:_pywg_commands'
        return
    fi
    shift words
    (( CURRENT-- ))
    case $words[1] in
@@branches
    esac
}

if [[ $funcstack[1] == _pywg ]]; then
    _pywg "$@"
else
    compdef _pywg pywg
fi
""")


def script() -> str:
    """All of it."""
    every = commands()
    changes = every["set"]
    every_setting = (*changes.settings, *changes.peer_settings)
    return _SCRIPT.substitute(
        header=HEADER,
        commands=_described(Word(command.word, command.summary) for command in every.values()),
        settings=_described(_as_word(option) for option in changes.settings),
        peer_settings=_described(_as_word(option) for option in changes.peer_settings),
        valued_settings="|".join(valued(every_setting)),
        setting_values="\n".join(
            f"        ({option.names[0]}) {_action('set', option.value)} ;;"
            for option in every_setting
            if option.value
        ),
        composite="\n".join(_composite_functions()),
        first_options=" ".join(map(_option, first_options())),
        branches="\n".join(_branch(command) for command in every.values()),
    )


def _branch(command: Command) -> str:
    specs = [
        *(_option(option, command) for option in options_of(command)),
        *(
            _quoted(f"{'*' if argument.repeats else place}:{argument.name}:{_action(command.word, argument)}")
            for place, argument in enumerate(command.arguments, 1)
        ),
        *(["'*:::setting:_pywg_settings'"] if command.settings else []),
    ]
    return f"        ({command.word}) _arguments {' '.join(specs)} ;;"


def _option(option: Option, command: Command | None = None) -> str:
    """A specification of _arguments: ``'(-f --foreground)'{-f,--foreground}'[meaning]'``."""
    value = f":{option.value.name}:{_action(command.word, option.value)}" if option.value and command else ""
    said = _quoted(f"[{brief(option.meaning)}]{value}")
    if len(option.names) == 1:
        return f"{option.names[0]}{said}"
    return f"'({' '.join(option.names)})'{{{','.join(option.names)}}}{said}"


def _action(word: str, argument: Argument) -> str:
    """The function that offers what may stand there."""
    if _is_composite(argument):
        name = re.sub(r"\W", "_", argument.name.lower())
        return f"_pywg_{word}_{name}"
    return _FILLED[argument.fills[0]] if argument.fills else f"_message {argument.name}"


def _is_composite(argument: Argument) -> bool:
    """It takes a function of its own to offer all that it may be."""
    return bool(argument.words) or len(argument.fills) > 1


def _composite_functions() -> Iterable[str]:
    for word, command in commands().items():
        options = (*command.options, *command.settings, *command.peer_settings)
        for argument in (*command.arguments, *(option.value for option in options)):
            if argument and _is_composite(argument):
                yield f"{_action(word, argument)}() {{"
                yield "    local offered=1"
                if argument.words:
                    yield f"    local -a described=(\n{_described(argument.words)}\n    )"
                    yield f"    _describe -t words {argument.name} described && offered=0"
                yield from (f"    {_FILLED[fills]} && offered=0" for fills in argument.fills)
                yield "    return offered\n}\n"


def _as_word(option: Option) -> Word:
    return Word(option.names[0], option.meaning)


def _described(words: Iterable[Word]) -> str:
    return "\n".join(
        " " * 8 + _quoted(f"{word.text}:{brief(word.meaning)}" if word.meaning else word.text)
        for word in words
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", r"'\''") + "'"
