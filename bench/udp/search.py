"""Which rate gets through: the best delivered rate at no more than 1 % loss, in a handful of trials.

In: a function that tries a rate. Out: the best trial that passed. Pure: it knows nothing of sockets.
"""

from collections.abc import Callable
from dataclasses import dataclass

MOST_LOSS = 0.01
FLOOD = 0.0
"""The rate that stands for "as fast as it goes"."""
_STEP_UP = 1.25
_STEP_DOWN = 0.7
_CLOSE_ENOUGH = 1.03
_EXTRA = 6
"""Trials beyond the agreed number while none has passed."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One rate, tried. Rates are datagrams a second."""

    offered: float
    delivered: float
    loss: float

    @property
    def passed(self) -> bool:
        return self.loss <= MOST_LOSS


def best_rate(attempt: Callable[[float], Trial], trials: int, guess: float | None = None) -> Trial | None:
    """The passed trial that delivered most; None if nothing passed.

    `guess`: a rate to begin with, such as that of an earlier round; without it a flood tells one.
    """
    best: Trial | None = None
    low = high = 0.0
    used = 0
    if guess is None:
        flood = attempt(FLOOD)
        used = 1
        if flood.passed:
            return flood  # the generator is the limit
        guess, high = max(1.0, flood.delivered), flood.offered
    rate = guess
    while used < trials or (best is None and used < trials + _EXTRA):
        tried = attempt(rate)
        used += 1
        if tried.passed:
            low = rate
            if best is None or tried.delivered > best.delivered:
                best = tried
        else:
            high = rate
        if low and high and high / low < _CLOSE_ENOUGH:
            break
        rate = _next(low, high, rate)
    return best


def _next(low: float, high: float, rate: float) -> float:
    if not low:
        return rate * _STEP_DOWN
    if not high:
        return rate * _STEP_UP
    # The first failure may be far off (a flood): do not jump half of the way to it.
    return min(low * _STEP_UP, float((low * high) ** 0.5))
