"""``pywg monitor``: a live view of WireGuard interfaces.

In: the words after it, and what standard output is. Out: a screen of its own on a terminal, text everywhere
else, and an exit status. Rule kept: rich, an extra, is imported by nothing before this has found it.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pywg.cli.options import UsageError, take
from pywg.cli.output import put, tell, wrong_use

INTERVAL: Final = "--interval"
ONCE: Final = "--once"

_SHORTEST: Final = 0.1
_LONGEST: Final = 3600.0
_PLAIN_WIDTH: Final = 132
"""Columns where there is no terminal."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the words ask for."""

    names: tuple[str, ...]
    interval: float
    """Seconds."""
    once: bool


def main(words: Sequence[str]) -> int:
    """Show, and return the exit status."""
    try:
        request = parse(words)
    except UsageError as error:
        return wrong_use("monitor", str(error))
    try:
        from rich.console import Console  # noqa: PLC0415 (an optional extra)
    except ModuleNotFoundError:
        tell("monitor needs rich, which is not installed; pip install 'pywg-tunnel[monitor]'")
        return 1
    from pywg.monitor.sampling import NothingToSeeError, Sampler  # noqa: PLC0415 (after the check for rich)

    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    color = os.environ.get("WG_COLOR_MODE", "auto")
    console = Console(
        width=None if is_terminal else _PLAIN_WIDTH,
        force_terminal=True if color == "always" else None,
        no_color=True if color == "never" else None,
    )
    try:
        if request.once or not is_terminal or console.is_dumb_terminal:
            from pywg.monitor.once import show_once  # noqa: PLC0415 (as above)

            once = show_once(Sampler(request.names, rest=0), console, request.interval)
            for problem in once.problems:
                tell(problem)
            return put(once.text) or (1 if once.problems else 0)
        from pywg.monitor.live import show_live  # noqa: PLC0415 (as above)

        return show_live(Sampler(request.names), console, request.interval)
    except NothingToSeeError as error:
        tell(str(error))
        return 1


def parse(words: Sequence[str]) -> Request:
    """Raises UsageError."""
    taken = take(words, flags=(ONCE,), valued={INTERVAL: "SECONDS"})
    interval = taken.seconds(INTERVAL, 1.0, least=_SHORTEST, most=_LONGEST)
    return Request(taken.words, interval, ONCE in taken.flags)
