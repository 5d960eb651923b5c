"""Passive keepalives: one answer to data, timed from the data, and none to another keepalive."""

import pytest

from tests.simulation.wire import kinds, seconds, sent_by
from tests.simulation.world import pair


@pytest.mark.parametrize("both", [False, True], ids=["one spoke last", "both spoke at once"])
def test_two_idle_peers_never_answer_keepalives_with_keepalives(both: bool) -> None:
    world, a, b = pair()
    a.send(b)
    world.run(1)
    b.send(a)
    world.run(12)
    world.sent.clear()
    a.send(b)
    if both:
        b.send(a)
    world.run(160)
    expected = ["data", "data", "keepalive", "keepalive"] if both else ["data", "keepalive"]
    assert kinds(world.sent) == expected
    world.sent.clear()
    world.run(3_600)
    assert world.sent == []


def test_with_persistent_keepalives_on_both_sides_each_sends_its_own_and_no_more() -> None:
    world, a, b = pair(keepalive=25)
    b.knows(a, keepalive=25)
    world.run(5)
    world.sent.clear()
    world.run(100)
    assert len([one for one in world.sent if len(one.data) == 32]) <= 2 * 4


@pytest.mark.parametrize("spoke_before", [1, 5, 9])
def test_the_passive_keepalive_is_timed_from_the_data_and_not_from_the_last_send(spoke_before: int) -> None:
    world, a, b = pair()
    a.send(b)
    world.run(30)
    b.send(a)
    world.run(spoke_before)
    start = world.now
    a.send(b)
    world.run(1)
    world.sent.clear()
    world.run(5)
    a.send(b)
    world.run(13)
    keepalives = seconds(sent_by(b, "keepalive"), start)
    assert keepalives == [pytest.approx(10, abs=0.01)], "nor put off by more data"
