"""What is to be reached, in one place, and whether it was.

In: results. Out: a verdict for each target. Rule kept: the worse of several ratios counts, and a target whose
figures are missing, or of too few rounds, is not reached.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from bench.figures import Results
from bench.lineup import DEBIANS, NATIVE, NEWEST, NULL_CIPHER, PYTHON
from bench.metrics import METRICS


@dataclass(frozen=True, slots=True)
class Target:
    """A ratio of medians, ours to the rival's."""

    title: str
    metrics: tuple[str, ...]
    limit: float
    ours: str = NATIVE
    rival: str = NEWEST
    rounds: int = 1
    """The least number of rounds that counts."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How it came out."""

    title: str
    value: float | None
    limit: float
    at_least: bool
    note: str = ""
    """Why it does not count; empty: it does."""

    @property
    def reached(self) -> bool | None:
        """None: not measured, or not well enough."""
        if self.value is None or self.note:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def text(self) -> str:
        """One line."""
        sign = ">=" if self.at_least else "<="
        nothing = "not measured" if self.value is None else f"not judged ({self.note})"
        words = {True: "reached", False: "MISSED", None: nothing}
        value = "     -" if self.value is None else f"{self.value:6.2f}"
        return f"{value}  {sign} {self.limit:<5g} {words[self.reached]:<8}  {self.title}"


TARGETS: Final = (
    Target("TCP, one stream", ("tcp_mbit",), 2.0),
    Target("CPU seconds per GB, the worse of daemons and machine", ("cpu_daemons", "cpu_machine"), 0.5),
    Target("UDP 64 B delivered", ("udp64_pps",), 3.0),
    Target("idle round trip p50", ("rtt_idle_p50",), 0.8, rounds=7),
    Target("idle round trip p99", ("rtt_idle_p99",), 1.1, rounds=7),
    Target("memory per peer at 10,000 peers", ("rss_per_peer",), 0.5),
    Target("time to configure 10,000 peers", ("configure_10000",), 1.0),
    Target("TCP, one stream", ("tcp_mbit",), 1.0, ours=PYTHON, rival=DEBIANS),
    Target(
        "CPU seconds per GB, the worse of daemons and machine",
        ("cpu_daemons", "cpu_machine"),
        0.28,
        ours=NULL_CIPHER,
    ),
)

AROUND_CIPHER: Final = 1.3
"""CPU seconds per GB of the native engine less those of its null-cipher build, to the cipher's own."""
STARTUP: Final = 0.4
UP: Final = 3.0
"""Seconds, with 1,000 peers."""


def verdicts(results: Results) -> Iterator[Verdict]:
    """All of them, whether measured or not."""
    for target in TARGETS:
        at_least = METRICS[target.metrics[0]].more_is_better
        yield Verdict(
            f"{target.title}: {target.ours} to {target.rival}{_parts(results, target)}",
            results.worst_ratio(target.metrics, target.ours, target.rival, more_is_better=at_least),
            target.limit,
            at_least,
            _too_few(results, target),
        )
    yield _around_cipher(results)
    for title, metric, limit in (("start-up", "startup", STARTUP), ("up with 1,000 peers", "up_1000", UP)):
        yield Verdict(
            f"{title} of {NATIVE}, in seconds", results.median(metric, NATIVE), limit, at_least=False
        )


def _parts(results: Results, target: Target) -> str:
    """Each ratio, where there are several."""
    ratios = [(metric, results.ratio(metric, target.ours, target.rival)) for metric in target.metrics]
    known = [f"{metric} {ratio:.2f}" for metric, ratio in ratios if ratio is not None]
    return f" ({', '.join(known)})" if len(target.metrics) > 1 and known else ""


def _too_few(results: Results, target: Target) -> str:
    for metric in target.metrics:
        for subject in (target.ours, target.rival):
            figures = results.figures(metric, subject)
            if figures is not None and len(figures.values) < target.rounds:
                return f"{len(figures.values)} of {target.rounds} rounds"
    return ""


def _around_cipher(results: Results) -> Verdict:
    ratios: dict[str, float] = {}
    for metric in ("cpu_daemons", "cpu_machine"):
        with_cipher, without = results.median(metric, NATIVE), results.median(metric, NULL_CIPHER)
        alone = results.median("cipher", "cipher")
        if with_cipher is not None and without is not None and alone:
            ratios[metric] = (with_cipher - without) / alone
    parts = ", ".join(f"{metric} {ratio:.2f}" for metric, ratio in ratios.items())
    return Verdict(
        f"({NATIVE} - {NULL_CIPHER}) to seal + open alone, CPU seconds per GB, the worse of both"
        + (f" ({parts})" if parts else ""),
        max(ratios.values()) if len(ratios) == 2 else None,
        AROUND_CIPHER,
        at_least=False,
    )
