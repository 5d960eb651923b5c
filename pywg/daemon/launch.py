"""A daemon of ours for one interface, started from whichever process wants one.

In: a name. Out: the daemon in the background, ready to be configured, and nothing of it left open in this
process: what is ours of the two descriptors is closed, so that the device ends when the daemon does. Rule
kept: whatever fails or interrupts the start, neither device nor socket nor process stays.
"""

import os
from typing import Final

from pywg.daemon.errors import StartError
from pywg.daemon.handover import Inherited, start_again
from pywg.daemon.opening import open_descriptors, write_name_file

NOTHING: Final = Inherited(tun=None, uapi=None, ready=None, foreground=False)


def launch(name: str, given: Inherited = NOTHING, *, name_file: str | None = None) -> str:
    """Returns the interface's real name, which on macOS is not `name`.

    `given`: what was opened for us. `name_file`: a file to write the real name to, before anybody can see
    the interface. Raises StartError.
    """
    opened = open_descriptors(name, given)
    try:
        if name_file is not None:
            _write_name(name_file, opened.name)
        keep_output = os.environ.get("LOG_LEVEL", "").lower() not in {"", "silent"}
        start_again(opened.name, opened.tun.fileno(), opened.uapi.fileno(), keep_output=keep_output)
    except BaseException:
        opened.abandon()
        raise
    opened.uapi.close()
    opened.tun.close()
    return opened.name


def _write_name(path: str, name: str) -> None:
    try:
        write_name_file(path, name)
    except OSError as error:
        raise StartError(f"cannot write {path}: {error.strerror}") from None
