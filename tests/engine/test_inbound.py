"""UDP to TUN: opening, replay, inner checks, crypto-routing, ECN, and what is counted."""

import os
import struct

import pytest

from pywg.engine.contract import Drop
from tests.engine.packets import checksum, ipv4, ipv6
from tests.engine.rig import FarPeer, Rig, Session


@pytest.fixture
def session(rig: Rig, peer: FarPeer) -> Session:
    return rig.connect(peer)


def test_packet_is_delivered_without_its_padding(rig: Rig, peer: FarPeer, session: Session) -> None:
    for packet in (ipv4(payload=b"abc"), ipv6(payload=b"abc"), ipv4(), ipv6()):
        peer.send(session.seal(packet + bytes(-len(packet) % 16)))
        assert rig.read() == packet
    assert rig.drops(peer) == {}


def test_many_in_a_row_in_order(rig: Rig, peer: FarPeer, session: Session) -> None:
    packets = [ipv4(payload=number.to_bytes(1400, "big")) for number in range(200)]
    for packet in packets:
        peer.send(session.seal(packet))
    assert [rig.read() for _ in packets] == packets


def test_rx_bytes_are_udp_payload_of_all_that_is_authentic(rig: Rig, peer: FarPeer, session: Session) -> None:
    peer.send(session.seal(b""))
    peer.send(session.seal(ipv4(payload=bytes(12))))
    peer.send(session.seal(b"no ip"))
    peer.send(session.seal(ipv4("10.9.9.9")))
    rig.read()
    rig.wait_for_drop(Drop.SOURCE_NOT_ALLOWED, peer)
    assert rig.counters(peer).rx_bytes == 32 + 64 + 37 + 52


def test_keepalive_is_not_delivered(rig: Rig, peer: FarPeer, session: Session) -> None:
    peer.send(session.seal(b""))
    rig.wait(lambda: rig.engine.counters(peer.id).rx_bytes == 32)
    assert rig.delivers_nothing()
    assert rig.drops(peer) == {}


def test_replay_is_refused_and_reordering_is_not(rig: Rig, peer: FarPeer, session: Session) -> None:
    datagrams = [
        session.seal(ipv4(payload=bytes([number])), counter) for number, counter in enumerate((5, 3, 4, 8197))
    ]
    for datagram in datagrams:
        peer.send(datagram)
        rig.read()
    peer.send(datagrams[1])
    rig.wait_for_drop(Drop.REPLAY, peer, 1)
    peer.send(session.seal(ipv4(), 8197 - 8129))
    rig.wait_for_drop(Drop.REPLAY, peer, 2)
    peer.send(session.seal(ipv4(), 8197 - 8128))
    assert rig.read()


def test_forgery_does_not_move_the_window(rig: Rig, peer: FarPeer, session: Session) -> None:
    forged = bytearray(session.seal(ipv4(), 1_000_000))
    forged[-1] ^= 1
    peer.send(bytes(forged))
    rig.wait_for_drop(Drop.AEAD_FAILURE, peer)
    peer.send(session.seal(ipv4(), 0))
    assert rig.read() == ipv4()


@pytest.mark.parametrize("at", [8, 15, 16, 20, 51])
def test_no_byte_may_change(rig: Rig, peer: FarPeer, session: Session, at: int) -> None:
    datagram = bytearray(session.seal(ipv4()))
    datagram[at] ^= 1 if at != 15 else 0x40
    peer.send(bytes(datagram))
    rig.wait_for_drop(Drop.AEAD_FAILURE, peer)
    assert rig.delivers_nothing()


def test_unknown_index(rig: Rig, peer: FarPeer, session: Session) -> None:
    datagram = bytearray(session.seal(ipv4()))
    datagram[4] ^= 1
    peer.send(bytes(datagram))
    rig.wait_for_drop(Drop.UNKNOWN_INDEX)


@pytest.mark.parametrize("size", [0, 1, 3, 4, 15, 16, 31])
def test_too_short(rig: Rig, peer: FarPeer, session: Session, size: int) -> None:
    peer.send(session.seal(ipv4())[:size])
    rig.wait_for_drop(Drop.BAD_SIZE)


@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_reserved_bytes_are_zero(rig: Rig, peer: FarPeer, session: Session, at: int) -> None:
    datagram = bytearray(session.seal(ipv4()))
    datagram[at] ^= 0x10
    peer.send(bytes(datagram))
    rig.wait_for_drop(Drop.BAD_SIZE)


def test_rubbish_is_counted_and_answered_by_nothing(rig: Rig, peer: FarPeer, session: Session) -> None:
    count = 500
    for number in range(count):
        peer.send(os.urandom(number % 200))
        if number % 50 == 0:
            rig.settle()
    rig.wait(lambda: sum(rig.engine.drops(None).values()) == count)
    assert peer.hears_nothing()
    assert rig.delivers_nothing()
    assert not rig.engine.take_handshakes(10)


# The inner header: security.md's row "Inner length".


@pytest.mark.parametrize(
    ("claimed", "delivered"),
    [(0, None), (19, None), (20, 20), (63, 63), (64, 64), (65, None), (65535, None)],
)
def test_ipv4_length(rig: Rig, peer: FarPeer, session: Session, claimed: int, delivered: int | None) -> None:
    packet = ipv4(payload=bytes(44), length=claimed)
    peer.send(session.seal(packet))
    if delivered is None:
        rig.wait_for_drop(Drop.MALFORMED_INNER, peer)
        assert rig.delivers_nothing()
    else:
        assert rig.read() == packet[:delivered]


@pytest.mark.parametrize(
    ("claimed", "delivered"),
    [(0, 40), (23, 63), (24, 64), (25, None), (65495, None), (65496, None), (65535, None)],
)
def test_ipv6_length(rig: Rig, peer: FarPeer, session: Session, claimed: int, delivered: int | None) -> None:
    packet = ipv6(payload=bytes(24), length=claimed)
    peer.send(session.seal(packet))
    if delivered is None:
        rig.wait_for_drop(Drop.MALFORMED_INNER, peer)
        assert rig.delivers_nothing()
    else:
        assert rig.read() == packet[:delivered]


@pytest.mark.parametrize("version", [version for version in range(16) if version not in {4, 6}])
def test_other_versions(rig: Rig, peer: FarPeer, session: Session, version: int) -> None:
    peer.send(session.seal(bytes([version << 4 | 5]) + ipv4(payload=bytes(44))[1:]))
    rig.wait_for_drop(Drop.MALFORMED_INNER, peer)
    assert rig.delivers_nothing()


@pytest.mark.parametrize("payload", [b"\x45", ipv4()[:19], ipv6()[:39], ipv6()[:20]], ids=len)
def test_cut_headers(rig: Rig, peer: FarPeer, session: Session, payload: bytes) -> None:
    peer.send(session.seal(payload))
    rig.wait_for_drop(Drop.MALFORMED_INNER, peer)


# Crypto-routing.


def test_source_must_belong_to_the_peer_in_the_whole_table(rig: Rig) -> None:
    """One has a /16, the other a /32 inside it: the former may not speak for the latter, but still roams."""
    wide, narrow = rig.add("10.1.0.0/16"), rig.add("10.1.2.3/32")
    session = rig.connect(wide, 0x100)
    rig.connect(narrow, 0x200)
    wide.send(session.seal(ipv4("10.1.2.4")))
    assert rig.read() == ipv4("10.1.2.4")
    wide.roam()
    wide.send(session.seal(ipv4("10.1.2.3")))
    rig.wait_for_drop(Drop.SOURCE_NOT_ALLOWED, wide)
    assert rig.delivers_nothing()
    source = rig.source(wide)
    assert source is not None
    assert source.endpoint == wide.endpoint


def test_source_outside_all_prefixes(rig: Rig, peer: FarPeer, session: Session) -> None:
    for packet in (ipv4("10.0.0.3"), ipv6("fd00::3")):
        peer.send(session.seal(packet))
    rig.wait_for_drop(Drop.SOURCE_NOT_ALLOWED, peer, 2)
    assert rig.delivers_nothing()


# ECN, RFC 6040 as the kernel does it.


@pytest.mark.parametrize(
    "marks",  # inside, outside, delivered
    [
        (0, 0, 0), (0, 1, 0), (0, 2, 0), (0, 3, 0),
        (1, 0, 1), (1, 1, 1), (1, 2, 1), (1, 3, 3),
        (2, 0, 2), (2, 1, 1), (2, 2, 2), (2, 3, 3),
        (3, 0, 3), (3, 1, 3), (3, 2, 3), (3, 3, 3),
    ],
)  # fmt: skip
def test_mark_of_the_way_comes_in(
    rig: Rig, peer: FarPeer, session: Session, marks: tuple[int, int, int]
) -> None:
    inner, outer, delivered = marks
    peer.send(session.seal(ipv4(payload=b"data", tos=0xB8 | inner)), tos=outer)
    packet = rig.read()
    assert packet == ipv4(payload=b"data", tos=0xB8 | delivered)
    assert checksum(packet[:20]) == 0
    peer.send(session.seal(ipv6(payload=b"data", traffic_class=0xB8 | inner)), tos=outer)
    assert rig.read() == ipv6(payload=b"data", traffic_class=0xB8 | delivered)


def test_mark_over_an_ipv6_path(rig: Rig) -> None:
    peer = rig.add("10.0.0.2/32", host="::1")
    session = rig.connect(peer)
    peer.send(session.seal(ipv4(tos=2)), tos=3)
    assert rig.read() == ipv4(tos=3)


def test_peers_in_turns_in_one_batch(rig: Rig) -> None:
    peers = [rig.add(f"10.0.0.{number}/32") for number in (2, 3)]
    sessions = [rig.connect(peer, 0x100 * number) for number, peer in enumerate(peers, 1)]
    packets = [ipv4(f"10.0.0.{2 + number % 2}", payload=struct.pack("!I", number)) for number in range(20)]
    for number, packet in enumerate(packets):
        peers[number % 2].send(sessions[number % 2].seal(packet))
    received = sorted(rig.read()[20:] for _ in packets)
    assert received == [packet[20:] for packet in packets]
    for peer in peers:
        assert rig.counters(peer).rx_bytes == 10 * (24 + 32)
