"""A conversation with one family of generic netlink: changes that are acknowledged, and listings.

In: a command of the family with its attributes. Out: the attributes of the answers. Rules kept: every wait
has an end; only the kernel is listened to; a listing that was overtaken by a change is asked for again; no
request comes back inside an error. Sources: netlink(7), linux/netlink.h, linux/genetlink.h.
"""

import errno
import os
import socket
import struct
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Self

from pywg.net.netlink import (
    NLM_F_ACK,
    NLM_F_DUMP,
    NLM_F_DUMP_INTR,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_ERROR,
    SOL_NETLINK,
    Message,
    attributes,
    build_attribute,
    build_message,
    messages,
)

_NETLINK_GENERIC: Final = 16  # no constant of the socket module
_NETLINK_CAP_ACK: Final = 10
_CONTROLLER: Final = 16  # the one family whose number is fixed (GENL_ID_CTRL)
_GET_FAMILY: Final = 3
_FAMILY_ID: Final = 1
_FAMILY_NAME: Final = 2

_HEADER: Final = struct.Struct("=BBxx")  # command, version
_VERSION: Final = 1
_UINT16: Final = struct.Struct("=H")
_KERNEL: Final = 0  # as a port
_BUFFER: Final = 1 << 16
"""The kernel makes no message of a listing larger than half of it."""


class NoFamilyError(Exception):
    """The kernel does not have the family, nor a module it could load."""


class InterruptedDumpError(Exception):
    """What is listed has changed while it was listed."""


class GenericNetlink:
    """One family. A context manager that closes its socket."""

    def __init__(self, family: str, timeout: float) -> None:
        """`timeout`: seconds of silence. Raises NoFamilyError, OSError."""
        self._timeout = timeout
        self._sequence = 0
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_GENERIC
        )
        try:
            self._socket.settimeout(timeout)
            self._socket.bind((0, 0))
            # An error does not repeat the request, which may hold keys.
            self._socket.setsockopt(SOL_NETLINK, _NETLINK_CAP_ACK, 1)
            self._family = self._find(family)
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def change(self, command: int, body: bytes) -> None:
        """Carry out a command. Raises OSError with the kernel's errno, TimeoutError."""
        for _ in self._ask(self._family, NLM_F_ACK, command, body):
            pass

    def dump(self, command: int, body: bytes) -> list[bytes]:
        """Attributes of each message of a listing. Raises OSError as `change` does."""
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                return list(self._ask(self._family, NLM_F_DUMP, command, body))
            except InterruptedDumpError:
                if time.monotonic() >= deadline:
                    raise TimeoutError from None

    def _find(self, family: str) -> int:
        name = build_attribute(_FAMILY_NAME, family.encode() + b"\0")
        try:
            answers = list(self._ask(_CONTROLLER, NLM_F_ACK, _GET_FAMILY, name))
        except FileNotFoundError:
            raise NoFamilyError(family) from None
        return int(_UINT16.unpack(attributes(answers[0])[_FAMILY_ID])[0])

    def _ask(self, family: int, flags: int, command: int, body: bytes) -> Iterator[bytes]:
        self._sequence += 1
        content = _HEADER.pack(command, _VERSION) + body
        self._socket.sendto(
            build_message(family, NLM_F_REQUEST | flags, self._sequence, content), (_KERNEL, 0)
        )
        interrupted = False
        for message in self._answers():
            interrupted |= bool(message.flags & NLM_F_DUMP_INTR)
            if message.kind in {NLMSG_ERROR, NLMSG_DONE}:
                # Both hold a code: an error is the acknowledgement too, and the end of a listing may be one.
                if message.error:
                    raise OSError(message.error, os.strerror(message.error))
                break
            yield message.payload[_HEADER.size :]
        if interrupted:
            raise InterruptedDumpError

    def _answers(self) -> Iterator[Message]:
        """Messages to the last request, without end."""
        while True:
            data, _, flags, (port, _) = self._socket.recvmsg(_BUFFER)
            if flags & socket.MSG_TRUNC:
                raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))
            if port == _KERNEL:
                yield from (each for each in messages(data) if each.sequence == self._sequence)
