"""The completion script of fish.

In: the manual. Out: the script.
"""

from collections.abc import Iterable
from typing import Final

from pywg.manual.model import Argument, Command, Fills, Option
from pywg.manual.page import commands
from pywg.manual.shell import HEADER, HELP, Script, brief, first_options, valued, valued_options

_FILLED: Final = {
    Fills.INTERFACE: "-a '(pywg show interfaces 2>/dev/null | string split \" \")' -d interface",
    Fills.CONFIGURATION: "-a '(__pywg_configurations)'",
    Fills.FILE: "-F",
    Fills.PEER: "-a '(pywg show (__pywg_interface) peers 2>/dev/null)' -d peer",
}
_SETTING: Final = "setting"
"""What `set` awaits when it is not a value: a setting of the interface,"""
_PEER_SETTING: Final = "peer-setting"
"""or of a peer."""

_SCRIPT: Final = Script(r"""# Completion of pywg(8) for fish 3 or newer.
# @@header

function __pywg_first
    test (count (commandline -opc)) -eq 1
end

# Whether the command is one of those given.
function __pywg_command
    set -l words (commandline -opc)
    test (count $words) -gt 1; and contains -- $words[2] $argv
end

# What has been typed after the command, less options and their values.
function __pywg_arguments
    set -l words (commandline -opc)
    set -e words[1..2]
    set -l skip no
    for word in $words
        if test $skip = yes
            set skip no
            continue
        end
        switch $word
            case @@valued_options
                set skip yes
            case '-*'
            case '*'
                echo -- $word
        end
    end
end

# Whether the word to complete is argument number $argv[1], from 0, of one of the commands after it.
function __pywg_at
    __pywg_command $argv[2..-1]; and test (count (__pywg_arguments)) -eq $argv[1]
end

function __pywg_interface
    __pywg_arguments | head -n 1
end

function __pywg_configurations
    for path in /etc/wireguard/*.conf
        string replace -r '.*/(.*)\.conf$' '$1' -- $path
    end
    # Not __fish_complete_suffix: it offers every file, these first.
    set -l typed (commandline -ct)
    set -l paths $typed*.conf $typed*/
    printf '%s\n' $paths
end

# Whether `set` awaits one of these: the value of a setting, by its name; or a @@setting; or a @@peer_setting.
function __pywg_awaits
    __pywg_command set; or return
    set -l words (__pywg_arguments)
    test (count $words) -gt 0; or return
    set -e words[1]
    set -l between @@setting
    set -l awaited $between
    for word in $words
        switch "$awaited:$word"
            case @@setting:peer @@peer_setting:peer
                set between @@peer_setting
                set awaited peer
            case @@valued_settings
                set awaited $word
            case '*'
                set awaited $between
        end
    end
    contains -- $awaited $argv
end

complete -c pywg -f
@@completions
""")


def script() -> str:
    """All of it."""
    changes = commands()["set"]
    awaited = (
        f"{between}:{setting}"
        for between in (_SETTING, _PEER_SETTING)
        for setting in valued((*changes.settings, *changes.peer_settings))
        if setting != "peer"
    )
    return _SCRIPT.substitute(
        header=HEADER,
        valued_options=" ".join(valued_options()),
        setting=_SETTING,
        peer_setting=_PEER_SETTING,
        valued_settings=" ".join(awaited),
        completions="\n".join(_completions()),
    )


def _completions() -> Iterable[str]:
    yield _complete("", _option(HELP))
    for option in first_options():
        if option is not HELP:
            yield _complete("__pywg_first", _option(option))
    for word, command in commands().items():
        yield _complete("__pywg_first", _word(word, command.summary))
    for word, command in commands().items():
        for option in command.options:
            yield _complete(f"__pywg_command {word}", _option(option))
        for place, argument in enumerate(command.arguments):
            at = f"__pywg_command {word}" if argument.repeats else f"__pywg_at {place} {word}"
            yield from _argument(at, argument)
        yield from _settings(command)


def _settings(command: Command) -> Iterable[str]:
    for awaited, settings in ((_SETTING, command.settings), (_PEER_SETTING, command.peer_settings)):
        for setting in settings:
            word = setting.names[0]
            # After a peer, another may follow.
            both = f"{awaited} {_PEER_SETTING}" if word == "peer" else awaited
            yield _complete(f"__pywg_awaits {both}", _word(word, setting.meaning))
            if setting.value:
                yield from _argument(f"__pywg_awaits {word}", setting.value)


def _argument(condition: str, argument: Argument) -> Iterable[str]:
    for word in argument.words:
        yield _complete(condition, _word(word.text, word.meaning))
    for fills in argument.fills:
        if fills is Fills.COMMAND:
            for name, command in commands().items():
                yield _complete(condition, _word(name, command.summary))
        else:
            yield _complete(condition, _FILLED[fills])


def _option(option: Option) -> str:
    parts = [f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names]
    if option.value:
        words = " ".join(word.text for word in option.value.words)
        parts.append(f"-x -a '{words}'" if words else "-x")
    return f"{' '.join(parts)} -d {_quoted(option.meaning)}"


def _word(word: str, meaning: str) -> str:
    return f"-a {word} -d {_quoted(meaning)}" if meaning else f"-a {word}"


def _complete(condition: str, what: str) -> str:
    return " ".join(filter(None, ("complete -c pywg", condition and f"-n '{condition}'", what)))


def _quoted(text: str) -> str:
    escaped = brief(text).replace("\\", r"\\").replace("'", r"\'")
    return f"'{escaped}'"
