"""What an engine needs of a UDP socket."""

import errno
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol, Self

from pywg.endpoint import Endpoint, Source

DEAD: Final = frozenset({errno.EBADF, errno.ENOTSOCK})
"""Errors by which the socket itself is gone."""


class Datagram(NamedTuple):
    """One received datagram. `data` is valid until the next receive."""

    data: bytes | memoryview
    source: Source
    ecn: int
    """The two ECN bits of the outer header (RFC 6040)."""


class IcmpError(NamedTuple):
    """What the error queue told of a datagram sent to `endpoint`."""

    endpoint: Endpoint
    errno: int
    offender: str = ""
    """Address of the router or host that refused it, where known."""


class SendError(OSError):
    """A send that stopped part of the way: `sent` datagrams of the batch did go out, the next did not."""

    sent: int = 0

    @classmethod
    def after(cls, sent: int, error: OSError) -> Self:
        """`error`, met when `sent` datagrams had gone out."""
        partial = cls(error.errno, error.strerror)
        partial.sent = sent
        return partial


class UdpPort(Protocol):
    """A bound socket of one family. Sending and receiving never block."""

    def fileno(self) -> int:
        """The descriptor; -1 after `close` and where there is none."""

    def receive(self, most: int) -> Sequence[Datagram]:
        """Up to about `most` datagrams, none if nothing waits. Raises OSError if it died."""

    def send(self, source: Source, datagrams: Sequence[bytes | bytearray | memoryview], tos: int) -> None:
        """Send to `source.endpoint`, from `source.local` through `source.ifindex` where they are known.

        `tos` is the whole TOS / traffic class byte. Raises OSError for the first that could not be sent, as
        SendError where some before it were; the rest of the batch was not tried. EINVAL, ENETUNREACH,
        EADDRNOTAVAIL or ENODEV may mean that the cached source is gone: clear it, send the rest again.
        """

    def set_mark(self, mark: int) -> None:
        """SO_MARK. Raises OSError."""

    def take_errors(self) -> Sequence[IcmpError]:
        """Empty the error queue (IP_RECVERR)."""

    def route_changed(self) -> None:
        """A route or an MTU changed: what was remembered of them counts no more."""

    def status(self) -> Mapping[str, str]:
        """Offloads and buffers in use, for ``get_status``."""

    def close(self) -> None:
        """May be called twice."""
