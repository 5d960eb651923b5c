"""Questions to the kernel about links, addresses, routes and rules of our network namespace, and its answers.

In: messages of `netlink`. Out: payloads of the answers. Rules kept: nothing is changed; a question that the
kernel refuses has no answer; no wait is without end. Without pyroute2, whose import takes longer than this.
"""

import socket
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Final, Self

from pywg.net.netlink import NLMSG_DONE, NLMSG_ERROR, messages

Question = Callable[[int], bytes]
"""Makes the message with this sequence number."""

_READ_SIZE: Final = 1 << 16
_TIMEOUT: Final = 5.0


class RtnetlinkQuestions:
    """A socket for questions. Raises OSError where there is no netlink, and if no answer comes in time."""

    def __init__(self) -> None:
        self._sequence = 0
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.settimeout(_TIMEOUT)
        self._socket.bind((0, 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """May be called twice."""
        self._socket.close()

    def one(self, question: Question) -> bytes | None:
        """The answer to a question that has one."""
        return next(self.all(question), None)

    def all(self, question: Question) -> Iterator[bytes]:
        """The answers to a question that asks for a listing, as they come."""
        self._sequence += 1
        sequence = self._sequence
        self._socket.send(question(sequence))
        while True:
            for message in messages(self._socket.recv(_READ_SIZE)):
                if message.sequence != sequence:
                    continue
                if message.kind in {NLMSG_DONE, NLMSG_ERROR}:
                    return
                yield message.payload
