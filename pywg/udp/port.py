"""What an engine needs of a UDP socket."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from pywg.endpoint import Endpoint, Source


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


class UdpPort(Protocol):
    """A bound socket of one family. Sending and receiving never block."""

    def fileno(self) -> int: ...

    def receive(self, most: int) -> Sequence[Datagram]:
        """Up to about `most` datagrams, none if nothing waits. Raises OSError if it died."""

    def send(self, source: Source, datagrams: Sequence[bytes | bytearray | memoryview], tos: int) -> None:
        """Send to `source.endpoint`, from `source.local` through `source.ifindex` where they are known.

        `tos` is the whole TOS / traffic class byte. Raises OSError for the first that could not be sent.
        """

    def set_mark(self, mark: int) -> None:
        """SO_MARK. Raises OSError."""

    def take_errors(self) -> Sequence[IcmpError]:
        """Empty the error queue (IP_RECVERR)."""

    def close(self) -> None: ...
