"""Runs command lines of pywg in a guest, each in a process of its own that need not start Python first.

Comes in: in a named pipe, the number of a process that wants pywg to be run with its words, environment and
streams. Goes out: the exit status, in another pipe. Rule: a command finds what it would find in a process
started for it, except that modules are imported already: emulated, their import takes a second or two.
"""

import os
import sys
import traceback
from importlib import import_module
from pathlib import Path

from pywg.cli.main import COMMANDS, main
from pywg.protocol.static_key import public_key

DIRECTORY = Path("/server")
PROGRAM = "/programs/pywg"
"""The script that asks."""
_COMMANDS_OF_WG = ("show", "showconf", "set", "setconf", "addconf", "syncconf", "genkey", "genpsk", "pubkey")
_ALSO = ("pywg.kernel.client", "pywg.cli.quick", "pywg.net.system_linux", "pyroute2")


def serve() -> None:
    """Serve for ever."""
    for module in (*_ALSO, *(COMMANDS[word].partition(":")[0] for word in _COMMANDS_OF_WG)):
        import_module(module)
    public_key(bytes(range(32)))  # it imports, too
    (DIRECTORY / "ready").touch()
    while True:
        client = Path("/proc") / (DIRECTORY / "ask").read_text().strip()
        child = os.fork()
        if child == 0:
            _run(client)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        (DIRECTORY / "answer").write_text(f"{status}\n")


def _run(client: Path) -> None:
    status = 99
    try:
        for number, flags in enumerate((os.O_RDONLY, os.O_WRONLY | os.O_APPEND, os.O_WRONLY | os.O_APPEND)):
            os.dup2(os.open(client / "fd" / str(number), flags), number)
        for setting in (client / "environ").read_text().split("\0"):
            name, _, value = setting.partition("=")
            if name.startswith("WG_"):
                os.environ[name] = value
        words = (client / "cmdline").read_text().split("\0")[:-1]
        status = main(words[words.index(PROGRAM) + 1 :])
    except BaseException:  # noqa: BLE001 (what a command leaves to Python is shown to the test)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    serve()
