"""The native engine's second thread: it takes the TUN over when one thread is too few, and gives it back."""

import struct
from collections.abc import Iterator

import pytest

from pywg.engine.contract import Slot
from tests.engine.packets import ipv4
from tests.engine.rig import FarPeer, Rig, Session
from tests.needs import need_engine

BACKLOG = 1100
"""Packets each way: more than one turn of a thread, twice."""
CALM = 1024
"""Turns that leave nothing in the TUN, after which it is given back (native/src/worker.rs)."""


@pytest.fixture
def rig() -> Iterator[Rig]:
    need_engine("native")
    rig = Rig("native", start=False)
    yield rig
    rig.close()


@pytest.fixture
def peer(rig: Rig) -> FarPeer:
    return rig.add("10.0.0.2/32")


def numbered(number: int, source: str, destination: str) -> bytes:
    return ipv4(source, destination, struct.pack("!I", number))


def number_of(packet: bytes) -> int:
    number: int = struct.unpack_from("!I", packet, 20)[0]
    return number


def is_helped(rig: Rig) -> bool:
    return rig.engine.status()["tun_read_by_helper"] == "yes"


def pile_up(rig: Rig, peer: FarPeer, session: Session) -> None:
    """Let packets wait on both sides before the threads begin."""
    for number in range(BACKLOG):
        rig.write(numbered(number, "10.0.0.1", "10.0.0.2"))
        packet = numbered(number, "10.0.0.2", "10.0.0.1")
        peer.send(session.seal(packet + bytes(-len(packet) % 16)))


def test_it_takes_over_what_one_thread_cannot_do_and_gives_it_back(rig: Rig, peer: FarPeer) -> None:
    session = Session(0x100, is_initiator=True, born=rig.clock.now)
    rig.engine.install(peer.id, session.keys, Slot.CURRENT)
    assert peer.open(session).payload == b""
    pile_up(rig, peer, session)
    assert not is_helped(rig)

    rig.engine.start()
    sent = [number_of(peer.open(session).payload) for _ in range(BACKLOG)]
    delivered = [number_of(rig.read()) for _ in range(BACKLOG)]
    assert sent == delivered == list(range(BACKLOG))
    assert is_helped(rig)

    for number in range(CALM + 1):
        rig.write(numbered(number, "10.0.0.1", "10.0.0.2"))
        assert number_of(peer.open(session).payload) == number
    rig.settle()
    assert not is_helped(rig)
    rig.write(numbered(7, "10.0.0.1", "10.0.0.2"))
    assert number_of(peer.open(session).payload) == 7
