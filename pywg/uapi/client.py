"""The client's side of the UAPI: asks a running daemon, ours or another's. Blocking, standard library only.

In: an interface name. Out: its state or status, or a changed device. Rules kept: every wait has an end; an
error says what was wrong and what to do; a daemon that does not know get_status is "not told", not broken.
"""

import errno
import os
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final

from pywg.uapi.codec import MalformedReplyError, change_lines, parse_state
from pywg.uapi.model import DeviceChange, DeviceState, Status
from pywg.uapi.path import DIRECTORY, UapiSocketError, interface_names, socket_path
from pywg.uapi.status import parse_status

__all__ = ["UapiClient", "UapiError", "interface_names"]

TIMEOUT: Final = 10.0
"""Seconds of silence after which a daemon counts as stuck."""
_MAX_REPLY: Final = 2**27
"""Bytes. 65,536 peers with eight allowed IPs each take half of that."""
_LINES_PER_WRITE: Final = 256
_RETRY_PAUSE: Final = 0.01


class UapiError(Exception):
    """The operation did not happen. The text is one line, without secrets."""


class NoSuchInterfaceError(UapiError):
    """There is no socket of that name."""


class AccessDeniedError(UapiError):
    """The socket is for its owner (root) alone."""


class NotRunningError(UapiError):
    """A socket file is there, but nobody listens."""


class NoAnswerError(UapiError):
    """The daemon took the connection and then stayed silent, or closed it without a reply."""


class RefusedError(UapiError):
    """The daemon answered with an errno (positive here)."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.errno = code


class UapiClient:
    """One interface. Each operation makes a connection of its own."""

    def __init__(self, name: str, *, directory: Path = DIRECTORY, timeout: float = TIMEOUT) -> None:
        """`timeout`: seconds of silence, not of work. Raises UapiError if `name` cannot be one."""
        self.name = name
        self._timeout = timeout
        try:
            self._path = socket_path(name, directory)
        except UapiSocketError as error:
            raise UapiError(str(error)) from None

    def get(self) -> DeviceState:
        """The device's state. Raises UapiError."""
        reply = self._ask(["get=1", ""])
        try:
            return parse_state(reply)
        except MalformedReplyError as error:
            raise self._malformed(error) from None

    def set(self, change: DeviceChange) -> None:
        """Change the device. Raises UapiError; what stood before the refused line stays applied."""
        self._ask(_set_lines(change))

    def status(self) -> Status | None:
        """What the daemon tells of its inner state; None from a daemon that does not know the question.

        Raises UapiError.
        """
        try:
            reply = self._ask(["get_status=1", ""])
        except _ClosedError:
            return None
        try:
            return parse_status(reply)
        except MalformedReplyError as error:
            raise self._malformed(error) from None

    def _malformed(self, error: MalformedReplyError) -> UapiError:
        return UapiError(f"{self.name}: the daemon's reply cannot be read: {error}")

    def _ask(self, request: Iterable[str]) -> str:
        """The lines of the reply before its errno, which was 0."""
        with self._connect() as connection:
            try:
                # Who refuses a line may hang up before the last one; the reply is there all the same.
                with suppress(ConnectionResetError, BrokenPipeError):
                    _send(connection, request)
                reply = _receive(connection)
            except TimeoutError:
                raise NoAnswerError(
                    f"{self.name}: no answer within {self._timeout:g} s; its daemon may be stuck"
                ) from None
            except ConnectionResetError:
                raise _ClosedError(self.name) from None
        if len(reply) > _MAX_REPLY:
            raise UapiError(f"{self.name}: the daemon's reply has no end (over {_MAX_REPLY} bytes)")
        if not reply:
            raise _ClosedError(self.name)
        body, code = self._split(reply)
        if code:
            raise RefusedError(f"{self.name}: refused: {os.strerror(code)}", code)
        return body

    def _split(self, reply: str) -> tuple[str, int]:
        """Body and positive errno: implementations differ in the sign."""
        body, newline, last = reply.removesuffix("\n\n").rpartition("\n")
        key, _, number = last.partition("=")
        digits = number.removeprefix("-")
        is_number = digits.isascii() and digits.isdigit() and len(digits) < 10
        if key != "errno" or not is_number or not reply.endswith("\n\n"):
            raise UapiError(f"{self.name}: the daemon's reply does not end with errno; it may have died")
        return body + newline, int(digits)

    def _connect(self) -> socket.socket:
        deadline = time.monotonic() + self._timeout
        while True:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.settimeout(self._timeout)
            try:
                connection.connect(str(self._path))
            except OSError as error:
                connection.close()
                # A full backlog is EAGAIN at once, whatever the time-out.
                if error.errno != errno.EAGAIN or time.monotonic() >= deadline:
                    raise self._unreachable(error) from None
                time.sleep(_RETRY_PAUSE)
            else:
                return connection

    def _unreachable(self, error: OSError) -> UapiError:
        if isinstance(error, TimeoutError) or error.errno == errno.EAGAIN:
            return NoAnswerError(f"{self.name}: its daemon does not take connections; it may be stuck")
        match error.errno:
            case errno.ENOENT | errno.ENOTDIR:
                return NoSuchInterfaceError(f"{self.name}: no such interface ({self._path} does not exist)")
            case errno.EACCES | errno.EPERM:
                return AccessDeniedError(f"{self.name}: permission denied; try again as root")
            case errno.ECONNREFUSED:
                return NotRunningError(f"{self.name}: not running (nobody listens on {self._path})")
            case _:
                return UapiError(f"{self.name}: cannot reach {self._path}: {error.strerror or error}")


class _ClosedError(NoAnswerError):
    def __init__(self, name: str) -> None:
        super().__init__(f"{name}: the daemon closed the connection without a reply")


def _set_lines(change: DeviceChange) -> Iterator[str]:
    yield "set=1"
    yield from change_lines(change)
    yield ""


def _send(connection: socket.socket, lines: Iterable[str]) -> None:
    remaining = iter(lines)
    while piece := list(islice(remaining, _LINES_PER_WRITE)):
        connection.sendall("".join(f"{line}\n" for line in piece).encode("utf-8", "surrogateescape"))


def _receive(connection: socket.socket) -> str:
    """All of a reply: up to its empty line, or what came before the other side hung up."""
    pieces: list[bytes] = []
    size = 0
    # The empty line may arrive in two pieces.
    while (b"".join(pieces[-2:]))[-2:] != b"\n\n" and size <= _MAX_REPLY:
        piece = connection.recv(65536)
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces).decode("utf-8", "surrogateescape")
