"""A WireGuard peer in one end of the laboratory.

In: an `End`, the command of a daemon. Out: a daemon that answers on its UAPI socket. Any program that goes to
the background when it is ready will do; the tests and the benchmark start wireguard-go here.
"""

import sys
import tempfile
from collections.abc import Mapping, Sequence

from pywg.demo import children
from pywg.demo.lab import End
from pywg.demo.say import DemoError

PYWG = (sys.executable, "-P", "-m", "pywg")
_START_TIMEOUT = 30.0


def start(end: End, command: Sequence[str] = PYWG, environment: Mapping[str, str] | None = None) -> None:
    """Start a daemon for `end.device`; returns when its socket answers. Raises DemoError.

    Its error output goes to a file, not a pipe: a daemon that keeps it open would never let us go on.
    """
    name = f"{command[-1]} {end.device}"
    words = children.inside(end.path, "exec", *command, end.device)
    with tempfile.TemporaryFile("w+") as said:
        done = children.run(words, timeout=_START_TIMEOUT, output=said, errors=said, environment=environment)
        if done.returncode:
            said.seek(0)
            reason = said.read().strip() or "it gave no reason"
            raise DemoError(f"{name} ended with status {done.returncode}: {reason}")
