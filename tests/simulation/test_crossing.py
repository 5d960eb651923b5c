"""Two handshakes at once: every fate of every message, in every order, ends with a tunnel that works."""

from itertools import permutations, product

import pytest

from pywg.protocol.constants import MILLISECOND
from tests.simulation.wire import kind
from tests.simulation.world import Machine, Sent, pair

COPIES = {"lost": 0, "once": 1, "twice": 2}
MESSAGES = [("a", "initiation"), ("b", "initiation"), ("a", "response"), ("b", "response")]
FATES = list(product(COPIES, repeat=4))


@pytest.mark.parametrize("order", list(permutations(range(4))), ids=lambda order: "".join(map(str, order)))
def test_both_initiate_at_once(order: tuple[int, ...]) -> None:
    # All 81 fates for each order of arrival; the first message of each kind has a fate, later ones arrive.
    for number, fates in enumerate(FATES):
        _crossing(number, dict(zip(MESSAGES, fates, strict=True)), dict(zip(MESSAGES, order, strict=True)))


def _crossing(seed: int, fates: dict[tuple[str, str], str], order: dict[tuple[str, str], int]) -> None:
    world, a, b = pair(seed)
    names = {a.address: "a", b.address: "b"}
    pending = dict(fates)

    def fate(sent: Sent) -> list[int]:
        message = (names[sent.source.host], kind(sent))
        copies = COPIES[pending.pop(message, "once")]
        delay = (1 + order.get(message, 0)) * 10 * MILLISECOND
        return [delay + extra * MILLISECOND for extra in range(copies)]

    world.fate = fate
    a.send(b, b"from a")
    b.send(a, b"from b")
    _flows(world_seconds=30, machines=(a, b))
    for machine in (a, b):
        assert machine.device._handshakes.indices_in_use <= 4
        assert len(machine.delivered) == len(set(machine.delivered))


def _flows(world_seconds: int, machines: tuple[Machine, Machine]) -> None:
    """After the fates of the first messages and some retransmissions both directions work."""
    a, b = machines
    a.world.run(world_seconds - 1)
    a.send(b, b"last from a")
    b.send(a, b"last from b")
    a.world.run(1)
    assert a.delivered[-1].endswith(b"last from b")
    assert b.delivered[-1].endswith(b"last from a")
