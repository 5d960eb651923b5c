"""The words after a command, sorted: its options, and all others.

In: the words, and which options the command has. Out: `Taken`, or UsageError. Rules kept: an option may stand
before, between and after other words, and its value behind it or behind ``=``; of one given twice the last
counts; of an option that is not known only the name is repeated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

_NONE: Final[Mapping[str, str]] = MappingProxyType({})


class UsageError(Exception):
    """The words cannot be followed; one line says which or what was expected."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What the words were."""

    words: tuple[str, ...]
    """Those that are neither options nor their values, in order."""
    flags: frozenset[str]
    """Options without a value."""
    values: Mapping[str, str]
    """Option to value."""

    def seconds(self, option: str, default: float, *, least: float, most: float) -> float:
        """The value of an option that is a length of time. Raises UsageError."""
        text = self.values.get(option)
        if text is None:
            return default
        try:
            number = float(text)
        except ValueError:
            number = least - 1
        if not least <= number <= most:  # Nor is NaN.
            raise UsageError(f"{option} '{text}': expected seconds from {least:g} to {most:g}")
        return number


def take(words: Sequence[str], *, flags: Sequence[str] = (), valued: Mapping[str, str] = _NONE) -> Taken:
    """Sort `words`. `valued`: options that have a value, and what the manual calls it. Raises UsageError."""
    others, given, values = [], set(), {}
    rest = iter(words)
    for word in rest:
        option, equals, value = word.partition("=")
        if not word.startswith("-"):
            others.append(word)
        elif option in valued:
            if not equals:
                value = next(rest, "")
            if not value:
                raise UsageError(f"{option}: its value is missing; expected {option} {valued[option]}")
            values[option] = value
        elif option not in flags:
            raise UsageError(f"unknown option '{option}'; {_expected(flags, valued)}")
        elif equals:
            raise UsageError(f"{option} takes no value")
        else:
            given.add(option)
    return Taken(tuple(others), frozenset(given), values)


def _expected(flags: Sequence[str], valued: Mapping[str, str]) -> str:
    known = [*flags, *(f"{option} {value}" for option, value in valued.items())]
    return f"expected {' or '.join(known)}" if known else "there are none here"
