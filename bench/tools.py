"""Programs that workloads need; without one, its workloads are left out, and that is said.

In: options. Out: the options that can be carried out, and a line for each program that is missing.
"""

import shutil
from dataclasses import replace

from bench import ethr
from bench.errors import BenchError
from bench.options import Options

_NEEDED_BY_ALL = ("nsenter", "ping")
_NEEDED = {"iperf3": frozenset({"tcp", "tcp4", "reverse", "latency-busy"}), ethr.PROGRAM: frozenset({"ethr"})}


def without_missing_tools(options: Options) -> tuple[Options, list[str]]:
    """Raises BenchError when nothing can be measured at all."""
    for program in _NEEDED_BY_ALL:
        if shutil.which(program) is None:
            raise BenchError(f"{program} is not installed, and nothing works without it")
    lacking = []
    for program, workloads in _NEEDED.items():
        hit = workloads & options.workloads
        if hit and shutil.which(program) is None:
            lacking.append(f"{program}: not on PATH, so not measured: {', '.join(sorted(hit))}")
            options = replace(options, workloads=options.workloads - hit)
    return options, lacking
