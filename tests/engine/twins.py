"""Two engines that are given the same, in step, and what each of them made of it.

Comes in: packets, datagrams and calls. Goes out: a `Verdict` for each engine, which must be equal. Rule: what
an engine may choose freely (its port, the order of notices about different peers) is not part of a verdict;
everything the contract or the wire can tell is.
"""

import socket
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Self, TypeVar

from pywg.endpoint import Endpoint, Source
from pywg.engine.contract import Counters, Drop, Engine, Notice, PeerId, Slot, TransportKeys
from pywg.protocol.constants import Limits
from pywg.protocol.timers import Traffic
from tests.engine.packets import ipv4
from tests.engine.rig import PATIENCE, Rig, Session

SENDERS = 4
"""Sockets datagrams are sent from, in each family."""
SO_RCVBUFFORCE = 33
SOL_UDP, UDP_SEGMENT = 17, 103

MARKER = PeerId(1_000)
"""A peer of its own: when its packet comes out, everything sent before it was handled."""
MARKER_INDEX = 0xFFFF_FFF0
MARKER_HOST = "10.255.255.254"

Place = tuple[int, int]
"""Family and number of a sender: where a datagram is from, whatever its port."""

T = TypeVar("T")


@dataclass(frozen=True)
class PeerVerdict:
    """What an engine tells of one peer."""

    drops: dict[Drop, int]
    counters: Counters
    traffic: Traffic
    place: Place | None
    local: bytes
    notice: Notice
    freed: tuple[int, ...]
    confirmed_index: int | None


@dataclass(frozen=True)
class Verdict:
    """What an engine made of one batch. Counts are since the engine began."""

    delivered: list[bytes]
    sent: dict[Place, list[tuple[bytes, int]]]
    """What each sender got, with its TOS byte."""
    handshakes: list[tuple[bytes, Place, bytes, int]]
    drops: dict[Drop, int]
    peers: dict[PeerId, PeerVerdict]


class Twin:
    """One of the two: a rig, and sockets connected to its engine."""

    def __init__(self, engine: str, limits: Limits) -> None:
        self.rig = Rig(engine, limits)
        self.engine: Engine = self.rig.engine
        self.senders: dict[Place, socket.socket] = {}
        self._places: dict[tuple[str, int], Place] = {}
        for family, host in ((4, "127.0.0.1"), (6, "::1")):
            for number in range(SENDERS):
                sock = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
                sock.bind((host, 0))
                sock.connect((host, self.rig.port))
                sock.setblocking(False)
                _enlarge(sock)
                self.senders[family, number] = sock
                self._places[host, sock.getsockname()[1]] = family, number
        self._marked = 0
        self.engine.add_peer(MARKER)
        self.rig.allow(MARKER, f"{MARKER_HOST}/32")
        self.renew_marker()

    def close(self) -> None:
        self.rig.close()
        for sock in self.senders.values():
            sock.close()

    def renew_marker(self) -> None:
        """Its session ages and is used up as others are."""
        self._marker = Session(MARKER_INDEX, is_initiator=False, born=self.rig.clock.now)
        self.engine.drop_keypairs(MARKER)
        self.engine.install(MARKER, self._marker.keys, Slot.NEXT)

    def endpoint(self, place: Place) -> Endpoint:
        host, port = self.senders[place].getsockname()[:2]
        return Endpoint(host, port)

    def place(self, source: Source | None) -> Place | None:
        return None if source is None else self._places[source.endpoint.host, source.endpoint.port]

    def set_tos(self, tos: int) -> None:
        """Of what is sent from now on."""
        for (family, _), sock in self.senders.items():
            if family == 4:
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
            else:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, tos)

    def send(self, place: Place, datagrams: Sequence[bytes]) -> None:
        """All are from one sender. Several go as one, cut by the kernel: all but the last have one length."""
        sock = self.senders[place]
        try:
            if len(datagrams) == 1:
                sock.send(datagrams[0])
            else:
                size = len(datagrams[0]).to_bytes(2, "little")
                sock.sendmsg(datagrams, [(SOL_UDP, UDP_SEGMENT, size)])
        except ConnectionRefusedError:
            raise AssertionError(f"the {self.engine.name} engine has no socket any more") from None

    def turn(self) -> None:
        """An engine on this thread gets its turn."""
        self.rig.reactor.turn(0)

    def rest(self) -> None:
        """Let it handle what is there: loopback and socketpair hand over at once."""
        self.rig.settle(quiet=0)

    def pass_marker(self, place: Place) -> list[bytes]:
        """Everything the engine delivers until the datagrams before were handled."""
        self._marked += 1
        if self._marked % 100 == 0:
            self.renew_marker()
        marker = ipv4(MARKER_HOST, "10.0.0.1", self._marked.to_bytes(12, "big"))
        self.send(place, [self._marker.seal(marker)])
        delivered: list[bytes] = []
        deadline = time.monotonic() + PATIENCE
        while True:
            self.turn()
            while (packet := self.rig.try_read()) is not None:
                # It may have met a congestion mark on its way, as all of its batch did.
                if packet[12:] == marker[12:]:
                    return delivered
                delivered.append(packet)
            assert time.monotonic() < deadline, f"the {self.engine.name} engine passes nothing on any more"
            if self.rig.is_threaded:
                time.sleep(0.0001)

    def verdict(self, before: Sequence[bytes], peers: Iterable[PeerId]) -> Verdict:
        """What it tells now that it is at rest, and what it delivered, some of it `before`."""
        self.rest()
        delivered = list(before)
        while (packet := self.rig.try_read()) is not None:
            delivered.append(packet)
        engine = self.engine
        notices = {notice.peer: notice for notice in engine.take_notices(1 << 20)}
        told = {}
        for peer in peers:
            source, notice = engine.source(peer), notices.get(peer)
            told[peer] = PeerVerdict(
                drops=dict(engine.drops(peer)),
                counters=engine.counters(peer),
                traffic=engine.traffic(peer),
                place=self.place(source),
                local=b"" if source is None else source.local,
                notice=Notice(0) if notice is None else notice.notice,
                freed=() if notice is None else notice.freed,
                confirmed_index=None if notice is None else notice.confirmed_index,
            )
        handshakes = []
        for one in engine.take_handshakes(1 << 20):
            place = self.place(one.source)
            assert place is not None
            handshakes.append((one.data, place, one.source.local, one.depth))
        assert engine.take_failure() is None
        sent = {place: received for place, sock in self.senders.items() if (received := _receive_all(sock))}
        return Verdict(delivered, sent, handshakes, dict(engine.drops(None)), told)


class Twins:
    """Both engines. The peers in `peers` are part of every verdict."""

    def __init__(self, first: str, second: str, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.both = (Twin(first, self.limits), Twin(second, self.limits))
        self.peers: list[PeerId] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        for twin in self.both:
            twin.close()

    @property
    def now(self) -> int:
        return self.both[0].rig.clock.now

    def advance(self, nanoseconds: int) -> None:
        for twin in self.both:
            twin.rig.advance(nanoseconds)
            twin.renew_marker()

    def do(self, call: Callable[[Engine], T]) -> T:
        """The same call to both, which must give the same."""
        first, second = (call(twin.engine) for twin in self.both)
        assert first == second
        return first

    def add(self, peer: PeerId, *prefixes: str, place: Place | None = None) -> None:
        """A peer with these allowed IPs, at a sender or nowhere."""
        self.peers.append(peer)
        for twin in self.both:
            twin.engine.add_peer(peer)
            twin.rig.allow(peer, *prefixes)
            if place is not None:
                twin.engine.set_endpoint(peer, twin.endpoint(place))

    def remove(self, peer: PeerId) -> tuple[int, ...]:
        self.peers.remove(peer)
        return self.do(lambda engine: engine.remove_peer(peer))

    def install(self, peer: PeerId, keys: TransportKeys, slot: Slot) -> tuple[int, ...]:
        return self.do(lambda engine: engine.install(peer, keys, slot))

    def set_tos(self, tos: int) -> None:
        for twin in self.both:
            twin.set_tos(tos)

    def write(self, packets: Sequence[bytes]) -> None:
        """Into both TUNs."""
        for twin in self.both:
            twin.rig.write(*packets)

    def same(self, delivered: Sequence[Sequence[bytes]] = ((), ())) -> Verdict:
        """The verdict of both, who have already delivered this. Raises AssertionError where they differ."""
        first, second = (
            twin.verdict(packets, self.peers) for twin, packets in zip(self.both, delivered, strict=True)
        )
        if first != second:
            names = [twin.engine.name for twin in self.both]
            raise AssertionError(
                f"{names[0]} and {names[1]} differ in " + "; ".join(_differences(first, second))
            )
        return first

    def receive(self, datagrams: Sequence[tuple[Place, Sequence[bytes]]]) -> Verdict:
        """Send each group to both, all of one family, and compare what they make of them."""
        for number, (place, group) in enumerate(datagrams):
            for twin in self.both:
                twin.send(place, group)
            if number % 32 == 31:
                for twin in self.both:
                    twin.turn()
        place = datagrams[-1][0]
        return self.same([twin.pass_marker(place) for twin in self.both])


def _differences(first: Verdict, second: Verdict) -> list[str]:
    found = []
    for name in ("delivered", "handshakes"):
        ours, theirs = getattr(first, name), getattr(second, name)
        if ours != theirs:
            pairs = enumerate(zip_longest(ours, theirs))
            at, pair = next((at, pair) for at, pair in pairs if pair[0] != pair[1])
            found.append(f"{name}: {len(ours)} / {len(theirs)}, first number {at}: {pair[0]} / {pair[1]}")
    if first.drops != second.drops:
        found.append(f"drops: {first.drops} / {second.drops}")
    for place in first.sent.keys() | second.sent.keys():
        one, other = first.sent.get(place, []), second.sent.get(place, [])
        if one != other:
            found.append(f"sent to {place}: {_brief(one)} / {_brief(other)}")
    found += [
        f"{name} of peer {peer}: {getattr(first.peers[peer], name)} / {getattr(second.peers[peer], name)}"
        for peer in first.peers
        for name in PeerVerdict.__dataclass_fields__
        if getattr(first.peers[peer], name) != getattr(second.peers[peer], name)
    ]
    return found


def _brief(sent: list[tuple[bytes, int]]) -> str:
    shown = [f"{data[:24].hex()} of {len(data)} TOS {tos:#x}" for data, tos in sent[:4]]
    return f"{len(sent)}: {', '.join(shown)}"


def _enlarge(sock: socket.socket) -> None:
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 22)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    if sock.family == socket.AF_INET:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)


def _receive_all(sock: socket.socket) -> list[tuple[bytes, int]]:
    received: list[tuple[bytes, int]] = []
    while True:
        try:
            data, ancillary, _, _ = sock.recvmsg(65_536, 256)
        except BlockingIOError:
            return received
        received.append((data, next((message[2][0] for message in ancillary), 0)))
