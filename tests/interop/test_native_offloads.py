"""The native engine and the offloads of a real TUN at both ends: fewer, larger frames, and the same packets.

Comes in: TCP, datagrams that an application has the kernel segment (UDP_SEGMENT) or merge (UDP_GRO), and
single packets, one of them with a wrong checksum. Goes out: what applications get, and the frames a packet
socket sees together with their virtio_net_hdr. Rule: an application can tell that there are offloads only by
its speed, and what does not check is never merged with what does.
"""

import json
import os
import signal
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from pywg.tun.virtio import VIRTIO_NET_HDR
from tests.net.inside import Inside
from tests.netns.daemon import subject
from tests.netns.lab import End, Lab, Tunnel
from tests.netns.traffic import assert_pings, assert_transfers, udp_socket
from tests.netns.wait import until
from tests.tun.segments import Segment, cut, run, with_checksums

T = TypeVar("T")

MEGABYTE = 1_000_000
MTU = 1420
SOL_UDP, UDP_SEGMENT, UDP_GRO = 17, 103, 104
COUNT, SIZE = 30, 1200
PORT = 7000

SOL_PACKET, PACKET_VNET_HDR = 263, 15
ETH_P_ALL = 3
PACKET_OUTGOING = 4
TCP = 6
TO_PORT = PORT.to_bytes(2, "big")


@pytest.fixture
def tunnel(lab_of_both: Lab) -> Tunnel:
    made = lab_of_both.tunnel(subject(), subject(), engines=("native", "native"))
    for inner in (4, 6):
        assert_pings(made.initiator.namespace, made.responder.addresses.inner(inner))
    return made


def in_namespace(end: End, call: Callable[[], T]) -> T:
    """What `call` makes, there."""
    inside = Inside(end.namespace)
    try:
        return inside.run(call)
    finally:
        inside.close()


def moved(end: End, direction: str) -> tuple[int, int]:
    """Bytes and frames that the tunnel's interface gave to pywg (tx) or took from it (rx)."""
    (link,) = json.loads(end.namespace.ip("-j", "-s", "link", "show", "dev", end.daemon.interface))
    figures = link["stats64"][direction]
    return figures["bytes"], figures["packets"]


def mean_frame(before: tuple[int, int], after: tuple[int, int]) -> float:
    return (after[0] - before[0]) / (after[1] - before[1])


@pytest.mark.parametrize("inner", [4, 6], ids=["inner4", "inner6"])
def test_tcp_moves_in_large_frames_on_both_sides(tunnel: Tunnel, inner: int) -> None:
    one, two = tunnel.initiator, tunnel.responder
    for source, target in ((one, two), (two, one)):
        before = moved(source, "tx"), moved(target, "rx")
        address = target.addresses.inner(inner)
        assert_transfers(source.namespace, target.namespace, address, 20 * MEGABYTE)
        assert mean_frame(before[0], moved(source, "tx")) > 3 * MTU, "the kernel left segments to us"
        assert mean_frame(before[1], moved(target, "rx")) > 3 * MTU, "and took merged ones"


# Datagrams.


def datagrams(count: int = COUNT, last: int = 700) -> list[bytes]:
    """All of one size but the last."""
    return [os.urandom(SIZE if number < count - 1 else last) for number in range(count)]


def send_segmented(end: End, address: str, payload: bytes) -> None:
    with udp_socket(end.namespace, "::" if ":" in address else "0.0.0.0") as sender:  # noqa: S104
        sender.setsockopt(SOL_UDP, UDP_SEGMENT, SIZE)
        sender.sendto(payload, (address, PORT))


@pytest.mark.parametrize("inner", [4, 6], ids=["inner4", "inner6"])
def test_a_segmented_send_arrives_as_single_datagrams(tunnel: Tunnel, inner: int) -> None:
    for source, target in ((tunnel.initiator, tunnel.responder), (tunnel.responder, tunnel.initiator)):
        address = target.addresses.inner(inner)
        with udp_socket(target.namespace, address, PORT) as listener:
            for last in (SIZE, 700, 1):
                sent = datagrams(last=last)
                before = moved(source, "tx")
                send_segmented(source, address, b"".join(sent))
                assert [listener.recv(65_535) for _ in sent] == sent
                assert mean_frame(before, moved(source, "tx")) > 20 * SIZE, "the kernel left it to us"


@pytest.mark.parametrize("inner", [4, 6], ids=["inner4", "inner6"])
def test_an_application_may_take_them_merged(tunnel: Tunnel, inner: int) -> None:
    source, target = tunnel.initiator, tunnel.responder
    address = target.addresses.inner(inner)
    with udp_socket(target.namespace, address, PORT) as listener:
        listener.setsockopt(SOL_UDP, UDP_GRO, 1)
        largest = 0
        for _ in range(5):
            sent = b"".join(datagrams())
            send_segmented(source, address, sent)
            got = b""
            while len(got) < len(sent):
                data, messages, _, _ = listener.recvmsg(65_535, socket.CMSG_SPACE(4))
                sizes = [struct.unpack("=i", value)[0] for level, kind, value in messages if level == SOL_UDP]
                assert sizes == [SIZE] or len(data) <= SIZE
                largest = max(largest, len(data))
                got += data
            assert got == sent
        assert largest > 10 * SIZE, "it was merged all the way"


# What must not be merged.


def packet_socket(end: End) -> socket.socket:
    """Sees what the interface of `end` is given, with its virtio_net_hdr."""
    made = in_namespace(
        end, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    )
    made.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    in_namespace(end, lambda: made.bind((end.daemon.interface, ETH_P_ALL)))
    made.settimeout(10)
    return made


def raw_socket(end: End, *, v6: bool) -> socket.socket:
    """Sends packets with the headers they have; the kernel makes no checksum but that of IPv4 itself."""
    family = socket.AF_INET6 if v6 else socket.AF_INET
    return in_namespace(end, lambda: socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW))


def addressed(packets: list[bytes], source: End, target: End, *, v6: bool) -> list[bytes]:
    """The same segments between these ends."""
    inner = 6 if v6 else 4
    family = socket.AF_INET6 if v6 else socket.AF_INET
    pair = b"".join(socket.inet_pton(family, end.addresses.inner(inner)) for end in (source, target))
    start = 8 if v6 else 12
    return [with_checksums(packet[:start] + pair + packet[start + len(pair) :]) for packet in packets]


def stopped(pid: int) -> bool:
    return all("State:\tT" in (task / "status").read_text() for task in Path(f"/proc/{pid}/task").iterdir())


def write_at_once(end: End, packets: list[bytes], address: str, *, v6: bool) -> None:
    """So that pywg finds all of them together: it stands still until they are in the queue of its TUN."""
    pid = end.daemon.process.pid
    with raw_socket(end, v6=v6) as sender:
        os.kill(pid, signal.SIGSTOP)
        try:
            until(lambda: stopped(pid), "it stands still", seconds=10, every=0.002)
            for packet in packets:
                sender.sendto(packet, (address, 0))
        finally:
            os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("v6", [False, True], ids=["inner4", "inner6"])
def test_a_wrong_checksum_is_never_merged(tunnel: Tunnel, *, v6: bool) -> None:
    """One segment of twenty is damaged: it comes out alone and as it is, not made right by a new checksum."""
    source, target = tunnel.initiator, tunnel.responder
    packets = addressed(run(20, Segment(bytes(1000), v6=v6, port=PORT)), source, target, v6=v6)
    with packet_socket(target) as behind:
        frames = through(behind, source, target, packets, v6=v6)
        assert [packet for frame in frames for packet in frame] == packets
        assert max(map(len, frames)) > 5, "they had the chance"
        wrong = packets[9][:-1] + bytes([packets[9][-1] ^ 1])
        packets[9] = wrong
        frames = through(behind, source, target, packets, v6=v6)
    assert [packet for frame in frames for packet in frame] == packets
    assert [wrong] in frames


def through(
    behind: socket.socket, source: End, target: End, packets: list[bytes], *, v6: bool
) -> list[list[bytes]]:
    """What comes out of the tunnel, by frame."""
    write_at_once(source, packets, target.addresses.inner(6 if v6 else 4), v6=v6)
    start = 40 if v6 else 20
    frames: list[list[bytes]] = []
    deadline = time.monotonic() + 20
    while (count := sum(map(len, frames))) < len(packets):
        assert time.monotonic() < deadline, f"{count} of {len(packets)} have come out"
        frame, _, _, where = behind.recvmsg(70_000)
        packet = frame[VIRTIO_NET_HDR.size :]
        protocol = packet[6] if v6 else packet[9]
        # Not the RST the kernel answers with.
        if where[2] != PACKET_OUTGOING and protocol == TCP and packet[start + 2 : start + 4] == TO_PORT:
            frames.append(in_frame(frame, start))
    return frames


def in_frame(frame: bytes, start: int) -> list[bytes]:
    """The packets of a frame. What the kernel says of its own buffers is left aside."""
    flags, kind, _, size, checksum_from, offset = VIRTIO_NET_HDR.unpack_from(frame)
    packet = frame[VIRTIO_NET_HDR.size :]
    if kind == 0:
        assert not flags & 1, "whoever reads it must check it"
        return [packet]
    header = start + (packet[start + 12] >> 4) * 4
    return cut([VIRTIO_NET_HDR.pack(flags & 1, kind, header, size, checksum_from, offset), packet])
