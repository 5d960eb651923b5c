"""Hostile datagrams by the seed: right ones, almost right ones, and rubbish, for a device with known keys.

Comes in: a seeded generator. Goes out: calls that bring two engines into one more state (sessions of every
kind, staged packets, keys of MAC1, time), and batches of datagrams for it. Rule: the same seed gives the same
calls and datagrams, whatever the engines make of them.
"""

import hashlib
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from pywg.engine.contract import PeerId, Slot
from pywg.protocol.constants import SECOND
from pywg.protocol.timers import Fact
from tests.engine.packets import ipv4, ipv6
from tests.engine.rig import START, Session
from tests.engine.twins import SENDERS, Place, Twins

PREFIXES = (
    ("10.0.0.2/32", "fd00::2/128"),
    ("10.1.0.0/16", "fd01::/64"),
    ("10.1.2.3/32", "fd01::3/128"),
    ("0.0.0.0/1", "::/3"),
    (),
)
"""Of the peers in turn: one inside another, one that has much, one that has none."""
SOURCES_V4 = ("10.0.0.2", "10.1.9.9", "10.1.2.3", "9.9.9.9", "200.1.1.1", "0.0.0.0", "255.255.255.255")  # noqa: S104
SOURCES_V6 = ("fd00::2", "fd01::9", "fd01::3", "1::1", "fe80::1", "::", "ff02::1")
"""The first of each belong to the peers in turn."""
OURS = "10.0.0.1"
MAC1_KEYS = (b"k" * 32, b"o" * 32)

MTU = 1_420
SIZES = (0, 1, 19, 20, 21, 39, 40, 41, 60, 64, 100, 576, 1_280, 1_400, MTU, MTU + 1, 1_500)
AGES = (0, 0, 0, 0, 0, 0, 0, 1, 119, 120, 164, 165, 179, 180, 500)
"""Seconds a session has already lived when it is installed."""


@dataclass
class Known:
    """What the sender of the datagrams has to make them of."""

    sessions: list[tuple[Session, int]] = field(default_factory=list)
    """Of each peer, by its number, the newest, which are in the end; the engine may have forgotten some."""
    forgotten: list[tuple[Session, int]] = field(default_factory=list)
    pending: list[int] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    """To replay."""


class Generator:
    """See above. `limit` is REJECT_AFTER_MESSAGES."""

    def __init__(self, seed: int, limit: int) -> None:
        self.random = Random(seed)
        self.known = Known()
        self._limit = limit
        self._next_index = 0x1000
        self._next_peer = 1
        self._peers: list[PeerId] = []

    # The state of the engines.

    def prepare(self, twins: Twins) -> None:
        """Peers, each with sessions in a way of its own."""
        for number, prefixes in enumerate(PREFIXES):
            self._add_peer(twins, prefixes, (4, number % SENDERS) if number else None)
        twins.do(lambda engine: engine.set_mac1_key(MAC1_KEYS[0]))
        for _ in range(10):
            self.change(twins)
        for peer in self._peers:
            self._install(twins, peer, Slot.CURRENT)
            self._install(twins, peer, Slot.NEXT)

    def change(self, twins: Twins) -> None:
        """One call of the control plane, or some time."""
        random = self.random
        peer = random.choice(self._peers)
        match random.randrange(16):
            case 0 | 1 | 2:
                self._install(twins, peer, Slot.CURRENT)
            case 3 | 4 | 5:
                self._install(twins, peer, Slot.NEXT)
            case 6:
                twins.advance(random.choice((1, SECOND, 5 * SECOND, 20 * SECOND)))
            case 7:
                twins.do(lambda engine: engine.expire_sending(peer))
            case 8:
                twins.do(lambda engine: engine.drop_keypairs(peer))
                self._write(twins, SOURCES_V4[self._peers.index(peer)])
                self._install(twins, peer, random.choice(tuple(Slot)))
            case 9:
                key = random.choice((*MAC1_KEYS, MAC1_KEYS[0], None))
                twins.do(lambda engine: engine.set_mac1_key(key))
            case 10 | 11:
                self._change_pending(twins)
            case 12:
                facts = random.choice((Fact.UNANSWERED_SENT, Fact.UNANSWERED_RECEIVED, Fact(3), Fact(0)))
                twins.do(lambda engine: engine.arm_stirred(peer, facts))
                twins.do(lambda engine: engine.arm_keys_needed(peer))
            case 13:
                twins.do(lambda engine: engine.send_keepalive(peer))
            case 14:
                self._write(twins, random.choice(SOURCES_V4[:4]))
            case _:
                twins.remove(peer)
                at = self._peers.index(peer)
                del self._peers[at]
                self._add_peer(twins, PREFIXES[at], (4, at % SENDERS), at)
                self._install(twins, self._peers[at], random.choice(tuple(Slot)))

    def _add_peer(
        self, twins: Twins, prefixes: Sequence[str], place: Place | None, at: int | None = None
    ) -> None:
        peer = PeerId(self._next_peer)
        self._next_peer += 1
        self._peers.insert(len(self._peers) if at is None else at, peer)
        twins.add(peer, *prefixes, place=place)

    def _install(self, twins: Twins, peer: PeerId, slot: Slot) -> None:
        random = self.random
        index = self._next_index
        self._next_index += random.randrange(1, 1 << 20)
        session = Session(
            index,
            is_initiator=slot is Slot.CURRENT,
            born=max(START // 2, twins.now - random.choice(AGES) * SECOND),
            counter=random.choice((0, 0, 0, 0, 0, 2**32, self._limit - 3)),
        )
        twins.install(peer, session.keys, slot)
        number, known = self._peers.index(peer), self.known
        known.sessions.append((session, number))
        mine = [one for one in known.sessions if one[1] == number]
        if len(mine) > 3:
            known.sessions.remove(mine[0])
            known.forgotten = [*known.forgotten[-5:], mine[0]]

    def _write(self, twins: Twins, destination: str) -> None:
        """Packets from the TUN: sent, staged or refused."""
        count = self.random.choice((1, 5, 60))
        twins.write([ipv4(OURS, destination, self.random.randbytes(number)) for number in range(count)])
        for twin in twins.both:
            twin.rest()

    def _change_pending(self, twins: Twins) -> None:
        pending = self.known.pending
        if len(pending) > 4:
            gone = pending.pop(0)
            twins.do(lambda engine: engine.set_pending(gone, pending=False))
        index = self.random.getrandbits(32)
        pending.append(index)
        twins.do(lambda engine: engine.set_pending(index, pending=True))

    # Datagrams.

    def datagram(self, size: int | None = None) -> bytes:
        """One more. `size`: of the inner packet, and then nothing changes the length."""
        random = self.random
        choice = random.random()
        if choice < 0.5:
            made = self._data(size)
        elif choice < 0.65:
            made = self._handshake()
        elif choice < 0.75 and self.known.sent:
            made = random.choice(self.known.sent)
        elif choice < 0.8:
            made = random.randbytes(random.choice((0, 1, 31, 32, 64, 92, 148, random.randrange(1_600))))
        else:
            made = self._mutated(self._data(size) if random.random() < 0.7 else self._handshake(), size)
        if random.random() < 0.05:
            self.known.sent.append(made)
            del self.known.sent[:-64]
        return made

    def _data(self, size: int | None) -> bytes:
        """Transport data that is authentic under some session, with an inner packet of any kind."""
        random = self.random
        if not self.known.sessions:
            return random.randbytes(80)
        forgotten = self.known.forgotten if random.random() < 0.05 else []
        session, number = random.choice(forgotten or self.known.sessions)
        payload = self._inner(random.choice(SIZES) if size is None else size, number)
        choice = random.random()
        if choice < 0.92:
            return session.seal(payload)
        if choice < 0.97:
            return session.seal(
                payload, max(0, session.counter - random.choice((1, 2, 64, 8_127, 8_128, 8_129)))
            )
        if choice < 0.997:
            session.counter += random.choice((10, 1_000, 8_128, 8_192, 100_000))
            return session.seal(payload)
        limit = self._limit
        return session.seal(payload, random.choice((limit - 1, limit, limit + 1, 2**63, 2**64 - 1)))

    def _inner(self, size: int, number: int) -> bytes:
        """An inner packet, most often one that may pass, from the peer of that number."""
        random = self.random
        choice = random.random()
        if choice < 0.1:
            return b""
        if choice < 0.2:
            return random.randbytes(size)
        tos = random.randrange(256)
        sources = number if random.random() < 0.85 else random.randrange(len(SOURCES_V4))
        if random.random() < 0.6:
            room = max(0, size - 20)
            length = self._length(room, 20)
            packet = ipv4(SOURCES_V4[sources], OURS, bytes(room), tos=tos, length=length)
        else:
            room = max(0, size - 40)
            packet = ipv6(
                SOURCES_V6[sources],
                "fd00::1",
                bytes(room),
                traffic_class=tos,
                length=self._length(room, 0),
            )
        if random.random() < 0.03:
            packet = bytes([random.randrange(256)]) + packet[1:]
        return packet + bytes(-len(packet) % 16) if random.random() < 0.7 else packet

    def _length(self, room: int, header: int) -> int | None:
        choice = self.random.random()
        if choice < 0.8:
            return None
        if choice < 0.9:
            return self.random.randrange(room + header + 20)
        return self.random.choice((0, 19, 20, 39, 40, 65_495, 65_496, 65_535))

    def _handshake(self) -> bytes:
        """Message 1, 2 or 3: MAC1 under a key the engine may have, an index it may wait for."""
        random = self.random
        index = struct.pack("<I", random.choice((*self.known.pending, random.getrandbits(32))))
        match random.randrange(3):
            case 0:
                message = b"\1\0\0\0" + random.randbytes(112)
            case 1:
                message = b"\2\0\0\0" + random.randbytes(4) + index + random.randbytes(48)
            case _:
                return b"\3\0\0\0" + index + random.randbytes(56)
        key = random.choice((MAC1_KEYS[0], MAC1_KEYS[0], MAC1_KEYS[1]))
        return message + hashlib.blake2s(message, key=key, digest_size=16).digest() + random.randbytes(16)

    def _mutated(self, datagram: bytes, size: int | None) -> bytes:
        random = self.random
        changes: Sequence[Callable[[bytes], bytes]] = (
            self._flip,
            self._flip,
            self._other_type,
            self._other_index,
            self._other_counter,
            self._cut,
            self._extend,
        )
        return random.choice(changes[:5] if size is not None else changes)(datagram)

    def _flip(self, datagram: bytes) -> bytes:
        changed = bytearray(datagram)
        for _ in range(self.random.choice((1, 1, 1, 2, 8))):
            bit = self.random.randrange(len(changed) * 8)
            changed[bit // 8] ^= 1 << bit % 8
        return bytes(changed)

    def _other_type(self, datagram: bytes) -> bytes:
        random = self.random
        head = bytearray(datagram[:4])
        head[random.choice((0, 0, 1, 2, 3))] = random.choice((0, 1, 2, 3, 4, 5, random.randrange(256)))
        return bytes(head) + datagram[4:]

    def _other_index(self, datagram: bytes) -> bytes:
        random = self.random
        indices = [session.ours for session, _ in self.known.sessions] + self.known.pending
        return (
            datagram[:4]
            + struct.pack("<I", random.choice([*indices, 0, random.getrandbits(32)]))
            + datagram[8:]
        )

    def _other_counter(self, datagram: bytes) -> bytes:
        random = self.random
        counter = random.choice((0, random.randrange(100), random.getrandbits(64), self._limit, 2**64 - 1))
        return datagram[:8] + struct.pack("<Q", counter) + datagram[16:]

    def _cut(self, datagram: bytes) -> bytes:
        return datagram[: self.random.randrange(len(datagram))]

    def _extend(self, datagram: bytes) -> bytes:
        return datagram + self.random.randbytes(self.random.choice((1, 4, 16, self.random.randrange(1, 400))))

    # Batches.

    def batch(self, count: int) -> "Batch":
        """About so many datagrams, all of one family and with one TOS byte."""
        random = self.random
        family = 4 if random.random() < 0.8 else 6
        tos = random.choice((0, 0, 1, 2, 3, 0xB8, 0xBB))
        if random.random() < 0.8:
            groups: list[tuple[Place, Sequence[bytes]]] = [
                ((family, random.randrange(SENDERS)), [self.datagram()]) for _ in range(count)
            ]
            return Batch(tos, groups)
        groups = []
        made = 0
        while made < count:
            group = self._merged(random.choice(SIZES))
            groups.append(((family, random.randrange(SENDERS)), group))
            made += len(group)
        return Batch(tos, groups)

    def _merged(self, size: int) -> list[bytes]:
        """A run that the kernel hands over as one datagram: of one length, but the last may be shorter."""
        first = self.datagram(size) or b"\0"
        group = [first]
        most = min(64, 60_000 // len(first))
        while len(group) < most:
            datagram = self.datagram(size)
            if len(datagram) == len(first):
                group.append(datagram)
            elif 0 < len(datagram) < len(first):
                return [*group, datagram]
            elif self.random.random() < 0.1:
                break
        return group


@dataclass(frozen=True)
class Batch:
    """Groups of datagrams, each from one sender; a group of several goes as one."""

    tos: int
    groups: list[tuple[Place, Sequence[bytes]]]

    def __len__(self) -> int:
        return sum(len(group) for _, group in self.groups)
