"""Random, unique indices."""

import random
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import pytest

from pywg.protocol.index_table import IndexTable

DRAWS = 100_000
BINS = 256
# Chi-square with 255 degrees of freedom exceeds 370 about once in 3 million.
CHI_SQUARE_LIMIT = 370.0


def chi_square(values: list[int]) -> float:
    expected = len(values) / BINS
    counts = Counter(values)
    return sum((counts[value] - expected) ** 2 / expected for value in range(BINS))


def worst_chi_square(random_u32: Callable[[], int]) -> float:
    """Over each byte of 10^5 indices, and of the difference between neighbours (LFSRs and counters)."""
    table = IndexTable[None](random_u32)
    drawn = [table.allocate(None) for _ in range(DRAWS)]
    assert len(set(drawn)) == len(table) == DRAWS
    steps = [(after - before) % 2**32 for before, after in pairwise(drawn)]
    return max(
        chi_square([value >> shift & 0xFF for value in values])
        for values in (drawn, steps)
        for shift in (0, 8, 16, 24)
    )


def test_uniform() -> None:
    source = random.Random(2_718_281_828)
    assert worst_chi_square(lambda: source.getrandbits(32)) < CHI_SQUARE_LIMIT


def test_the_measure_finds_a_counter() -> None:
    """What an audit found in another implementation: 24 random bits and a counter of 8."""
    source = random.Random(1)
    count = iter(range(2**32))
    assert worst_chi_square(lambda: source.getrandbits(24) << 8 | next(count) & 0xFF) > CHI_SQUARE_LIMIT


def test_collision_is_drawn_again() -> None:
    numbers = iter([5, 5, 5, 0, 5, 0, 2**32 - 1])
    table = IndexTable[str](lambda: next(numbers))
    assert [table.allocate(owner) for owner in ("a", "b", "c")] == [5, 0, 2**32 - 1]
    assert [table.owner(index) for index in (5, 0, 2**32 - 1)] == ["a", "b", "c"]
    assert next(numbers, None) is None


def test_free() -> None:
    table = IndexTable[str](iter([1, 2, 1]).__next__)
    one, two = table.allocate("a"), table.allocate("a")
    table.free(one)
    assert (table.owner(one), table.owner(two), len(table)) == (None, "a", 1)
    with pytest.raises(KeyError):
        table.free(one)
    assert table.allocate("b") == one
    assert table.owner(one) == "b"


def test_unknown_index_has_no_owner() -> None:
    assert IndexTable[str](lambda: 1).owner(7) is None
