"""Hostile datagrams: a device that is fuzzed stays up and says nothing to those it does not know.

In the simulation, which has the Python engine; test_engines.py does the same with either engine on real
sockets, and tests/engine/test_differential.py compares the two.
"""

from collections.abc import Iterator
from random import Random

import pytest

from pywg.endpoint import Endpoint
from pywg.protocol.constants import (
    COOKIE_REPLY_SIZE,
    INITIATION_SIZE,
    MAC_SIZE,
    RESPONSE_SIZE,
    SECOND,
    MessageType,
)
from pywg.protocol.cookie import mac1_key
from pywg.protocol.macs import mac
from tests.simulation.wire import sent_by
from tests.simulation.world import Machine, World, pair

ATTACKER = Endpoint("203.0.113.66", 666)
DATAGRAMS = 100_000


def with_mac1(key: bytes, body: bytes) -> bytes:
    """A handshake message with MAC1 made right and a MAC2 of rubbish."""
    return body + mac(key, body) + body[:MAC_SIZE]


def hostile(random: Random, victim: Machine, captured: list[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Datagrams and whether MAC1 is right: at least half of them are."""
    key = mac1_key(victim.public_key)
    while True:
        kind, size = random.choice(
            [(MessageType.INITIATION, INITIATION_SIZE), (MessageType.RESPONSE, RESPONSE_SIZE)]
        )
        body = bytes([kind, 0, 0, 0]) + random.randbytes(size - 4 - 2 * MAC_SIZE)
        yield with_mac1(key, body), True
        # An authentic message with one bit flipped, and MAC1 made right again.
        message = bytearray(random.choice(captured))
        bit = random.randrange(len(message) * 8)
        message[bit // 8] ^= 1 << bit % 8
        if bytes(message[:4]) in (b"\1\0\0\0", b"\2\0\0\0"):
            yield with_mac1(key, bytes(message[: -2 * MAC_SIZE])), True
        else:
            yield bytes(message), False
        match random.randrange(4):
            case 0:
                yield random.randbytes(random.randrange(2_000)), False
            case 1:
                yield (
                    bytes([random.randrange(6), 0, 0, 0])
                    + random.randbytes(random.choice([28, 60, 88, 144])),
                    False,
                )
            case 2:
                yield bytes([4, 0, 0, 0]) + random.randbytes(random.choice([28, 44, 1_400])), False
            case _:
                yield with_mac1(key, body), True


@pytest.mark.parametrize("burst", [10, 4_000])
def test_fuzzed_datagrams(burst: int) -> None:
    """Bursts of 10 never make load; bursts of 4,000 do."""
    world, a, b = _connected_and_recorded()
    captured = [one.data for one in world.sent]
    world.sent.clear()
    stream = hostile(world.random, b, captured)
    right, total = 0, 0
    while total < DATAGRAMS // 2:
        for _ in range(burst):
            data, is_right = next(stream)
            right += is_right
            total += 1
            world.deliver(ATTACKER, Endpoint(b.address, b.port), data, 0)
        world.run(0.05)
    assert right >= total / 2
    answers = sent_by(b)
    if burst == 10:
        assert answers == []
    else:
        assert 0 < len(answers) <= right
        assert {(len(one.data), one.data[0], one.destination) for one in answers} == {
            (COOKIE_REPLY_SIZE, MessageType.COOKIE_REPLY, ATTACKER)
        }
    _still_works(world, a, b)


def test_rubbish_without_a_right_mac1_draws_nothing_even_under_load() -> None:
    world, a, b = _connected_and_recorded()
    world.sent.clear()
    random = world.random
    for _ in range(100):
        for _ in range(1_000):
            size = random.choice([0, 1, 31, 32, 64, INITIATION_SIZE, RESPONSE_SIZE, 1_500])
            kind = random.choice([0, 1, 1, 2, 3, 4, 5, 255])
            data = (bytes([kind, 0, 0, 0]) + random.randbytes(1_500))[:size]
            world.deliver(ATTACKER, Endpoint(b.address, b.port), data, 0)
        world.run(0.05)
    assert sent_by(b) == []
    assert b.device._handshakes.indices_in_use == 1
    _still_works(world, a, b)


def _connected_and_recorded() -> tuple[World, Machine, Machine]:
    world, a, b = pair(5)
    a.send(b)
    world.run(1)
    b.send(a)
    world.run(1)
    assert len(a.delivered) == len(b.delivered) == 1
    return world, a, b


def _still_works(world: World, a: Machine, b: Machine) -> None:
    world.run(1)
    for sender, receiver in ((a, b), (b, a)):
        receiver.delivered.clear()
        sender.send(receiver)
        world.run(6)
        assert len(receiver.delivered) == 1
    (peer,) = b.device.get_state().peers
    assert peer.endpoint == Endpoint(a.address, a.port)
    assert not b.log.error_lines
    assert world.now < (1_000 + 900) * SECOND
