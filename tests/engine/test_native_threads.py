"""The native engine's threads beside a control plane that changes everything at once.

Comes in: packets both ways without pause, and every call of the contract in any order. Goes out: packets, of
which none may be sealed twice under one nonce, overtake another of its session, or be delivered twice; and
local indices, each of which is given back once. Rule: what the engine makes of single packets is tested
elsewhere; here it may drop what it likes.
"""

import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

import pytest

from pywg.engine.contract import PeerId, Slot
from pywg.protocol.constants import SECOND
from pywg.protocol.timers import Fact
from tests.engine.packets import ipv4
from tests.engine.rig import FarPeer, Rig, Session
from tests.needs import need_engine

SECONDS = 5.0
PEERS = 4


@dataclass
class Storm:
    """One run: `control` on the calling thread, traffic on three others."""

    rig: Rig
    random: Random
    stopped: threading.Event = field(default_factory=threading.Event)
    peers: list[FarPeer] = field(default_factory=list)
    sessions: dict[int, Session] = field(default_factory=dict)
    """By the index the peer chose, which is what its datagrams name."""
    newest: list[Session | None] = field(default_factory=lambda: [None] * PEERS)
    live: set[int] = field(default_factory=set)
    """Local indices the engine has not given back."""
    received: list[bytes] = field(default_factory=list)
    delivered: Counter[bytes] = field(default_factory=Counter)
    problems: list[BaseException] = field(default_factory=list)
    _next_index: int = 1
    _next_peer: int = 1

    def prefix(self, number: int) -> str:
        return f"10.0.{number}.0/24"

    # The control plane.

    def add(self, number: int) -> None:
        peer = FarPeer(self.rig, PeerId(self._next_peer), "127.0.0.1")
        self._next_peer += 1
        self.rig.engine.add_peer(peer.id)
        self.rig.engine.set_endpoint(peer.id, peer.endpoint)
        self.rig.allow(peer.id, self.prefix(number))
        if number < len(self.peers):
            self.peers[number] = peer
        else:
            self.peers.append(peer)

    def give_back(self, indices: tuple[int, ...]) -> None:
        for index in indices:
            assert index in self.live, f"{index} was given back twice"
            self.live.remove(index)

    def install(self, number: int, slot: Slot) -> None:
        index = self._next_index
        self._next_index += 1
        session = Session(index, is_initiator=slot is Slot.CURRENT, born=self.rig.clock.now)
        self.sessions[session.theirs] = session
        self.live.add(index)
        self.give_back(self.rig.engine.install(self.peers[number].id, session.keys, slot))
        self.newest[number] = session

    def take_all(self) -> None:
        for notice in self.rig.engine.take_notices(1_000):
            self.give_back(notice.freed)
        self.rig.engine.take_handshakes(100)
        assert self.rig.engine.take_failure() is None

    def change(self) -> None:
        """Any call of the contract."""
        number = self.random.randrange(PEERS)
        match self.random.randrange(20):
            case 0 | 1 | 2 | 3:
                self.install(number, Slot.CURRENT)
            case 4 | 5 | 6 | 7:
                self.install(number, Slot.NEXT)
            case 8:
                self.give_back(self.rig.engine.drop_keypairs(self.peers[number].id))
            case 9:
                self.rig.engine.expire_sending(self.peers[number].id)
            case 10:
                self.peers[number].socket.close()
                self.newest[number] = None
                self.give_back(self.rig.engine.remove_peer(self.peers[number].id))
                self.add(number)
            case 11 if self.random.random() < 0.2:
                self.rig.up()
            case 12:
                self.rig.advance(SECOND // 10)
            case 13:
                self.ask(self.peers[number])
            case _:
                self.change_less(number)

    def change_less(self, number: int) -> None:
        """Calls that touch no keypair."""
        engine, random, peer = self.rig.engine, self.random, self.peers[number]
        match random.randrange(6):
            case 0:
                engine.set_mtu(random.choice((0, 68, 1_280, 1_420, 9_000)))
                engine.route_changed()
            case 1:
                engine.set_endpoint(peer.id, random.choice((None, peer.endpoint, peer.endpoint)))
            case 2:
                self.rig.allow(self.peers[random.randrange(PEERS)].id, self.prefix(number))
                self.rig.allow(peer.id, self.prefix(number))
            case 3:
                engine.send_keepalive(peer.id)
                engine.send_handshake(peer.id, bytes(148))
            case 4:
                engine.clear_source(random.choice((None, peer.id)))
                engine.drop_staged(peer.id)
            case _:
                engine.arm_keys_needed(peer.id)
                engine.arm_stirred(peer.id, Fact.UNANSWERED_SENT | Fact.UNANSWERED_RECEIVED)
                engine.clear_unanswered_sent(peer.id, self.rig.clock.now)
                engine.set_mac1_key(bytes([number]) * 32)
                engine.set_pending(number, pending=random.random() < 0.5)

    def ask(self, peer: FarPeer) -> None:
        """All that can be asked."""
        engine = self.rig.engine
        for one in (None, peer.id):
            engine.drops(one)
        for question in (
            engine.traffic,
            engine.counters,
            engine.source,
            engine.allowed_ips,
            engine.icmp_errors,
        ):
            question(peer.id)
        engine.status()

    # Traffic.

    def write_packets(self) -> None:
        """Of the application, to every peer in turns."""
        number = 0
        while not self.stopped.is_set():
            packet = ipv4("10.9.9.9", f"10.0.{number % PEERS}.1", struct.pack("!Q", number) * (number % 100))
            try:
                self.rig.application.send(packet)
                number += 1
            except BlockingIOError:
                time.sleep(0.0002)

    def read_packets(self) -> None:
        """Of the peers, from the TUN."""
        while not self.stopped.is_set():
            packet = self.rig.try_read()
            if packet is None:
                time.sleep(0.0002)
            elif packet[9] != 1:  # ICMP is of the engine itself.
                self.delivered[packet] += 1

    def play_peers(self) -> None:
        """Send under whatever session there is, and keep all that comes back."""
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        count = 0
        with sender:
            while not self.stopped.is_set():
                for number in range(PEERS):
                    session = self.newest[number]
                    if session is None:
                        continue
                    count += 1
                    packet = ipv4(f"10.0.{number}.1", "10.9.9.9", struct.pack("!Q", count))
                    sender.sendto(session.seal(packet), ("127.0.0.1", self.rig.port))
                for peer in list(self.peers):
                    self._receive_all(peer)

    def _receive_all(self, peer: FarPeer) -> None:
        try:
            while True:
                self.received.append(peer.socket.recv(65_536))
        except OSError:  # Nothing more; or closed by `change`.
            return

    def run(self) -> None:
        def guarded(target: str) -> None:
            try:
                getattr(self, target)()
            except BaseException as error:  # noqa: BLE001 (told by the thread that started this one)
                self.problems.append(error)

        names = ("write_packets", "read_packets", "play_peers")
        threads = [threading.Thread(target=guarded, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        try:
            until = time.monotonic() + SECONDS
            while time.monotonic() < until:
                for _ in range(10):
                    self.change()
                self.take_all()
                time.sleep(0.001)
        finally:
            self.stopped.set()
            for thread in threads:
                thread.join()
        assert self.problems == []


@pytest.fixture
def rig() -> Iterator[Rig]:
    need_engine("native")
    made = Rig("native")
    yield made
    made.close()


@pytest.mark.parametrize("seed", range(3))
def test_everything_changes_while_packets_fly(rig: Rig, seed: int) -> None:
    storm = Storm(rig, Random(seed))
    for number in range(PEERS):
        storm.add(number)
        storm.install(number, Slot.CURRENT)
    storm.run()
    rig.settle()
    storm.take_all()
    for peer in storm.peers:
        storm._receive_all(peer)
        peer.socket.close()
    assert int(rig.engine.status()["keypairs"]) == len(storm.live)
    assert [packet for packet, count in storm.delivered.items() if count > 1] == []
    last: dict[int, int] = {}
    opened = 0
    for datagram in storm.received:
        if len(datagram) == 148:
            continue
        kind, index, counter = struct.unpack_from("<IIQ", datagram)
        assert kind == 4
        assert counter > last.get(index, -1), "a nonce was used twice, or a packet overtook another"
        last[index] = counter
        storm.sessions[index].open(datagram)
        opened += 1
    print(f"{opened} opened, {len(storm.delivered)} delivered, {storm._next_index} sessions")
    assert opened > 1_000
    assert len(storm.delivered) > 1_000
