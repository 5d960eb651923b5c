"""``pywg completion SHELL``: prints the completion script of bash, zsh or fish.

In: the shell's name. Out: the script on standard output, as it lies in pywg/share, made from pywg/manual.
"""

from collections.abc import Sequence
from typing import Final

from pywg.cli.output import put, wrong_use
from pywg.manual import SHARE

SCRIPTS: Final = {"bash": "pywg.bash", "zsh": "_pywg", "fish": "pywg.fish"}


def main(words: Sequence[str]) -> int:
    """Returns the exit status."""
    if len(words) != 1:
        return wrong_use("completion", f"expected one of the shells {', '.join(SCRIPTS)}")
    script = SCRIPTS.get(words[0])
    if script is None:
        return wrong_use("completion", f"'{words[0]}' is none of the shells {', '.join(SCRIPTS)}")
    return put((SHARE / script).read_text())
