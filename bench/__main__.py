"""``make bench``: pywg and others side by side, in one run, on this machine.

In: options (see options.py). Out: progress, tables, bench/results/latest.json and the chart beside it.
"""

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench import handshakes, plan
from bench.chart import chart
from bench.configuration import Keys
from bench.errors import BenchError
from bench.figures import Results
from bench.floor import CipherCost
from bench.lineup import NULL_CIPHER, line_up
from bench.machine import is_idle, machine
from bench.options import Options, parse
from bench.report import report
from bench.run import Run
from bench.subjects import Subject, clear_environment
from bench.targets import verdicts
from bench.tools import without_missing_tools
from bench.workloads import Context
from pywg.demo.say import DemoError
from pywg.uapi.client import UapiError


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 1 when something planned could not be measured."""
    options = parse(arguments)
    if os.geteuid() != 0:
        sys.stderr.write("bench: it makes network namespaces; run it as root: sudo make bench\n")
        return 1
    for number in (signal.SIGTERM, signal.SIGHUP):  # as an exception, so that everything is removed
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    clear_environment()
    try:
        with tempfile.TemporaryDirectory(prefix="pywg-bench-") as directory:
            return _bench(options, Path(directory))
    except (BenchError, DemoError, UapiError, OSError) as error:
        sys.stderr.write(f"bench: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130


def _bench(options: Options, directory: Path) -> int:
    here = machine()
    for name, value in here.items():
        print(f"{name + ':':<16} {value}")
    if not is_idle():
        print("*** this machine is busy with something else: the figures will be worth little")
    keys = Keys()
    subjects, missing = line_up(options, keys, directory)
    options, lacking = without_missing_tools(options)
    width = max(len(subject.name) for subject in subjects)
    for subject in subjects:
        print(f"  {subject.name:<{width}}  {subject.version}")
    for line in (*missing, *lacking):
        print(f"*** missing: {line}")

    planned = list(plan.turns(subjects, options))
    seconds = plan.expected_seconds(planned, options)
    print(
        f"\n{len(planned)} turns, about {seconds / 60:.0f} minutes; the order of the subjects rotates",
        flush=True,
    )
    needs_initiations = any("handshakes" in turn.workloads for turn in planned)
    prepared = handshakes.prepare(directory, keys.second) if needs_initiations else None
    has_floor = any(subject.name == NULL_CIPHER for subject in subjects)
    run = Run(Context(keys, prepared, options.seconds, options.quick), planned)
    run.go(CipherCost() if has_floor else None)

    names = [subject.name for subject in subjects]
    for line in report(run.results, names):
        print(line)
    _save(options, here, subjects, run.results)
    return 1 if run.results.problems else 0


def _save(options: Options, here: dict[str, str], subjects: Sequence[Subject], results: Results) -> None:
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    told = {
        "when": when,
        "machine": here,
        "versions": {subject.name: subject.version for subject in subjects},
        "quick": options.quick,
        "seconds": options.seconds,
        "results": results.as_json(),
        "targets": [
            {
                "title": verdict.title,
                "value": verdict.value,
                "limit": verdict.limit,
                "at_least": verdict.at_least,
                "reached": verdict.reached,
            }
            for verdict in verdicts(results)
        ],
        "problems": results.problems,
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(told, indent=1) + "\n")
    picture = options.json.with_suffix(".svg")
    picture.write_text(
        chart(results, [subject.name for subject in subjects], f"{here['cpu']}, {here['kernel']}", when[:10])
    )
    print(f"\nwritten to {options.json} and {picture}")


if __name__ == "__main__":
    sys.exit(main())
