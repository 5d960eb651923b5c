"""Numbers of one kind: median and range, for people and for JSON."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Figures:
    """What one subject reached in every round."""

    values: Sequence[float]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def text(self, digits: int) -> str:
        """``0.31 (0.30 to 0.33)``"""
        low, high = min(self.values), max(self.values)
        return f"{self.median:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"

    def as_json(self) -> dict[str, object]:
        return {
            "median": self.median,
            "low": min(self.values),
            "high": max(self.values),
            "values": list(self.values),
        }


@dataclass(slots=True)
class Results:
    """All figures of a run: by metric, then by subject."""

    _values: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    """What could not be measured, one line each."""

    def add(self, subject: str, measured: Mapping[str, float]) -> None:
        """What one workload brought in one round."""
        for metric, value in measured.items():
            self._values.setdefault(metric, {}).setdefault(subject, []).append(value)

    def figures(self, metric: str, subject: str) -> Figures | None:
        """None if it was not measured."""
        values = self._values.get(metric, {}).get(subject)
        return Figures(values) if values else None

    def median(self, metric: str, subject: str) -> float | None:
        """None if it was not measured."""
        figures = self.figures(metric, subject)
        return None if figures is None else figures.median

    def ratio(self, metric: str, subject: str, rival: str) -> float | None:
        """Of the medians, subject to rival. None where one of them is missing or zero."""
        ours, theirs = self.median(metric, subject), self.median(metric, rival)
        return ours / theirs if ours is not None and theirs else None

    def worst_ratio(
        self, metrics: Sequence[str], subject: str, rival: str, *, more_is_better: bool
    ) -> float | None:
        """The worse of several ratios for `subject`; None where one is missing."""
        known = []
        for metric in metrics:
            ratio = self.ratio(metric, subject, rival)
            if ratio is None:
                return None
            known.append(ratio)
        return (min if more_is_better else max)(known)

    def as_json(self) -> dict[str, object]:
        return {
            metric: {subject: Figures(values).as_json() for subject, values in by_subject.items()}
            for metric, by_subject in self._values.items()
        }
