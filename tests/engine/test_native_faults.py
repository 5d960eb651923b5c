"""A fault of the native engine's own: it costs a batch and a word to the control plane, never a thread.

Comes in: faults on demand, in either thread and in a call. Goes out: a failure that is told, and packets that
pass afterwards under counters never used before. The Python engine's faults are exceptions in the loop.
"""

from typing import cast

import pytest

from pywg.engine.contract import Failure
from tests.engine.packets import ipv4
from tests.engine.rig import Fallible, FarPeer, Rig
from tests.needs import need_engine

OUT = ipv4("10.0.0.1", "10.0.0.2", bytes(12))
IN = ipv4("10.0.0.2", "10.0.0.1", bytes(12))


@pytest.fixture
def engine_name() -> str:
    need_engine("native")
    return "native"


@pytest.fixture
def fallible(rig: Rig) -> Fallible:
    return cast(Fallible, rig.engine)


@pytest.mark.parametrize("of_first", [True, False], ids=["first", "helper"])
def test_a_thread_lives_on(rig: Rig, peer: FarPeer, fallible: Fallible, *, of_first: bool) -> None:
    session = rig.connect(peer)
    counters = []
    for _ in range(20):
        rig.write(OUT, OUT)
        peer.send(session.seal(IN))
        fallible.fault(of_first=of_first)
        rig.wait(lambda: rig.is_ready)
        assert rig.engine.take_failure() == Failure("engine", 0)
        rig.settle()
        assert rig.engine.take_failure() is None
        while rig.try_read() is not None:
            pass
        last = ipv4("10.0.0.1", "10.0.0.2", b"the last one")
        rig.write(last)
        while (opened := peer.open(session)).payload != last:
            counters.append(opened.counter)
        counters.append(opened.counter)
        peer.send(session.seal(IN))
        assert rig.read() == IN
    assert counters == sorted(set(counters)), "no nonce twice, and in order"


def test_a_call_raises_and_the_engine_lives_on(rig: Rig, peer: FarPeer, fallible: Fallible) -> None:
    session = rig.connect(peer)
    with pytest.raises(RuntimeError, match="the native engine met a fault of its own; please report this"):
        fallible.fault_here()
    rig.write(OUT)
    assert peer.open(session).payload == OUT
    peer.send(session.seal(IN))
    assert rig.read() == IN
    assert rig.engine.take_failure() is None


@pytest.mark.parametrize("of_first", [True, False], ids=["first", "helper"])
def test_an_engine_at_fault_can_be_closed(
    rig: Rig, peer: FarPeer, fallible: Fallible, *, of_first: bool
) -> None:
    rig.connect(peer)
    for _ in range(20):
        fallible.fault(of_first=of_first)
        rig.write(OUT)
    rig.engine.close()
    rig.engine.close()


def test_faults_without_end_are_told_within_bounds(rig: Rig, peer: FarPeer, fallible: Fallible) -> None:
    rig.connect(peer)
    for _ in range(50):
        fallible.fault(of_first=True)
        rig.settle()
    told = 0
    while rig.engine.take_failure() is not None:
        told += 1
    assert 0 < told <= 8
    assert not rig.is_ready
