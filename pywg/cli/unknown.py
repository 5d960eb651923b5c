"""A word that is no command but may have been meant as one: in the words, out a hint on standard error.

``pywg shwo`` is a legal request for an interface of that name, ``pywg shwo wg0`` is none. So what cannot be
an interface is refused; what can be is made, and only then the hint follows.
"""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

from pywg.cli.main import COMMANDS
from pywg.cli.output import tell

_CLOSE: Final = 0.75
"""Two letters swapped in a word of four (difflib's ratio)."""


def closest(word: str) -> str | None:
    """The command that `word` resembles most, if any."""
    return next(iter(get_close_matches(word.lower(), COMMANDS, n=1, cutoff=_CLOSE)), None)


def unknown_command(words: Sequence[str]) -> int:
    """`words` are several, and the first is no command. Returns exit status 1."""
    first, second = words[:2]
    if meant := closest(first):
        tell(f"unknown command '{first}'; did you mean 'pywg {meant}'?")
    elif second in COMMANDS:
        tell(f"unknown command '{first}'; did you mean 'pywg {second} {first}'?")
    else:
        tell(f"unknown command '{first}'; 'pywg help' lists them, and the name of an interface stands alone")
    return 1


def hint_after_failure(words: Sequence[str]) -> int:
    """No interface could be made of the one word, and why has been said. Returns exit status 1."""
    if meant := closest(words[0]):
        tell(f"'{words[0]}' was taken for an interface to make; did you mean 'pywg {meant}'?")
    return 1


def hint_after_success(words: Sequence[str]) -> int:
    """An interface was made of it. Returns exit status 0."""
    name = words[0]
    if meant := closest(name):
        tell(
            f"note: '{name}' is an interface now; if you meant 'pywg {meant}', remove it: "
            f"'ip link delete {name}'"
        )
    return 0


def reserved(words: Sequence[str]) -> int:
    """The first word is kept for a command that is not there. Returns exit status 1."""
    word = words[0]
    if word == "daemon":
        tell("the daemon is started by its interface's name alone: pywg wg0")
    else:
        tell(f"'{word}' is no command, and the word is reserved; 'pywg help' lists the commands")
    return 1
