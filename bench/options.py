"""What is to be measured: the command line, and the variables ``make`` passes on.

In: arguments, QUICK and IMPL. Out: `Options`.
"""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.workloads import WORKLOADS

RESULTS = Path(__file__).parent / "results" / "latest.json"

_EPILOG = """environment: QUICK=1 is --quick; IMPL="NAME=PATH NAME2=PATH2" names further daemons, each started
as `PATH INTERFACE` like wireguard-go and configured through /var/run/wireguard/INTERFACE.sock."""


@dataclass(frozen=True, slots=True)
class Options:
    """The choice."""

    quick: bool
    rounds: int | None
    """None: as many as each workload needs."""
    seconds: float
    """Length of one TCP transfer."""
    subjects: frozenset[str]
    """Empty: all."""
    workloads: frozenset[str]
    floor: bool
    json: Path
    implementations: Mapping[str, str]
    """Name -> program."""


def parse(arguments: Sequence[str] | None, environment: Mapping[str, str] = os.environ) -> Options:
    """Exits with a message where something is not understood."""
    parser = argparse.ArgumentParser(prog="make bench BENCH=...", epilog=_EPILOG)
    parser.add_argument("--quick", action="store_true", help="bare path, pywg, wireguard-go; three minutes")
    parser.add_argument("--rounds", type=int, help="turns of each subject (default: 3 to 7, by workload)")
    parser.add_argument("--seconds", type=float, help="length of one TCP transfer (5; quick: 2)")
    parser.add_argument("--only", type=_words, default=frozenset(), help="these subjects: NAME,NAME")
    parser.add_argument(
        "--workloads",
        type=_words,
        default=frozenset(WORKLOADS),
        help=f"these workloads: {','.join(WORKLOADS)}",
    )
    parser.add_argument(
        "--no-floor", action="store_true", help="do not build and measure the null-cipher variant"
    )
    parser.add_argument(
        "--json", type=Path, default=RESULTS, help="where the numbers go; the chart beside it"
    )
    chosen = parser.parse_args(arguments)
    unknown = chosen.workloads - WORKLOADS.keys()
    if unknown:
        parser.error(f"there is no workload {', '.join(sorted(unknown))}")
    quick = chosen.quick or environment.get("QUICK", "") not in {"", "0"}
    try:
        implementations = parse_implementations(environment.get("IMPL", ""))
    except ValueError as error:
        parser.error(str(error))
    return Options(
        quick=quick,
        rounds=None if chosen.rounds is None else max(1, chosen.rounds),
        seconds=chosen.seconds or (2.0 if quick else 5.0),
        subjects=chosen.only,
        workloads=chosen.workloads,
        floor=not (chosen.no_floor or quick),
        json=chosen.json,
        implementations=implementations,
    )


def parse_implementations(text: str) -> dict[str, str]:
    """``NAME=PATH NAME2=PATH``. Raises ValueError."""
    found = {}
    for word in text.split():
        name, separator, path = word.partition("=")
        if not (name and separator and path):
            raise ValueError(f'IMPL has "{word}"; expected NAME=PATH')
        found[name] = path
    return found


def _words(text: str) -> frozenset[str]:
    return frozenset(word.strip() for word in text.split(",") if word.strip())
