"""What a call of the native engine promises holds when it returns, with traffic on its threads meanwhile.

Comes in: packets from the application or the peer without pause, and one call. Goes out: the datagrams before
and after it. Rules: what a call ends has ended (nothing leaves afterwards); what was staged is not overtaken
by what was read later. The Python engine does one thing at a time and cannot get these wrong.
"""

import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from cryptography.exceptions import InvalidTag

from pywg.engine.contract import Slot
from tests.engine.packets import ipv4
from tests.engine.rig import FarPeer, Rig, Session
from tests.needs import need_engine

ROUNDS = 10
PACKET = ipv4("10.0.0.2", "10.0.0.1", bytes(1000))
SEGMENT = 1000
SEGMENTS = 32
GSO_UDP_L4 = 5
"""Type of a frame that stands for many UDP packets (linux/virtio_net.h)."""
FRAME = struct.pack("<BBHHHH", 1, GSO_UDP_L4, 28, SEGMENT, 20, 6)
UDP = struct.pack("!HHHH", 1, 2, 8 + SEGMENT * SEGMENTS, 0)


@pytest.fixture(autouse=True)
def _native() -> None:
    need_engine("native")


@contextmanager
def again_and_again(act: Callable[[int], object]) -> Iterator[None]:
    """Call `act` with 0, 1, 2, ... on a thread of its own; a full buffer is waited for."""
    ended = threading.Event()

    def run() -> None:
        number = 0
        while not ended.is_set():
            try:
                act(number)
                number += 1
            except BlockingIOError:
                time.sleep(0.0001)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def drain(peer: FarPeer) -> int:
    """How many datagrams the peer has."""
    count = 0
    while True:
        try:
            peer.socket.recv(65536)
        except BlockingIOError:
            return count
        count += 1


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda rig, peer: rig.engine.remove_peer(peer.id), id="remove_peer"),
        pytest.param(lambda rig, peer: rig.engine.drop_keypairs(peer.id), id="drop_keypairs"),
        pytest.param(lambda rig, peer: rig.engine.expire_sending(peer.id), id="expire_sending"),
        pytest.param(lambda rig, peer: rig.engine.set_endpoint(peer.id, None), id="set_endpoint"),
        pytest.param(lambda rig, peer: rig.engine.swap_sockets(None), id="swap_sockets"),
    ],
)
def test_nothing_leaves_after_what_ends_it(call: Callable[[Rig, FarPeer], object]) -> None:
    before = 0
    for round_ in range(ROUNDS):
        rig = Rig("native")
        peer = rig.add("10.0.0.1/32")
        rig.connect(peer, 0x500 + round_)

        def feed(_: int, rig: Rig = rig) -> None:
            rig.application.send(PACKET)

        with again_and_again(feed):
            time.sleep(0.01 + round_ * 0.0007)
            call(rig, peer)
            before += drain(peer)
            time.sleep(0.02)
            assert drain(peer) == 0
        rig.close()
    assert before > ROUNDS, "there was no traffic to end"


def test_the_old_sockets_set_no_source_after_they_were_swapped() -> None:
    for round_ in range(ROUNDS):
        rig = Rig("native")
        peer = rig.add("10.0.0.1/32")
        session = rig.connect(peer, 0x900 + round_)
        port = rig.port

        def flood(_: int, peer: FarPeer = peer, session: Session = session, port: int = port) -> None:
            peer.socket.sendto(session.seal(b""), ("127.0.0.1", port))

        with again_and_again(flood):
            time.sleep(0.02)
            rig.up()
            source = rig.engine.source(peer.id)
            assert source is not None
            assert (source.local, source.ifindex) == (b"", 0)
        rig.close()


def test_no_notice_of_a_peer_that_was_removed() -> None:
    rig = Rig("native")
    for number in range(300):
        peer = rig.add("10.0.0.1/32", number=1000 + number)
        session = Session(0x2000 + number, is_initiator=False, born=rig.clock.now)
        rig.engine.install(peer.id, session.keys, Slot.NEXT)
        peer.send(session.seal(b""))
        # Anywhere between before the thread has seen it and after.
        until = time.perf_counter() + (number % 30) * 2e-6
        while time.perf_counter() < until:
            pass
        rig.engine.remove_peer(peer.id)
        time.sleep(0.0005)
        assert peer.id not in {notice.peer for notice in rig.engine.take_notices(100)}
    rig.close()


def test_what_was_staged_is_not_overtaken() -> None:
    """The first packet under *next* sends what is staged, while the other thread reads more from the TUN."""
    most = 0
    for round_ in range(ROUNDS):
        rig = Rig("native", vnet_hdr=True)
        peer = rig.add("10.0.0.1/32")
        session = Session(0x200 + round_, is_initiator=False, born=rig.clock.now)
        rig.engine.install(peer.id, session.keys, Slot.NEXT)

        def feed(number: int, rig: Rig = rig) -> None:
            payload = struct.pack("!Q", number) * (SEGMENT // 8 * SEGMENTS)
            rig.application.send(FRAME + ipv4("10.0.0.2", "10.0.0.1", UDP + payload, protocol=17))

        with again_and_again(feed):
            time.sleep(0.02)
            peer.send(session.seal(b""))  # confirms it
            time.sleep(0.03)
        rig.settle()
        numbers = [number for _, number in sorted(sealed(peer, session))]
        assert numbers == sorted(numbers)
        most = max(most, len(set(numbers)))
        rig.close()
    assert most > 2, "too little was sent to tell an order"


def sealed(peer: FarPeer, session: Session) -> Iterator[tuple[int, int]]:
    """Counter, and number of the frame it was part of, of each data packet the peer has."""
    while True:
        try:
            datagram = peer.socket.recv(65536)
        except BlockingIOError:
            return
        try:
            packet = session.open(datagram)
        except InvalidTag:
            continue
        if packet:
            yield struct.unpack_from("<Q", datagram, 8)[0], struct.unpack_from("!Q", packet, 28)[0]
