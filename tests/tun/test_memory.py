"""The TUN in memory does what a TUN does, when it is told to."""

import pytest

from pywg.tun.memory import MemoryTun


def test_in_and_out() -> None:
    woken: list[bool] = []
    tun = MemoryTun(on_readable=lambda: woken.append(True))
    assert not tun.readable
    for packet in (b"a", b"b", b"c"):
        tun.inject(packet)
    assert len(woken) == 3
    assert tun.readable
    assert tun.read(2) == [b"a", b"b"]
    assert tun.read(2) == [b"c"]
    assert tun.read(2) == []
    assert tun.write([bytearray(b"x"), memoryview(b"y")]) == 0
    assert tun.take() == [b"x", b"y"]
    assert tun.take() == []


def test_both_queues_are_bounded() -> None:
    tun = MemoryTun(capacity=2)
    for packet in (b"a", b"b", b"c"):
        tun.inject(packet)
    assert tun.overflowed == 1
    assert tun.read(9) == [b"a", b"b"]
    assert tun.write([b"a"]) == 0
    assert tun.write([b"b", b"c", b"d"]) == 2
    assert tun.write([b"e"]) == 1
    assert tun.take() == [b"a", b"b"]


def test_closed() -> None:
    tun = MemoryTun()
    tun.inject(b"a")
    tun.close()
    assert tun.closed
    with pytest.raises(OSError, match="closed"):
        tun.read(1)
    with pytest.raises(OSError, match="closed"):
        tun.write([b"a"])
