"""Numbers of one kind: median and range, for people and for JSON."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figures:
    """What one subject reached in every round."""

    values: Sequence[float]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def text(self, unit: str, digits: int) -> str:
        """``0.31 s (0.30 to 0.33)``"""
        low, high = min(self.values), max(self.values)
        return f"{self.median:.{digits}f} {unit} ({low:.{digits}f} to {high:.{digits}f})"

    def as_json(self) -> dict[str, object]:
        return {
            "median": self.median,
            "low": min(self.values),
            "high": max(self.values),
            "values": list(self.values),
        }
