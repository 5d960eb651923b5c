"""Waiting for something to become true, for a bounded time."""

import time
from collections.abc import Callable


def until(is_so: Callable[[], bool], what: str, *, seconds: float, every: float = 0.05) -> float:
    """Ask `is_so` again and again; returns the seconds it took, raises AssertionError after `seconds`."""
    started = time.monotonic()
    while not is_so():
        if time.monotonic() - started > seconds:
            raise AssertionError(f"waited {seconds:g} s in vain until {what}")
        time.sleep(every)
    return time.monotonic() - started
