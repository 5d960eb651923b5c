"""A peer's endpoint moves on authentic and new messages 1, 2 and 4, and on nothing else."""

from collections.abc import Callable

import pytest

from pywg.endpoint import Endpoint
from pywg.protocol.constants import MILLISECOND
from tests.security.attacker import ELSEWHERE, arrive, endpoint, with_mac1
from tests.simulation.wire import kind
from tests.simulation.world import Machine, Sent, World, pair

NEW_PLACE = Endpoint("198.51.100.99", 9)
KINDS = ["initiation", "response", "data"]


def held_back(wanted: str) -> tuple[World, Machine, bytes, Endpoint]:
    """A message on its way to a machine: the machine, the message, and where it thinks its peer is."""
    world, a, b = pair()
    held: list[Sent] = []

    def fate(sent: Sent) -> list[int]:
        if kind(sent) != wanted or held:
            return [MILLISECOND]
        held.append(sent)
        return []

    world.fate = fate
    a.send(b)
    world.run(0.1)
    receiver = a if wanted == "response" else b
    before = endpoint(receiver)
    assert before is not None
    return world, receiver, held[0].data, before


@pytest.mark.parametrize("wanted", KINDS)
def test_an_authentic_message_moves_it_once(wanted: str) -> None:
    _world, machine, message, _before = held_back(wanted)
    arrive(machine, message, NEW_PLACE)
    assert endpoint(machine) == NEW_PLACE
    arrive(machine, message, ELSEWHERE)
    assert endpoint(machine) == NEW_PLACE, "a replay moves nothing"


@pytest.mark.parametrize("wanted", KINDS)
def test_a_replay_later_moves_nothing(wanted: str) -> None:
    world, machine, message, _before = held_back(wanted)
    arrive(machine, message, NEW_PLACE)
    for _ in range(4):
        world.run(100)
        before = endpoint(machine)
        arrive(machine, message, ELSEWHERE)
        assert endpoint(machine) == before != ELSEWHERE


def unchanged(_machine: Machine, message: bytes) -> bytes:
    return message


@pytest.mark.parametrize("mend", [unchanged, with_mac1], ids=["wrong MAC1", "right MAC1"])
@pytest.mark.parametrize("wanted", KINDS)
def test_a_forgery_moves_nothing(wanted: str, mend: Callable[[Machine, bytes], bytes]) -> None:
    _world, machine, message, before = held_back(wanted)
    for at in range(12, len(message) - 32 if wanted != "data" else len(message)):
        forged = message[:at] + bytes([message[at] ^ 0x80]) + message[at + 1 :]
        arrive(machine, forged if wanted == "data" else mend(machine, forged), ELSEWHERE)
    assert endpoint(machine) == before
