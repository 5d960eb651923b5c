"""The list of what is measured, and how often.

In: a tunnel or a daemon. Out: numbers by metric. The order is that in which they share one tunnel: handshakes
come last, for they leave many peers behind; memory and start-up have daemons of their own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bench import ethr, handshakes, latency, memory, quick, startup
from bench.configuration import Keys
from bench.errors import BenchError
from bench.handshakes import Prepared
from bench.iperf import transfer
from bench.kernel import KernelModule
from bench.lab import Tunnel
from bench.subjects import BarePath, Daemon, Subject
from bench.udp import measure as udp


@dataclass(slots=True)
class Context:
    """What workloads share during a run."""

    keys: Keys
    prepared: Prepared | None
    seconds: float
    """Length of one TCP transfer."""
    quick: bool
    udp_guesses: dict[tuple[str, int], float] = field(default_factory=dict)
    """Where the search begins, by subject and size: what an earlier round found."""


Measure = Callable[[Context, Subject, Tunnel], Mapping[str, float]]
MeasureAlone = Callable[[Context, Daemon], Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Workload:
    """One line of the plan."""

    rounds: int
    quick_rounds: int
    """0: left out of a quick run."""
    cost: float
    """Seconds besides those of a TCP transfer, roughly."""
    transfers: int = 0
    in_tunnel: Measure | None = None
    alone: MeasureAlone | None = None


def _tcp(context: Context, _subject: Subject, tunnel: Tunnel) -> Mapping[str, float]:
    done = transfer(tunnel, context.seconds)
    return {"tcp_mbit": done.mbit, **done.cpu_per_gb()}


def _tcp4(context: Context, _subject: Subject, tunnel: Tunnel) -> Mapping[str, float]:
    return {"tcp4_mbit": transfer(tunnel, context.seconds, streams=4).mbit}


def _reverse(context: Context, _subject: Subject, tunnel: Tunnel) -> Mapping[str, float]:
    return {"reverse_mbit": transfer(tunnel, context.seconds, reverse=True).mbit}


def _udp(size: int) -> Measure:
    def measure(context: Context, subject: Subject, tunnel: Tunnel) -> Mapping[str, float]:
        key = (subject.name, size)
        trials, seconds = (6, 0.4) if context.quick else (7, 1.0)
        rate = udp.measure(tunnel, size, trials=trials, seconds=seconds, guess=context.udp_guesses.get(key))
        context.udp_guesses[key] = rate
        told = {f"udp{size}_pps": rate}
        if isinstance(subject, BarePath) and size == 64:
            told["udp64_generator"] = udp.generator_rate(tunnel, size, seconds)
        return told

    return measure


def _handshakes(context: Context, subject: Subject, tunnel: Tunnel) -> Mapping[str, float]:
    if context.prepared is None or not isinstance(subject, Daemon | KernelModule):
        raise BenchError("there are no initiations for it")
    rate = handshakes.measure(
        tunnel,
        context.prepared,
        lambda change: subject.configure(tunnel.there, change),
        1.0 if context.quick else 2.0,
    )
    return {"handshakes": rate}


WORKLOADS: dict[str, Workload] = {
    "latency": Workload(7, 3, 5.5, in_tunnel=lambda _context, _subject, tunnel: latency.idle(tunnel)),
    "tcp": Workload(7, 3, 0.3, transfers=1, in_tunnel=_tcp),
    "tcp4": Workload(5, 0, 0.3, transfers=1, in_tunnel=_tcp4),
    "reverse": Workload(5, 0, 0.3, transfers=1, in_tunnel=_reverse),
    "udp64": Workload(5, 3, 6.0, in_tunnel=_udp(64)),
    "udp1300": Workload(5, 0, 6.0, in_tunnel=_udp(1300)),
    "latency-busy": Workload(5, 0, 7.0, in_tunnel=lambda _context, _subject, tunnel: latency.busy(tunnel)),
    "ethr": Workload(
        3,
        0,
        1.0,
        transfers=1,
        in_tunnel=lambda context, _, t: {"ethr_mbit": ethr.measure(t, context.seconds)},
    ),
    "handshakes": Workload(5, 0, 3.5, in_tunnel=_handshakes),
    "memory": Workload(3, 1, 11.0, alone=lambda context, subject: memory.measure(subject, context.keys)),
    "startup": Workload(7, 3, 1.0, alone=lambda _context, subject: {"startup": startup.measure(subject)}),
    "up": Workload(
        3, 1, 4.0, alone=lambda context, subject: {"up_1000": quick.measure(subject, context.keys)}
    ),
}
