"""A TUN device in memory, for the simulator and for tests: two queues of packets.

Comes in: packets the test puts in with `inject`, as an application would send them. Goes out: packets the
engine wrote, taken with `take`. Nothing happens by itself, so that a run can be replayed.
"""

import errno
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

CAPACITY: Final = 1024
"""Packets either queue holds, like the kernel's transmit queue. More are dropped and counted."""


class MemoryTun:
    """A TunPort whose two queues the test sees. `on_readable` is called when a packet was injected."""

    vnet_hdr = False

    def __init__(self, capacity: int = CAPACITY, on_readable: Callable[[], None] | None = None) -> None:
        self.on_readable = on_readable
        self.overflowed = 0
        """Injected packets that found the queue full."""
        self.closed = False
        self._capacity = capacity
        self._inbound: deque[bytes] = deque()
        self._written: deque[bytes] = deque()

    def fileno(self) -> int:
        """There is no descriptor: the simulator's reactor goes by the object."""
        return -1

    def inject(self, packet: bytes) -> None:
        """An application sends `packet` into the tunnel."""
        if len(self._inbound) >= self._capacity:
            self.overflowed += 1
            return
        self._inbound.append(bytes(packet))
        if self.on_readable is not None:
            self.on_readable()

    def take(self) -> list[bytes]:
        """What the engine delivered since the last call, oldest first."""
        taken = list(self._written)
        self._written.clear()
        return taken

    @property
    def readable(self) -> bool:
        return bool(self._inbound)

    def read(self, most: int) -> Sequence[bytes]:
        """See TunPort. Raises OSError (EBADF) after `close`."""
        self._check_open()
        inbound = self._inbound
        return [inbound.popleft() for _ in range(min(most, len(inbound)))]

    def write(self, packets: Sequence[bytes | bytearray | memoryview]) -> int:
        """See TunPort: what does not fit is refused. Raises OSError (EBADF) after `close`."""
        self._check_open()
        room = self._capacity - len(self._written)
        self._written.extend(bytes(packet) for packet in packets[:room])
        return max(0, len(packets) - room)

    def close(self) -> None:
        self.closed = True
        self._inbound.clear()

    def _check_open(self) -> None:
        if self.closed:
            raise OSError(errno.EBADF, "the memory TUN was closed")
