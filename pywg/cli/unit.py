"""``pywg unit [up|daemon]``: prints a systemd unit that runs this very pywg.

In: which unit. Out: the file of pywg/share, with the absolute path of the command in place of its name unless
systemd finds it by that.
"""

import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pywg.cli.output import put, tell, wrong_use
from pywg.manual import SHARE

UNITS: Final = {"up": "pywg@.service", "daemon": "pywg-daemon@.service"}

SEARCHED: Final = frozenset({"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"})
"""Where systemd looks for a command without a path (systemd.service(5))."""


def main(words: Sequence[str]) -> int:
    """Returns the exit status."""
    if len(words) > 1:
        return wrong_use("unit", f"expected at most one of the units {', '.join(UNITS)}")
    file = UNITS.get(words[0] if words else "up")
    if file is None:
        return wrong_use("unit", f"'{words[0]}' is none of the units {', '.join(UNITS)}")
    command = command_path(sys.argv[0])
    if command is None:
        tell("there is no command pywg on PATH for a unit to run; install it: pip install pywg-tunnel")
        return 1
    if not re.fullmatch(r"[\w/.+@-]+", str(command), re.ASCII):
        tell(
            f"'{command}' has blanks or signs that a unit cannot have in a path; make a link to it in "
            "/usr/local/bin and call that"
        )
        return 1
    return put(with_command((SHARE / file).read_text(), command))


def command_path(called: str) -> Path | None:
    """The absolute path of the command called as `called`, or of the one on PATH; links are not followed."""
    found = shutil.which(called if Path(called).name == "pywg" else "pywg")
    return Path(found).absolute() if found else None


def with_command(unit: str, command: Path) -> str:
    """`unit` running `command`."""
    if str(command.parent) in SEARCHED:
        return unit
    return "".join(
        re.sub(r"\bpywg (?=[a-z-])", f"{command} ", line) if line.startswith("Exec") else line
        for line in unit.splitlines(keepends=True)
    )
