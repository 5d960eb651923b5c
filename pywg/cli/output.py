"""What a command writes: its result to standard output, everything else to standard error.

In: text. Out: an exit status. Rule kept: a result that did not get out is a failure, told in one line and
never in a traceback; where nobody reads any more (``| head -1``) there is nobody to tell, and the status is
that of a program that SIGPIPE has ended, as wg's.
"""

import os
import signal
import sys
from contextlib import suppress
from typing import Final, TextIO

from pywg.base64_key import without_keys

_PIPE_CLOSED: Final = 128 + signal.SIGPIPE


def put(text: str) -> int:
    """Write a result or a part of it, at once. Returns 0, or the exit status after a failure."""
    if sys.stdout is None:  # It was closed before we were started.
        tell("cannot write the result: standard output is closed")
        return 1
    try:
        # As bytes: the name of an interface need not be text in any encoding.
        sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        _give_up(sys.stdout)
        return _PIPE_CLOSED
    except OSError as error:
        _give_up(sys.stdout)
        tell(f"cannot write the result: {error.strerror or error}")
        return 1
    return 0


def tell(sentence: str) -> None:
    """Say on standard error what the user is to know, in one line, be the name of a file what it may.

    Where a name is expected and a key was given, the key is not repeated.
    """
    harmless = "".join(letter if letter.isprintable() else "?" for letter in without_keys(sentence))
    _write_error(f"pywg: {harmless}\n")


def echo(command: str) -> None:
    """Say on standard error what is about to be done, as wg-quick does."""
    _write_error(f"[#] {command}\n")


def unforeseen(error: Exception) -> int:
    """What nobody has caught: told by its type and place, and without its text. Returns the exit status."""
    if isinstance(error, BrokenPipeError):
        for stream in filter(None, (sys.stdout, sys.stderr)):
            _give_up(stream)
        return _PIPE_CLOSED
    from pywg.log import describe  # noqa: PLC0415 (seldom needed)

    tell(f"unforeseen: {describe(error)}; please report this")
    return 1


def wants_color() -> bool:
    """wg's rule (terminal.c): WG_COLOR_MODE ``always`` or ``never``; anything else, on a terminal."""
    mode = os.environ.get("WG_COLOR_MODE")
    return mode == "always" or (mode != "never" and sys.stdout is not None and sys.stdout.isatty())


def wrong_use(command: str, problem: str) -> int:
    """Say what is wrong with the words after `command`, then how it is used. Returns exit status 1."""
    tell(problem)
    tell_usage(command)
    return 1


def tell_usage(command: str) -> None:
    """Say on standard error how `command` is used; with "", how pywg is."""
    from pywg.cli.manual import usage  # noqa: PLC0415 (only wrong use needs it)

    _write_error(usage(command))


def _write_error(text: str) -> None:
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:  # Nobody is left to tell.
        _give_up(sys.stderr)


def _give_up(stream: TextIO) -> None:
    """What is still in its buffer goes nowhere, or the interpreter fails over it again when it ends."""
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
