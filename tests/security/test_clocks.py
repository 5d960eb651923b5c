"""Clocks that go backwards break nothing: not the wall clock, which may, nor boottime, which should not."""

import pytest

from pywg.protocol.constants import SECOND, Limits
from pywg.protocol.ratelimiter import RateLimiter
from pywg.uapi.codec import format_state, parse_state
from tests.engine.packets import ipv4
from tests.engine.rig import FarPeer, Rig
from tests.simulation.world import pair

OUT = ipv4("10.0.0.1", "10.0.0.2", bytes(12))
IN = ipv4("10.0.0.2", "10.0.0.1", bytes(12))
DAY = 24 * 3600 * SECOND


@pytest.mark.parametrize("jump", [-DAY, -365 * DAY, DAY])
def test_a_wall_clock_that_jumps_leaves_the_session_and_the_responder_alone(jump: int) -> None:
    world, a, b = pair()
    a.send(b)
    world.run(1)
    for machine in (a, b):
        machine.clock.wall_offset += jump
    a.send(b)
    b.send(a)
    world.run(1)
    assert (len(a.delivered), len(b.delivered)) == (1, 2)
    if jump < 0:
        a.clock.wall_offset -= jump
    world.run(600)
    a.send(b)
    world.run(1)
    assert len(b.delivered) == 3, "a responder's clock says nothing about who may speak"
    for machine in (a, b):
        state = machine.device.get_state()
        assert parse_state(format_state(state)) == state


def test_an_engine_whose_clock_goes_back_goes_on(rig: Rig, peer: FarPeer) -> None:
    session = rig.connect(peer)
    for step in (10, -5, -900, 900):
        rig.advance(step * SECOND)
        rig.write(OUT)
        assert peer.open(session).payload == OUT
        peer.send(session.seal(IN))
        assert rig.read() == IN


def test_a_device_whose_clock_goes_back_goes_on() -> None:
    world, a, b = pair(keepalive=25)
    world.run(60)
    for machine in (a, b):
        machine.clock.slept -= 30 * SECOND
        machine.device.on_timer()
    for _ in range(60):
        a.send(b)
        b.send(a)
        world.run(5)
    assert len(a.delivered) > 50
    assert len(b.delivered) > 50


def test_a_rate_limiter_whose_clock_goes_back_gives_nothing_away() -> None:
    limiter = RateLimiter(Limits())
    source = b"\xc0\0\2\1"
    now = 1_000 * SECOND
    allowed = [limiter.allow(source, now - step * SECOND) for step in range(100)]
    assert allowed == [True] * 5 + [False] * 95 or sum(allowed) < 5
    assert limiter.allow(source, now + 200 * SECOND)
    assert len(limiter) == 1
