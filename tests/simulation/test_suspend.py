"""A machine that slept: boottime went on, the monotonic clock did not."""

import pytest

from pywg.protocol.constants import SECOND
from tests.simulation.wire import kinds, sent_by
from tests.simulation.world import pair


@pytest.mark.parametrize("sleeper", ["initiator", "responder", "both"])
def test_after_ten_minutes_of_sleep_only_new_keys_are_used_and_traffic_flows(sleeper: str) -> None:
    world, a, b = pair()
    a.send(b)
    world.run(1)
    b.send(a)
    world.run(1)
    world.sent.clear()
    for machine in (a, b):
        if sleeper == "both" or machine is (a if sleeper == "initiator" else b):
            machine.suspend(600)
    slept_at = world.now
    before = {one.data[4:8] for one in world.sent}
    for _ in range(12):
        a.send(b)
        b.send(a)
        world.run(0.5)
    assert world.now - slept_at == 6 * SECOND
    assert len(a.delivered) > 1
    assert len(b.delivered) > 1
    if sleeper != "responder":
        assert kinds(sent_by(a))[0] in ("initiation", "response")
    assert not before & {one.data[4:8] for one in sent_by(a, "data")}


def test_keys_are_forgotten_by_the_time_that_passed_in_sleep() -> None:
    world, a, b = pair()
    a.send(b)
    world.run(30)
    a.suspend(600)
    world.run(0.1)
    assert a.device._handshakes.indices_in_use == 0


def test_a_persistent_keepalive_does_not_wait_for_the_sleep_to_be_made_up() -> None:
    world, a, _b = pair(keepalive=25)
    world.run(1)
    world.sent.clear()
    a.suspend(600)
    world.run(0.5)
    assert kinds(sent_by(a)) == ["initiation", "keepalive"]
