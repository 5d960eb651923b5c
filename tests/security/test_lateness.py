"""A slow path: answers that take seconds are answers."""

import pytest

from pywg.protocol.constants import MILLISECOND
from tests.simulation.wire import kinds, sent_by
from tests.simulation.world import pair


@pytest.mark.parametrize("round_trip", [251, 1_000, 4_900])
def test_a_response_counts_however_late_until_the_next_initiation(round_trip: int) -> None:
    """Another implementation dropped responses after 250 ms."""
    world, a, b = pair()
    world.weather.delay = round_trip * MILLISECOND // 2
    a.send(b)
    world.run(8)
    assert kinds(sent_by(a)) == ["initiation", "data"]
    assert len(b.delivered) == 1


def test_a_response_to_an_initiation_that_was_replaced_is_refused_and_harmless() -> None:
    world, a, b = pair()
    world.weather.delay = 2_700 * MILLISECOND
    a.send(b)
    world.run(7)
    assert kinds(sent_by(a)) == ["initiation", "initiation"]
    world.weather.delay = MILLISECOND
    world.run(6)
    assert len(b.delivered) == 1
    assert a.device._handshakes.indices_in_use <= 2
