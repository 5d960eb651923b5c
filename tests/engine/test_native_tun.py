"""The native engine on a real TUN with offloads: what it merges is, cut again, what the peer has sent.

Comes in: TCP and UDP of many flows, some of it mutated, in datagrams that the kernel merges (UDP_GRO). Goes
out: what the kernel was given, seen by a packet socket together with its virtio_net_hdr. Rule: every packet
comes out as it went in, each flow in order, whether it was merged or not.
"""

import socket
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_network
from random import Random

import pytest

from pywg.clock import SystemClock
from pywg.engine import inner
from pywg.engine.choose import create_engine
from pywg.engine.contract import AllowedIpChange, Engine, PeerId, Slot
from pywg.protocol.allowed_ips import Prefix
from pywg.protocol.constants import Limits
from pywg.tun.linux import open_tun
from pywg.tun.virtio import TCPV4, TCPV6, VIRTIO_NET_HDR
from pywg.udp.linux import open_sockets
from tests.engine.rig import MTU, SelectorReactor, Session
from tests.engine.test_native_frames import UDP_L4, udp_packet
from tests.needs import need_engine
from tests.net.inside import inside_new_namespace
from tests.tun.segments import Segment, checksum, cut, run
from tests.tun.test_coalesce import by_flow, flow, mutated, normal

SOL_PACKET, PACKET_VNET_HDR = 263, 15
ETH_P_ALL = 3
PACKET_OUTGOING = 4
SO_RCVBUFFORCE = 33
SOL_UDP, UDP_SEGMENT = 17, 103
PEER = PeerId(1)
EVERYTHING: tuple[Prefix, ...] = (ip_network("0.0.0.0/0"), ip_network("::/0"))
PACKETS = 6_000


@dataclass
class Place:
    """The engine, a socket that is its peer, and the packet socket behind its TUN."""

    engine: Engine
    peer: socket.socket
    behind: socket.socket
    session: Session

    def send(self, packets: list[bytes]) -> None:
        """In as few datagrams as the kernel puts together."""
        sealed = [self.session.seal(packet + bytes(-len(packet) % 16)) for packet in packets]
        while sealed:
            size = len(sealed[0])
            most = min(64, 65_000 // size)
            count = 1
            while count < min(most, len(sealed)) and len(sealed[count]) == size:
                count += 1
            if count < min(most, len(sealed)) and len(sealed[count]) < size:
                count += 1
            self.peer.sendmsg(sealed[:count], [(SOL_UDP, UDP_SEGMENT, size.to_bytes(2, "little"))])
            del sealed[:count]

    def frames(self, quiet: float = 0.05) -> Iterator[bytes]:
        """What the kernel was given, with its virtio_net_hdr, until nothing comes any more."""
        self.behind.settimeout(quiet)
        while True:
            try:
                frame, _, _, address = self.behind.recvmsg(70_000)
            except TimeoutError:
                return
            if address[2] != PACKET_OUTGOING:
                yield frame

    def dropped(self) -> int:
        return sum(sum(self.engine.drops(one).values()) for one in (None, PEER))


@pytest.fixture
def place() -> Iterator[Place]:
    need_engine("native")
    with inside_new_namespace() as inside:
        tun = inside.run(lambda: open_tun("wg0", MTU))
        assert tun.vnet_hdr
        behind = inside.run(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)))
        behind.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        behind.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 26)
        inside.namespace.ip("link", "set", "wg0", "up")
        behind.bind(("wg0", ETH_P_ALL))
        clock = SystemClock()
        engine = create_engine(
            "native", limits=Limits(), clock=clock, mtu=MTU, tun=tun, reactor=SelectorReactor()
        ).engine
        engine.start()
        sockets = open_sockets(0, 0)
        engine.swap_sockets(sockets)
        engine.add_peer(PEER)
        engine.change_allowed_ips([AllowedIpChange(PEER, prefix) for prefix in EVERYTHING])
        session = Session(1, is_initiator=False, born=clock.boottime())
        engine.install(PEER, session.keys, Slot.NEXT)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer, behind:
            peer.connect(("127.0.0.1", sockets.port))
            yield Place(engine, peer, behind, session)
        engine.close()


def cut_frame(frame: bytes) -> list[bytes]:
    """The packets a frame stands for. What the kernel says of its own buffers is left aside."""
    flags, kind, _, size, start, offset = VIRTIO_NET_HDR.unpack_from(frame)
    packet = frame[VIRTIO_NET_HDR.size :]
    if kind == 0:
        assert not flags & 1
        return [packet]
    if kind in {TCPV4, TCPV6}:
        header = start + (packet[start + 12] >> 4) * 4
        return cut([VIRTIO_NET_HDR.pack(flags & 1, kind, header, size, start, offset), packet])
    assert (kind, flags & 1, offset) == (UDP_L4, 1, 6)
    return list(_datagrams(packet, start, size))


def _datagrams(packet: bytes, start: int, size: int) -> Iterator[bytes]:
    payload = packet[start + 8 :]
    v6 = packet[0] >> 4 == 6
    ident = int.from_bytes(packet[4:6], "big")
    for number, at in enumerate(range(0, len(payload), size)):
        made = udp_packet(payload[at : at + size], v6=v6)
        if not v6:
            made = with_ident(made, ident + number, packet[6:8])
        yield made


def with_ident(packet: bytes, ident: int, fragment: bytes) -> bytes:
    """An IPv4 packet with another identification and other flags."""
    head = packet[:4] + (ident % 2**16).to_bytes(2, "big") + fragment + packet[8:10] + b"\0\0" + packet[12:20]
    return head[:10] + checksum(head) + head[12:] + packet[20:]


def udp_flow(chance: Random, size: int) -> list[bytes]:
    """Datagrams of one size; the last may be shorter."""
    v6, count = chance.random() < 0.5, chance.randint(1, 12)
    sizes = [size] * (count - 1) + [chance.randint(1, size)]
    packets = [udp_packet(chance.randbytes(length), v6=v6) for length in sizes]
    if v6:
        return packets
    ident = chance.randrange(2**16)
    return [with_ident(packet, ident + number, b"\0\0") for number, packet in enumerate(packets)]


@pytest.mark.parametrize("seed", range(4))
def test_what_was_merged_is_what_was_sent(place: Place, seed: int) -> None:
    chance = Random(seed)
    sent = merged = 0
    while sent < PACKETS:
        packets = some_packets(chance)
        before = place.dropped()
        place.send(packets)
        expected = [whole for packet in packets if (whole := sound(packet)) is not None]
        got: list[bytes] = []
        deadline = time.monotonic() + 5
        while len(got) < len(expected) - (place.dropped() - before - (len(packets) - len(expected))):
            for frame in place.frames(0.001):
                pieces = cut_frame(frame)
                merged += len(pieces) - 1
                got += pieces
            assert time.monotonic() < deadline, f"seed {seed}: {len(got)} of {len(expected)} have come out"
        refused = place.dropped() - before - (len(packets) - len(expected))
        came, due = Counter(map(normal, got)), Counter(map(normal, expected))
        assert came - due == Counter(), f"seed {seed}: not what was sent"
        # The kernel refuses what it takes for no packet at all.
        assert (due - came).total() == refused, f"seed {seed}: lost and not counted"
        if not refused:
            assert known_flows(got) == known_flows(expected), f"seed {seed}: out of order"
        sent += len(packets)
    assert merged > PACKETS // 10, "it must reach what it is for"
    assert place.engine.take_failure() is None


def some_packets(chance: Random) -> list[bytes]:
    """Of several flows, in turns, some of them mutated."""
    size = chance.choice([128, 131, 200, 1_000, 1_368])
    flows = [
        udp_flow(chance, size)
        if chance.random() < 0.3
        else run(
            chance.randint(1, 40),
            Segment(
                bytes(size), v6=chance.random() < 0.5, port=port, options=chance.choice([b"", b"\1" * 12])
            ),
            tail=chance.randint(1, size),
        )
        for port in range(chance.choice([1, 1, 2, 4]))
    ]
    packets = []
    while any(flows):
        packets.append(chance.choice([left for left in flows if left]).pop(0))
    for at in range(len(packets)):
        if chance.random() < 0.1:
            packets[at] = mutated(packets[at], chance)
    return [packet for packet in packets if packet]


def sound(packet: bytes) -> bytes | None:
    """As the engine should deliver it: without what follows its end."""
    padded = packet + bytes(-len(packet) % 16)
    return inner.without_padding(padded)


def known_flows(packets: list[bytes]) -> dict[bytes, list[bytes]]:
    """Packets of each flow in order, as far as there is no doubt of it."""
    return dict(by_flow([packet for packet in packets if flow(packet) is not None]))
