r"""The manual as a page for man(1): pywg(8).

In: the manual. Out: roff with the macros of man(7) and .SY/.YS, which groff and mandoc both have. Rules kept:
what can be copied and typed has \- for its dashes and \(aq for its quotes, or a terminal shows typographic
ones (groff_char(7)); no line of text starts with a dot or a quote.
"""

import re
import textwrap
from collections.abc import Iterable
from typing import Final

from pywg.manual.model import Argument, Command, Example, Option, Prose, Section, Word, paragraphs
from pywg.manual.page import ENVIRONMENT, MANUAL, commands

_ESCAPED: Final = str.maketrans({"\\": r"\e", "'": r"\(aq", "^": r"\(ha", "~": r"\(ti"})
_DATE: Final = "2026-11-22"
"""When what the page says was last changed."""
_LINE: Final = 79
"""Longest line of the file; how it is shown has nothing to do with it."""
_LITERAL: Final = str.maketrans({"-": r"\-"})


def page() -> str:
    """The whole page."""
    parts = [
        r".\" Generated from pywg/manual by python -m pywg.manual.generate. Do not edit.",
        f".TH {MANUAL.name.upper()} 8 {_DATE} {MANUAL.name}",
        ".ss 12 0",
        ".ad l",
        ".nh",
        ".SH NAME",
        rf"{MANUAL.name} \- {_prose_line(MANUAL.summary)}",
        ".SH SYNOPSIS",
        *_synopsis(),
        ".SH DESCRIPTION",
        *_prose(MANUAL.description)[1:],
        ".SH THE DAEMON",
        *_command(MANUAL.daemon),
    ]
    for group in MANUAL.groups:
        parts.append(f".SH {_heading(group.title.partition(',')[0])}")
        for command in group.commands:
            parts += [f".SS {command.word}", *_command(command)]
    for section in MANUAL.sections:
        parts += _section(section)
    parts += [".SH SEE ALSO", ",\n".join(map(_prose_line, MANUAL.see_also))]
    return "\n".join(parts) + "\n"


def _synopsis() -> Iterable[str]:
    for form in (*MANUAL.daemon.forms, "COMMAND [ARGUMENT...]", *commands()["help"].forms):
        yield from _synopsis_of(MANUAL.name, form)


def _synopsis_of(called: str, form: str) -> Iterable[str]:
    """A form, its further lines indented as far as `called` reaches. What ends it turns on hyphenation."""
    yield from (f'.SY "{called}"', *_wrapped(_form(form) or r"\&"), ".YS", ".nh")


def _command(command: Command) -> Iterable[str]:
    for form in command.forms:
        word = command.word if form.startswith(command.word) else ""
        yield from _synopsis_of(f"{MANUAL.name} {word}".rstrip(), form.removeprefix(word).lstrip())
    yield from _prose(command.description)
    for argument in command.arguments:
        yield from _argument(argument)
    for option in (*command.options, *command.settings):
        yield from _option(option)
    if command.peer_settings:
        yield from (".PP", "Of a peer:")
    for option in command.peer_settings:
        yield from _option(option)
    if command.status:
        yield from (".PP", "Exit status:", *_prose(command.status)[1:])
    for example in command.examples:
        yield from _example(example)


def _argument(argument: Argument) -> Iterable[str]:
    yield from (".TP", _form(argument.name), _prose_line(argument.meaning))
    yield from _words(argument.words)


def _option(option: Option) -> Iterable[str]:
    names = ", ".join(map(_bold, option.names))
    yield from (".TP", f"{names} {_form(option.value.name)}" if option.value else names)
    yield _prose_line(option.meaning)
    yield from _words(option.value.words if option.value else ())


def _words(words: tuple[Word, ...]) -> Iterable[str]:
    if not any(word.meaning for word in words):
        return
    yield from (".RS", ".PD 0")
    width = max(len(word.text) for word in words) + 2
    for word in words:
        yield from (f".TP {width}n", _bold(word.text), _prose_line(word.meaning))
    yield from (".PD", ".RE")


def _example(example: Example) -> Iterable[str]:
    purpose = f"{example.purpose[:1].upper()}{example.purpose[1:]}:"
    yield from (".PP", _prose_line(purpose), ".PP", ".RS", ".EX")
    yield from (_safe(line.translate(_ESCAPED).translate(_LITERAL)) for line in example.lines)
    yield from (".EE", ".RE")


def _section(section: Section) -> Iterable[str]:
    yield f".SH {_heading(section.title)}"
    yield from _prose(section.introduction)[1:]
    for its in section.lists:
        if its.title:
            yield f".SS {its.title}"
        for entry in its.entries:
            yield from (".TP", _bold(entry.name), _prose_line(entry.meaning))


def _prose(prose: Prose) -> list[str]:
    return [line for paragraph in paragraphs(prose) for line in (".PP", _prose_line(paragraph))]


def _heading(title: str) -> str:
    return title.upper().translate(_ESCAPED)


def _bold(text: str) -> str:
    return rf"\fB{text.translate(_ESCAPED).translate(_LITERAL)}\fR"


def _italic(text: str) -> str:
    return rf"\fI{text.translate(_ESCAPED)}\fR"


def _form(form: str) -> str:
    """Words of the form are bold, names of arguments italic, and the signs between are neither."""
    shown = "".join(
        _italic(part) if part.isupper() else _bold(part) if re.fullmatch(r"-*[a-z][a-z-]*", part) else part
        for part in re.split(r"(-*[A-Za-z][A-Za-z-]*)", form)
    )
    return re.sub(r"(?<=\[\+\|)-", r"\\-", shown)


def _prose_line(text: str) -> str:
    """A paragraph or a phrase. Literals, variables and pages of the manual are bold, arguments italic."""
    parts = re.split(r"(`[^`]*`)", text)
    shown = "".join(_bold(part[1:-1]) if part[:1] == "`" else _names(part) for part in parts)
    return "\n".join(_wrapped(shown))


def _names(text: str) -> str:
    escaped = text.translate(_ESCAPED)
    escaped = re.sub(r"\b([a-z][a-z_-]*)(?=\(\d\))", lambda found: _bold(found[1]), escaped)
    escaped = re.sub(_alternatives(_VARIABLES), lambda found: _bold(found[0]), escaped)
    return re.sub(_alternatives(_ARGUMENTS), lambda found: _italic(found[0]), escaped)


def _alternatives(names: Iterable[str]) -> str:
    return rf"\b(?:{'|'.join(map(re.escape, sorted(names, reverse=True)))})\b"


def _wrapped(text: str) -> list[str]:
    lines = textwrap.wrap(text, _LINE, break_on_hyphens=False, break_long_words=False)
    return [_safe(line) for line in lines]


def _safe(line: str) -> str:
    """Not taken for a request."""
    return rf"\&{line}" if line.startswith((".", "'")) else line


def _argument_names() -> set[str]:
    its = [
        argument
        for command in (MANUAL.daemon, *commands().values())
        for argument in (
            *command.arguments,
            *(option.value for option in (*command.options, *command.settings, *command.peer_settings)),
        )
        if argument is not None
    ]
    return {name for argument in its for name in re.findall(r"[A-Z]+", argument.name)}


_VARIABLES: Final = {entry.name for its in ENVIRONMENT.lists for entry in its.entries}
_ARGUMENTS: Final = _argument_names()
