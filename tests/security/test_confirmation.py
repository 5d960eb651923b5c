"""The responder is silent under *next* until the initiator has used it: KCI resistance rests on it (6.2)."""

from pywg.protocol.constants import MILLISECOND
from tests.simulation.wire import kind, sent_by
from tests.simulation.world import Machine, Sent, World, pair


def lose_data_of(world: World, machine: Machine) -> None:
    """No transport data of the machine arrives any more."""

    def fate(sent: Sent) -> list[int]:
        is_data = kind(sent) in {"data", "keepalive"}
        return [] if is_data and sent.source.host == machine.address else [MILLISECOND]

    world.fate = fate


def test_the_initiators_first_packet_is_lost() -> None:
    world, a, b = pair()
    lose_data_of(world, a)
    a.send(b)
    world.run(0.1)
    for _ in range(8):
        b.send(a)
        world.run(0.5)
    assert sent_by(b, "response")
    assert sent_by(b, "data", "keepalive") == [], "no type 4 under next"
    world.fate = None
    a.send(b)
    world.run(0.1)
    assert len(sent_by(b, "data")) == 8, "the first packet that arrives lets go what was staged"


def test_a_second_session_is_silent_until_confirmed_while_the_first_serves() -> None:
    world, a, b = pair()
    a.send(b)
    world.run(121)
    (first,) = sent_by(a, "initiation")
    world.sent.clear()
    lose_data_of(world, a)
    a.send(b)
    world.run(0.1)
    (second,) = sent_by(a, "initiation")
    for _ in range(20):
        b.send(a)
        world.run(0.1)
    assert {sent.data[4:8] for sent in sent_by(b, "data")} == {first.data[4:8]}
    world.fate = None
    a.send(b)
    world.run(0.1)
    world.sent.clear()
    b.send(a)
    world.run(0.1)
    assert [sent.data[4:8] for sent in sent_by(b, "data")] == [second.data[4:8]]
