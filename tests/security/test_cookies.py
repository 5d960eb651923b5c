"""Cookies: only under load, only to whom they bind, and they set the cookie and do nothing else."""

import pytest

from pywg.endpoint import Endpoint
from pywg.protocol.constants import MILLISECOND, Limits
from tests.security.attacker import (
    ELSEWHERE,
    Initiator,
    arrive,
    arrive_at_once,
    causes,
    endpoint,
    peer_causes,
    rubbish,
)
from tests.simulation.wire import kind, kinds, sent_by
from tests.simulation.world import Machine, Sent, World, pair

SMALL = Limits(handshake_queue=8)
"""Two messages that wait at once are load."""


def put_under_load(machine: Machine) -> None:
    arrive_at_once(machine, *[(rubbish(machine, machine.world.random), ELSEWHERE)] * 4)


@pytest.mark.parametrize("handshakes", [150])
def test_every_handshake_after_the_hundredth_gets_no_cookie(handshakes: int) -> None:
    world, _a, b = pair()
    one = Initiator(b, known=True)
    for _ in range(handshakes):
        assert kinds(one.send()) == ["response"]
        world.run(0.025)


def test_a_flood_below_the_threshold_leaves_others_alone() -> None:
    """An eighth of the queue is 128: bursts of 120, thousands a second, put nobody into cookie mode."""
    world, a, b = pair()
    flood = [(rubbish(b, world.random), ELSEWHERE) for _ in range(120)]
    for number in range(50):
        if number == 25:
            a.send(b)
        arrive_at_once(b, *flood)
        world.run_until(world.now + 10 * MILLISECOND)
    assert kinds(world.sent) == ["initiation", "response", "data"]
    assert len(b.delivered) == 1
    assert causes(b) == {"aead_failure": 120 * 50}


def test_load_is_held_for_a_second_and_no_longer() -> None:
    world, _a, b = pair(limits=SMALL)
    one = Initiator(b, known=True)
    put_under_load(b)
    world.run(0.95)
    assert kinds(one.send()) == ["cookie"]
    world.run(0.05)
    assert kinds(one.send()) == ["response"]


def test_a_cookie_is_worth_nothing_on_another_port() -> None:
    _world, _a, b = pair(limits=SMALL)
    one = Initiator(b, known=True)
    put_under_load(b)
    (reply,) = one.send()
    assert one.cookie.consume_reply(reply.data, b.clock.boottime())
    for other in (
        one.endpoint._replace(port=one.endpoint.port + 1),
        one.endpoint._replace(host="198.51.100.8"),
    ):
        assert kinds(one.send(source=other)) == ["cookie"]
    assert kinds(one.send()) == ["response"]


def test_a_cookie_lets_no_more_through_than_the_token_bucket() -> None:
    _world, _a, b = pair(limits=SMALL)
    one = Initiator(b, known=False)
    put_under_load(b)
    before = causes(b)
    (reply,) = one.send()
    assert one.cookie.consume_reply(reply.data, b.clock.boottime())
    for _ in range(12):
        assert one.send() == []
    told = causes(b)
    assert told["unknown_key"] == 5, "a burst of five"
    assert told["rate_limit"] == 7
    assert told["cookie"] == before["cookie"] + 1


def cookie_that_was_held_back() -> tuple[World, Machine, Machine, bytes]:
    """A machine that waits for an answer to its initiation, and the cookie reply it should get."""
    world, a, b = pair(limits=SMALL)
    put_under_load(b)
    held: list[Sent] = []

    def fate(sent: Sent) -> list[int]:
        if kind(sent) != "cookie":
            return [MILLISECOND]
        held.append(sent)
        return []

    world.fate = fate
    a.send(b)
    world.run(0.1)
    (reply,) = (one for one in held if one.destination.host == a.address)
    world.sent.clear()
    return world, a, b, reply.data


def test_a_cookie_reply_sets_the_cookie_and_does_nothing_else() -> None:
    world, a, b, reply = cookie_that_was_held_back()
    before = a.device.get_state(), a.device._peers[b.public_key].timers
    arrive(a, reply, ELSEWHERE)
    assert (a.device.get_state(), a.device._peers[b.public_key].timers) == before
    assert endpoint(a) == Endpoint(b.address, b.port), "it never roams"
    assert world.sent == []
    assert peer_causes(a) == {}
    world.run(6)
    (again,) = sent_by(a, "initiation")
    assert any(again.data[-16:]), "the next initiation carries it"


def test_a_second_identical_cookie_reply_is_refused() -> None:
    world, a, _b, reply = cookie_that_was_held_back()
    arrive(a, reply)
    for count in (1, 2, 3):
        arrive(a, reply)
        assert peer_causes(a) == {"cookie": count}
    assert world.sent == []


def test_a_cookie_reply_with_any_byte_flipped_is_refused() -> None:
    _world, a, _b, reply = cookie_that_was_held_back()
    for at in range(8, 64):
        arrive(a, reply[:at] + bytes([reply[at] ^ 1 << at % 8]) + reply[at + 1 :])
    assert peer_causes(a) == {"cookie": 56}
    arrive(a, reply)
    assert peer_causes(a) == {"cookie": 56}, "and the right one still works"
