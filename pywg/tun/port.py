"""What an engine needs of a TUN device."""

from collections.abc import Sequence
from typing import Protocol


class TunError(Exception):
    """The device could not be opened. The message says why and what to do."""


class TunPort(Protocol):
    """A packet descriptor. Reading and writing never block."""

    vnet_hdr: bool
    """Each packet on the descriptor is preceded by a virtio_net_hdr (Linux, IFF_VNET_HDR)."""

    def fileno(self) -> int:
        """The descriptor; -1 after `close` and where there is none."""

    def read(self, most: int) -> Sequence[bytes | bytearray | memoryview]:
        """Up to about `most` whole IP packets, none if nothing waits. Raises OSError if it died.

        The packets are valid until the next read.
        """

    def write(self, packets: Sequence[bytes | bytearray | memoryview]) -> int:
        """Hand the packets to the kernel; returns how many it refused. Raises OSError if it died."""

    def close(self) -> None:
        """The device goes with its last descriptor. May be called twice."""
