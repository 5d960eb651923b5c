"""Draws counts by cause, such as drops: ``replay 12 +3/min, no_route 1``.

In: meters by name. Out: more text on a line. Rule kept: what moved within the last minute comes first and
stands out; then the greatest totals; what has no room is counted.
"""

from pywg.monitor import ink
from pywg.monitor.history import Meter, Meters
from pywg.monitor.line import Line
from pywg.monitor.units import clean, quantity

_LONGEST_NAME = 30
_MORE_WIDTH = len(" +99")


def causes(line: Line, meters: Meters, *, nothing: str) -> None:
    """Append to `line`; `nothing` is said if all counts are 0."""
    counted = [(name, meter) for name, meter in meters.by_name.items() if meter.total]
    counted.sort(key=lambda cause: (not cause[1].of_window, -cause[1].total, cause[0]))
    if not counted:
        line.add(nothing, ink.LABEL)
    for place, (name, meter) in enumerate(counted):
        text = ", " if place else ""
        text += f"{clean(name, _LONGEST_NAME)} {quantity(meter.total)}{_movement(meter)}"
        is_last = place == len(counted) - 1
        if len(text) + (0 if is_last else _MORE_WIDTH) > line.room:
            line.add(f"{' ' if place else ''}+{len(counted) - place}", ink.LABEL)
            return
        line.add(text, ink.WARN if meter.of_window else "")


def _movement(meter: Meter) -> str:
    moved = round(meter.of_window)
    return f" +{quantity(moved)}/min" if moved else ""
