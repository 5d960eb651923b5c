"""UDP sockets in memory: what arrives, what leaves, what is refused."""

import errno

import pytest

from pywg.endpoint import Endpoint, Source
from pywg.udp.memory import MemoryUdp

OURS = Endpoint("192.0.2.1", 1)
THEIRS = Endpoint("192.0.2.2", 2)


class Network:
    def __init__(self) -> None:
        self.carried: list[tuple[Endpoint, Endpoint, bytes, int]] = []

    def deliver(self, source: Endpoint, destination: Endpoint, data: bytes, tos: int, /) -> None:
        if destination.port == 13:
            raise OSError(errno.ENETUNREACH, "no route")
        self.carried.append((source, destination, data, tos))


def test_out() -> None:
    network = Network()
    udp = MemoryUdp(network, OURS)
    udp.send(Source(THEIRS), [bytearray(b"a"), memoryview(b"b")], 0x88)
    udp.send(Source(THEIRS, OURS.address, 1), [b"c"], 0)
    assert network.carried == [
        (OURS, THEIRS, b"a", 0x88),
        (OURS, THEIRS, b"b", 0x88),
        (OURS, THEIRS, b"c", 0),
    ]
    with pytest.raises(OSError, match="no route"):
        udp.send(Source(THEIRS._replace(port=13)), [b"d"], 0)


def test_a_source_we_no_longer_have_is_refused() -> None:
    network = Network()
    udp = MemoryUdp(network, OURS)
    cached = Source(THEIRS, OURS.address, 1)
    udp.local = Endpoint("198.51.100.1", 1)
    with pytest.raises(OSError, match="not ours") as raised:
        udp.send(cached, [b"a"], 0)
    assert raised.value.errno == errno.EINVAL
    udp.send(Source(THEIRS), [b"a"], 0)
    assert network.carried == [(udp.local, THEIRS, b"a", 0)]


def test_in() -> None:
    woken: list[bool] = []
    udp = MemoryUdp(Network(), OURS, capacity=2, on_readable=lambda: woken.append(True))
    udp.arrive(THEIRS, b"a", tos=0x8B)
    udp.arrive(THEIRS, b"b", to=b"\x01\x02\x03\x04")
    udp.arrive(THEIRS, b"c")
    assert len(woken) == 2
    assert udp.overflowed == 1
    assert udp.readable
    assert udp.receive(1) == [(b"a", Source(THEIRS, OURS.address, 1), 3)]
    assert udp.receive(9) == [(b"b", Source(THEIRS, b"\x01\x02\x03\x04", 1), 0)]
    assert udp.receive(9) == []
    assert not udp.readable


def test_errors_and_mark() -> None:
    udp = MemoryUdp(Network(), OURS)
    udp.arrive_error(THEIRS, errno.ECONNREFUSED)
    assert udp.take_errors() == [(THEIRS, errno.ECONNREFUSED, "")]
    assert udp.take_errors() == []
    udp.set_mark(7)
    assert udp.mark == 7


def test_closed() -> None:
    udp = MemoryUdp(Network(), OURS)
    udp.close()
    udp.arrive(THEIRS, b"a")
    assert not udp.readable
    for use in (
        lambda: udp.receive(1),
        lambda: udp.send(Source(THEIRS), [b"a"], 0),
        lambda: udp.set_mark(1),
    ):
        with pytest.raises(OSError, match="closed"):
            use()
