"""The first packet under *next* promotes it before that packet is delivered, as in the kernel's receive.c.

Comes in: that packet, an echo request, through a real TUN: the kernel has answered before the write returns.
Goes out: the answer, under the new keypair. Rule: who made the new session may have lost the old one
(its interface was down), so an answer under the old one is lost. The Python engine cannot get this wrong: it
reads the answer in a later turn of its loop.
"""

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_network

import pytest

from pywg.clock import SystemClock
from pywg.endpoint import Endpoint
from pywg.engine.choose import create_engine
from pywg.engine.contract import AllowedIpChange, Engine, PeerId, Slot
from pywg.protocol.constants import Limits
from pywg.tun.linux import open_tun
from pywg.udp.linux import open_sockets
from tests.engine.packets import checksum, ipv4
from tests.engine.rig import MTU, SelectorReactor, Session
from tests.needs import need_engine
from tests.net.inside import inside_new_namespace

ROUNDS = 500
PEER = PeerId(1)
ICMP, ECHO_REQUEST = 1, 8


@dataclass
class Place:
    """The engine behind a TUN that is up and has 10.0.0.1, and the socket of its peer."""

    engine: Engine
    peer: socket.socket
    born: int


@pytest.fixture
def place() -> Iterator[Place]:
    need_engine("native")
    with inside_new_namespace() as inside:
        tun = inside.run(lambda: open_tun("wg0", MTU))
        inside.namespace.ip("link", "set", "wg0", "up")
        inside.namespace.ip("address", "add", "10.0.0.1/24", "dev", "wg0")
        clock = SystemClock()
        engine = create_engine(
            "native", limits=Limits(), clock=clock, mtu=MTU, tun=tun, reactor=SelectorReactor()
        ).engine
        engine.start()
        sockets = open_sockets(0, 0)
        engine.swap_sockets(sockets)
        engine.add_peer(PEER)
        engine.change_allowed_ips([AllowedIpChange(PEER, ip_network("10.0.0.2/32"))])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.settimeout(5)
            peer.connect(("127.0.0.1", sockets.port))
            engine.set_endpoint(PEER, Endpoint("127.0.0.1", peer.getsockname()[1]))
            yield Place(engine, peer, clock.boottime())
        engine.close()


def echo_request(number: int) -> bytes:
    body = struct.pack("!BBHHH", ECHO_REQUEST, 0, 0, 1, number)
    body = body[:2] + checksum(body).to_bytes(2, "big") + body[4:]
    return ipv4("10.0.0.2", "10.0.0.1", body, protocol=ICMP)


def padded(packet: bytes) -> bytes:
    return packet + bytes(-len(packet) % 16)


def test_the_answer_to_what_confirms_is_sealed_under_the_new_keypair(place: Place) -> None:
    first = Session(1, is_initiator=True, born=place.born)
    place.engine.install(PEER, first.keys, Slot.CURRENT)
    assert first.open(place.peer.recv(2_000)) == b""
    under_old = 0
    for number in range(ROUNDS):
        session = Session(0x1000 + number, is_initiator=False, born=place.born)
        place.engine.install(PEER, session.keys, Slot.NEXT)
        place.peer.send(session.seal(padded(echo_request(number))))
        kind, receiver = struct.unpack_from("<II", place.peer.recv(2_000))
        assert kind == 4
        under_old += receiver != session.theirs
    assert under_old == 0, f"{under_old} of {ROUNDS} answers went out under the keypair before it"
