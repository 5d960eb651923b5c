"""Whoever cannot make a right MAC1 hears nothing; whoever can hears, under load, of one cookie each time."""

import gc
import sys
from collections import Counter

import pytest

from pywg.endpoint import Endpoint
from pywg.protocol.constants import (
    COOKIE_REPLY_SIZE,
    INITIATION_SIZE,
    RESPONSE_SIZE,
    MessageType,
)
from tests.security.attacker import ELSEWHERE, answers, arrive_at_once, causes, rubbish, with_mac1
from tests.simulation.wire import kinds, sent_by
from tests.simulation.world import Machine, pair

MILLION = 1_000_000
BATCH = 4_000
"""What the memory socket holds at once."""


def unauthentic(machine: Machine, session: bytes) -> list[bytes]:
    """One batch of every kind of datagram one can make without the public key; `session` is a known index."""
    random = machine.world.random
    made: list[bytes] = []
    while len(made) < BATCH:
        kind = random.choice([1, 1, 1, 2, 3, 4, 4, 0, 5, 255])
        size = random.choice(
            [0, 1, 31, 32, 63, COOKIE_REPLY_SIZE, RESPONSE_SIZE, INITIATION_SIZE, 149, 1_452]
        )
        index = random.choice([session, random.randbytes(4)])
        made.append((bytes([kind, 0, 0, 0]) + index + random.randbytes(1_500))[:size])
    return made


def test_a_million_datagrams_without_a_right_mac1_draw_and_leave_nothing() -> None:
    world, a, b = pair()
    a.send(b)
    world.run(1)
    (response,) = sent_by(b, "response")
    batch = unauthentic(b, response.data[4:8])
    assert b.udp is not None
    blocks = []
    world.sent.clear()
    started = world.now
    for _ in range(MILLION // BATCH):
        for data in batch:
            b.udp.arrive(ELSEWHERE, data, to=b"\xc0\0\2\2")
        world.run(0)
        gc.collect(0)
        blocks.append(sys.getallocatedblocks())
    assert world.now == started
    assert world.sent == [], "0 bytes out"
    assert max(blocks[-10:]) - blocks[1] < 500, "0 allocations kept"
    status = b.device.get_status()
    (peer,) = status.peers
    assert sum(status.drops.values()) + sum(peer.drops.values()) == MILLION, "every one is counted"
    assert status.handshake_failures == {}, "none has reached the control plane"


@pytest.mark.parametrize("size", [COOKIE_REPLY_SIZE, RESPONSE_SIZE])
def test_forged_answers_to_a_pending_initiation_draw_nothing(size: int) -> None:
    """A cookie reply has no MAC1: whoever saw our index gets it to the control plane and no farther."""
    world, a, b = pair()
    world.offline = True
    a.send(b)
    world.run(0.1)
    (initiation,) = sent_by(a)
    world.sent.clear()
    index = initiation.data[4:8]
    for _ in range(50):
        filling = world.random.randbytes(size)
        head = b"\3\0\0\0" + index if size == COOKIE_REPLY_SIZE else b"\2\0\0\0" + filling[:4] + index
        data = (head + filling)[:size]
        forged = [data] if size == COOKIE_REPLY_SIZE else [data, with_mac1(a, data)]
        arrive_at_once(a, *((one, ELSEWHERE) for one in forged * 40))
    assert {kind for kind in kinds(world.sent) if kind != "cookie"} == set()
    if size == COOKIE_REPLY_SIZE:
        assert world.sent == []
    assert a.device._peers[b.public_key].pending is not None, "the handshake goes on"


def test_under_load_a_right_mac1_draws_one_cookie_and_nothing_else() -> None:
    world, _a, b = pair()
    count = 3_000
    sources = [Endpoint("203.0.113.66", 10_000 + number) for number in range(count)]
    arrive_at_once(b, *((rubbish(b, world.random), source) for source in sources))
    drawn = [answer for source in sources for answer in answers(b, source)]
    assert len(drawn) == len(world.sent), "nobody else hears of it"
    assert {(one.data[0], len(one.data)) for one in drawn} == {(MessageType.COOKIE_REPLY, COOKIE_REPLY_SIZE)}
    assert max(Counter(one.destination for one in drawn).values()) == 1
    told = causes(b)
    dropped = b.device.get_status().drops["handshake_queue_full"]
    assert told["cookie"] == len(drawn) > 500
    assert told["cookie"] + told["aead_failure"] + dropped == count, "those before the load were opened"
    assert sum(len(one.data) for one in drawn) < count * INITIATION_SIZE, "less goes out than came in"
