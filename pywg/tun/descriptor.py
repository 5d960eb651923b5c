"""Any packet descriptor as a TUN device: one read is one IP packet, one write is one IP packet.

Comes in: a descriptor that keeps packet boundaries (a TUN, or one end of a socketpair, which needs no root).
Goes out: batches of packets. Rule kept: a refused packet is counted, a dead descriptor raises.
"""

import errno
import os
from collections.abc import Sequence
from typing import Final

MAX_PACKET: Final = 65535
"""Longest IP packet without jumbograms; a shorter buffer would cut packets in two."""

BATCH_BYTES: Final = 512 * 1024
"""Room for one batch of packets. Reading stops where the longest packet may not fit any more."""

DEAD: Final = frozenset(
    {
        errno.EBADF,
        getattr(errno, "EBADFD", errno.EBADF),  # Linux: the TUN was deleted
        errno.ENODEV,
        errno.ENXIO,
        errno.EPIPE,
        errno.ENOTCONN,
        errno.ECONNREFUSED,  # these two: the other end of a socketpair was closed
        errno.ECONNRESET,
    }
)
"""Errors after which nothing will ever be read or written again. EIO is not among them: that is a TUN
whose link is down."""


class DescriptorTun:
    """A TunPort over `fd`, which it owns and makes non-blocking."""

    vnet_hdr = False

    def __init__(self, fd: int) -> None:
        self._fd = fd
        os.set_blocking(fd, False)
        os.set_inheritable(fd, False)
        self._buffer = memoryview(bytearray(BATCH_BYTES))
        self._whole = [self._buffer]

    def fileno(self) -> int:
        """The descriptor, or -1 after `close`."""
        return self._fd

    def read(self, most: int) -> Sequence[memoryview]:
        """Up to `most` packets, as views that are valid until the next read.

        Raises OSError if the descriptor is dead (see DEAD).
        """
        fd, buffer, readv = self._fd, self._buffer, os.readv
        packets: list[memoryview] = []
        start, last_start = 0, BATCH_BYTES - MAX_PACKET
        room = self._whole
        try:
            while len(packets) < most:
                size = readv(fd, room)
                if not size:
                    # A closed socketpair reads as empty for ever; a TUN never does.
                    if packets:
                        break
                    raise BrokenPipeError(errno.EPIPE, "the other end of the packet descriptor was closed")
                end = start + size
                packets.append(buffer[start:end])
                if end > last_start:
                    break
                start = end
                room = [buffer[end:]]
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno in DEAD and not packets:
                raise
        return packets

    def write(self, packets: Sequence[bytes | bytearray | memoryview]) -> int:
        """Hand each packet to the kernel; returns how many it refused (queue full, link down, malformed).

        Raises OSError if the descriptor is dead (see DEAD).
        """
        fd, write = self._fd, os.write
        refused = 0
        for packet in packets:
            try:
                write(fd, packet)
            except OSError as error:
                if error.errno in DEAD:
                    raise
                refused += 1
        return refused

    def close(self) -> None:
        """Close the descriptor. May be called twice."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
