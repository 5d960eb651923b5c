"""What the daemon says, and to whom: lines for humans on stderr, errors to syslog as well.

In: sentences the control plane made, without secrets. Out: one line each, or nothing. Two rules: a reader
that does not read (a full pipe, a stopped terminal, a stuck syslog) never stops the tunnel, its lines are
lost and counted; and of an exception only the type and the place are told, because its message and the
values around it may hold keys.
"""

import errno
import os
import select
import socket
import sys
import time
from collections.abc import Callable
from enum import IntEnum
from types import TracebackType
from typing import Final, Protocol

from pywg.base64_key import key_to_base64

LONGEST_LINE: Final = 1024
"""Bytes. Below PIPE_BUF, so that a line reaches a pipe whole or not at all."""

SYSLOG_PATH: Final = "/var/run/syslog" if sys.platform == "darwin" else "/dev/log"
SYSLOG_DAEMON_ERROR: Final = 3 << 3 | 3
"""Facility daemon, severity error (RFC 5424 section 6.2.1)."""

_PACKAGE: Final = os.path.dirname(os.path.abspath(__file__)) + os.sep  # noqa: PTH100, PTH120 (import time)


class Log(Protocol):
    """Where the parts of pywg say what they do. Neither method raises or blocks."""

    def verbose(self, text: str) -> None:
        """What happens in ordinary operation; shown at ``LOG_LEVEL=verbose``."""

    def error(self, text: str) -> None:
        """What somebody should do something about."""


class Level(IntEnum):
    """How much is said; each level includes the one before."""

    SILENT = 0
    ERROR = 1
    VERBOSE = 2


_LEVELS: Final = {
    "silent": Level.SILENT,
    "error": Level.ERROR,
    "verbose": Level.VERBOSE,
    "debug": Level.VERBOSE,
}


def level_of(text: str | None) -> Level:
    """Read ``LOG_LEVEL``. Unset, empty or unknown is `Level.ERROR`, as with wireguard-go."""
    return _LEVELS.get((text or "").lower(), Level.ERROR)


def peer_name(public_key: bytes) -> str:
    """``peer(AbCd...WxYz)``: the first and last four characters of the key's base64, padding apart.

    `public_key` is 32 bytes.
    """
    text = key_to_base64(public_key).rstrip("=")
    return f"peer({text[:4]}...{text[-4:]})"


def describe(error: BaseException) -> str:
    """Type and place of an exception, without its message or any value: ``KeyError in device.py:12 apply``.

    An OSError also tells its error number's name, which is not secret.
    """
    kind = type(error).__name__
    if isinstance(error, OSError) and error.errno is not None:
        kind += f" {errno.errorcode.get(error.errno, str(error.errno))}"
    return f"{kind} in {_place(error.__traceback__)}"


class StreamLog:
    """`Log` on a descriptor, one line a sentence, and errors to a second place if there is one."""

    def __init__(
        self,
        name: str,
        level: Level,
        *,
        descriptor: int = 2,
        also_errors: Callable[[str], None] | None = None,
    ) -> None:
        """`name` is the interface's; `also_errors` takes errors whatever the level but SILENT."""
        self._name = name
        self._level = level
        self._descriptor = descriptor
        self._also_errors = also_errors
        self._lost = 0

    def verbose(self, text: str) -> None:
        if self._level >= Level.VERBOSE:
            self._write("", text)

    def error(self, text: str) -> None:
        if self._level < Level.ERROR:
            return
        self._write("error: ", text)
        if self._also_errors is not None:
            self._also_errors(f"{self._name}: {_one_line(text)}")

    def _write(self, mark: str, text: str) -> None:
        lost = f"({self._lost} lines lost) " if self._lost else ""
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        line = f"{now} {self._name}: {lost}{mark}{_one_line(text)}\n".encode(errors="replace")
        if len(line) > LONGEST_LINE:
            line = line[: LONGEST_LINE - 4] + b"...\n"
        self._lost = 0 if _write_now(self._descriptor, line) else self._lost + 1


class Syslog:
    """Errors to the system's log socket, without waiting for it. Takes one line, never raises."""

    def __init__(self, path: str = SYSLOG_PATH) -> None:
        self._path = path

    def __call__(self, line: str) -> None:
        message = f"<{SYSLOG_DAEMON_ERROR}>pywg[{os.getpid()}]: {line}".encode(errors="replace")
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto(message[:LONGEST_LINE], self._path)
        except OSError:
            return  # No syslog here, or it does not keep up: the line on stderr is all there is.


def route_logging(log: Log) -> None:
    """Send what any module says through the standard library's `logging` the same way.

    Of other people's modules (asyncio) only the fixed part of the message is told.
    """
    import logging  # noqa: PLC0415 (asyncio has imported it already; others need not)

    class Route(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            ours = record.name.partition(".")[0] == "pywg"
            text = record.getMessage() if ours else f"{record.name}: {record.msg}"
            if record.levelno >= logging.WARNING:
                log.error(text)
            else:
                log.verbose(text)

    root = logging.getLogger()
    root.handlers[:] = [Route()]
    root.setLevel(logging.WARNING)
    logging.getLogger("pywg").setLevel(logging.DEBUG)
    logging.raiseExceptions = False


def _write_now(descriptor: int, line: bytes) -> bool:
    """Write if that would not block. The descriptor is shared with others, so its flags are not ours."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    try:
        ready = poll.poll(0)
        if not ready or not ready[0][1] & select.POLLOUT:
            return False
        return os.write(descriptor, line) == len(line)
    except OSError:
        return False


def _one_line(text: str) -> str:
    """A peer or a file name must not be able to forge a second line, nor to steer a terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)


def _place(traceback: TracebackType | None) -> str:
    """The innermost frame of our own code, for a frame of a library says little; else the innermost."""
    place = "an unknown place"
    ours = False
    while traceback is not None:
        code = traceback.tb_frame.f_code
        in_package = code.co_filename.startswith(_PACKAGE)
        if in_package or not ours:
            file = code.co_filename.removeprefix(_PACKAGE)
            place = f"{file}:{traceback.tb_lineno} {code.co_name}"
        ours = ours or in_package
        traceback = traceback.tb_next
    return place
