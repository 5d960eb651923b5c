"""Who is measured when: the rounds, the order within each, and how long all of it should take.

In: subjects and options. Out: turns. Rule kept: A B C, B C A, C A B ...; each subject meets whatever else the
machine does in every place of the order.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.options import Options
from bench.subjects import Subject
from bench.workloads import WORKLOADS, Workload

_SET_UP = 2.5
"""Seconds to make a laboratory with a tunnel and to take it down again."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What is done with one subject in one round."""

    round: int
    """From 1."""
    subject: Subject
    workloads: Sequence[str]


def rounds_of(workload: Workload, options: Options) -> int:
    """How often a workload is measured with each subject; 0: not at all."""
    usual = workload.quick_rounds if options.quick else workload.rounds
    return usual if options.rounds is None or not usual else options.rounds


def turns(subjects: Sequence[Subject], options: Options) -> Iterator[Turn]:
    """In the order in which they are to be taken."""
    wanted = {name: rounds_of(WORKLOADS[name], options) for name in WORKLOADS if name in options.workloads}
    for number in range(max(wanted.values(), default=0)):
        first = number % max(1, len(subjects))
        for subject in (*subjects[first:], *subjects[:first]):
            now = [name for name, times in wanted.items() if number < times and name in subject.workloads]
            if now:
                yield Turn(number + 1, subject, now)


def expected_seconds(planned: Sequence[Turn], options: Options) -> float:
    """Roughly."""
    total = 0.0
    for turn in planned:
        total += _SET_UP
        for name in turn.workloads:
            total += WORKLOADS[name].cost + WORKLOADS[name].transfers * options.seconds
    return total
