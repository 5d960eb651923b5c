"""What the completion scripts of all shells share.

In: the manual. Out: facts about it as the shells' scripts need them, and words quoted for a shell.
"""

import re
from collections.abc import Iterable
from string import Template
from typing import Final

from pywg.manual.model import Command, Option
from pywg.manual.page import MANUAL, commands

HEADER: Final = "Generated from pywg/manual by python -m pywg.manual.generate. Do not edit."
HELP: Final = Option(("-h", "--help"), "say how it is used")
VERSION: Final = Option(("-v", "--version"), "print the version and the engine that would carry packets here")


class Script(Template):
    """A script with gaps that are called ``@@name``."""

    delimiter = "@@"


def brief(meaning: str) -> str:
    """Its first clause without the manual's marks: a list of choices has a line for each."""
    return re.split(r"[:;,.](?:\s|$)|\s\(", meaning.replace("`", ""), maxsplit=1)[0]


def first_options() -> tuple[Option, ...]:
    """What may stand in a command's place."""
    return (*MANUAL.daemon.options, HELP, VERSION)


def options_of(command: Command) -> tuple[Option, ...]:
    """All that start with a dash."""
    return (*command.options, HELP)


def valued_options() -> list[str]:
    """Those with a dash and a value, of all commands: the word after one is no argument."""
    return valued(option for command in commands().values() for option in command.options)


def names(options: Iterable[Option]) -> list[str]:
    """All names of all of them."""
    return [name for option in options for name in option.names]


def valued(options: Iterable[Option]) -> list[str]:
    """The names of those that have a value."""
    return names(option for option in options if option.value is not None)
