"""Which command is meant: in the arguments, out the exit status.

Start-up time is paid twice (the daemon starts itself again), so only the module of the command that was
asked for is imported, and nothing here needs argparse.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

from pywg.interface_name import RESERVED

USAGE: Final = """\
usage: pywg [-f|--foreground] INTERFACE   run a WireGuard interface (on macOS: utun or utunN)
       pywg demo [...]                    two peers in namespaces of their own talk to each other
       pywg --version | --help

environment: LOG_LEVEL=verbose|debug|error|silent, PYWG_ENGINE=auto|python|native,
             WG_TUN_FD, WG_UAPI_FD, WG_PROCESS_FOREGROUND, WG_TUN_NAME_FILE as for wireguard-go
"""

COMMANDS: Final = {
    "demo": "pywg.cli.demo",
}
"""Word to module; each has ``main(arguments: Sequence[str]) -> int``."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (default: that of the process) and return its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _dispatch(words)
    except KeyboardInterrupt:
        return 130


def _dispatch(words: list[str]) -> int:
    first = words[0] if words else ""
    if first in {"-h", "--help", "help"}:
        sys.stdout.write(USAGE)
        return 0
    if first in {"--version", "version"}:
        return _command("pywg.cli.version", words[1:])
    if first in COMMANDS:
        return _command(COMMANDS[first], words[1:])
    if first in RESERVED:
        sys.stderr.write(f"pywg: '{first}' is the name of a command, which this version does not have yet\n")
        return 1
    if not words:
        sys.stderr.write(USAGE)
        return 1
    return _command("pywg.cli.daemon", words)


def _command(module: str, words: list[str]) -> int:
    status: int = import_module(module).main(words)
    return status
