"""The names we give to handshakes and sessions: random, unique u32 (whitepaper 5.4; kernel peerlookup.c).

In: owners and a source of random numbers; out: indices and, by index, owners. The rule kept: an index says
nothing about other sessions, and one in use is never given out again.
"""

from collections.abc import Callable
from typing import Final, Generic, TypeVar

T = TypeVar("T")


class IndexTable(Generic[T]):
    """All local indices of a device. An owner may have several.

    `random_u32` returns uniform numbers from 0 to 2^32 - 1.
    """

    __slots__ = ("_owners", "_random_u32")

    def __init__(self, random_u32: Callable[[], int]) -> None:
        self._random_u32: Final = random_u32
        self._owners: Final[dict[int, T]] = {}

    def __len__(self) -> int:
        """Indices in use."""
        return len(self._owners)

    def allocate(self, owner: T) -> int:
        """A new index for `owner`, drawn again while it is taken."""
        index = self._random_u32()
        while index in self._owners:
            index = self._random_u32()
        self._owners[index] = owner
        return index

    def free(self, index: int) -> None:
        """Give an index back. Raises KeyError if it is not in use: that is a bug of the caller."""
        del self._owners[index]

    def owner(self, index: int) -> T | None:
        """Whose index it is, or None."""
        return self._owners.get(index)
