"""The Python engine's last step, with a socket that refuses on demand: what real sockets do too rarely.

Not part of the contract's suite: it looks at one part of one engine.
"""

import errno
from collections.abc import Mapping, Sequence

import pytest

from pywg.endpoint import Endpoint, Source
from pywg.engine.contract import Drop, Failure, PeerId, UdpSockets
from pywg.engine.peer_state import PeerState
from pywg.engine.plane import Plane
from pywg.engine.transmit import Transmitter
from pywg.protocol.constants import Limits
from pywg.tun.memory import MemoryTun
from pywg.udp.port import Datagram, IcmpError, SendError
from tests.engine.rig import ManualClock

ENDPOINT = Endpoint("192.0.2.1", 51820)
STICKY = Source(ENDPOINT, bytes([192, 0, 2, 9]), 3)
ELSEWHERE = Endpoint("192.0.2.2", 51820)


class RefusingPort:
    """Answers each send with the next of `script`: how many to take, and then which error."""

    def __init__(self, *script: tuple[int, int]) -> None:
        self.script = list(script)
        self.sent: list[bytes] = []
        self.sources: list[Source] = []
        self.errors: list[IcmpError] = []

    def fileno(self) -> int:
        return -1

    def send(self, source: Source, datagrams: Sequence[bytes | bytearray | memoryview], tos: int) -> None:
        self.sources.append(source)
        taken, code = self.script.pop(0) if self.script else (len(datagrams), 0)
        self.sent += [bytes(datagram) for datagram in datagrams[:taken]]
        if code and taken:
            error = SendError(code, "scripted")
            error.sent = taken
            raise error
        if code:
            raise OSError(code, "scripted")

    def receive(self, most: int) -> Sequence[Datagram]:
        return ()

    def set_mark(self, mark: int) -> None:
        return

    def take_errors(self) -> Sequence[IcmpError]:
        taken, self.errors = self.errors, []
        return taken

    def route_changed(self) -> None:
        return

    def status(self) -> Mapping[str, str]:
        return {}

    def close(self) -> None:
        return


class Bench:
    """A transmitter with one peer."""

    def __init__(self, *script: tuple[int, int]) -> None:
        self.port = RefusingPort(*script)
        self.plane = Plane(limits=Limits(), clock=ManualClock(), mtu=1420, tun=MemoryTun())
        self.plane.sockets = UdpSockets(v4=self.port, v6=None, port=51820)
        self.transmitter = Transmitter(self.plane)
        self.peer = PeerState(PeerId(1))
        self.plane.move(self.peer, STICKY)

    def send(self, *datagrams: bytes) -> None:
        self.transmitter.to_peer(self.peer, datagrams, 0)


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.ENODEV])
@pytest.mark.parametrize("taken", [0, 1, 2])
def test_a_source_that_is_gone_costs_nothing_and_nothing_goes_twice(code: int, taken: int) -> None:
    # ENETUNREACH may be an old ICMP error as well: it is tried once more with the source before.
    attempts = 2 if code == errno.ENETUNREACH else 1
    bench = Bench((taken, code), *[(0, code)] * (attempts - 1))
    bench.send(b"a", b"bb", b"ccc")
    assert bench.port.sent == [b"a", b"bb", b"ccc"]
    assert bench.port.sources == [STICKY] * attempts + [Source(ENDPOINT)]
    assert bench.peer.source == Source(ENDPOINT)
    assert bench.peer.tx_bytes == 6
    assert not bench.peer.drops


def test_without_a_cached_source_it_is_an_error() -> None:
    bench = Bench((1, errno.EINVAL))
    bench.plane.clear_source(bench.peer)
    bench.send(b"a", b"bb", b"ccc")
    assert bench.port.sent == [b"a"]
    assert bench.peer.tx_bytes == 1
    assert bench.peer.drops == {Drop.SEND_ERROR: 2}


@pytest.mark.parametrize("code", [errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES])
def test_an_icmp_error_is_laid_to_its_peer_and_the_rest_sent(code: int) -> None:
    bench = Bench((1, code), (1, code))
    other = PeerState(PeerId(2))
    bench.plane.move(other, Source(ELSEWHERE))
    bench.port.errors = [IcmpError(ELSEWHERE, code), IcmpError(Endpoint("192.0.2.3", 1), code)]
    bench.send(b"a", b"bb", b"ccc")
    assert bench.port.sent == [b"a", b"bb", b"ccc"]
    assert (other.icmp_errors, bench.peer.icmp_errors) == ({code: 1}, {})
    assert bench.peer.source == STICKY
    assert not bench.peer.drops


@pytest.mark.parametrize(
    "code", [errno.EAGAIN, errno.EINTR, errno.ENOBUFS, errno.EPERM, errno.EMSGSIZE, errno.ECONNREFUSED]
)
def test_what_keeps_failing_is_counted(code: int) -> None:
    bench = Bench(*[(0, code)] * 9)
    bench.send(b"a", b"bb")
    assert bench.peer.drops == {Drop.SEND_ERROR: 2}
    assert bench.peer.tx_bytes == 0
    assert bench.plane.mailbox.take_failure() is None
    assert len(bench.port.sources) <= 2 * 2, "at most twice a datagram"


def test_a_dead_socket_is_told_of() -> None:
    bench = Bench((0, errno.EBADF))
    bench.send(b"a")
    assert bench.plane.mailbox.take_failure() == Failure("udp4", errno.EBADF)
    assert bench.peer.drops == {Drop.SEND_ERROR: 1}


def test_endpoint_that_moved_away_is_not_blamed() -> None:
    bench = Bench()
    bench.plane.move(bench.peer, Source(ELSEWHERE))
    bench.port.errors = [IcmpError(ENDPOINT, errno.ECONNREFUSED)]
    bench.transmitter.drain_errors(bench.port)
    assert bench.peer.icmp_errors == {}
