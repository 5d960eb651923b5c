"""Bandwidth as ethr tells it: a measuring program that knows nothing of WireGuard.

In: a tunnel. Out: Mbit/s. github.com/microsoft/ethr, where it is on PATH.
"""

import re
import statistics
import time

from bench.errors import BenchError
from bench.lab import Tunnel, beside, inside, output

PROGRAM = "ethr"
_LISTENING = 5.0
_SCALE = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_SECOND = re.compile(r"TCP\s+\d+-\d+ sec\s+([\d.]+)([KMGT]?)\s*$", re.MULTILINE)


def measure(tunnel: Tunnel, seconds: float) -> float:
    """The median of its seconds, one TCP stream. Raises BenchError."""
    with beside(inside(tunnel.there, PROGRAM, "-s", "-ip", tunnel.address, "-no")):
        words = (PROGRAM, "-c", tunnel.address, "-p", "tcp", "-t", "b", "-d", f"{seconds:.0f}s", "-no")
        deadline = time.monotonic() + _LISTENING
        while True:
            said = output(inside(tunnel.here, *words), timeout=seconds + 20)
            # The server may need a moment before it listens; the client ends with 0 all the same.
            if "refused" not in said or time.monotonic() > deadline:
                return parse(said)
            time.sleep(0.1)


def parse(text: str) -> float:
    """Mbit/s out of what the client prints. Raises BenchError."""
    rates = [float(number) * _SCALE[unit] for number, unit in _SECOND.findall(text)]
    if not rates:
        raise BenchError(f"ethr told of no bandwidth: {text.strip()[-200:]!r}")
    return statistics.median(rates) / 1e6
