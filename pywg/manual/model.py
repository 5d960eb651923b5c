"""The parts of a manual, typed and without I/O.

In: nothing. Out: frozen results that the renderers of text, roff and the shells' scripts share. Rules kept:
what is typed literally stands in `backquotes` and what is to be replaced in CAPITALS, and each renderer shows
both in its own way; a meaning is a phrase without a full stop.
"""

from dataclasses import dataclass
from enum import Enum, auto

Prose = str
"""Paragraphs separated by empty lines. Where its lines end means nothing."""


def paragraphs(prose: Prose) -> list[str]:
    """Each in one line."""
    return [" ".join(paragraph.split()) for paragraph in prose.split("\n\n") if paragraph.strip()]


class Fills(Enum):
    """What a shell can offer in the place of an argument, besides its fixed words."""

    INTERFACE = auto()
    """A WireGuard interface of this machine, as ``pywg show interfaces`` lists them."""
    CONFIGURATION = auto()
    """The name of a file in /etc/wireguard without its ``.conf``, or the path of any ``.conf`` file."""
    FILE = auto()
    PEER = auto()
    """A public key of the interface's, as ``pywg show INTERFACE peers`` lists them."""
    COMMAND = auto()
    """A command of pywg."""


@dataclass(frozen=True, slots=True)
class Word:
    """One of the words that an argument may be."""

    text: str
    meaning: str = ""
    """Empty if there is nothing to explain."""


@dataclass(frozen=True, slots=True)
class Argument:
    """A place in a command line."""

    name: str
    """In capitals, as the forms have it."""
    meaning: str = ""
    """Empty for an option's value: the option explains it."""
    fills: tuple[Fills, ...] = ()
    """Empty if only the user knows what may stand here."""
    words: tuple[Word, ...] = ()
    repeats: bool = False
    """The last argument: any number of them."""


@dataclass(frozen=True, slots=True)
class Option:
    """What is given or left out, perhaps with a value after it: ``--engine ENGINE``, ``listen-port PORT``."""

    names: tuple[str, ...]
    """The same option by several names, the short one first."""
    meaning: str
    value: Argument | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """Lines to type, and what they are for."""

    lines: tuple[str, ...]
    purpose: str


@dataclass(frozen=True, slots=True)
class Command:
    """Everything there is to say of one command."""

    word: str
    """How it is called; empty for the daemon, which is asked for by an interface's name."""
    forms: tuple[str, ...]
    """What may be typed, without ``pywg`` before it."""
    summary: str
    description: Prose
    arguments: tuple[Argument, ...] = ()
    """In their order on the command line."""
    options: tuple[Option, ...] = ()
    """With dashes; anywhere after the command."""
    settings: tuple[Option, ...] = ()
    """Without dashes, of the interface; after the arguments (``set``)."""
    peer_settings: tuple[Option, ...] = ()
    """Without dashes, of the peer named last (``set``)."""
    status: Prose = ""
    """Exit status, where there is more to say than 0 and 1."""
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Commands that belong together."""

    title: str
    commands: tuple[Command, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """An environment variable, a file, a setting of a configuration: its name, and what it is for."""

    name: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Entries:
    """A list of them, and what it is called."""

    title: str
    """Empty if the section has one list only."""
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the manual that is not of one command."""

    word: str
    """``pywg help WORD`` shows it."""
    title: str
    introduction: Prose = ""
    lists: tuple[Entries, ...] = ()


@dataclass(frozen=True, slots=True)
class Manual:
    """All of it."""

    name: str
    summary: str
    description: Prose
    daemon: Command
    groups: tuple[Group, ...]
    sections: tuple[Section, ...]
    see_also: tuple[str, ...]
    """``wg(8)``."""
