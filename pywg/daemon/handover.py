"""From the process the user started to the one that stays: descriptors, and one byte back.

In: an open TUN device and a listening UAPI socket. Out: the same program running in the background in a
session of its own with both inherited, as wireguard-go does it (``WG_TUN_FD``, ``WG_UAPI_FD``,
``WG_PROCESS_FOREGROUND=1``), and its word whether it is ready. Arguments and environment carry numbers and
names only. Everything that may be inherited by accident is shut: whoever waits for the end of our output
must not wait for the daemon.
"""

import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Final, NamedTuple

from pywg.daemon.errors import StartError

TUN_VARIABLE: Final = "WG_TUN_FD"
UAPI_VARIABLE: Final = "WG_UAPI_FD"
FOREGROUND_VARIABLE: Final = "WG_PROCESS_FOREGROUND"
READY_VARIABLE: Final = "PYWG_READY_FD"
"""Ours: where the child says `READY`, or why it ends. Its presence makes the process the background child."""

READY: Final = b"\x06"
START_SECONDS: Final = 20.0
"""Longest wait for the child. It needs a fraction of a second; nothing may hang whoever started us."""
ENDING_SECONDS: Final = 1.0
"""Longest wait for the end of a child that has said why it ends, or has been silent for too long."""
LONGEST_REASON: Final = 4096


class Starter:
    """The process that started us and waits for our word; or nobody, if we were started in the foreground."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        self.exists = descriptor is not None
        """There was one: nobody looks at our standard streams."""

    def say_ready(self) -> None:
        """Let it go. Raises StartError if it has gone already: then nobody knows of us."""
        if self.exists and not self._say(READY):
            raise StartError("the process that started this one has ended before it was ready")

    def say_failed(self, reason: str) -> bool:
        """Tell why we end. Returns whether somebody took the word."""
        return self._say(reason.encode(errors="replace"))

    def _say(self, word: bytes) -> bool:
        """Once only: afterwards the number may be that of another descriptor."""
        if self._descriptor is None:
            return False
        try:
            os.write(self._descriptor, word)
        except OSError:
            return False
        finally:
            os.close(self._descriptor)
            self._descriptor = None
        return True


class Inherited(NamedTuple):
    """What the environment says was opened for us."""

    tun: int | None
    uapi: int | None
    ready: int | None
    foreground: bool


NOTHING: Final = Inherited(tun=None, uapi=None, ready=None, foreground=False)
"""Of an environment that says nothing."""


def inherited(environment: Mapping[str, str]) -> Inherited:
    """Read the variables and keep the descriptors from being inherited once more.

    Raises StartError if one does not name an open descriptor.
    """
    return Inherited(
        tun=_descriptor(environment, TUN_VARIABLE),
        uapi=_descriptor(environment, UAPI_VARIABLE),
        ready=_descriptor(environment, READY_VARIABLE),
        foreground=environment.get(FOREGROUND_VARIABLE) == "1",
    )


def take_standard_streams() -> None:
    """Started with a standard stream closed, the next descriptor we open would be taken for it."""
    for stream in range(3):
        try:
            os.fstat(stream)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # The lowest number that is free: this one.


def start_again(name: str, tun: int, uapi: int, *, keep_output: bool, seconds: float = START_SECONDS) -> None:
    """Run ``pywg -f NAME`` in the background with these descriptors; returns when it says it is ready.

    Raises StartError with its reason, after the child has ended.
    """
    ready_read, ready_write = os.pipe()
    output = None if keep_output else subprocess.DEVNULL
    with open(ready_read, "rb", buffering=0) as ready:  # noqa: PTH123 (a descriptor)
        try:
            child = subprocess.Popen(
                [sys.executable, "-P", "-m", "pywg", "-f", name],
                env=_environment(tun, uapi, ready_write),
                pass_fds=(tun, uapi, ready_write),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            raise StartError(f"cannot start {sys.executable} again: {error.strerror}") from None
        finally:
            os.close(ready_write)
        try:
            word = _word(ready.fileno(), seconds)
        except BaseException:
            child.kill()
            child.wait()
            raise
    if word == READY:
        child.returncode = 0  # It lives on, and Popen is not to complain of that.
        return
    how = _end(child)
    raise StartError(
        word.decode(errors="replace")
        or f"the background process {how} and gave no reason; run 'pywg -f {name}' to see what it says"
    )


def _environment(tun: int, uapi: int, ready: int) -> dict[str, str]:
    own = {
        TUN_VARIABLE: str(tun),
        UAPI_VARIABLE: str(uapi),
        READY_VARIABLE: str(ready),
        FOREGROUND_VARIABLE: "1",
    }
    # Run from a source tree, the program that starts again must be this one and not another installed one.
    # The working directory is never searched (-P).
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120 (time)
    if not root.endswith("-packages"):
        own["PYTHONPATH"] = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    return {**os.environ, **own}


def _word(ready: int, seconds: float) -> bytes:
    """READY, or the reason the child gives before it ends, or nothing if it gives none in time."""
    word = b""
    deadline = time.monotonic() + seconds
    poll = select.poll()
    poll.register(ready, select.POLLIN)
    while word != READY and len(word) < LONGEST_REASON:
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            break
        chunk = os.read(ready, LONGEST_REASON)
        if not chunk:
            break
        word += chunk
    return word


def _end(child: subprocess.Popen[bytes]) -> str:
    """See to it that a child that failed or hangs does not keep the device; returns how it ended."""
    try:
        status = child.wait(ENDING_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        return "was not ready in time"
    return f"ended with status {status}" if status >= 0 else f"was ended by signal {-status}"


def _descriptor(environment: Mapping[str, str], variable: str) -> int | None:
    text = environment.get(variable)
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise StartError(f"{variable}='{text}' is no descriptor; expected a decimal number")
    try:
        os.set_inheritable(int(text), False)
    except (OSError, OverflowError):
        raise StartError(f"{variable}={text} is not an open descriptor of this process") from None
    return int(text)
