"""``pywg help``: in the words, out help on standard output; and what is said of wrong use.

What is said stands in pywg/manual, which no other command imports unless it was used wrongly.
"""

from collections.abc import Sequence

from pywg.cli.output import put, tell, tell_usage, wrong_use
from pywg.manual.page import commands
from pywg.manual.text import help_on, overview, synopsis, usage_lines


def usage(word: str) -> str:
    """How the command `word` is used, a line for each form; how pywg is, if there is no such command."""
    command = commands().get(word)
    return usage_lines(command) if command else synopsis()


def main(words: Sequence[str]) -> int:
    """Help on the one command or topic named, or the overview. Returns the exit status."""
    if len(words) > 1:
        return wrong_use("help", f"expected at most one command or topic, got {len(words)} words")
    text = help_on(words[0]) if words else overview()
    if text is None:
        tell(f"there is no help on '{words[0]}'; 'pywg help' lists what there is")
        return 1
    return put(text)


def nothing_asked(_words: Sequence[str]) -> int:
    """Neither an interface nor a command was named."""
    tell_usage("")
    return 1
