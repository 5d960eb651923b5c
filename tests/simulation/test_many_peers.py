"""Many peers with something to do at once: each turn of the loop serves a few, so packets get theirs."""

import pytest

from pywg.endpoint import Endpoint
from pywg.timers import PEERS_PER_TURN
from pywg.uapi.model import DeviceChange, PeerChange
from tests.simulation.wire import sent_by
from tests.simulation.world import Machine, World

PEERS = 1_000


def crowded(machine: Machine, keepalive: int = 25) -> DeviceChange:
    """A set with many peers nobody answers for."""
    keys = [machine.world.random.randbytes(31) + b"\x09" for _ in range(PEERS)]
    return DeviceChange(
        peers=tuple(
            PeerChange(
                public_key=key,
                endpoint=Endpoint("203.0.113.9", 51820),
                persistent_keepalive_interval=keepalive,
            )
            for key in keys
        )
    )


@pytest.mark.parametrize("moment", ["link up", "configuration", "retransmission", "resume"])
def test_no_turn_serves_more_than_a_few(moment: str) -> None:
    world = World()
    machine = Machine(world, "192.0.2.1", "10.0.0.1")
    if moment == "configuration":
        machine.up()
    machine.device.apply(crowded(machine))
    if moment != "configuration":
        machine.up()
    if moment in {"retransmission", "resume"}:
        world.run(1)
        assert len(sent_by(machine, "initiation")) == PEERS
        world.sent.clear()
    if moment == "resume":
        machine.suspend(100)
    most = 0
    before = 0
    serve = machine.device.on_timer

    def counted() -> None:
        nonlocal most, before
        serve()
        sent = len(world.sent)
        most, before = max(most, sent - before), sent

    machine.device.on_timer = counted  # type: ignore[method-assign]
    world.run(1 if moment != "retransmission" else 4.5)
    assert len(sent_by(machine, "initiation")) == PEERS
    assert 0 < most <= PEERS_PER_TURN
