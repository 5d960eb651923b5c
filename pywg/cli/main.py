"""Which command is meant: in the arguments, out the exit status.

Rule kept: no traceback gets out, whatever happens, for its last line may be a key. Start-up is paid for twice
(the daemon starts itself again), so only the module of the command that was asked for is imported.
"""

import resource
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

from pywg.interface_name import RESERVED

COMMANDS: Final = {
    "show": "pywg.cli.show:show",
    "showconf": "pywg.cli.show:showconf",
    "set": "pywg.cli.configure:set",
    "setconf": "pywg.cli.configure:setconf",
    "addconf": "pywg.cli.configure:addconf",
    "syncconf": "pywg.cli.configure:syncconf",
    "genkey": "pywg.cli.keys:genkey",
    "genpsk": "pywg.cli.keys:genpsk",
    "pubkey": "pywg.cli.keys:pubkey",
    "up": "pywg.cli.quick:up",
    "down": "pywg.cli.quick:down",
    "save": "pywg.cli.quick:save",
    "strip": "pywg.cli.quick:strip",
    "doctor": "pywg.cli.doctor:main",
    "monitor": "pywg.cli.monitor:main",
    "demo": "pywg.cli.demo:main",
    "completion": "pywg.cli.completion:main",
    "unit": "pywg.cli.unit:main",
    "help": "pywg.cli.manual:main",
    "version": "pywg.cli.version:main",
}
"""Word to the function that takes the words after it and returns the exit status."""

HELP: Final = frozenset({"-h", "--help"})
_ALSO: Final = {**dict.fromkeys(HELP, "help"), "-v": "version", "--version": "version"}
_DAEMON_OPTIONS: Final = frozenset({"-f", "--foreground"})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (default: that of the process) and return its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        _leave_no_core_file()
        return _dispatch(words)
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 (a traceback's last line may be a key)
        from pywg.cli.output import unforeseen  # noqa: PLC0415 (starting a daemon does not need it)

        return unforeseen(error)


def _leave_no_core_file() -> None:
    """Most commands have keys in memory. What they start may raise the limit again."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def _dispatch(words: list[str]) -> int:
    if not words:
        return _call("pywg.cli.manual:nothing_asked", words)
    first, rest = _ALSO.get(words[0], words[0]), words[1:]
    if first in COMMANDS:
        return _call(COMMANDS["help"], [first]) if HELP.intersection(rest) else _call(COMMANDS[first], rest)
    if HELP.intersection(rest):
        return _call(COMMANDS["help"], ["daemon"])
    if first in RESERVED:
        return _call("pywg.cli.unknown:reserved", words)
    return _run_daemon(words)


def _run_daemon(words: list[str]) -> int:
    """A name that stands alone is an interface's, whatever it resembles: as with wireguard-go, any legal name
    must do, and wg-quick takes it from a file's. It is only after the fact that a likely slip is told.
    """
    if words[0][:1] != "-" and not _DAEMON_OPTIONS.issuperset(words[1:]):
        return _call("pywg.cli.unknown:unknown_command", words)
    status = _call("pywg.cli.daemon:main", words)
    # Commands are of letters alone; wg0 is not, and its start pays nothing for this.
    if len(words) == 1 and words[0].isalpha():
        hint = "hint_after_failure" if status else "hint_after_success"
        _call(f"pywg.cli.unknown:{hint}", words)
    return status


def _call(target: str, words: list[str]) -> int:
    module, function = target.split(":")
    status: int = getattr(import_module(module), function)(words)
    return status
