"""The native engine and the frames of a TUN with offloads: any virtio_net_hdr, any packet behind it.

Comes in: frames as the kernel leaves them and frames as it never would. Goes out: the packets an independent
cutter makes of the former (tests/tun/segments.py); of the latter nothing but a count. The Python engine reads
such frames from a real TUN only, where it has the kernel cut them, so this is about the native one alone.
"""

import struct
from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest

from pywg.engine.contract import Drop
from pywg.tun.virtio import NEEDS_CSUM, PLAIN, TCPV4, TCPV6, VIRTIO_NET_HDR
from tests.engine.packets import ipv4, ipv6
from tests.engine.rig import FarPeer, Rig, Session
from tests.needs import need_engine
from tests.tun.segments import ACK, FIN, PSH, Segment, checksum, cut, ones_sum

TCP, UDP = 6, 17
UDP_L4 = 5
ECN = 0x80
OURS_V4, OURS_V6 = "10.0.0.1", "fd00::1"
THEIRS_V4, THEIRS_V6 = "10.0.0.2", "fd00::2"


@pytest.fixture
def rig() -> Iterator[Rig]:
    need_engine("native")
    made = Rig("native", vnet_hdr=True)
    yield made
    made.close()


@pytest.fixture
def peer(rig: Rig) -> FarPeer:
    return rig.add(f"{THEIRS_V4}/32", f"{THEIRS_V6}/128")


@pytest.fixture
def session(rig: Rig, peer: FarPeer) -> Session:
    return rig.connect(peer)


def pseudo_sum(packet: bytes, protocol: int) -> bytes:
    """What the kernel leaves in the checksum field of an unfinished packet."""
    v4 = packet[0] >> 4 == 4
    start = 20 if v4 else 40
    addresses = packet[12:20] if v4 else packet[8:40]
    return ones_sum(addresses + struct.pack("!IHBB", len(packet) - start, 0, 0, protocol)).to_bytes(2, "big")


def tcp_frame(segment: Segment, size: int, *, ecn: int = 0) -> bytes:
    """All of the segment's payload as one frame, to be cut to `size` bytes each."""
    packet = bytes(segment)
    start = 40 if segment.v6 else 20
    packet = packet[: start + 16] + pseudo_sum(packet, TCP) + packet[start + 18 :]
    kind = TCPV6 if segment.v6 else TCPV4
    header = start + 20 + len(segment.options)
    return VIRTIO_NET_HDR.pack(NEEDS_CSUM, kind | ecn, header, size, start, 16) + packet


def udp_packet(payload: bytes, *, v6: bool) -> bytes:
    """A whole UDP packet with a right checksum."""
    datagram = struct.pack("!HHHH", 4000, 5000, 8 + len(payload), 0) + payload
    make = (
        ipv6(OURS_V6, THEIRS_V6, datagram, protocol=UDP)
        if v6
        else ipv4(OURS_V4, THEIRS_V4, datagram, protocol=UDP)
    )
    start = 40 if v6 else 20
    addresses = make[8:40] if v6 else make[12:20]
    pseudo = addresses + struct.pack("!IHBB", len(datagram), 0, 0, UDP)
    return make[: start + 6] + checksum(pseudo + datagram) + make[start + 8 :]


def udp_frame(payload: bytes, size: int, *, v6: bool) -> bytes:
    packet = udp_packet(payload, v6=v6)
    start = 40 if v6 else 20
    packet = packet[: start + 6] + pseudo_sum(packet, UDP) + packet[start + 8 :]
    return VIRTIO_NET_HDR.pack(NEEDS_CSUM, UDP_L4, start + 8, size, start, 6) + packet


def received(peer: FarPeer, session: Session, count: int) -> list[bytes]:
    """The next so many packets, with their padding."""
    return [peer.open(session).payload for _ in range(count)]


@pytest.mark.parametrize("v6", [False, True], ids=["v4", "v6"])
@pytest.mark.parametrize(
    ("total", "size"),
    [(1, 1368), (1368, 1368), (1369, 1368), (60_000, 1368), (65_000, 1400), (4_000, 100), (64, 8)],
)
def test_tcp_is_cut_as_the_kernel_cuts_it(
    rig: Rig, peer: FarPeer, session: Session, *, v6: bool, total: int, size: int
) -> None:
    random = Random(total)
    for flags, options in ((ACK, b""), (ACK | PSH | FIN, b"\1\1\x08\x0a" + random.randbytes(8))):
        segment = Segment(
            random.randbytes(total), 2**32 - total // 2, v6=v6, flags=flags, options=options, ident=65_530
        )
        frame = tcp_frame(segment, size)
        expected = cut([frame[:10], frame[10:]]) if total > size else [bytes(segment)]
        if total <= size:
            frame = VIRTIO_NET_HDR.pack(NEEDS_CSUM, 0, 0, 0, 40 if v6 else 20, 16) + frame[10:]
        rig.write(frame)
        got = received(peer, session, len(expected))
        assert [packet[: len(whole)] for packet, whole in zip(got, expected, strict=True)] == expected
    assert rig.drops() == rig.drops(peer) == {}


@pytest.mark.parametrize("v6", [False, True], ids=["v4", "v6"])
def test_congestion_experienced_is_told_in_the_first_segment_only(
    rig: Rig, peer: FarPeer, session: Session, v6: bool
) -> None:
    segment = Segment(bytes(5_000), v6=v6, flags=ACK | 0x80, tos=2)
    rig.write(tcp_frame(segment, 1_000, ecn=ECN))
    at = (40 if v6 else 20) + 13
    assert [packet[at] for packet in received(peer, session, 5)] == [ACK | 0x80, ACK, ACK, ACK, ACK]


@pytest.mark.parametrize("v6", [False, True], ids=["v4", "v6"])
@pytest.mark.parametrize(("total", "size"), [(3_000, 1_000), (3_001, 1_000), (64 * 900, 900), (20, 1)])
def test_udp_is_cut_into_datagrams(
    rig: Rig, peer: FarPeer, session: Session, *, v6: bool, total: int, size: int
) -> None:
    payload = Random(total).randbytes(total)
    rig.write(udp_frame(payload, size, v6=v6))
    pieces = [payload[at : at + size] for at in range(0, total, size)]
    start = 40 if v6 else 20
    for packet, piece in zip(received(peer, session, len(pieces)), pieces, strict=True):
        expected = udp_packet(piece, v6=v6)
        assert packet[start : len(expected)] == expected[start:]
        assert packet[:2] == expected[:2]
        if not v6:
            assert ones_sum(packet[:20]) == 0xFFFF
    assert rig.drops() == rig.drops(peer) == {}


@pytest.mark.parametrize("v6", [False, True], ids=["v4", "v6"])
def test_an_unfinished_checksum_is_finished(rig: Rig, peer: FarPeer, session: Session, v6: bool) -> None:
    start = 40 if v6 else 20
    for size in (0, 1, 2, 777, 1_300):
        whole = (
            udp_packet(bytes(range(256)) * 6, v6=v6)[: start + 8]
            if size == 0
            else udp_packet(bytes(size), v6=v6)
        )
        if size == 0:
            whole = udp_packet(b"", v6=v6)
        frame = VIRTIO_NET_HDR.pack(NEEDS_CSUM, 0, 0, 0, start, 6)
        rig.write(frame + whole[: start + 6] + pseudo_sum(whole, UDP) + whole[start + 8 :])
        (packet,) = received(peer, session, 1)
        assert packet[: len(whole)] == whole


def test_what_comes_in_has_a_header_too(rig: Rig, peer: FarPeer, session: Session) -> None:
    for packet in (ipv4(payload=b"abc"), ipv6(payload=b"abc"), ipv4()):
        peer.send(session.seal(packet))
        assert rig.read() == PLAIN + packet


# Lies.


WHOLE_TCP = bytes(Segment(bytes(4_000)))
SHORT_TCP = bytes(Segment(bytes(100)))


def frame(packet: bytes, flags: int, kind: int, *numbers: int) -> bytes:
    """`numbers`: hdr_len, gso_size, csum_start, csum_offset."""
    return VIRTIO_NET_HDR.pack(flags, kind, *numbers) + packet


def with_data_offset(made: bytes, words: int) -> bytes:
    """A frame of TCP over IPv4 that claims so many words of TCP header."""
    at = len(PLAIN) + 20 + 12
    return made[:at] + bytes([words << 4]) + made[at + 1 :]


LIES = {
    "no room for the virtio header": PLAIN[:9],
    "nothing but the virtio header": PLAIN,
    "GSO without a size": tcp_frame(Segment(bytes(4_000)), 0),
    "unknown kind of GSO": frame(WHOLE_TCP, NEEDS_CSUM, 3, 40, 1_000, 20, 16),
    "all bits of the kind": frame(WHOLE_TCP, NEEDS_CSUM, 255, 40, 1_000, 20, 16),
    "TCP of IPv4 with IPv6 inside": frame(
        bytes(Segment(bytes(4_000), v6=True)), NEEDS_CSUM, TCPV4, 60, 1_000, 40, 16
    ),
    "TCP with UDP inside": frame(udp_packet(bytes(4_000), v6=False), NEEDS_CSUM, TCPV4, 40, 1_000, 20, 16),
    "checksum behind the end": frame(SHORT_TCP, NEEDS_CSUM, 0, 0, 0, 20, 65_535),
    "checksum from behind the end": frame(SHORT_TCP, NEEDS_CSUM, 0, 0, 0, 65_535, 16),
    "checksum across the end": frame(SHORT_TCP, NEEDS_CSUM, 0, 0, 0, 20, 119),
    "data offset too small": with_data_offset(tcp_frame(Segment(bytes(4_000)), 1_000), 4),
    "data offset behind the end": with_data_offset(tcp_frame(Segment(b"xy"), 1), 15),
    "header length behind the end": tcp_frame(Segment(bytes(4_000)), 1_000)[:10] + b"\x4f" + bytes(30),
    "IPv4 alone": PLAIN + ipv4(OURS_V4, THEIRS_V4)[:19],
}


@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_counted_and_goes_nowhere(rig: Rig, peer: FarPeer, session: Session, name: str) -> None:
    rig.write(LIES[name])
    assert rig.drops() == {Drop.MALFORMED_INNER: 1}
    assert rig.drops(peer) == {}
    assert peer.hears_nothing()
    assert rig.delivers_nothing()


class Liar:
    """Frames by the seed, most of them nearly right."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def frame(self) -> bytes:
        random = self.random
        choice = random.random()
        if choice < 0.1:
            return random.randbytes(random.choice((1, 9, 10, 11, 30, 60, random.randrange(1, 3_000))))
        if choice < 0.2:
            return self._header() + random.randbytes(random.randrange(1_600))
        frame = bytearray(self._honest())
        if choice < 0.5:
            frame[:10] = self._header()
        for _ in range(random.choice((0, 1, 1, 2, 5))):
            # The headers are what can lie.
            frame[random.randrange(min(len(frame), 80))] = random.randrange(256)
        if random.random() < 0.3:
            del frame[random.randrange(1, len(frame)) :]
        if random.random() < 0.05:
            frame += random.randbytes(random.randrange(65_000))
        return bytes(frame)

    def _header(self) -> bytes:
        random = self.random
        numbers = (0, 1, 7, 8, 16, 20, 28, 40, 54, 60, 64, 1_000, 1_368, 65_535, random.randrange(65_536))
        kind = random.choice((0, 0, 1, 1, 3, 4, 4, 5, 5, 0x81, 0x84, 0x85, 255, random.randrange(256)))
        return VIRTIO_NET_HDR.pack(
            random.choice((0, 1, 1, 1, 2, 255)), kind, *(random.choice(numbers) for _ in range(4))
        )

    def _honest(self) -> bytes:
        random = self.random
        v6 = random.random() < 0.5
        total = random.choice((1, 100, 1_368, 4_000, 20_000))
        size = random.choice((1, 8, 100, 536, 1_368))
        if random.random() < 0.3:
            return udp_frame(bytes(total), size, v6=v6)
        segment = replace(
            Segment(v6=v6),
            payload=bytes(total),
            flags=random.randrange(256),
            options=bytes(4 * random.randrange(11)),
        )
        return tcp_frame(segment, size)


@pytest.mark.parametrize("seed", range(20))
def test_any_frame_is_sent_or_counted(rig: Rig, peer: FarPeer, session: Session, seed: int) -> None:
    """And nothing dies of it: what is written after it comes out."""
    liar = Liar(seed)
    for batch in range(40):
        frames = [liar.frame() for _ in range(16)]
        before = sum(rig.drops().values()) + sum(rig.drops(peer).values())
        for frame in frames:
            rig.write(frame)
        last = ipv4(OURS_V4, THEIRS_V4, struct.pack("!QI", batch, seed))
        rig.write(PLAIN + last)
        moved = 0
        while peer.open(session).payload != last:
            moved += 1
        dropped = sum(rig.drops().values()) + sum(rig.drops(peer).values()) - before
        assert moved + dropped >= len(frames), [frame.hex() for frame in frames]
        while rig.try_read() is not None:
            pass
        rig.advance(1_000_000_000)
        session = rig.connect(peer, 0x200 + batch)
    assert rig.engine.take_failure() is None
