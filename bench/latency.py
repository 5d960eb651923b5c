"""Round-trip times through a tunnel, idle and beside one TCP stream.

In: a tunnel. Out: percentiles in microseconds, by metric.
"""

import json
from collections.abc import Mapping

from bench.errors import BenchError
from bench.iperf import stream_beside
from bench.lab import Tunnel, inside, output, python

SAMPLES = 5_000
INTERVAL = 0.001
_PATIENCE = 20.0


def idle(tunnel: Tunnel) -> Mapping[str, float]:
    """Nothing else on the way. Raises BenchError."""
    told = _echo(tunnel)
    return {"rtt_idle_p50": told["p50"], "rtt_idle_p99": told["p99"]}


def busy(tunnel: Tunnel) -> Mapping[str, float]:
    """One TCP stream in the direction of the requests. Raises BenchError."""
    with stream_beside(tunnel, SAMPLES * INTERVAL * 2 + _PATIENCE):
        told = _echo(tunnel)
    lost = 100 * (1 - told["received"] / told["sent"])
    return {"rtt_busy_p50": told["p50"], "rtt_busy_p99": told["p99"], "rtt_busy_lost": lost}


def _echo(tunnel: Tunnel) -> dict[str, float]:
    words = python("bench.echo", tunnel.address, str(SAMPLES), str(INTERVAL))
    told: dict[str, float] = json.loads(
        output(inside(tunnel.here, *words), timeout=SAMPLES * INTERVAL * 2 + _PATIENCE)
    )
    # Percentiles of what arrived say little if half of it did not.
    if told["received"] < told["sent"] / 2:
        raise BenchError(f"only {told['received']:.0f} of {told['sent']:.0f} pings were answered")
    return told
