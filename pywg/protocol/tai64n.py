"""TAI64N timestamps of initiations, blunted (whitepaper 5.1; https://cr.yp.to/libtai/tai64.html).

In: wall clock time; out: 12 bytes that compare like the time. The rule kept: nanoseconds are cut down to
multiples of 2^24 (16.8 ms), as the kernel does, so that the clock's fine value tells nobody anything.
"""

from typing import Final

from pywg.protocol.constants import SECOND

_TAI64_EPOCH: Final = 2**62 + 10
"""TAI64 label of the Unix epoch, with the 10 s that TAI was ahead of UTC then."""

_WHITENER: Final = 2**24


def tai64n(wall_ns: int) -> bytes:
    """Label of a Unix time in nanoseconds: 8 bytes of seconds and 4 of nanoseconds, big-endian."""
    seconds, nanoseconds = divmod(wall_ns, SECOND)
    nanoseconds -= nanoseconds % _WHITENER
    return (_TAI64_EPOCH + seconds).to_bytes(8, "big") + nanoseconds.to_bytes(4, "big")
