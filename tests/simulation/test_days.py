"""Three days of two machines in seconds, and the same seed giving the same run."""

import pytest

from pywg.protocol.constants import SECOND
from tests.simulation.wire import kind
from tests.simulation.world import Machine, Sent, World, pair

DAY = 86_400


def watch(world: World) -> dict[str, int]:
    """Counts of what is on the wire by kind, instead of keeping three days of it."""
    counts: dict[str, int] = {}

    def count(sent: Sent) -> None:
        name = kind(sent)
        counts[name] = counts.get(name, 0) + 1

    world.keep_sent = False
    world.on_sent.append(count)
    return counts


def talk(world: World, a: Machine, b: Machine, every: int) -> None:
    """Each sends to the other, a little out of step, for ever."""

    def turn() -> None:
        a.send(b, b"ping")
        world.after(every // 3, answer)
        world.after(every, turn)

    def answer() -> None:
        b.send(a, b"pong")

    turn()


def idle(seed: int) -> tuple[World, dict[str, int]]:
    world, _, _ = pair(seed, keepalive=25)
    counts = watch(world)
    world.run(3 * DAY)
    return world, counts


def busy(seed: int, days: float) -> tuple[World, dict[str, int], Machine, Machine]:
    world, a, b = pair(seed)
    counts = watch(world)
    talk(world, a, b, 7 * SECOND)
    world.run(days * DAY)
    return world, counts, a, b


def test_three_idle_days_with_a_persistent_keepalive() -> None:
    _, counts = idle(1)
    # A session serves from its birth to the first keepalive after 120 s: 125 s.
    assert counts["initiation"] == pytest.approx(3 * DAY / 125, rel=0.02)
    assert counts["response"] == counts["initiation"]
    # The initiator confirms each session with one more.
    assert counts["keepalive"] == pytest.approx(3 * DAY / 25 + counts["initiation"], rel=0.01)
    assert "data" not in counts


def test_three_busy_days() -> None:
    _, counts, a, b = busy(1, 3)
    assert len(a.delivered) + 1 >= counts["data"] / 2
    assert len(b.delivered) + 1 >= counts["data"] / 2
    assert counts["initiation"] == pytest.approx(3 * DAY / 122, rel=0.05)
    assert counts.get("keepalive", 0) <= counts["initiation"]
    for machine in (a, b):
        status = machine.device.get_status()
        assert status.drops == {}
        assert status.peers[0].drops == {}
        assert machine.device._handshakes.indices_in_use <= 4


def test_the_same_seed_gives_the_same_trace() -> None:
    first, second, other = busy(7, 0.1), busy(7, 0.1), busy(8, 0.1)
    assert first[0].trace == second[0].trace
    assert first[0].trace != other[0].trace
