"""Findings as text for a terminal, and as JSON for scripts.

In: findings in their order. Out: plain lines, a mark in front of each; or one JSON object. Rules kept: what a
mark says is also said in words, colours only repeat it; what came from the network cannot steer a terminal;
the JSON's codes and names stay the same from version to version. No I/O.
"""

import textwrap
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from pywg.base64_key import key_to_base64
from pywg.doctor.findings import Finding, Severity
from pywg.log import peer_name

_COLORS: Final = {Severity.OK: "\x1b[32m", Severity.WARNING: "\x1b[33m", Severity.PROBLEM: "\x1b[31m"}
_BOLD: Final = "\x1b[1m"
_RESET: Final = "\x1b[0m"
MOST_WELL: Final = 8
"""Peers with nothing wrong that are shown, per interface."""
_MARK_WIDTH: Final = max(len(severity.value) for severity in Severity)


def text(findings: Sequence[Finding], *, width: int = 100, color: bool = False) -> str:
    """For people. `width`: columns; what is longer goes on in the next line.

    Of an interface's peers that have nothing wrong, `MOST_WELL` are shown and the others counted.
    """
    lines: list[str] = []
    for interface, of_interface in groupby(findings, lambda one: one.interface):
        lines.append(_painted(_BOLD, _printable(interface or "machine"), color=color))
        well = 0
        for peer, group in groupby(of_interface, lambda one: one.peer):
            same = list(group)
            is_well = peer is not None and all(one.severity is Severity.OK for one in same)
            well += is_well
            if is_well and well > MOST_WELL:
                continue
            if peer is not None:
                lines.append(_printable(f"  {peer_name(peer)} {same[0].endpoint}".rstrip()))
            for finding in same:
                lines.extend(_lines(finding, "  " if peer is None else "    ", width, color=color))
        if well > MOST_WELL:
            lines.append(f"  and {well - MOST_WELL} more of its peers have nothing wrong (--json lists them)")
    return "".join(f"{line}\n" for line in lines)


def as_json(findings: Iterable[Finding], status: int) -> dict[str, object]:
    """For scripts. `status`: the exit status that goes with it."""
    return {
        "status": status,
        "findings": [
            {
                "code": finding.code.value,
                "severity": finding.severity.value,
                "interface": finding.interface or None,
                "peer": None if finding.peer is None else key_to_base64(finding.peer),
                "endpoint": finding.endpoint or None,
                "sentence": finding.sentence,
                "advice": finding.advice or None,
            }
            for finding in findings
        ],
    }


def _lines(finding: Finding, indent: str, width: int, *, color: bool) -> list[str]:
    mark = finding.severity.value.ljust(_MARK_WIDTH)
    margin = f"{indent}{' ' * _MARK_WIDTH}  "
    lines = _wrapped(_printable(finding.sentence), margin, width)
    lines[0] = f"{indent}{_painted(_COLORS[finding.severity], mark, color=color)}  {lines[0].lstrip()}"
    if finding.advice:
        advice = _wrapped(_printable(finding.advice), f"{margin}   ", width)
        advice[0] = f"{margin}-> {advice[0].lstrip()}"
        lines.extend(advice)
    return lines


def _wrapped(sentence: str, margin: str, width: int) -> list[str]:
    """Words stay whole: a key or a command is to be copied."""
    return textwrap.wrap(
        sentence,
        max(width, len(margin) + 20),
        initial_indent=margin,
        subsequent_indent=margin,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _painted(code: str, word: str, *, color: bool) -> str:
    return f"{code}{word}{_RESET}" if color else word


def _printable(line: str) -> str:
    """What came from the network or a file cannot steer a terminal."""
    return "".join(char if char.isprintable() else "?" for char in line)
