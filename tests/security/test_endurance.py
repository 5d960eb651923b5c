"""What ended other daemons: datagrams too long, signals at the wrong time, descriptors closed twice."""

import ctypes
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count, takewhile
from pathlib import Path

import pytest

from pywg.uapi.client import UapiClient
from pywg.uapi.model import DeviceChange
from tests.engine.packets import ipv4
from tests.engine.rig import FarPeer, Rig
from tests.uapi.conftest import directory, served
from tests.uapi.fake import Served

__all__ = ["directory", "served"]

OUT = ipv4("10.0.0.1", "10.0.0.2", bytes(12))
IN = ipv4("10.0.0.2", "10.0.0.1", bytes(12))


@pytest.mark.parametrize(("host", "longest"), [("127.0.0.1", 65_507), ("::1", 65_527)])
def test_the_longest_udp_datagram_does_not_end_receiving(rig: Rig, host: str, longest: int) -> None:
    """Longer than any buffer made for an MTU, of every type, and one that is authentic."""
    peer = rig.add("10.0.0.2/32", host=host)
    session = rig.connect(peer)
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    rig.engine.set_mac1_key(bytes(32))
    rubbish = 0
    for kind in (0, 1, 2, 3, 4, 5, 255):
        for size in (0, longest, longest - 1, 2_000, 9_001):
            peer.send((bytes([kind, 0, 0, 0]) + bytes(longest))[:size])
            rubbish += 1
            rig.settle()
    assert sum(rig.drops().values()) == rubbish
    large = ipv4(payload=bytes(longest - 32 - 20))
    peer.send(session.seal(large))
    assert rig.read() == large
    peer.send(session.seal(IN))
    assert rig.read() == IN
    rig.write(OUT)
    assert peer.open(session).payload == OUT
    assert rig.engine.take_failure() is None


@contextmanager
def interrupted(least: int) -> Iterator[Iterator[int]]:
    """A signal to every thread each fraction of a millisecond: whatever waits in the kernel gets EINTR.

    Gives numbers: `least` of them, and more until there were signals enough.
    """
    caught = 0
    over = threading.Event()
    kill_thread = ctypes.CDLL(None).tgkill

    def handle(_number: int, _frame: object) -> None:
        nonlocal caught
        caught += 1

    def nag() -> None:
        own = threading.get_native_id()
        while not over.wait(0.0003):
            for task in Path("/proc/self/task").iterdir():
                if int(task.name) != own:
                    kill_thread(os.getpid(), int(task.name), signal.SIGUSR1)

    former = signal.signal(signal.SIGUSR1, handle)
    thread = threading.Thread(target=nag)
    thread.start()
    try:
        yield takewhile(lambda number: number <= least or caught <= 10, count(1))
    finally:
        over.set()
        thread.join()
        # What a thread has not taken yet is thrown away: it would end this process.
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        signal.signal(signal.SIGUSR1, former)


def test_eintr_is_no_error_of_the_engine(rig: Rig, peer: FarPeer) -> None:
    session = rig.connect(peer)
    with interrupted(200) as rounds:
        for _ in rounds:
            rig.write(OUT)
            assert peer.open(session).payload == OUT
            peer.send(session.seal(IN))
            assert rig.read() == IN
        rig.settle()
    assert rig.engine.take_failure() is None
    assert rig.drops() == rig.drops(peer) == {}


def test_eintr_is_no_error_of_a_client(served: Served) -> None:
    client = UapiClient(served.name, directory=served.directory)
    with interrupted(50) as rounds:
        for number in rounds:
            client.set(DeviceChange(fwmark=number))
            assert client.get().fwmark == number


def open_descriptors() -> set[int]:
    return {int(entry.name) for entry in Path("/proc/self/fd").iterdir()}


def test_descriptors_are_closed_once(rig: Rig) -> None:
    """A second close would hit whoever has been given the number since."""
    before = open_descriptors()
    rig.engine.close()
    freed = before - open_descriptors()
    assert len(freed) >= 4, "TUN, two sockets, the wake-up"
    others = [os.open(os.devnull, os.O_RDONLY) for _ in range(len(freed) + 64)]
    try:
        assert freed <= set(others)
        rig.engine.close()
        assert rig.sockets is not None
        rig.sockets.close()
        rig.tun.close()
        for number in others:
            os.fstat(number)
    finally:
        for number in others:
            os.close(number)
