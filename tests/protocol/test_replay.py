"""The replay window against known answers and against a plain set."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pywg.protocol.constants import Limits
from pywg.protocol.replay import RING_BITS, WINDOW, ReplayWindow
from tests.vectors import load

VECTORS = load("replay")
LIMIT = Limits().reject_after_messages


class SetWindow:
    """The rule in its plainest form, with memory for every counter."""

    def __init__(self) -> None:
        self.seen: set[int] = set()
        self.greatest = 0

    def accept(self, counter: int) -> bool:
        if counter >= LIMIT or self.greatest - counter > WINDOW or counter in self.seen:
            return False
        self.seen.add(counter)
        self.greatest = max(self.greatest, counter)
        return True


def test_constants_are_those_of_the_vectors() -> None:
    assert VECTORS["window"] == WINDOW
    assert int(VECTORS["limit"]) == LIMIT


def test_known_sequence() -> None:
    window = ReplayWindow(LIMIT)
    answers = [window.accept(int(row["counter"])) for row in VECTORS["sequence"]]
    assert answers == [row["accepted"] for row in VECTORS["sequence"]]


@pytest.mark.parametrize("run", VECTORS["runs"], ids=lambda run: f"{run['accept_from']}-{run['accept_to']}")
def test_known_runs(run: dict[str, Any]) -> None:
    window = ReplayWindow(LIMIT)
    first, last = int(run["accept_from"]), int(run["accept_to"])
    step = 1 if first < last else -1
    assert all(window.accept(counter) for counter in range(first, last + step, step))
    for row in run["then"]:
        assert window.accept(int(row["counter"])) is row["accepted"], row


def test_jump_of_exactly_one_ring_forgets_the_turn_before() -> None:
    for jump in (RING_BITS - 8, RING_BITS - 1, RING_BITS, RING_BITS + 1, RING_BITS + 8, 3 * RING_BITS):
        window = ReplayWindow(LIMIT)
        assert all(window.accept(counter) for counter in range(256))
        assert window.accept(255 + jump)
        fresh = [counter for counter in range(256, 255 + jump) if 255 + jump - counter <= WINDOW]
        assert all(window.accept(counter) for counter in fresh), jump


def test_ten_million_counters_like_a_table() -> None:
    """A reordered and duplicated stream, against one byte of memory for every counter there is."""
    rng = random.Random(6479)
    late = (0, 0, 0, 0, 0, 0, 1, 2, 7, 8, 9, 63, 64, 65, 500, WINDOW - 1, WINDOW, WINDOW + 1, RING_BITS)
    steps = [rng.choice((0, 1, 1, 1, 1, 1, 2)) for _ in range(4096)]
    lags = [rng.choice(late) for _ in range(4099)]  # A prime: the pairs of step and lag never repeat.
    window = ReplayWindow(LIMIT)
    seen = bytearray(20_000_000)
    greatest, at = 0, RING_BITS
    wrong = 0
    for number in range(10_000_000):
        at += steps[number & 4095]
        counter = at - lags[number % 4099]
        new = not seen[counter] and greatest - counter <= WINDOW
        wrong += window.accept(counter) is not new
        if new:
            seen[counter] = 1
            greatest = max(greatest, counter)
    assert wrong == 0
    assert greatest > 9_000_000


@given(st.lists(st.one_of(st.integers(0, 3 * RING_BITS), st.integers(LIMIT - 9000, LIMIT + 5)), max_size=60))
@settings(max_examples=300)
def test_any_order_like_a_set(counters: list[int]) -> None:
    window, model = ReplayWindow(LIMIT), SetWindow()
    for counter in counters:
        assert window.accept(counter) is model.accept(counter), counter


def test_a_lower_limit_holds() -> None:
    window = ReplayWindow(100)
    assert window.accept(99)
    assert not window.accept(100)
    assert window.accept(98)
