"""A daemon of ours for one interface, started from whichever process wants one.

In: a name. Out: the daemon in the background, ready to be configured, and nothing of it left open in this
process: what is ours of the two descriptors is closed, so that the device ends when the daemon does. Rule
kept: whatever fails or interrupts the start, neither device nor socket nor process stays.
"""

import os
from collections.abc import Mapping

from pywg.daemon.handover import NOTHING, Inherited, start_again
from pywg.daemon.opening import open_descriptors


def launch(name: str, given: Inherited = NOTHING, environment: Mapping[str, str] = os.environ) -> str:
    """Returns the interface's real name, which on macOS is not `name`.

    `given`: what was opened for us. `environment`: may ask for a name file. Raises StartError.
    """
    opened = open_descriptors(name, given, environment)
    try:
        keep_output = os.environ.get("LOG_LEVEL", "").lower() not in {"", "silent"}
        start_again(opened.name, opened.tun.fileno(), opened.uapi.fileno(), keep_output=keep_output)
    except BaseException:
        opened.abandon()
        raise
    opened.uapi.close()
    opened.tun.close()
    return opened.name
