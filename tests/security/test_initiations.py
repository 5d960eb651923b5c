"""An initiation counts once, whatever happened since; forged ones spend nothing; clocks that jump show."""

from collections.abc import Callable

import pytest

from pywg.protocol.constants import SECOND
from pywg.uapi.model import DeviceChange, PeerChange
from tests.security.attacker import Initiator, arrive, peer_causes, with_mac1
from tests.simulation.wire import kinds
from tests.simulation.world import Machine, World, pair

YEAR = 365 * 24 * 3600 * SECOND


def alone() -> tuple[World, Machine, Initiator]:
    """A machine whose only peer is made by hand."""
    world = World(11)
    machine = Machine(world, "192.0.2.2", "10.0.0.2")
    machine.up()
    return world, machine, Initiator(machine, known=True)


def test_only_a_greater_timestamp_is_accepted() -> None:
    world, machine, one = alone()
    last = one.timestamp
    for step, accepted in [(0, True), (-1, False), (0, False), (1, True), (0, False), (1, False), (2, True)]:
        world.run(0.1)
        assert bool(one.send(last + step)) is accepted, step
    assert peer_causes(machine) == {"stale_timestamp": 4}


@pytest.mark.parametrize(
    "happening",
    [
        lambda machine, one: machine.world.run(1_000),
        lambda machine, one: (machine.device.link_down(), machine.up()),
        lambda machine, one: machine.device.apply(DeviceChange(listen_port=4_000)),
        lambda machine, one: machine.configure(
            PeerChange(public_key=one.identity.public_key, preshared_key=bytes(range(32)))
        ),
    ],
    ids=["keys forgotten", "link down and up", "new port", "new preshared key"],
)
def test_the_greatest_timestamp_survives(happening: Callable[[Machine, Initiator], object]) -> None:
    world, machine, one = alone()
    assert kinds(one.send()) == ["response"]
    happening(machine, one)
    world.run(0.1)
    assert one.send(one.timestamp) == []
    assert kinds(one.send()) == ["response"]


def test_forged_initiations_leave_timestamp_and_flood_gate_alone() -> None:
    _world, machine, one = alone()
    first = one.timestamp
    far = one.make(first + 1_000)
    # The sender's index (bytes 4 to 7) is not part of what Noise authenticates: the answer goes to it.
    for at in range(8, 116):
        arrive(machine, with_mac1(machine, far[:at] + bytes([far[at] ^ 1]) + far[at + 1 :]), one.endpoint)
    assert machine.world.sent == []
    assert peer_causes(machine)["aead_failure"] == 28, "those whose timestamp alone was forged"
    assert kinds(one.send(first + 1)) == ["response"], "at once: the gate was not closed either"


def test_an_initiator_restarted_with_an_earlier_clock_is_diagnosed() -> None:
    """CVE-2021-46873: not served, but not in silence."""
    world, a, b = pair()
    a.clock.wall_offset += 10 * YEAR
    a.send(b)
    world.run(1)
    assert len(b.delivered) == 1
    a.stop()
    a.start()
    a.clock.wall_offset -= 10 * YEAR
    a.knows(b)
    a.up()
    a.send(b)
    world.run(30)
    assert len(b.delivered) == 1
    assert peer_causes(b)["stale_timestamp"] >= 5
    assert any("check the sender's clock" in line for line in b.log.verbose_lines)
    b.configure(PeerChange(public_key=a.public_key, remove=True))
    b.knows(a)
    world.run(6)
    assert len(b.delivered) == 2, "adding the peer anew is the way out"


def test_a_clock_that_jumped_ahead_and_stays_there_is_served() -> None:
    world, a, b = pair()
    for count in (1, 2, 3):
        a.clock.wall_offset += YEAR
        a.send(b)
        world.run(200)
        assert len(b.delivered) == count
    assert peer_causes(b) == {}
