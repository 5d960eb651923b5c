"""How the demo speaks: each command before it is carried out, in the way of wg-quick's ``[#]`` lines."""

import os
import sys


class DemoError(Exception):
    """The demo cannot go on. The message is one line for the user: what happened, what to do next."""


def say(command: str) -> None:
    """Print a step in the words a reader could type."""
    show(f"[#] {command}")


def show(text: str) -> None:
    """Print what a step brought.

    Raises DemoError, once, when nobody reads the output any more; later lines go nowhere, so that cleaning
    up does not stumble over the same closed pipe.
    """
    try:
        print(text, flush=True)
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        raise DemoError("the output was closed; everything is taken down again") from None
