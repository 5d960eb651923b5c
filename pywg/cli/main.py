"""Which command is meant: in the arguments, out the exit status.

Start-up time is paid twice (the daemon starts itself again), so only the module of the command that was
asked for is imported, and nothing here needs argparse.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

from pywg.interface_name import RESERVED

COMMANDS: Final = {
    **dict.fromkeys(
        (
            "show",
            "showconf",
            "set",
            "setconf",
            "addconf",
            "syncconf",
            "genkey",
            "genpsk",
            "pubkey",
        ),
        "pywg.cli.tools",
    ),
    **dict.fromkeys(("up", "down", "save", "strip"), "pywg.cli.quick"),
    **dict.fromkeys(("doctor", "monitor", "demo", "version", "completion"), ""),
}
"""Word to module, whose function of that name takes the words that follow. None: ``pywg.cli.WORD:main``."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (default: that of the process) and return its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _dispatch(words)
    except KeyboardInterrupt:
        return 130


def _dispatch(words: list[str]) -> int:
    first, rest = (words[0], words[1:]) if words else ("", [])
    if first in {"-h", "--help", "help"} or (first in COMMANDS and rest in (["-h"], ["--help"])):
        return _call("pywg.cli.manual", "main", rest[:1] if first not in COMMANDS else [first])
    if first == "--version":
        first = "version"
    if first in COMMANDS:
        module = COMMANDS[first]
        return _call(module, first, rest) if module else _call(f"pywg.cli.{first}", "main", rest)
    if first in RESERVED:
        sys.stderr.write(f"pywg: '{first}' is the name of a command, which this version does not have yet\n")
        return 1
    if not words:
        return _call("pywg.cli.manual", "nothing_asked", [])
    return _call("pywg.cli.daemon", "main", words)


def _call(module: str, function: str, words: list[str]) -> int:
    status: int = getattr(import_module(module), function)(words)
    return status
