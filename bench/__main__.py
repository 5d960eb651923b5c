"""``make bench``: start-up time, and TCP through pywg and through Debian's wireguard-go in one run.

In: how often and how long. Out: a table with medians and ranges, and bench/results/latest.json. The subjects
take turns (A B A B ...), so that whatever else the machine does meets all of them.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import startup, subjects, tcp
from bench.figures import Figures
from bench.subjects import Subject, WrongEngineError
from pywg.demo.say import DemoError
from pywg.uapi.client import UapiError

RESULTS = Path(__file__).parent / "results" / "latest.json"


@dataclass(frozen=True, slots=True)
class Choice:
    """The command line."""

    rounds: int
    seconds: float
    engine: str
    json: Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 1 when something could not be measured."""
    choice = _parse(arguments)
    if os.geteuid() != 0:
        sys.stderr.write("bench: it makes network namespaces; run it as root: sudo make bench\n")
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as an exception, so that everything is removed
    try:
        report = _measure(choice)
    except (DemoError, UapiError, WrongEngineError, tcp.IperfError, OSError) as error:
        sys.stderr.write(f"bench: {error}\n")
        return 1
    choice.json.parent.mkdir(parents=True, exist_ok=True)
    choice.json.write_text(json.dumps(report, indent=1) + "\n")
    print(f"\nwritten to {choice.json}")
    return 0


def _parse(arguments: Sequence[str] | None) -> Choice:
    parser = argparse.ArgumentParser(prog="make bench BENCH=...", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="turns of each subject (3)")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one TCP transfer (5)")
    parser.add_argument("--engine", choices=("auto", "python", "native"), default="auto")
    parser.add_argument("--json", type=Path, default=RESULTS, help="where the numbers go")
    chosen = parser.parse_args(arguments)
    return Choice(max(1, chosen.rounds), chosen.seconds, chosen.engine, chosen.json)


def _measure(choice: Choice) -> dict[str, object]:
    ours = subjects.pywg(choice.engine)
    theirs = subjects.wireguard_go()
    contestants = [ours] if theirs is None else [ours, theirs]
    if theirs is None:
        print("*** wireguard-go is not installed: pywg is measured alone")
    machine = {
        "kernel": platform.release(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
    }
    print("  ".join(f"{name} {value}" for name, value in machine.items()))
    for subject in contestants:
        print(f"{subject.name}: {subject.version}")

    print(f"\nstart-up, from `{ours.name} wg0` to a socket that answers (target {startup.TARGET} s)")
    starts = _take_turns(contestants, choice.rounds, startup.measure)
    for subject in contestants:
        print(f"  {subject.name:<14} {starts[subject.name].text('s', 3)}")
    within = "within" if starts[ours.name].median <= startup.TARGET else "OVER"
    print(f"  {ours.name} is {within} the target")

    report: dict[str, object] = {
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": machine,
        "versions": {subject.name: subject.version for subject in contestants},
        "rounds": choice.rounds,
        "seconds": choice.seconds,
        "startup_seconds": {name: figures.as_json() for name, figures in starts.items()},
    }
    if shutil.which("iperf3") is None:
        print("\n*** iperf3 is not installed: TCP is not measured")
        return report
    report |= _measure_tcp(choice, contestants)
    return report


def _measure_tcp(choice: Choice, contestants: Sequence[Subject]) -> dict[str, object]:
    print(f"\nTCP, one stream of {choice.seconds:g} s, both ends alike, {choice.rounds} rounds in turn")
    streams = _take_turns(contestants, choice.rounds, lambda subject: tcp.measure(subject, choice.seconds))
    for subject in contestants:
        print(f"  {subject.name:<14} {streams[subject.name].text('Mbit/s', 0)}")
    report: dict[str, object] = {"tcp_mbit": {name: figures.as_json() for name, figures in streams.items()}}
    if len(contestants) > 1:
        ours, theirs = (streams[subject.name].median for subject in contestants)
        report["tcp_ratio"] = ours / theirs
        print(f"  ratio of the medians, {contestants[0].name} to {contestants[1].name}: {ours / theirs:.2f}")
    wire = tcp.measure(None, choice.seconds)
    report["tcp_wire_mbit"] = wire
    print(f"  the veth pair alone, once: {wire:.0f} Mbit/s")
    return report


def _take_turns(
    contestants: Sequence[Subject], rounds: int, measure: Callable[[Subject], float]
) -> dict[str, Figures]:
    """A B A B ...; every figure of one subject, by its name."""
    values: dict[str, list[float]] = {subject.name: [] for subject in contestants}
    for _ in range(rounds):
        for subject in contestants:
            values[subject.name].append(measure(subject))
    return {name: Figures(figures) for name, figures in values.items()}


if __name__ == "__main__":
    sys.exit(main())
