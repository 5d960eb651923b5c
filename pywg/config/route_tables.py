"""Routing tables that have a name on this machine.

In: a name. Out: the table's number. Rule kept: the files iproute2 reads, in its order (lib/rt_names.c): the
administrator's in /etc, else the distribution's; and beside both the ``*.conf`` of ``rt_tables.d``.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

DIRECTORIES: Final = (Path("/etc/iproute2"), Path("/usr/share/iproute2"), Path("/usr/lib/iproute2"))
"""The administrator's first. Distributions put the other in one of two places."""

_BUILT_IN: Final = {"default": 253, "main": 254, "local": 255}
_LINE: Final = re.compile(r"[ \t]*(0x[0-9a-fA-F]{1,8}|[0-9]{1,10})[ \t]+([^\s#]\S*)")


def table_number(name: str, directories: Sequence[Path] = DIRECTORIES) -> int | None:
    """The number of the table called `name`; None if none is. Files that cannot be read count as empty."""
    numbers = dict(_BUILT_IN)
    for path in _files(directories):
        for line in _lines(path):
            if found := _LINE.match(line):
                numbers[found[2]] = int(found[1], 0) if found[1].startswith("0x") else int(found[1])
    return numbers.get(name)


def _files(directories: Sequence[Path]) -> Iterator[Path]:
    """Later ones win: the distribution's come first, hidden by a file of the same name in /etc."""
    main = [directory / "rt_tables" for directory in directories]
    yield from [path for path in main if path.is_file()][:1]
    more: dict[str, Path] = {}
    for directory in reversed(directories):
        more |= {path.name: path for path in sorted((directory / "rt_tables.d").glob("*.conf"))}
    yield from more.values()


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8", "surrogateescape").split("\n")
    except OSError:
        return []
