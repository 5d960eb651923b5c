"""The manual as plain text for a terminal: usage lines, the overview, and the help on a command or topic.

In: the manual. Out: text that ends with a newline, in lines of at most `WIDTH` characters (usage lines for
standard error are not wrapped). What the manual marks as literal stands in 'quotes'.
"""

import textwrap
from collections.abc import Iterable
from typing import Final

from pywg.manual.model import Argument, Command, Option, Prose, Section, Word, paragraphs
from pywg.manual.page import MANUAL, commands

WIDTH: Final = 80
_INDENT: Final = "  "
_COLUMN: Final = 24
"""Where meanings start."""
_DAEMON: Final = "daemon"
"""The daemon has no word; as a topic it has this one."""


def usage_lines(command: Command) -> str:
    """``usage: pywg set ...``, a line for each form."""
    heads = ("usage:", *[" " * 6] * (len(command.forms) - 1))
    return "".join(f"{head} pywg {form}\n" for head, form in zip(heads, command.forms, strict=True))


def synopsis() -> str:
    """What is read by whoever asked for nothing."""
    return (
        f"usage: pywg {MANUAL.daemon.forms[0]}\n"
        "       pywg COMMAND [ARGUMENT...]\n"
        "       pywg help [COMMAND]\n"
    )  # fmt: skip


def overview() -> str:
    """``pywg help``."""
    column = max(map(len, commands())) + 2 * len(_INDENT)
    parts = [
        synopsis(),
        "\n",
        _prose(MANUAL.description),
        f"The daemon:\n{_term('INTERFACE', MANUAL.daemon.summary, column)}",
    ]
    for group in MANUAL.groups:
        parts.append(f"\n{group.title}:\n")
        parts += [_term(command.word, command.summary, column) for command in group.commands]
    topics = ", ".join((_DAEMON, *(section.word for section in MANUAL.sections)))
    parts += ["\n", _filled(f"`pywg help COMMAND` says more; it can also be asked for: {topics}.")]
    parts.append("'man pywg' has all of it.\n")
    return "".join(parts)


def help_on(word: str) -> str | None:
    """On a command or a topic; None if there is neither of that name."""
    if word == _DAEMON:
        return help_on_command(MANUAL.daemon)
    if command := commands().get(word):
        return help_on_command(command)
    return next((_help_on_section(section) for section in MANUAL.sections if section.word == word), None)


def help_on_command(command: Command) -> str:
    """``pywg help COMMAND``."""
    parts = [_wrapped_usage(command), "\n", _prose(command.description)]
    parts += [_argument(argument) for argument in command.arguments]
    parts.append(_options("Options", command.options))
    parts.append(_options("Settings of the interface", command.settings))
    parts.append(_options("Settings of a peer", command.peer_settings))
    if command.status:
        parts += ["Exit status:\n", _prose(command.status, _INDENT)]
    if command.examples:
        parts.append("Examples:\n")
        for example in command.examples:
            parts += [f"{_INDENT}{line}\n" for line in example.lines]
            parts.append(f"{_filled(example.purpose, _INDENT * 3)}\n")
    return _ended(parts)


def _help_on_section(section: Section) -> str:
    parts = [f"{section.title}:\n\n", _prose(section.introduction)]
    for its in section.lists:
        if its.title:
            parts.append(f"{its.title}:\n")
        parts += [_term(entry.name, entry.meaning) for entry in its.entries]
        parts.append("\n")
    return _ended(parts)


def _wrapped_usage(command: Command) -> str:
    hanging = " " * len(f"usage: pywg {command.word} ")
    return "".join(_filled(line, subsequent=hanging) for line in usage_lines(command).splitlines())


def _argument(argument: Argument) -> str:
    return f"{_term(argument.name, argument.meaning)}{_words(argument.words)}\n"


def _options(title: str, options: tuple[Option, ...]) -> str:
    if not options:
        return ""
    return f"{title}:\n{''.join(map(_option, options))}\n"


def _option(option: Option) -> str:
    value = option.value
    term = ", ".join(option.names) + (f" {value.name}" if value else "")
    return _term(term, option.meaning) + (_words(value.words) if value else "")


def _words(words: tuple[Word, ...]) -> str:
    """Those of one argument, if they need an explanation."""
    if not any(word.meaning for word in words):
        return ""
    return "".join(_term(f"{_INDENT}{word.text}", word.meaning) for word in words)


def _term(term: str, meaning: str, column: int = _COLUMN) -> str:
    """A term with its meaning beside it or, if it is long, below."""
    head = f"{_INDENT}{term}"
    if not meaning:
        return f"{head}\n"
    text = _filled(meaning, " " * column)
    if len(head) + len(_INDENT) > column:
        return f"{head}\n{text}"
    return head.ljust(column) + text[column:]


def _prose(prose: Prose, indent: str = "") -> str:
    return "".join(f"{_filled(paragraph, indent)}\n" for paragraph in paragraphs(prose))


def _filled(text: str, indent: str = "", subsequent: str | None = None) -> str:
    lines = textwrap.wrap(
        text.replace("`", "'"),
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent if subsequent is None else subsequent,
        break_on_hyphens=False,
        break_long_words=False,
    )
    return "".join(f"{line}\n" for line in lines)


def _ended(parts: Iterable[str]) -> str:
    return "".join(parts).rstrip("\n") + "\n"
