"""Peers coming and going, the device going down and up, and its end."""

import os
import select
from pathlib import Path

import pytest

from pywg.engine.contract import Drop, Notice, PeerId, Slot
from pywg.protocol.timers import Fact
from tests.engine.packets import ipv4
from tests.engine.rig import FarPeer, Rig, Session

OUT = ipv4("10.0.0.1", "10.0.0.2", bytes(12))
IN = ipv4("10.0.0.2", "10.0.0.1", bytes(12))


def test_the_name_is_that_of_the_engine(rig: Rig, engine_name: str) -> None:
    assert rig.engine.name == engine_name


def test_removed_peer_is_forgotten(rig: Rig, peer: FarPeer) -> None:
    session = rig.connect(peer, 1)
    unconfirmed = Session(2, is_initiator=False)
    rig.engine.install(peer.id, unconfirmed.keys, Slot.NEXT)
    assert sorted(rig.engine.remove_peer(peer.id)) == [1, 2]
    peer.send(session.seal(IN))
    rig.wait_for_drop(Drop.UNKNOWN_INDEX)
    rig.write(OUT)
    rig.wait_for_drop(Drop.NO_ROUTE)
    assert peer.hears_nothing()
    with pytest.raises(KeyError):
        rig.traffic(peer)


def test_indices_of_an_untold_confirmation_are_freed_with_the_peer(rig: Rig, peer: FarPeer) -> None:
    """No index may be lost between a notice and a removal."""
    one, two, three = (Session(index, is_initiator=index < 3) for index in (1, 2, 3))
    rig.engine.install(peer.id, one.keys, Slot.CURRENT)
    rig.engine.install(peer.id, three.keys, Slot.NEXT)
    rig.engine.install(peer.id, two.keys, Slot.CURRENT)  # previous is 3, current is 2
    next_one = Session(4, is_initiator=False)
    assert rig.engine.install(peer.id, next_one.keys, Slot.NEXT) == (3,)
    peer.send(next_one.seal(b""))
    rig.wait(lambda: rig.is_ready)
    assert sorted(rig.engine.remove_peer(peer.id)) == [2, 4]
    assert rig.engine.take_notices(10) == []
    assert not rig.is_ready


def test_notices_of_a_removed_peer_go_with_it(rig: Rig, peer: FarPeer) -> None:
    rig.write(OUT)
    rig.wait(lambda: rig.is_ready)
    rig.engine.remove_peer(peer.id)
    assert not rig.is_ready
    assert rig.engine.take_notices(10) == []


def test_a_peer_added_anew_starts_anew(rig: Rig, peer: FarPeer) -> None:
    rig.connect(peer)
    rig.engine.remove_peer(peer.id)
    again = rig.add("10.0.0.2/32")
    rig.write(OUT)
    assert rig.notices(again) == Notice.KEYS_NEEDED
    assert rig.counters(again).tx_bytes == 0


@pytest.mark.parametrize(
    "call", ["remove_peer", "source", "drop_keypairs", "send_keepalive", "drops", "traffic"]
)
def test_an_unknown_peer_is_a_bug_of_the_caller(rig: Rig, call: str) -> None:
    with pytest.raises(KeyError):
        getattr(rig.engine, call)(PeerId(99))


def test_descriptor_is_readable_while_something_waits(rig: Rig) -> None:
    peers = [rig.add(f"10.0.0.{number}/32") for number in (2, 3, 4)]
    assert not rig.is_ready
    for number in (2, 3, 4):
        rig.write(ipv4("10.0.0.1", f"10.0.0.{number}"))
    rig.settle()
    assert rig.is_ready
    told = rig.engine.take_notices(2)
    assert rig.is_ready
    told += rig.engine.take_notices(2)
    assert not rig.is_ready
    assert [notice.peer for notice in told] == [peer.id for peer in peers]
    assert rig.engine.take_notices(2) == []
    assert rig.engine.take_failure() is None
    assert not rig.is_ready


def test_one_entry_a_peer_under_any_flood(rig: Rig, peer: FarPeer) -> None:
    session = rig.connect(peer)
    rig.engine.arm_stirred(peer.id, Fact.UNANSWERED_RECEIVED)
    for _ in range(50):
        peer.roam()
        peer.send(session.seal(IN))
        rig.read()
    rig.settle()
    (notice,) = rig.engine.take_notices(1000)
    assert notice.notice == Notice.ENDPOINT_MOVED | Notice.STIRRED


def test_a_notice_tells_what_is_new_only(rig: Rig, peer: FarPeer) -> None:
    rig.write(OUT)
    assert rig.notices(peer) == Notice.KEYS_NEEDED
    rig.engine.arm_stirred(peer.id, Fact.UNANSWERED_SENT)
    rig.engine.install(peer.id, Session(1, is_initiator=True).keys, Slot.CURRENT)
    assert rig.notices(peer) == Notice.STIRRED


# Down and up.


def test_down_drops_and_receives_nothing(rig: Rig, peer: FarPeer) -> None:
    session = rig.connect(peer)
    rig.engine.swap_sockets(None)
    rig.write(OUT, OUT)
    rig.wait_for_drop(Drop.NO_KEY, count=2)
    peer.send(session.seal(IN))
    assert rig.delivers_nothing()
    rig.engine.swap_sockets(None)
    rig.up()
    rig.write(OUT)
    assert peer.open(session).payload == OUT


def test_sending_while_down_is_counted(rig: Rig, peer: FarPeer) -> None:
    rig.connect(peer)
    rig.engine.swap_sockets(None)
    rig.engine.send_keepalive(peer.id)
    rig.engine.send_handshake(peer.id, bytes(148))
    assert rig.drops(peer) == {Drop.SEND_ERROR: 2}


# The end.


def test_dead_tun_is_told(rig: Rig) -> None:
    rig.application.close()
    rig.wait(lambda: rig.is_ready)
    failure = rig.engine.take_failure()
    assert failure is not None
    assert failure.part == "tun"
    assert failure.errno
    rig.settle()
    assert rig.engine.take_failure() is None
    assert not rig.is_ready


def put_something_else_in_its_place(number: int) -> None:
    """Whatever shares the open socket behind a descriptor of this process has /dev/null instead."""
    descriptors = Path("/proc/self/fd")
    is_the_socket = (descriptors / str(number)).readlink()
    shared = [int(entry.name) for entry in descriptors.iterdir() if _link(entry) == is_the_socket]
    null = os.open(os.devnull, os.O_RDWR)
    for one in shared:
        os.dup2(null, one, inheritable=False)
    os.close(null)


def _link(entry: Path) -> Path | None:
    try:
        return entry.readlink()
    except FileNotFoundError:  # The one the directory was read through.
        return None


def test_dead_socket_is_told(rig: Rig, peer: FarPeer) -> None:
    rig.connect(peer)
    assert rig.sockets is not None
    assert rig.sockets.v4 is not None
    put_something_else_in_its_place(rig.sockets.v4.fileno())
    rig.engine.send_keepalive(peer.id)
    rig.wait(lambda: rig.is_ready)
    failure = rig.engine.take_failure()
    assert failure is not None
    assert failure.part == "udp4"


def test_close_closes_everything_and_may_be_repeated(rig: Rig, peer: FarPeer) -> None:
    rig.connect(peer)
    rig.write(OUT)
    rig.settle()
    rig.engine.close()
    rig.engine.close()
    assert rig.sockets is not None
    for port in (rig.tun, rig.sockets.v4, rig.sockets.v6):
        assert port is None or port.fileno() == -1
    poll = select.poll()
    poll.register(rig.application, select.POLLIN)
    assert any(event & select.POLLHUP for _, event in poll.poll(1000))


def descriptors_and_threads() -> tuple[int, int]:
    return tuple(sum(1 for _ in Path("/proc/self", kind).iterdir()) for kind in ("fd", "task"))  # type: ignore[return-value]


def test_engines_that_were_closed_leave_nothing(engine_name: str) -> None:
    before = descriptors_and_threads()
    for _ in range(30):
        made = Rig(engine_name)
        peer = made.add("10.0.0.2/32")
        made.connect(peer)
        made.write(OUT)
        for _ in range(3):
            made.up()
        made.engine.swap_sockets(None)
        made.close()
    assert descriptors_and_threads() == before


def test_routes_may_change_at_any_time(rig: Rig, peer: FarPeer) -> None:
    session = rig.connect(peer)
    rig.engine.route_changed()
    rig.write(OUT)
    assert peer.open(session).payload == OUT
    rig.engine.swap_sockets(None)
    rig.engine.route_changed()


@pytest.mark.parametrize("is_up", [True, False])
def test_status_has_text_only(rig: Rig, is_up: bool) -> None:
    if not is_up:
        rig.engine.swap_sockets(None)
    status = rig.engine.status()
    assert status
    assert all(isinstance(key, str) and isinstance(value, str) for key, value in status.items())
    assert not any("\n" in value or "=" in key for key, value in status.items())
