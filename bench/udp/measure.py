"""Datagrams a second through a tunnel.

In: a tunnel and the size of the payload. Out: the best rate of arrivals at no more than 1 % loss.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from bench.errors import BenchError
from bench.lab import Helper, Tunnel, inside, python
from bench.udp.search import FLOOD, Trial, best_rate

_ANSWER = 10.0


class Pair:
    """A source and a sink at the two ends of a tunnel."""

    def __init__(self, source: Helper, sink: Helper) -> None:
        self._source, self._sink = source, sink

    def attempt(self, rate: float, size: int, seconds: float) -> Trial:
        """Send for `seconds` and see what arrives. Raises BenchError."""
        self._sink.tell(f"{seconds + _ANSWER / 2}")
        self._sink.answer(timeout=_ANSWER)
        self._source.tell(f"{rate} {size} {seconds}")
        sent, took = self._source.answer(timeout=seconds + _ANSWER).split()
        received, delivered = self._sink.answer(timeout=seconds + _ANSWER).split()
        if not int(sent):
            raise BenchError("the UDP generator could send nothing")
        return Trial(int(sent) / float(took), float(delivered), max(0.0, 1 - int(received) / int(sent)))


@contextmanager
def pair(tunnel: Tunnel) -> Iterator[Pair]:
    """Start the two programs."""
    with Helper(inside(tunnel.there, *python("bench.udp.sink", tunnel.address))) as sink:
        port = sink.answer(timeout=_ANSWER).split()[1]
        with Helper(inside(tunnel.here, *python("bench.udp.source", tunnel.address, port))) as source:
            yield Pair(source, sink)


def measure(tunnel: Tunnel, size: int, *, trials: int, seconds: float, guess: float | None) -> float:
    """Delivered datagrams a second. Raises BenchError when no rate passed."""
    with pair(tunnel) as ends:
        best = best_rate(lambda rate: ends.attempt(rate, size, seconds), trials, guess)
    if best is None:
        raise BenchError(f"no rate of {size} B datagrams was delivered with at most 1 % lost")
    return best.delivered


def generator_rate(tunnel: Tunnel, size: int, seconds: float) -> float:
    """Datagrams a second that the generator sends when nothing holds it back."""
    with pair(tunnel) as ends:
        return ends.attempt(FLOOD, size, seconds).offered
