"""UDP sockets in memory, for the simulator and for tests: a MemoryNetwork joins them.

Comes in: datagrams the network puts in with `arrive`. Goes out: datagrams, through the network's `deliver`.
The network is the test's own object: it decides on loss, delay, duplication and addresses. Nothing happens by
itself, so that a run can be replayed from its seed.
"""

import errno
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from pywg.endpoint import Endpoint, Source
from pywg.udp.port import Datagram, IcmpError

CAPACITY: Final = 4096
"""Datagrams that wait in a socket, like the kernel's receive buffer. More are dropped and counted."""


class MemoryNetwork(Protocol):
    """What carries datagrams between memory sockets."""

    def deliver(self, source: Endpoint, destination: Endpoint, data: bytes, tos: int, /) -> None:
        """Take a datagram on its way. May raise OSError, as a send can."""


class MemoryUdp:
    """A UdpPort at `local`. `on_readable` is called when a datagram arrived.

    A test that lets a machine roam sets `local`, and reads `mark`.
    """

    def __init__(
        self,
        network: MemoryNetwork,
        local: Endpoint,
        *,
        ifindex: int = 1,
        capacity: int = CAPACITY,
        on_readable: Callable[[], None] | None = None,
    ) -> None:
        self.network = network
        self.local = local
        self.ifindex = ifindex
        self.on_readable = on_readable
        self.mark = 0
        self.overflowed = 0
        """Datagrams that found the queue full."""
        self.closed = False
        self._capacity = capacity
        self._arrived: deque[Datagram] = deque()
        self._errors: deque[IcmpError] = deque(maxlen=capacity)

    def fileno(self) -> int:
        """There is no descriptor: the simulator's reactor goes by the object."""
        return -1

    def arrive(self, origin: Endpoint, data: bytes, *, tos: int = 0, to: bytes | None = None) -> None:
        """The network brings `data` from `origin`, sent to our address `to` (packed; that of `local`)."""
        if self.closed:
            return
        if len(self._arrived) >= self._capacity:
            self.overflowed += 1
            return
        source = Source(origin, self.local.address if to is None else to, self.ifindex)
        self._arrived.append(Datagram(bytes(data), source, tos & 3))
        if self.on_readable is not None:
            self.on_readable()

    def arrive_error(self, endpoint: Endpoint, code: int) -> None:
        """The network tells that a datagram to `endpoint` came to nothing, with errno `code`."""
        self._errors.append(IcmpError(endpoint, code))

    @property
    def readable(self) -> bool:
        return bool(self._arrived)

    def receive(self, most: int) -> Sequence[Datagram]:
        """See UdpPort. Raises OSError (EBADF) after `close`."""
        self._check_open()
        arrived = self._arrived
        return [arrived.popleft() for _ in range(min(most, len(arrived)))]

    def send(self, source: Source, datagrams: Sequence[bytes | bytearray | memoryview], tos: int) -> None:
        """See UdpPort. Raises OSError (EBADF) after `close`, and what the network raises."""
        self._check_open()
        origin = self.local
        if source.local and source.local != origin.address:
            # As the kernel answers to a source address the machine does not have any more.
            raise OSError(errno.EINVAL, "the source address is not ours")
        for datagram in datagrams:
            self.network.deliver(origin, source.endpoint, bytes(datagram), tos)

    def set_mark(self, mark: int) -> None:
        self._check_open()
        self.mark = mark

    def take_errors(self) -> Sequence[IcmpError]:
        taken = list(self._errors)
        self._errors.clear()
        return taken

    def route_changed(self) -> None:
        """See UdpPort: nothing is remembered here."""

    def status(self) -> Mapping[str, str]:
        """See UdpPort."""
        return {"udp": "memory"}

    def close(self) -> None:
        self.closed = True
        self._arrived.clear()

    def _check_open(self) -> None:
        if self.closed:
            raise OSError(errno.EBADF, "the memory socket was closed")
