"""Packet descriptors, with socketpairs in place of a TUN: no root needed."""

import errno
import os
import socket
from collections.abc import Iterator

import pytest

from pywg.tun.descriptor import BATCH_BYTES, MAX_PACKET, DescriptorTun


@pytest.fixture
def pair() -> Iterator[tuple[DescriptorTun, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    tun = DescriptorTun(ours.detach())
    theirs.settimeout(2)
    yield tun, theirs
    tun.close()
    theirs.close()


def test_packets_keep_their_boundaries(pair: tuple[DescriptorTun, socket.socket]) -> None:
    tun, application = pair
    assert tun.read(8) == []
    packets = [bytes([size % 256]) * size for size in (1, 20, 1420, 9000)]
    for packet in packets:
        application.send(packet)
    assert list(map(bytes, tun.read(8))) == packets
    assert tun.write(packets) == 0
    assert [application.recv(MAX_PACKET) for _ in packets] == packets


def test_most_is_kept(pair: tuple[DescriptorTun, socket.socket]) -> None:
    tun, application = pair
    for number in range(5):
        application.send(bytes([number]))
    assert [len(tun.read(2)) for _ in range(4)] == [2, 2, 1, 0]


def test_a_batch_of_the_longest_packets_is_split_and_not_cut(
    pair: tuple[DescriptorTun, socket.socket],
) -> None:
    tun, application = pair
    application.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
    application.setblocking(False)
    sent = []
    try:
        for number in range(64):
            application.send(bytes([number]) * MAX_PACKET)
            sent.append(number)
    except BlockingIOError:
        pass
    seen: list[int] = []
    while batch := tun.read(64):
        assert {len(packet) for packet in batch} == {MAX_PACKET}
        assert len(batch) <= BATCH_BYTES // MAX_PACKET
        seen += [packet[0] for packet in batch]
    assert seen == sent


def test_refused_packets_are_counted(pair: tuple[DescriptorTun, socket.socket]) -> None:
    tun, application = pair
    refused = tun.write([bytes(100)] * 1000)
    application.setblocking(False)
    arrived = 0
    try:
        while application.recv(200):
            arrived += 1
    except BlockingIOError:
        pass
    assert refused > 0
    assert refused + arrived == 1000


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_SEQPACKET])
def test_the_other_end_is_gone(kind: socket.SocketKind) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    tun = DescriptorTun(ours.detach())
    theirs.send(b"last words")
    theirs.close()
    if kind == socket.SOCK_SEQPACKET:
        assert list(map(bytes, tun.read(4))) == [b"last words"]
        with pytest.raises(OSError, match="closed"):
            tun.read(4)
    with pytest.raises(OSError, match=r"refused|pipe|reset"):
        tun.write([b"x"])
    tun.close()


def test_closed_twice_closes_once(pair: tuple[DescriptorTun, socket.socket]) -> None:
    tun, application = pair
    fd = tun.fileno()
    tun.close()
    # Somebody else gets the number now; the second close must leave it alone.
    reused = os.dup2(application.fileno(), fd)
    tun.close()
    os.fstat(reused)
    os.close(reused)
    assert tun.fileno() == -1
    for use in (lambda: tun.read(1), lambda: tun.write([b"x"])):
        with pytest.raises(OSError, match="descriptor") as raised:
            use()
        assert raised.value.errno == errno.EBADF


def test_descriptor_is_non_blocking_and_not_inherited(pair: tuple[DescriptorTun, socket.socket]) -> None:
    tun, _ = pair
    assert not os.get_blocking(tun.fileno())
    assert not os.get_inheritable(tun.fileno())
