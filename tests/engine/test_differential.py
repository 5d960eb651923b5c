"""Both engines are one: the same bytes on the wire, and the same verdict on a million hostile datagrams.

What follows from a seed can be had again: PYWG_TEST_SEED=N runs that one alone. Where the verdicts on a batch
differ, the same is done once more, one datagram at a time, and the one at fault is shown.
"""

import os
from collections.abc import Iterator
from ipaddress import ip_network
from random import Random

import pytest

from pywg.endpoint import Source
from pywg.engine.contract import AllowedIpChange, Drop, PeerId, Slot
from pywg.protocol.constants import SECOND, Limits
from tests.engine.mutations import Batch, Generator
from tests.engine.packets import ipv4, ipv6
from tests.engine.rig import Session
from tests.engine.twins import Twins
from tests.needs import need_engine

BATCHES = (1, 2, 5, 20, 256, 256, 256, 256)
"""Datagrams between two verdicts: in a small batch nothing that comes later hides what one has done."""
EPOCH = 4_096
"""Datagrams after which both engines begin anew."""
EPOCHS = 25
PARTS = 10
assert EPOCH * EPOCHS * PARTS >= 1_000_000

NARROW = Limits(
    rekey_after_messages=40,
    reject_after_messages=400,
    rekey_after_time=3 * SECOND,
    reject_after_time=12 * SECOND,
    rekey_timeout=1 * SECOND,
    keepalive_timeout=2 * SECOND,
    staged_packets=3,
    handshake_queue=7,
)
"""Of every fourth epoch: what is rare otherwise is common under these."""

PEER = PeerId(1)
OURS_V4, OURS_V6 = "10.0.0.1", "fd00::1"
THEIRS_V4, THEIRS_V6 = "10.0.0.2", "fd00::2"


@pytest.fixture
def twins() -> Iterator[Twins]:
    need_engine("native")
    with Twins("python", "native") as both:
        yield both


# What goes out.


def connected(twins: Twins, *, counter: int = 0) -> Session:
    """Both have one peer, with keys, which has been sent its first keepalive."""
    twins.add(PEER, f"{THEIRS_V4}/32", f"{THEIRS_V6}/128", place=(4, 0))
    session = Session(0x100, is_initiator=True, counter=counter)
    twins.install(PEER, session.keys, Slot.CURRENT)
    assert [len(data) for data, _ in twins.same().sent[4, 0]] == [32]
    return session


def in_batches(packets: list[bytes]) -> Iterator[list[bytes]]:
    for start in range(0, len(packets), 64):
        yield packets[start : start + 64]


@pytest.mark.parametrize("mtu", [1420, 1280, 1299, 1500, 68, 0])
def test_every_size_is_padded_and_sealed_alike(twins: Twins, mtu: int) -> None:
    session = connected(twins)
    twins.do(lambda engine: engine.set_mtu(mtu))
    random = Random(mtu)
    v4 = [ipv4(OURS_V4, THEIRS_V4, random.randbytes(size - 20)) for size in range(20, 1_501)]
    v6 = [ipv6(OURS_V6, THEIRS_V6, random.randbytes(size - 40)) for size in range(40, 1_501)]
    for packets in (v4, v6):
        for batch in in_batches(packets):
            twins.write(batch)
            sent = twins.same().sent[4, 0]
            assert [
                session.open(data)[: len(packet)] for (data, _), packet in zip(sent, batch, strict=True)
            ] == batch


def test_what_is_no_packet_is_judged_alike(twins: Twins) -> None:
    """Any bytes from the TUN: sealed, answered by ICMP, or dropped."""
    connected(twins)
    twins.add(PeerId(2), "0.0.0.0/2", "::/2")
    random = Random(2)
    total = 0
    for _ in range(200):
        batch = []
        for size in [*range(1, 41), *(random.randrange(41, 1_500) for _ in range(24))]:
            garbage = random.randbytes(size)
            if random.random() < 0.8:
                garbage = bytes([random.choice((0x45, 0x46, 0x4F, 0x40, 0x60, 0x6F))]) + garbage[1:]
            if random.random() < 0.5 and garbage[0] >> 4 == 4:
                garbage = (garbage[:16] + bytes([10, 0, 0, 2]) + garbage[20:])[:size]
            batch.append(garbage)
        twins.write(batch)
        total += len(batch)
        twins.same()
        twins.advance(SECOND // 50)
    assert total > 10_000


def test_marks_and_order_of_mixed_traffic(twins: Twins) -> None:
    """Four peers in turns, every TOS byte, both families inside and outside."""
    random = Random(3)
    for number in range(4):
        twins.add(
            PeerId(number + 1), f"10.0.{number}.0/24", f"fd0{number}::/64", place=((4, 6)[number % 2], number)
        )
        keys = Session(0x100 + number, is_initiator=True, counter=number).keys
        twins.install(PeerId(number + 1), keys, Slot.CURRENT)
    for _ in range(40):
        batch = []
        for _ in range(64):
            number, tos, payload = (
                random.randrange(5),
                random.randrange(256),
                random.randbytes(random.randrange(1_380)),
            )
            if random.random() < 0.5:
                batch.append(ipv4(OURS_V4, f"10.0.{number}.7", payload, tos=tos))
            else:
                batch.append(ipv6(OURS_V6, f"fd0{number}::7", payload, traffic_class=tos))
        twins.write(batch)
        twins.same()
        twins.advance(SECOND // 10)


def test_long_runs_of_one_size(twins: Twins) -> None:
    """What is handed to the kernel as one arrives as many, the last one shorter or not."""
    session = connected(twins)
    for size in (33, 60, 576, 1_400, 1_420, 9_000, 30_000):
        for tail in (0, 21, size // 2 + 20):
            run = [ipv4(OURS_V4, THEIRS_V4, bytes([number]) * (size - 20)) for number in range(40)]
            if tail:
                run.append(ipv4(OURS_V4, THEIRS_V4, bytes(tail - 20)))
            step = max(1, 100_000 // size)
            for start in range(0, len(run), step):
                batch = run[start : start + step]
                twins.write(batch)
                sent = twins.same().sent[4, 0]
                assert [session.open(data)[20] for data, _ in sent] == [packet[20] for packet in batch]
    assert twins.same().peers[PEER].drops == {}


def test_staged_packets_keepalives_and_messages(twins: Twins) -> None:
    twins.add(PEER, f"{THEIRS_V4}/32", place=(4, 1))
    packets = [ipv4(OURS_V4, THEIRS_V4, bytes([number]) * number) for number in range(140)]
    for batch in in_batches(packets):
        twins.write(batch)
        twins.same()
    assert twins.same().peers[PEER].drops == {Drop.STAGED_OVERFLOW: 12}
    current = Session(1, is_initiator=True)
    twins.install(PEER, current.keys, Slot.CURRENT)
    assert len(twins.same().sent[4, 1]) == 128
    for size in (148, 92, 64):
        twins.do(lambda engine, size=size: engine.send_handshake(PEER, bytes(size)))  # type: ignore[misc]
        twins.do(lambda engine: engine.send_keepalive(PEER))
        twins.same()
    for twin in twins.both:
        twin.engine.send_reply(Source(twin.endpoint((6, 2))), bytes(64))
    assert twins.same().sent == {(6, 2): [(bytes(64), 0)]}
    twins.do(lambda engine: engine.drop_keypairs(PEER))
    twins.write(packets[:3])
    unconfirmed = Session(2, is_initiator=False)
    twins.install(PEER, unconfirmed.keys, Slot.NEXT)
    assert twins.same().sent == {}
    told = twins.receive([((6, 3), [unconfirmed.seal(b"")])])
    assert [data[8:16] for data, _ in told.sent[6, 3]] == [
        number.to_bytes(8, "little") for number in range(3)
    ]


@pytest.mark.parametrize("left", range(5))
def test_the_last_counters(twins: Twins, left: int) -> None:
    twins.add(PEER, f"{THEIRS_V4}/32", place=(4, 0))
    session = Session(1, is_initiator=True, counter=Limits().reject_after_messages - left)
    twins.install(PEER, session.keys, Slot.CURRENT)
    twins.write([ipv4(OURS_V4, THEIRS_V4, bytes(number)) for number in range(6)])
    assert len(twins.same().sent.get((4, 0), [])) == left


def test_the_ages_of_a_key(twins: Twins) -> None:
    """Second by second, as initiator and as responder, sending and receiving."""
    for number in (1, 2):
        twins.add(PeerId(number), f"10.0.0.{number}/32", place=(4, number))
    sessions = [Session(0x100 * number, is_initiator=number == 1) for number in (1, 2)]
    for number, session in enumerate(sessions, 1):
        twins.install(PeerId(number), session.keys, Slot.CURRENT)
    for _ in range(185):
        twins.write([ipv4(OURS_V4, f"10.0.0.{number}") for number in (1, 2)])
        twins.same()
        twins.receive(
            [
                ((4, number), [session.seal(ipv4(f"10.0.0.{number}"))])
                for number, session in enumerate(sessions, 1)
            ]
        )
        twins.advance(SECOND)


# The table.


def some_prefix(random: Random) -> str:
    """Few enough that they meet, and lie within each other."""
    length = random.choice((0, 1, 8, 9, 16, 23, 24, 25, 30, 31, 32))
    if random.random() < 0.5:
        host = bytes([10, random.choice((0, 1, 128)), random.choice((0, 1, 255)), random.randrange(4)])
    else:
        host = bytes([0xFD, 0, *bytes(13), random.randrange(4)])
        length *= 4
    return str(ip_network((host, length), strict=False))


@pytest.mark.parametrize("seed", range(5))
def test_any_changes_make_the_same_table(twins: Twins, seed: int) -> None:
    """Prefixes go from peer to peer, in sets of many; then packets to addresses within and beside them."""
    random = Random(seed)
    peers = [PeerId(number) for number in range(1, 6)]
    for peer in peers:
        twins.add(peer, place=((4, 6)[peer // 5], peer % 4))
        twins.install(peer, Session(peer, is_initiator=True).keys, Slot.CURRENT)
    twins.same()
    for _ in range(60):
        changes = [
            AllowedIpChange(
                random.choice(peers),
                None if (wipe := random.random() < 0.03) else ip_network(some_prefix(random)),
                remove=wipe or random.random() < 0.3,
            )
            for _ in range(random.choice((1, 3, 40)))
        ]
        twins.do(lambda engine, changes=changes: engine.change_allowed_ips(changes))  # type: ignore[misc]
        for peer in peers:
            twins.do(lambda engine, peer=peer: list(engine.allowed_ips(peer)))  # type: ignore[misc]
        addresses = [ip_network(some_prefix(random))[random.choice((0, -1))] for _ in range(30)]
        twins.write([(ipv4 if at.version == 4 else ipv6)(destination=str(at)) for at in addresses])
        twins.same()
        twins.advance(SECOND // 20)


# What comes in.


def seeds_of(part: int) -> list[int]:
    alone = os.environ.get("PYWG_TEST_SEED")
    if alone is not None:
        return [int(alone)] if part == 0 else []
    return [part * EPOCHS + number for number in range(EPOCHS)]


def run_epoch(seed: int, engines: tuple[str, str], *, one_by_one: bool = False) -> int:
    """Both engines from their beginning through many states; returns how many datagrams they were sent."""
    limits = Limits() if seed % 4 else NARROW
    generator = Generator(seed, limits.reject_after_messages)
    total = 0
    with Twins(*engines, limits) as twins:
        generator.prepare(twins)
        while total < EPOCH:
            for _ in range(generator.random.randrange(4)):
                generator.change(twins)
            batch = generator.batch(generator.random.choice(BATCHES))
            twins.set_tos(batch.tos)
            total += len(batch)
            if one_by_one:
                _deliver_one_by_one(twins, batch)
            else:
                twins.receive(batch.groups)
    return total


def _deliver_one_by_one(twins: Twins, batch: Batch) -> None:
    for place, group in batch.groups:
        for datagram in group:
            try:
                twins.receive([(place, [datagram])])
            except AssertionError as error:
                raise AssertionError(
                    f"{error}\nthe datagram, from {place}, TOS {batch.tos:#x}: {datagram.hex()}"
                ) from None


def assert_same_verdicts(seed: int, engines: tuple[str, str]) -> int:
    """One epoch. Raises AssertionError with seed and datagram."""
    try:
        return run_epoch(seed, engines)
    except AssertionError as error:
        together = str(error)
    try:
        run_epoch(seed, engines, one_by_one=True)
    except AssertionError as error:
        raise AssertionError(f"PYWG_TEST_SEED={seed}: {error}") from None
    raise AssertionError(f"PYWG_TEST_SEED={seed}, and only when datagrams come together: {together}")


@pytest.mark.parametrize("part", range(PARTS))
def test_a_million_hostile_datagrams_draw_the_same_verdicts(part: int) -> None:
    need_engine("native")
    total = sum(assert_same_verdicts(seed, ("python", "native")) for seed in seeds_of(part))
    print(f"{total} datagrams")


# The comparison itself.


def test_an_engine_does_not_differ_from_itself() -> None:
    assert assert_same_verdicts(1, ("python", "python")) >= EPOCH


def test_a_difference_is_found_and_the_datagram_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the two believes that it has lost a prefix."""
    prepare = Generator.prepare

    def spoiled(self: Generator, twins: Twins) -> None:
        prepare(self, twins)
        twins.both[1].rig.allow(PeerId(5), "10.1.2.3/32")

    monkeypatch.setattr(Generator, "prepare", spoiled)
    with pytest.raises(
        AssertionError, match=r"PYWG_TEST_SEED=1: .*\n?the datagram, from \(\d, \d\), TOS 0x\w+: 04000000"
    ):
        assert_same_verdicts(1, ("python", "python"))
