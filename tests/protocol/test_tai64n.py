"""Whitened TAI64N timestamps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pywg.protocol.tai64n import tai64n
from tests.vectors import load

KNOWN = load("tai64n")
SLOT = 2**24
WALL = st.integers(min_value=0, max_value=2**63 - 1)


@pytest.mark.parametrize("case", KNOWN["cases"], ids=lambda case: str(case["later_by_ns"]))
def test_known_answers(case: dict[str, int]) -> None:
    start = KNOWN["start_ns"]
    assert (tai64n(start + case["later_by_ns"]) > tai64n(start)) == case["is_later"]


def test_layout() -> None:
    assert tai64n(0).hex() == "400000000000000a" + "00000000"
    assert (
        tai64n(1_700_000_000 * 10**9 + 3 * SLOT + 5).hex()
        == f"{2**62 + 10 + 1_700_000_000:016x}{3 * SLOT:08x}"
    )


def test_slots_of_a_second() -> None:
    """The last slot ends with the second; the next second begins a slot of its own."""
    nanoseconds = {tai64n(ns)[8:] for ns in range(0, 10**9, SLOT // 4)}
    assert nanoseconds == {(slot * SLOT).to_bytes(4, "big") for slot in range(60)}
    assert tai64n(10**9 - 1) < tai64n(10**9)


def test_before_1970() -> None:
    assert tai64n(-1) < tai64n(0)


@given(WALL, WALL)
def test_order_is_that_of_time(one: int, other: int) -> None:
    earlier, later = sorted((one, other))
    assert tai64n(earlier) <= tai64n(later)
    if later - earlier >= SLOT:
        assert tai64n(earlier) < tai64n(later)


@given(WALL)
def test_nothing_finer_than_a_slot_is_told(wall: int) -> None:
    stamp = tai64n(wall)
    assert len(stamp) == 12
    assert int.from_bytes(stamp[8:], "big") % SLOT == 0
    assert wall % 10**9 - int.from_bytes(stamp[8:], "big") in range(SLOT)
