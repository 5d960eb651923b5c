"""Which counters of a session have been seen: a sliding window over a ring of bits (RFC 6479).

Comes in: the counter of a datagram whose tag was already verified, for a forger must not move the window.
Goes out: whether it is new. Rule kept: the ring has 8192 bits and the window 8128, as in the kernel's
receive.c: a counter is refused if it was seen, if it is more than 8128 behind the greatest, or if it is
REJECT_AFTER_MESSAGES or more.

RFC 6479 never shifts the bits: a counter's place in the ring is its value modulo the ring's size, and
advancing clears only the blocks entered. The block here is one byte.
"""

from typing import Final

RING_BITS: Final = 8192
WINDOW: Final = RING_BITS - 64
"""The kernel keeps one 64-bit word of the ring free; 8128 remain."""

_BLOCKS: Final = RING_BITS // 8
_BLOCK_MASK: Final = _BLOCKS - 1
_BITS: Final = tuple(1 << bit for bit in range(8))


class ReplayWindow:
    """The counters accepted under one receiving key."""

    __slots__ = ("_greatest", "_limit", "_ring")

    def __init__(self, limit: int) -> None:
        """`limit` is REJECT_AFTER_MESSAGES: the first counter that is never accepted."""
        self._ring = bytearray(_BLOCKS)
        self._greatest = 0
        self._limit = limit

    def accept(self, counter: int) -> bool:
        """Whether `counter` is new. If so it counts as seen from now on."""
        greatest = self._greatest
        block = counter >> 3
        if counter > greatest:
            if counter >= self._limit:
                return False
            current = greatest >> 3
            if block != current:
                self._enter(current, block)
            self._greatest = counter
        elif greatest - counter > WINDOW:
            return False
        place = block & _BLOCK_MASK
        bit = _BITS[counter & 7]
        seen = self._ring[place]
        if seen & bit:
            return False
        self._ring[place] = seen | bit
        return True

    def _enter(self, current: int, block: int) -> None:
        """Clear the blocks after `current` up to `block`: they still hold bits of one turn before."""
        ring = self._ring
        if block - current >= _BLOCKS:
            ring[:] = bytes(_BLOCKS)
            return
        for entered in range(current + 1, block + 1):
            ring[entered & _BLOCK_MASK] = 0
